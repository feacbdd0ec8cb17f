"""README and docs: every command parses, every example runs, the numbers quoted are those of the committed results."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import pytest

from analysis import commands as analysis_commands
from common.options import parse
from common.rows import write_jsonl
from eval.commands import main as eval_commands
from sweep.cli.verbs import VERBS
from tests.conftest import HANG_SECONDS, PUBLIC_DATA, ROOT

README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
TABLES = {"sweep": VERBS, "analysis": analysis_commands.COMMANDS, "eval": eval_commands.COMMANDS}


class Block(NamedTuple):
    """A fenced block: its language, the words behind it, and its text."""

    language: str
    words: str
    text: str

    @property
    def title(self) -> str:
        return next(iter(re.findall(r'title="([^"]+)"', self.words)), "")

    @property
    def runs(self) -> bool:
        return "run" in self.words.split()


def blocks(page: Path) -> list[Block]:
    fenced = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
    return [Block(*match) for match in fenced.findall(page.read_text(encoding="utf-8"))]


def shell_lines(block: Block) -> list[str]:
    """The commands of a block, continued lines joined."""
    return [line for line in block.text.replace("\\\n", " ").splitlines() if line.strip() and line[0] not in "# "]


def written_commands(page: Path) -> list[list[str]]:
    """The words of each of our commands in a page's shell blocks, without the program."""
    words = [shlex.split(line, comments=True) for block in blocks(page) if block.language == "sh"
             for line in shell_lines(block)]  # fmt: skip
    ours = [line[2:] for line in words if line[:2] == ["python", "-m"] and line[2] in TABLES]
    return ours + [line[1:] for line in words if line[0] == "dosage" and line[1] in TABLES]


RUN = [shlex.split(line, comments=True)[2:] for page in PAGES for block in blocks(page) if block.runs
       for line in shell_lines(block)]  # fmt: skip
COMMANDS = {" ".join(words): words for page in PAGES for words in written_commands(page)}


@pytest.fixture(scope="module")
def local_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of ``data=local``: parts of the public ones, and numbered rows instead of those that are trained on."""
    folder = tmp_path_factory.mktemp("local") / "data"
    shutil.copytree(PUBLIC_DATA["cut"], folder)
    numbers = range(8000)
    pairs = [{"instruction": f"Say {n}.", "input": "", "response": f"{n}"} for n in numbers]
    turns = [[{"from": "human", "value": f"Say {n}."}, {"from": "gpt", "value": f"{n}"}] for n in numbers]
    files = {"code/codegen_instruct": pairs, "general/roleplay_instruct": pairs}
    files["general/dummy_conversation"] = [{"conversations": talk} for talk in turns]
    for name, rows in files.items():
        (folder / f"{name}.json").write_text(json.dumps(rows), encoding="utf-8")
    lines = {"general/self_instruct_seed_tasks": pairs}
    lines["math/gsm8k_train"] = [{"question": f"What is {n} + 1?", "answer": f"#### {n + 1}"} for n in numbers]
    for name, rows in lines.items():
        write_jsonl(folder / f"{name}.jsonl", rows)
    return folder


def environment(store: Path, data: Path) -> dict[str, str]:
    ours = {"PYTHONPATH": str(ROOT), "DOSAGE_STORE": str(store), "OMP_NUM_THREADS": "1"}
    return {**os.environ, **ours, "DOSAGE_DATA": str(data)}


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


def test_the_index_lists_every_page():
    listed = set(re.findall(r"\]\((\w+\.md)\)", (ROOT / "docs" / "index.md").read_text(encoding="utf-8")))
    assert listed == {page.name for page in (ROOT / "docs").glob("*.md")} - {"index.md"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path):
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    targets += re.findall(r"(?:src|srcset)=\"([^\"]+)\"", page.read_text(encoding="utf-8"))
    missing = [t for t in targets if not t.startswith("http") and not (page.parent / t).exists()]
    assert not missing


def test_the_readme_is_short():
    text = README.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 120
    assert len(text.split()) <= 900
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    assert max(len(line) for line in prose.splitlines() if not line.startswith("|")) <= 200


def test_the_readme_quotes_the_committed_results():
    with (ROOT / "docs" / "results" / "data_amount.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["metric"] == "accuracy"]
    measured = {}
    for row in rows:
        if row["trained_on"] in (row["ability"], "base"):
            at = "untrained" if row["trained_on"] == "base" else str(Fraction(row["fraction"]))
            measured[at, row["ability"]] = f"{100 * float(row['value']):.1f}"
    text = README.read_text(encoding="utf-8")
    (header,) = re.findall(r"^ +fraction +(.+)$", text, re.MULTILINE)
    quoted = {}
    for at, values in re.findall(r"^ +(untrained|1(?:/\d+)?)  +(\d.*)$", text, re.MULTILINE):
        numbers = re.findall(r"(\d+\.\d)(?: ± \d+\.\d)?", values)
        quoted |= {(at, ability): number for ability, number in zip(header.split(), numbers, strict=True)}
    assert len(quoted) == 18
    assert quoted == {name: measured[name] for name in quoted}


def test_the_readme_quotes_the_committed_answer_of_next():
    (quoted,) = re.findall(r"quantity=math@4096\n```\n\n```\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    answer = (ROOT / "docs" / "results" / "next.txt").read_text(encoding="utf-8")
    for part in quoted.split("...\n"):
        assert part in answer


def test_the_committed_answer_is_worded_as_today(capsys: pytest.CaptureFixture[str]):
    """Its last digits may depend on the processor, so digits and the spaces around them do not count."""
    table = ROOT / "docs" / "results" / "data_amount.csv"
    assert analysis_commands.main(["next", f"table={table}", "quantity=math@4096"]) == 0
    today, committed = capsys.readouterr().out, (ROOT / "docs" / "results" / "next.txt").read_text(encoding="utf-8")
    assert re.sub(r"[\d.,\s─]+", " ", today) == re.sub(r"[\d.,\s─]+", " ", committed)


def test_the_docs_show_every_verb():
    written = {(words[0], words[1]) for words in COMMANDS.values() if len(words) > 1}
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    for package, commands in TABLES.items():
        for verb in filter(None, commands):
            assert (package, verb) in written or f"python -m {package} {verb}" in text


def test_the_page_of_config_keys_is_up_to_date():
    spec = importlib.util.spec_from_file_location("config_reference", ROOT / "docs" / "config_reference.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = (ROOT / "docs" / "config.md").read_text(encoding="utf-8")
    assert written == module.page(), "run: python docs/config_reference.py"


def test_the_site_is_built_and_lists_every_page(tmp_path: Path):
    build = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(tmp_path)]
    ended = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, timeout=HANG_SECONDS)
    assert ended.returncode == 0, ended.stderr
    pages = {page.stem for page in (ROOT / "docs").glob("*.md")} - {"index"}
    start = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert not [page for page in tmp_path.rglob("*.html") if "```" in page.read_text(encoding="utf-8")]
    assert all((tmp_path / page / "index.html").exists() and f'href="{page}/"' in start for page in pages)
