"""README and docs: links, the index, the site, and numbers as in the committed results."""

from __future__ import annotations

import csv
import importlib.util
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import pytest

from analysis import commands as analysis_commands
from tests.conftest import HANG_SECONDS, ROOT
from tests.docs.pages import PAGES, README


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


def script(name: str) -> ModuleType:
    """A script in docs, as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_config_keys_is_up_to_date():
    written = (ROOT / "docs" / "config.md").read_text(encoding="utf-8")
    assert written == script("config_reference").page(), "run: python docs/config_reference.py"


def test_the_picture_of_the_readme_is_up_to_date():
    """Up to last digits, which may depend on the processor."""
    for theme, drawn in script("picture").pictures().items():
        written = (ROOT / "docs" / "figures" / f"demo_{theme}.svg").read_text(encoding="utf-8")
        assert re.sub(r"[\d.,-]+", "", written) == re.sub(r"[\d.,-]+", "", drawn), "run: python docs/picture.py"


def test_the_site_is_built_and_lists_every_page(tmp_path: Path):
    build = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(tmp_path)]
    ended = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, timeout=HANG_SECONDS)
    assert ended.returncode == 0, ended.stderr
    pages = {page.stem for page in (ROOT / "docs").glob("*.md")} - {"index"}
    start = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert not [page for page in tmp_path.rglob("*.html") if "```" in page.read_text(encoding="utf-8")]
    assert all((tmp_path / page / "index.html").exists() and f'href="{page}/"' in start for page in pages)


def test_the_messages_of_the_page_on_trouble_are_those_of_the_code():
    """But for one of Python's own."""
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    named = [
        text for line in re.findall(r"^(`.*)\n:   ", page, re.MULTILINE) for text in re.findall(r"`([^`]+)`", line)
    ]
    foreign = {"ModuleNotFoundError: No module named 'hydra'"}
    packages = ("common", "sweep", "train", "eval", "analysis")
    code = "".join(file.read_text(encoding="utf-8") for package in packages for file in (ROOT / package).rglob("*.py"))
    whole = re.sub(r'"\s*\n\s*f?"', "", code)  # a message may be written in several parts
    assert len(named) > 25 and {text for text in named if text not in whole} == foreign
