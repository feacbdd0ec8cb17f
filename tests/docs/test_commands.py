"""Every command that the pages show parses, and every sweep among them can be planned."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from common.options import parse
from tests.conftest import HANG_SECONDS
from tests.docs.pages import COMMANDS, PAGES, README, RUN, TABLES, environment, quoted_plan, written_commands

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS.keys())
def test_every_command_that_is_written_down_is_understood(
    words: list[str], tmp_path: Path, local_data: Path, monkeypatch: pytest.MonkeyPatch
):
    package, *rest = words
    monkeypatch.chdir(tmp_path)
    for name in ("FOLDER", "FILE"):  # what the pages call any model and any file
        Path(name).mkdir() if name == "FOLDER" else Path(name).touch()
    verb, options = (rest[0], rest[1:]) if rest and "=" not in rest[0] and rest[0][0] not in "-+~" else ("", rest)
    if verb or package != "sweep":
        parse(TABLES[package][verb].options, options)
        return
    if words not in RUN:  # an example that may need files of its page is run below
        planned = rest if "dry_run=true" in rest else [*rest, "dry_run=true"]
        ended = subprocess.run(
            [sys.executable, "-m", "sweep", *planned], cwd=tmp_path, capture_output=True, text=True,
            env=environment(tmp_path / "store", local_data), timeout=HANG_SECONDS,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        if "dry_run=true" in rest and words in written_commands(README):
            assert set(quoted_plan()) <= set(ended.stdout.splitlines()), ended.stdout


def test_the_docs_show_every_verb():
    written = {(words[0], words[1]) for words in COMMANDS.values() if len(words) > 1}
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    for package, commands in TABLES.items():
        for verb in filter(None, commands):
            assert (package, verb) in written or f"python -m {package} {verb}" in text
