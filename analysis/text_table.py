"""A table of text and its rendering in the terminal."""

from __future__ import annotations

import io
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table

WIDTH = 118
"""Characters of the terminal's tables."""


@dataclass(frozen=True)
class TextTable:
    """A table of text."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.header):
                raise ValueError(f"sheet {self.title!r}: row {row} does not fit the header {self.header}")


def render(sheet: TextTable) -> str:
    """The sheet for the terminal."""
    table = Table(box=box.SIMPLE_HEAD)
    for i, name in enumerate(sheet.header):
        table.add_column(name, justify="left" if i == 0 else "right", overflow="fold")
    for row in sheet.rows:
        table.add_row(*row)
    file = io.StringIO()
    Console(file=file, width=WIDTH, color_system=None, highlight=False, markup=False, emoji=False).print(table)
    return f"{sheet.title}\n" + "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"
