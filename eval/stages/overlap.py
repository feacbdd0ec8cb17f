"""Stage overlap: how much of each item of a task a training source holds.

Words are runs of letters, digits and underscores, in lower case. An item is flagged when its whole prompt is a text of
the source, or when at least 70 % of the 8-word runs of its prompt, or of its answer, occur there (the rule of PaLM,
Chowdhery et al. 2022, arXiv:2204.02311). Beside it stands the share of items with any 13-word run in the source
(Brown et al. 2020, arXiv:2005.14165), which counts shared phrases too. A part of fewer words has no such run and cannot
be flagged by it. Memory is bounded by the items: the source streams by.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.json_file import write_json
from common.rows import data_files, write_jsonl
from eval.items import source_texts
from eval.items.jsonl import Row, locate
from eval.spec.scores import OverlapSpec
from eval.tasks import TASKS

Codes = NDArray[np.uint64]

SIZES = (8, 13)
SHARE = 0.7
WORD = re.compile(r"\w+")
FACTOR = np.uint64(0x9E3779B97F4A7C15)  # odd, so that multiplying by it loses nothing
ROWS = 2000  # of the source, held at a time
PARTS = {
    "gsm8k": ("question", "answer"), "humaneval": ("prompt", "code"), "mbpp": ("text", "code"),
    "ifeval": ("prompt", ""), "exact_match": ("prompt", "answers"), "regex": ("prompt", "answers"),
    "choice": ("prompt", "answers"), "mtbench": ("turns", "references"), "judge": ("turns", "references"),
}  # fmt: skip
"""The fields of a task's items that hold what is asked and what is to be answered ('': nothing)."""


def run(spec: OverlapSpec, inputs: Mapping[str, Path], out: Path) -> None:
    """Write items.jsonl (one record an item) and summary.json into ``out``."""
    items = TASKS[spec.task].items(locate(inputs["data"], spec.file), spec.reading)
    place = locate(inputs["source"], spec.source_file) if spec.source_file else inputs["source"]
    found = measure(spec.task, items, (row for file in data_files(place) for row in source_texts.rows(file)))
    write_jsonl(out / "items.jsonl", found)
    write_json(out / "summary.json", summary(spec.task, found))


def measure(task: str, items: Sequence[Row], source: Iterable[list[str]]) -> list[Row]:
    """For each item the shares of its runs, by part and size, that are in the source (None: too short); is it held?"""
    asked, answered = PARTS[task]
    parts = {
        name: [words(" ".join(source_texts.strings(item.get(column, "")))) for item in items]
        for name, column in (("prompt", asked), ("answer", answered))
    }
    known = _Known(sorted({word for lists in parts.values() for one in lists for word in one}))
    wholes = {" ".join(one): False for one in parts["prompt"] if one}
    for size in SIZES:
        known.watch(size, [one for lists in parts.values() for one in lists])
    _pass_by(known, wholes, source)
    found = []
    for place, item in enumerate(items):
        shares = {f"{name}_{size}": known.share(size, lists[place]) for name, lists in parts.items() for size in SIZES}
        whole = wholes.get(" ".join(parts["prompt"][place]), False)
        flagged = whole or any((shares[f"{name}_{SIZES[0]}"] or 0.0) >= SHARE for name in parts)
        found.append({"id": item["id"], **shares, "whole": whole, "flagged": flagged})
    return found


def summary(task: str, found: Sequence[Row]) -> Row:
    """Counts of items: all, flagged, held whole, with a 13-word run in the source, and too short for an 8-word run."""
    long, short = SIZES[-1], SIZES[0]
    return {
        "task": task, "items": len(found), "flagged": sum(row["flagged"] for row in found),
        "whole": sum(row["whole"] for row in found),
        "any_13": sum(bool(row[f"prompt_{long}"] or row[f"answer_{long}"]) for row in found),
        "short": sum(row[f"prompt_{short}"] is None and row[f"answer_{short}"] is None for row in found),
    }  # fmt: skip


def words(text: str) -> list[str]:
    """The words of a text as they are compared."""
    return WORD.findall(text.casefold())


@dataclass
class _Known:
    """The items' words, each with a random 64-bit code (0: any other word), and their runs with a mark if seen."""

    vocabulary: Sequence[str]
    codes: dict[str, int] = field(init=False)
    runs: dict[int, Codes] = field(default_factory=dict)
    seen: dict[int, NDArray[np.bool_]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.codes = {
            word: int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little") | 1
            for word in self.vocabulary
        }

    def coded(self, some: Iterable[str]) -> Codes:
        return np.array([self.codes.get(word, 0) for word in some], dtype=np.uint64)

    def watch(self, size: int, lists: Sequence[Sequence[str]]) -> None:
        """Look out for every run of ``size`` words of the lists."""
        found = [hashes(self.coded(one), size) for one in lists]
        self.runs[size] = np.unique(np.concatenate(found)) if found else np.empty(0, np.uint64)
        self.seen[size] = np.zeros(len(self.runs[size]), dtype=bool)

    def mark(self, size: int, coded: Codes) -> None:
        """Mark the runs that occur in coded words."""
        if len(self.runs[size]):
            given = hashes(coded, size)
            places = self.runs[size].searchsorted(given).clip(max=len(self.runs[size]) - 1)
            self.seen[size][places[self.runs[size][places] == given]] = True

    def share(self, size: int, one: Sequence[str]) -> float | None:
        """The share of a text's runs that were seen; None for one that has none."""
        given = hashes(self.coded(one), size)
        return float(self.seen[size][self.runs[size].searchsorted(given)].mean()) if len(given) else None


def hashes(coded: Codes, size: int) -> Codes:
    """A 64-bit hash of every run of ``size`` words without a 0 among them, in order."""
    count = len(coded) - size + 1
    if count <= 0:
        return np.empty(0, np.uint64)
    found: Codes = np.zeros(count, dtype=np.uint64)
    for place in range(size):
        found = found * FACTOR + coded[place : place + count]
    unknown = np.concatenate([[0], np.cumsum(coded == 0)])
    whole: NDArray[np.bool_] = unknown[size:] == unknown[:-size]
    return found[whole]


def _pass_by(known: _Known, wholes: dict[str, bool], source: Iterable[list[str]]) -> None:
    """Mark in ``known`` and ``wholes`` what occurs in the source; no run spans two texts."""
    for batch in _batches(source):
        split = [words(text) for row in batch for text in row]
        for one in split:
            if (whole := " ".join(one)) in wholes:
                wholes[whole] = True
        coded = known.coded(word for one in split for word in (*one, ""))
        for size in SIZES:
            known.mark(size, coded)


def _batches(source: Iterable[list[str]]) -> Iterator[list[list[str]]]:
    rows = iter(source)
    while batch := list(islice(rows, ROWS)):
        yield batch
