"""A table of text cells, and how it is printed in the terminal."""

from __future__ import annotations

import io
import textwrap
from dataclasses import dataclass
from itertools import zip_longest

from rich import box
from rich.console import Console
from rich.table import Table

WIDTH = 118
"""Width of the terminal's tables in characters."""


@dataclass(frozen=True)
class TextTable:
    """A title, a header and rows of text cells.

    Raises ValueError for a row whose length differs from that of the header.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.header):
                raise ValueError(f"table {self.title!r}: row {row} does not fit the header {self.header}")


def render(table: TextTable, width: int = WIDTH) -> str:
    """The table with its title for the terminal, at most ``width`` wide: the first column aligned left, others right.

    A cell may have several lines. The first lines of a row's cells stand beside each other, and so do all further ones,
    also where one of them is too long for its column.
    """
    grid = Table(box=box.SIMPLE_HEAD)
    for i, name in enumerate(table.header):
        grid.add_column(name, justify="left" if i == 0 else "right", overflow="fold")
    for row in table.rows:
        for lines in zip_longest(*(cell.split("\n") for cell in row), fillvalue=""):
            grid.add_row(*lines)
    file = io.StringIO()
    # Neither colours nor markup: the text is also written to files, and cells may hold square brackets.
    Console(file=file, width=width, color_system=None, highlight=False, markup=False, emoji=False).print(grid)
    title = table.title if width >= WIDTH else textwrap.fill(table.title, width)
    return f"{title}\n" + "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"
