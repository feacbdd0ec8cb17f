"""Stage overlap: how much of each item of a task a training source contains.

Words are runs of letters, digits and underscores, in lower case; in scripts without spaces every character is a word.
An item is flagged when its whole prompt is a text of the source, or, shorter than 8 words, stands inside one; or when
at least 70 % of the 8-word runs of its prompt, or of its answer, occur in the source (the rule of PaLM, Chowdhery et
al. 2022, arXiv:2204.02311). The summary also counts the items with any 13-word run in the source (Brown et al. 2020,
arXiv:2005.14165), a rule that counts shared phrases too. What is said in other words or another language is not seen,
nor is a short answer, nor a prompt below `FEWEST` words inside a longer text. Memory is bounded by the items, because
the source is read as a stream.
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
MIN_SHARE = 0.7
FEWEST, SHORTEST = 4, 12  # words and characters of a prompt that is looked for inside longer texts; less is a phrase
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
WORD = re.compile(rf"[{UNSPACED}]|[^\W{UNSPACED}]+")
FACTOR = np.uint64(0x9E3779B97F4A7C15)  # odd, so that multiplying by it modulo 2^64 can be undone
BATCH_ROWS = 2000  # rows of the source in memory at a time


def run(spec: OverlapSpec, inputs: Mapping[str, Path], out: Path) -> None:
    """Write items.jsonl (one record per item) and summary.json into ``out``. Raises ValueError for unreadable files."""
    items = TASKS[spec.task].items(locate(inputs["data"], spec.file), spec.reading)
    place = locate(inputs["source"], spec.source_file) if spec.source_file else inputs["source"]
    rows = measure(spec.task, items, (row for file in data_files(place) for row in source_texts.rows(file)))
    write_jsonl(out / "items.jsonl", rows)
    write_json(out / "summary.json", summary(spec.task, rows))


def measure(task: str, items: Sequence[Row], source: Iterable[list[str]]) -> list[Row]:
    """One record per item: the shares of its runs that are in the source, whether it is there whole, whether flagged.

    ``source`` holds the texts of each row. A share is called by part and size, as ``prompt_8``; it is None for a part
    that is too short.
    """
    prompt_field, answer_field = TASKS[task].parts
    parts = {
        name: [words(" ".join(source_texts.strings(item.get(column, "")))) for item in items]
        for name, column in (("prompt", prompt_field), ("answer", answer_field))
    }
    index = _RunIndex(sorted({word for texts in parts.values() for text in texts for word in text}))
    # A short prompt has no 8-word run, but may still be in the source whole.
    wholes = {" ".join(text): False for text in parts["prompt"] if text}
    for size in SIZES:
        index.add(size, [text for texts in parts.values() for text in texts])
    short = [text for text in parts["prompt"] if FEWEST <= len(text) < SIZES[0] and sum(map(len, text)) >= SHORTEST]
    for size in {len(text) for text in short}:
        index.add(size, [text for text in short if len(text) == size])
    _scan(index, wholes, source)
    inside = {" ".join(text) for text in short if index.share(len(text), text)}
    rows = []
    for number, item in enumerate(items):
        shares = {f"{name}_{size}": index.share(size, texts[number]) for name, texts in parts.items() for size in SIZES}
        prompt = " ".join(parts["prompt"][number])
        whole = wholes.get(prompt, False) or prompt in inside
        flagged = whole or any((shares[f"{name}_{SIZES[0]}"] or 0.0) >= MIN_SHARE for name in parts)
        rows.append({"id": item["id"], **shares, "whole": whole, "flagged": flagged})
    return rows


def summary(task: str, rows: Sequence[Row]) -> Row:
    """Numbers of items: all, flagged, contained whole, with a 13-word run in the source, too short for 8-word runs."""
    short, long = SIZES
    return {
        "task": task, "items": len(rows), "flagged": sum(row["flagged"] for row in rows),
        "whole": sum(row["whole"] for row in rows),
        "any_13": sum(bool(row[f"prompt_{long}"] or row[f"answer_{long}"]) for row in rows),
        "short": sum(row[f"prompt_{short}"] is None and row[f"answer_{short}"] is None for row in rows),
    }  # fmt: skip


def words(text: str) -> list[str]:
    """The words of a text as they are compared."""
    return WORD.findall(text.casefold())


@dataclass
class _RunIndex:
    """The runs of words of the items, with a mark on those seen in the source.

    Each word of ``vocabulary`` has a random 64-bit code; any other word has code 0, and runs with it are ignored.
    """

    vocabulary: Sequence[str]
    codes: dict[str, int] = field(init=False)
    runs: dict[int, Codes] = field(default_factory=dict)
    seen: dict[int, NDArray[np.bool_]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.codes = {
            word: int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little") | 1
            for word in self.vocabulary
        }

    def coded(self, text: Iterable[str]) -> Codes:
        """The codes of the words, [words]."""
        return np.array([self.codes.get(word, 0) for word in text], dtype=np.uint64)

    def add(self, size: int, texts: Sequence[Sequence[str]]) -> None:
        """Add every run of ``size`` words in the texts."""
        hashed = [hashes(self.coded(text), size) for text in texts]
        self.runs[size] = np.unique(np.concatenate(hashed)) if hashed else np.empty(0, np.uint64)
        self.seen[size] = np.zeros(len(self.runs[size]), dtype=bool)

    def mark(self, size: int, coded: Codes) -> None:
        """Mark the runs that occur in coded words."""
        if len(self.runs[size]):
            hashed = hashes(coded, size)
            # The runs are sorted, so a binary search finds each hash, or the place where it would be.
            places = self.runs[size].searchsorted(hashed).clip(max=len(self.runs[size]) - 1)
            self.seen[size][places[self.runs[size][places] == hashed]] = True

    def share(self, size: int, text: Sequence[str]) -> float | None:
        """The share of a text's runs that are marked; None for a text without runs."""
        hashed = hashes(self.coded(text), size)
        return float(self.seen[size][self.runs[size].searchsorted(hashed)].mean()) if len(hashed) else None


def hashes(coded: Codes, size: int) -> Codes:
    """A 64-bit hash of every run of ``size`` codes, [runs], in order; runs with a code 0 are left out."""
    count = len(coded) - size + 1
    if count <= 0:
        return np.empty(0, np.uint64)
    # A polynomial in `FACTOR` over each window; arithmetic is modulo 2^64.
    hashed: Codes = np.zeros(count, dtype=np.uint64)
    for offset in range(size):
        hashed = hashed * FACTOR + coded[offset : offset + count]
    zeros = np.concatenate([[0], np.cumsum(coded == 0)])  # before each position
    without_zero: NDArray[np.bool_] = zeros[size:] == zeros[:-size]
    return hashed[without_zero]


def _scan(index: _RunIndex, wholes: dict[str, bool], source: Iterable[list[str]]) -> None:
    """Mark in ``index`` and ``wholes`` what occurs in the source. No run spans two texts."""
    for batch in _batches(source):
        split = [words(text) for row in batch for text in row]
        for text in split:
            if (whole := " ".join(text)) in wholes:
                wholes[whole] = True
        coded = index.coded(word for text in split for word in (*text, ""))  # '' has code 0 and separates texts
        for size in index.runs:
            index.mark(size, coded)


def _batches(source: Iterable[list[str]]) -> Iterator[list[list[str]]]:
    rows = iter(source)
    while batch := list(islice(rows, BATCH_ROWS)):
        yield batch
