"""The answers of a sweep's cells for people: what was asked and answered, whether it was right, and why."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from analysis.data.study import Study
from analysis.data.sweep_folder import SweepFolder
from analysis.report.cells import short_names

MOST = 60_000
"""Answers of the page at most; each cell and task then has the first of its own, equally many."""
LONGEST = 4_000
"""Letters of a text that the page shows."""
VERDICTS = ("wrong", "right", "cut off", "unreadable", "rated")
FIXED, BROKEN = 1, 2
"""Marks: right with the most data and wrong with the least; wrong in a mixture and right with the same data alone."""


@dataclass
class Texts:
    """Texts by number, each once."""

    numbers: dict[str, int] = field(default_factory=dict)

    def number(self, text: str) -> int:
        """The number of a text, a new one where it is new."""
        cut = text if len(text) <= LONGEST else text[:LONGEST] + " …"
        return self.numbers.setdefault(cut, len(self.numbers))


@dataclass(frozen=True)
class Answers:
    """Rows of cell, task, item, prompt, gold, answer, reason (numbers of texts), verdict (of `VERDICTS`) and marks.

    ``left_out`` counts the answers that the page has no room for.
    """

    rows: list[list[int]]
    cells: list[str]
    tasks: list[str]
    texts: list[str]
    left_out: int

    def record(self) -> dict[str, object]:
        """For the page's script."""
        names = short_names(self.cells)
        return {"rows": self.rows, "cells": self.cells, "names": [names[cell] for cell in self.cells],
                "tasks": self.tasks, "texts": self.texts,
                "verdicts": VERDICTS, "left_out": self.left_out}  # fmt: skip


def answers(study: Study, folders: Sequence[SweepFolder]) -> Answers | None:
    """All answers that lie in the stores; None where there are none."""
    files = [found for folder in folders for found in folder.answers()]
    if not files:
        return None
    each = max(1, MOST // len(files))
    texts, cells, tasks = Texts(), Texts(), Texts()
    rows, left_out = list[list[int]](), 0
    for cell, _, task, file in files:
        with file.open(encoding="utf-8") as stream:
            for i, line in enumerate(stream):
                if i >= each:
                    left_out += 1
                    continue
                rows.append(_row(json.loads(line), cells.number(cell), tasks.number(task), texts))
    abilities = {task: ability for _, ability, task, _ in files}
    pairs = [(ability, cells.number(marked), cells.number(before), mark) for ability, marked, before, mark in
             _pairs(study, list(cells.numbers))]  # fmt: skip
    _mark(rows, pairs, [abilities[task] for task in tasks.numbers])
    return Answers(rows, list(cells.numbers), list(tasks.numbers), list(texts.numbers), left_out)


def _row(read: Mapping[str, Any], cell: int, task: int, texts: Texts) -> list[int]:
    shown = str(read.get("answer", ""))
    thought = str(read.get("thought") or "")
    parts = (
        str(read.get("item", read["id"])), str(read.get("prompt", "")), str(read.get("gold") or ""),
        f"{thought}\n\n{shown}" if thought else shown, str(read.get("reason", "")),
    )  # fmt: skip
    return [cell, task, *map(texts.number, parts), _verdict(read), 0]


def _verdict(read: Mapping[str, Any]) -> int:
    """The place of the verdict in `VERDICTS`."""
    reason, verdict = str(read.get("reason", "")), read.get("verdict")
    if verdict is True:
        return 1
    if "cut off" in reason or "no room for an answer" in reason:
        return 2
    if reason.startswith(("no answer could be read", "the answer is empty", "no reply of the judge")):
        return 3
    return 0 if verdict is False or verdict is None else 4


def _pairs(study: Study, cells: Sequence[str]) -> list[tuple[str, str, str, int]]:
    """Which cells are compared: ability, the cell that is marked, the one before it, and the mark."""
    table = study.table
    if not {"cell", "samples", "total_samples"} <= set(table):
        return []
    shared = [c for c in ("model", "seed") if c in table]
    rows = table[table["cell"].isin(cells) & (table["samples"] > 0)].drop_duplicates(["ability", "cell"])
    pairs = []
    for keys, part in rows.groupby(["ability", *shared], dropna=False):
        ability = str(keys[0])
        alone = part[part["samples"] == part["total_samples"]].sort_values("samples")
        if len(alone) > 1:
            pairs.append((ability, str(alone["cell"].iloc[-1]), str(alone["cell"].iloc[0]), FIXED))
        same = {float(n): str(cell) for n, cell in zip(alone["samples"], alone["cell"], strict=True)}
        mixed = part[part["samples"] < part["total_samples"]]
        for n, cell in zip(mixed["samples"], mixed["cell"], strict=True):
            if float(n) in same:
                pairs.append((ability, str(cell), same[float(n)], BROKEN))
    return pairs


def _mark(rows: list[list[int]], pairs: Sequence[tuple[str, int, int, int]], abilities: Sequence[str]) -> None:
    """Add marks to the rows of compared cells, for the tasks of the ability that the comparison is about."""
    at = {(row[0], row[1], row[2]): row for row in rows}
    by_cell: dict[int, list[list[int]]] = {}
    for row in rows:
        by_cell.setdefault(row[0], []).append(row)
    right = VERDICTS.index("right")
    for ability, marked, before, mark in pairs:
        for row in by_cell.get(marked, ()):
            other = at.get((before, row[1], row[2]))
            if other is None or abilities[row[1]] != ability:
                continue
            better, worse = (row, other) if mark == FIXED else (other, row)
            if better[7] == right and worse[7] != right:
                row[8] |= mark
