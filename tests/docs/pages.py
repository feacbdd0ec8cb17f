"""The pages of the documentation, their fenced blocks and the commands in them."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import NamedTuple

from analysis import commands as analysis_commands
from eval.commands import main as eval_commands
from sweep.cli.verbs import VERBS
from tests.conftest import ROOT

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


def quoted_plan() -> list[str]:
    """What the README shows as the end of the plan of its dry run."""
    text = README.read_text(encoding="utf-8")
    (quoted,) = re.findall(r"^```\n(\d+ cells: .*?)^```", text, re.MULTILINE | re.DOTALL)
    return quoted.splitlines()


RUN = [shlex.split(line, comments=True)[2:] for page in PAGES for block in blocks(page) if block.runs
       for line in shell_lines(block)]  # fmt: skip
COMMANDS = {" ".join(words): words for page in PAGES for words in written_commands(page)}


def environment(store: Path, data: Path) -> dict[str, str]:
    ours = {"PYTHONPATH": str(ROOT), "DOSAGE_STORE": str(store), "OMP_NUM_THREADS": "1"}
    return {**os.environ, **ours, "DOSAGE_DATA": str(data)}
