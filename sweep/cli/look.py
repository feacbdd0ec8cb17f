"""What files of training rows hold: format, columns and ability, as far as they can be guessed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from common.hub import download
from common.rows import READERS, Row, data_files, read_rows
from sweep.config.strategy import GENERAL, WORDS
from train.sources import BadRow, Message, conversation

NOT_FOR_TRAINING = re.compile(
    r"(^|[^a-z])(test|valid|validation|dev|eval|dataset_infos?|dataset_dict)([^a-z]|$)", re.IGNORECASE
)

HUB_ID = re.compile(r"(?P<repo>[\w-][\w.-]*/[\w-][\w.-]*)(@(?P<revision>[\w.-]+))?")
"""A data set of the hub, as in ``openai/gsm8k`` or ``openai/gsm8k@main``."""

HUB_FILES = ["*.jsonl", "*.json", "*.csv", "*.parquet", "*.gz"]
"""Which files of a data set are looked at."""

PROMPTS = ("prompt", "question", "query", "instruction", "input", "problem")
ANSWERS = ("completion", "response", "answer", "output", "solution", "target", "reply")
"""Usual names of the columns of a request and its answer, the likeliest first; or a word of such a name."""

ABILITIES = {
    "math": r"math|gsm|arith|algebra|sums",
    "code": r"code|python|program|mbpp|humaneval|sql",
    GENERAL: r"general|chat|sharegpt|conversation|instruct|alpaca|dolly",
}
"""What the name of a file says about its ability; the first that fits counts."""

NUMBERED = re.compile(
    r"(main|default|train|part|data|shard|chunk)?[-_]?\d*([-_]of[-_]\d+)?([-_][0-9a-f]{8}[0-9a-f-]*)?", re.IGNORECASE
)
"""Names that say nothing of what a file teaches, such as ``train-00000-of-00003``; its folder's name does."""

LOOKED_AT = 200
"""Rows by which a format is guessed."""

SAMPLES = 3
"""Samples that are shown of a file."""


@dataclass(frozen=True)
class Place:
    """A file, and where it lies on the hub if it does: the data set, its commit and the file in it.

    ``name`` is the path by which people know it.
    """

    path: Path
    name: Path
    hub: tuple[str, str, str] | None = None


