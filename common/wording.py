"""Words for numbers in messages."""

from __future__ import annotations


def plural(count: int, noun: str) -> str:
    """``1 cell``, ``2 cells``, ``10,008 cells``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
