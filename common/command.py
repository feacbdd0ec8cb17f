"""The command ``dosage``: ``dosage sweep …`` is ``python -m sweep …``, and so for ``eval`` and ``analysis``."""

from __future__ import annotations

import runpy
import sys

from common import __version__, interrupt
from common.options import HELP, near
from common.start import own_packages

USAGE = """\
dosage COMMAND [verb] key=value ...
  sweep       train and evaluate every cell of a grid; list, resume, cancel and clean up sweeps
  eval        evaluate a model folder without a sweep, compare two models, run programs in the sandbox
  analysis    curves, verdicts and a report from a table of results; what to train and what to measure next
  --version   the version of Dosage

`dosage COMMAND --help` lists a command's verbs and keys; `python -m COMMAND` runs the same command.
"""

COMMANDS = ("sweep", "eval", "analysis")


def main() -> None:
    """Run the command that the first word names, with the words after it."""
    interrupt.in_a_word()
    own_packages()
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    if word == "--version":
        print(f"dosage {__version__}")
    elif word in ("", *HELP):
        print(USAGE, end="")
        sys.exit(0 if word else 2)
    elif word not in COMMANDS:
        hint = near(word, COMMANDS)
        print(f"error: {word!r} is not a command of dosage{hint}; its commands: {', '.join(COMMANDS)}", file=sys.stderr)
        sys.exit(2)
    else:
        del sys.argv[1]
        runpy.run_module(word, run_name="__main__", alter_sys=True)
