"""Words in messages: numbers, and texts from outside."""

from __future__ import annotations

import difflib
import errno
import sys
from collections.abc import Iterable
from pathlib import Path


def plural(count: int, noun: str) -> str:
    """``1 cell``, ``2 cells``, ``10,008 cells``, ``2 repositories``."""
    many = f"{noun[:-1]}ies" if noun.endswith("ry") else f"{noun}s"
    return f"{count:,} {noun if count == 1 else many}"


def printable(text: str) -> str:
    """A text from outside on one line: white space in runs is one blank, and control characters are shown as codes."""
    shown = (sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in " ".join(text.split()))
    return "".join(shown)


def closest(word: str, known: Iterable[str]) -> list[str]:
    """The known word that is most like another; none where none is like it."""
    return difflib.get_close_matches(word, list(known), n=1)


def no_file(path: Path) -> str:
    """What is wrong with a path that should be that of a file."""
    return f"{path} {'is not a file' if path.exists() else 'does not exist'}"


def announce(text: str) -> None:
    """On a terminal, say on standard error what a command is doing while it prints nothing else."""
    if sys.stderr.isatty():
        print(text, file=sys.stderr, flush=True)


def reason(problem: Exception) -> str:
    """An error in one line; of a file or a full disk, with what can be done."""
    if isinstance(problem, OSError) and problem.errno in (errno.ENOSPC, errno.EDQUOT):
        where = f" for {problem.filename}" if problem.filename else ""
        return (
            f"the disk has no room left{where} ({problem.strerror}); free some, as with python -m sweep gc, or give "
            "another store="
        )
    if isinstance(problem, OSError) and problem.filename and problem.strerror:
        return f"{problem.filename2 or problem.filename}: {problem.strerror}; give another path"
    return str(problem)
