"""The examples of the pages run, one after another in a folder of their page."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import HANG_SECONDS, ROOT
from tests.docs.pages import PAGES, blocks, environment, shell_lines

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("page", [page for page in PAGES if any(b.runs for b in blocks(page))], ids=lambda p: p.stem)
def test_the_examples_of_a_page_run(page: Path, tmp_path: Path, local_data: Path):
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    for block in blocks(page):
        if block.title:
            file = tmp_path / block.title
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, encoding="utf-8")
    for block in (block for block in blocks(page) if block.runs):
        lines = [block.text] if block.language == "python" else shell_lines(block)
        for line in lines:
            words = ["python", "-c", line] if block.language == "python" else shlex.split(line, comments=True)
            assert words[0] == "python", line
            ended = subprocess.run(
                [sys.executable, *words[1:]], cwd=tmp_path, capture_output=True, text=True,
                env=environment(tmp_path / "store", local_data), timeout=HANG_SECONDS,
            )  # fmt: skip
            assert ended.returncode == 0, f"{line}\n{ended.stdout}{ended.stderr}"
