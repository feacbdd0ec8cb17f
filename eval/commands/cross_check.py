"""Verb cross-check: our verdicts beside lm-eval's own, item by item, from the samples that it logged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.options import option
from common.rows import write_jsonl
from eval.items.jsonl import Row, field, read

NAMES = ("id", "task_id", "key")  # where an item of lm-eval has a name of its own
TWINS = {"strict": "lmeval_strict", "flexible": "lmeval_flexible"}  # verdicts of ours by lm-eval's own rules
HEADLINE = "correct"


@dataclass(frozen=True)
class CrossCheck:
    """Options of ``python -m eval cross-check``."""

    samples: str = option("the file samples_TASK_*.jsonl that lm-eval writes with --log_samples")
    ours: str = option("the folder OUT/TASK that python -m eval wrote")
    out: str | None = option("a file for the items on which the two differ, as JSON lines", None)


@dataclass(frozen=True)
class _Pair:
    """One item under one rule of lm-eval's and one of ours: verdicts, what was read from the texts, and the texts."""

    id: str
    rule: str
    verdict: str
    theirs: bool
    ours: bool
    read: tuple[Any, Any]
    texts: tuple[str, str]

    @property
    def same_text(self) -> bool:
        return self.texts[0].strip() == self.texts[1].strip()


def run(asked: CrossCheck) -> str:
    """A table of agreement, and every item on which the two differ."""
    scores = {str(row["id"]): row for row in read(Path(asked.ours, "scores", "scores.jsonl"))}
    texts = {str(row["id"]): row["text"] for row in read(Path(asked.ours, "answers", "responses.jsonl"))}
    logged = _logged(Path(asked.samples), scores)
    pairs = [pair for name, row in logged for pair in _pairs(name, row, scores[name], texts[name])]
    if not pairs:
        raise ValueError(f"{asked.samples} and {asked.ours} have no verdict in common: are they of the same task?")
    apart = [pair for pair in pairs if pair.theirs != pair.ours]
    if asked.out:
        write_jsonl(Path(asked.out), map(_row, apart))
    missing = len(set(scores) - {name for name, _ in logged})
    notes = [f"{missing} of our {len(scores)} items are not among the samples"] if missing else []
    return "\n".join([*_table(pairs), *notes, *map(_line, apart)])


def _logged(source: Path, scores: Mapping[str, Row]) -> list[tuple[str, Row]]:
    """Each logged sample with the name of our item; those that are no item of ours are a ValueError."""
    files = sorted(source.rglob("samples_*.jsonl")) if source.is_dir() else [source]
    if len(files) != 1:
        raise ValueError(f"samples={source} holds {len(files)} files samples_*.jsonl; name one")
    found = []
    for number, row in enumerate(read(files[0])):
        doc = field(files[0], number, row, "doc", dict)
        names = [str(doc[name]) for name in NAMES if name in doc] + [str(row.get("doc_id"))]
        own = next((name for name in names if name in scores), None)
        if own is None:
            raise ValueError(f"{files[0]}: item {' or '.join(names)} is none of ours; compare the same items")
        found.append((own, row))
    return found


def _pairs(name: str, row: Row, score: Row, text: str) -> Iterator[_Pair]:
    """lm-eval's verdicts on one sample beside ours: the headline, and the twin of the same rule where there is one."""
    rule = str(row.get("filter", "none"))
    twins = [ours for word, ours in TWINS.items() if word in rule and ours in score]
    theirs_read, theirs_text = _first(row.get("filtered_resps")), _first(row.get("resps"))
    for metric in row.get("metrics", ()):
        value = row.get(metric)
        if not isinstance(value, bool | int | float) or value not in (0, 1):
            continue
        for verdict in (HEADLINE, *twins):
            if score.get(verdict) is not None:
                read_from = theirs_read, score.get("extracted")
                told = str(theirs_text), text
                yield _Pair(name, f"{rule} {metric}", verdict, bool(value), bool(score[verdict]), read_from, told)


def _first(value: Any) -> Any:
    while isinstance(value, list) and value:
        value = value[0]
    return value


def _table(pairs: Sequence[_Pair]) -> list[str]:
    rows: list[tuple[str, ...]] = [("lm-eval", "ours", "both", "neither", "theirs only", "ours only", "same text")]
    for rule, verdict in dict.fromkeys((pair.rule, pair.verdict) for pair in pairs):
        own = [pair for pair in pairs if (pair.rule, pair.verdict) == (rule, verdict)]
        kinds = [(pair.theirs, pair.ours) for pair in own]
        counts = [kinds.count(kind) for kind in ((True, True), (False, False), (True, False), (False, True))]
        same = sum(pair.same_text for pair in own)
        rows.append((rule, verdict, *map(str, counts), f"{same} of {len(own)}"))
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _line(pair: _Pair) -> str:
    who = "lm-eval" if pair.theirs else "we"
    told = "" if pair.same_text else "; the texts differ"
    looked = f"{pair.rule} read {pair.read[0]!r}, {pair.verdict} {pair.read[1]!r}"
    return f"item {pair.id}: {who} alone say right ({looked}){told}"


def _row(pair: _Pair) -> Row:
    sides = (pair.rule, pair.theirs), (pair.verdict, pair.ours)
    told = [
        {"rule": rule, "right": right, "read": read_from, "text": text}
        for (rule, right), read_from, text in zip(sides, pair.read, pair.texts, strict=True)
    ]
    return {"id": pair.id, "lm_eval": told[0], "ours": told[1]}