@dataclass(frozen=True)
class Found:
    """A file of training rows: its format, the columns of the format's fields, and what its rows hold.

    ``samples`` are the conversations of its first rows, ``bad`` the problems of rows that cannot be used.
    """

    place: Place
    ability: str
    format: str
    columns: dict[str, str]
    rows: int
    samples: list[tuple[Message, ...]]
    bad: list[str]

    @property
    def source(self) -> dict[str, Any]:
        """The source as the config says it."""
        columns = {"columns": self.columns} if self.columns else {}
        skip = {"on_bad_row": "skip"} if self.bad else {}
        held_out = min(256, max(1, (self.rows - len(self.bad)) // 10))
        lies: dict[str, Any] = {"path": str(self.place.path)}
        if self.place.hub is not None:
            lies = {**dict(zip(("hub", "revision", "file"), self.place.hub, strict=True)), "num_rows": self.rows}
        return {
            "ability": self.ability, "format": self.format, **lies, **columns, "held_out_rows": held_out, **skip,
        }  # fmt: skip


def places(place: str) -> list[Place]:
    """The file; or those of a folder, or of a data set of the hub, that hold rows to train on.

    Raises a ValueError where there are none, and for a data set that cannot be read.
    """
    if Path(place).is_file():
        return [Place(Path(place), Path(place))]
    if Path(place).is_dir():
        return [Place(file, file) for file in _files(place, Path(place))]
    asked = HUB_ID.fullmatch(place)
    assert asked is not None
    repo = asked["repo"]
    folder = download(repo, asked["revision"] or "main", HUB_FILES, kind="dataset")
    inside = [(file, str(file.relative_to(folder))) for file in _files(place, folder)]
    return [Place(file, Path(repo, name), (repo, folder.name, name)) for file, name in inside]


def is_hub_id(place: str) -> bool:
    return HUB_ID.fullmatch(place) is not None and not place.removesuffix(".gz").endswith(tuple(READERS))


def _files(place: str, folder: Path) -> list[Path]:
    """The files of a folder that hold rows to train on. Raises a ValueError where there are none."""
    rows = data_files(folder)
    training = [file for file in rows if not NOT_FOR_TRAINING.search(file.stem)]
    if not training:
        listed = ", ".join(file.name for file in rows) or "no file of rows"
        raise ValueError(f"data={place}: no training rows in this folder; it holds {listed}; name the files")
    return training


def look(place: Place, ability: str = "") -> Found:
    """What a file holds, read once. Raises a ValueError for one that cannot be read or whose format is not known."""
    rows = read_rows(place.path)
    first = list(islice(rows, LOOKED_AT))
    records = [row.record for row in first if isinstance(row.record, dict)]
    if not records:
        why = next((f"{row.unit} {row.line} {row.problem}" for row in first if row.problem), "a row must be an object")
        raise ValueError(f"data={place.name}: no row with named fields among the first {LOOKED_AT}; {why}")
    row_format, columns = guessed_format(place.name, records)
    count = 0
    samples: list[tuple[Message, ...]] = []
    bad: list[str] = []
    for row in chain(first, rows):
        count += 1
        try:
            turns = conversation(row, row_format, columns)
        except BadRow as problem:
            bad.append(_place(row, problem))
            continue
        if len(samples) < SAMPLES:
            samples.append(turns)
    if not samples:
        raise ValueError(f"data={place.name}: read as {row_format}, no row can be used; the first problem: {bad[0]}")
    return Found(place, ability or guessed_ability(place.name, samples), row_format, columns, count, samples, bad)


def _place(row: Row, problem: BadRow) -> str:
    field = f", {problem.field}" if problem.field else ""
    return f"{row.unit} {row.line}{field}: {problem.problem}"


def guessed_format(path: Path, records: Sequence[dict[str, Any]]) -> tuple[str, dict[str, str]]:
    """The format of most rows, and the columns of its fields where they have other names."""
    counts = Counter(column for record in records for column, value in record.items() if value not in (None, ""))
    usual = [column for column, count in counts.most_common() if 2 * count >= len(records)]
    for column in usual:
        turns = next((r[column] for r in records if isinstance(r.get(column), list) and r[column]), None)
        if turns and isinstance(turns[0], dict):
            if {"from", "value"} <= turns[0].keys():
                return "sharegpt", _renamed({"conversations": column})
            if {"role", "content"} <= turns[0].keys():
                return "messages", _renamed({"messages": column})
    texts = {column.lower(): column for column in usual}
    answer = _named(ANSWERS, texts, records)
    if "instruction" in texts and answer is not None:
        return "alpaca", _renamed({"instruction": texts["instruction"], "output": answer})
    prompt = _named(PROMPTS, {name: column for name, column in texts.items() if column != answer}, records)
    if prompt is not None and answer is not None:
        if (prompt, answer) == ("question", "answer") and all("####" in str(r.get("answer")) for r in records):
            return "gsm8k", {}
        return "completion", _renamed({"prompt": prompt, "completion": answer})
    if "text" in texts:
        return "text", _renamed({"text": texts["text"]})
    raise ValueError(
        f"data={path}: no known format in the columns {', '.join(map(str, counts))}; call two of them prompt and "
        "completion, or write the source by hand, with columns: {prompt: ..., completion: ...} (docs/sources.md)"
    )


def _named(words: Sequence[str], texts: dict[str, str], records: Sequence[dict[str, Any]]) -> str | None:
    """The column that is called by one of the words; else one with such a word in its name and text in its rows."""
    if exact := next((texts[word] for word in words if word in texts), None):
        return exact
    written = [
        name for name, column in texts.items() if any(re.search(r"[^\W\d_]", str(r.get(column))) for r in records)
    ]
    return next((texts[name] for word in words for name in written if word in re.split(r"[\W_]+", name)), None)


def _renamed(columns: dict[str, str]) -> dict[str, str]:
    return {field: column for field, column in columns.items() if field != column}


def guessed_ability(path: Path, samples: Sequence[tuple[Message, ...]]) -> str:
    """An ability by the name of the file or its folder, else by what its answers look like, else that name itself."""
    names = [
        re.sub(r"(\.(jsonl|json|csv|parquet|gz))+$", "", path.name),
        *(folder.name for folder in path.parents if folder.name),
    ]
    name = next((name for name in names if not NUMBERED.fullmatch(name)), names[0]).lower()
    for ability, pattern in ABILITIES.items():
        if re.search(pattern, name):
            return ability
    answers = [turns[-1].content for turns in samples]
    if all("####" in answer for answer in answers):
        return "math"
    if all(re.search(r"```|^\s*(def|import|class) ", answer, re.MULTILINE) for answer in answers):
        return "code"
    word = re.sub(r"\W+|_+", "_", name).strip("_") or "own"
    return f"{word}_data" if word in WORDS or word[0].isdigit() else word
