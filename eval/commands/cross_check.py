"""Verb cross-check: compare our verdicts with those that lm-eval logged, item by item."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.options import AsJson, Result, option
from common.rows import write_jsonl
from common.wording import plural
from eval.commands.text_table import aligned
from eval.items.jsonl import Row, field, read

ID_FIELDS = ("id", "task_id", "key")
"""Fields of an lm-eval document that may hold the item's own id; without one, its ``doc_id`` counts."""

SAME_RULE = {"strict": "lmeval_strict", "flexible": "lmeval_flexible"}
"""A word in the name of an lm-eval filter, and the verdict in our scores that follows the same rule."""

HEADLINE = "correct"


@dataclass(frozen=True)
class CrossCheck(AsJson):
    """Options of ``python -m eval cross-check``."""

    samples: str = option("the file samples_TASK_*.jsonl that lm-eval writes with --log_samples")
    ours: str = option("the folder OUT/TASK that python -m eval wrote")
    out: str | None = option("a file for the items on which the two differ, as JSON lines", None)


@dataclass(frozen=True)
class _Pair:
    """Two verdicts on one item: lm-eval's under ``rule`` and ours called ``verdict``.

    ``extracted`` holds what each side read from the answer, ``texts`` the two answers; lm-eval's comes first.
    """

    id: str
    rule: str
    verdict: str
    theirs: bool
    ours: bool
    extracted: tuple[Any, Any]
    texts: tuple[str, str]

    @property
    def same_text(self) -> bool:
        return self.texts[0].strip() == self.texts[1].strip()


def run(options: CrossCheck) -> Result:
    """A table of agreement, and a line for every item on which the two differ.

    Raises ValueError when the samples are of other items or hold no verdicts.
    """
    scores = {str(row["id"]): row for row in read(Path(options.ours, "scores", "scores.jsonl"))}
    texts = {str(row["id"]): row["text"] for row in read(Path(options.ours, "answers", "responses.jsonl"))}
    samples = _samples(Path(options.samples), scores)
    pairs = [pair for name, row in samples for pair in _pairs(name, row, scores[name], texts[name])]
    if not pairs:
        raise ValueError(
            f"{options.samples} and {options.ours} have no verdict in common; give samples and answers of the same task"
        )
    differing = [pair for pair in pairs if pair.theirs != pair.ours]
    if options.out:
        write_jsonl(Path(options.out), map(_row, differing))
    missing = len(set(scores) - {name for name, _ in samples})
    notes = [f"{missing} of our {plural(len(scores), 'item')} are not among the samples"] if missing else []
    header, *rows = _agreement(pairs)
    record = {
        "agreement": [dict(zip(header, row, strict=True)) for row in rows],
        "notes": notes,
        "differing": list(map(_row, differing)),
    }
    return Result("\n".join([*aligned([header, *rows]), *notes, *map(_line, differing)]), record)


def _samples(source: Path, scores: Mapping[str, Row]) -> list[tuple[str, Row]]:
    """Each logged sample with the id of the same item in ``scores``. Raises ValueError for an item not in there."""
    files = sorted(source.rglob("samples_*.jsonl")) if source.is_dir() else [source]
    if len(files) != 1:
        raise ValueError(f"samples={source} holds {len(files)} files samples_*.jsonl; name one")
    samples = []
    for number, row in enumerate(read(files[0])):
        doc = field(files[0], number, row, "doc", dict)
        names = [str(doc[name]) for name in ID_FIELDS if name in doc] + [str(row.get("doc_id"))]
        own = next((name for name in names if name in scores), None)
        if own is None:
            raise ValueError(f"{files[0]}: item {' or '.join(names)} is not among our items; compare the same items")
        samples.append((own, row))
    return samples


def _pairs(name: str, sample: Row, score: Row, text: str) -> Iterator[_Pair]:
    """lm-eval's verdicts on one sample beside ours: the headline, and the verdict by the same rule if there is one."""
    rule = str(sample.get("filter", "none"))
    same_rule = [verdict for word, verdict in SAME_RULE.items() if word in rule and verdict in score]
    extracted, answer = _first(sample.get("filtered_resps")), _first(sample.get("resps"))
    for metric in sample.get("metrics", ()):
        value = sample.get(metric)
        # lm-eval logs other metrics too, such as a perplexity; only right or wrong can be compared.
        if not isinstance(value, bool | int | float) or value not in (0, 1):
            continue
        for verdict in (HEADLINE, *same_rule):
            if score.get(verdict) is not None:
                yield _Pair(
                    name, f"{rule} {metric}", verdict, bool(value), bool(score[verdict]),
                    (extracted, score.get("extracted")), (str(answer), text),
                )  # fmt: skip


def _first(value: Any) -> Any:
    """The first value in nested lists."""
    while isinstance(value, list) and value:
        value = value[0]
    return value


def _agreement(pairs: Sequence[_Pair]) -> list[tuple[str, ...]]:
    """A header, then a row for each pair of rules: how many items each side judges right, how many texts are equal."""
    rows: list[tuple[str, ...]] = [("lm-eval", "ours", "both", "neither", "theirs only", "ours only", "same text")]
    for rule, verdict in dict.fromkeys((pair.rule, pair.verdict) for pair in pairs):
        own = [pair for pair in pairs if (pair.rule, pair.verdict) == (rule, verdict)]
        kinds = [(pair.theirs, pair.ours) for pair in own]
        counts = [kinds.count(kind) for kind in ((True, True), (False, False), (True, False), (False, True))]
        same = sum(pair.same_text for pair in own)
        rows.append((rule, verdict, *map(str, counts), f"{same} of {len(own)}"))
    return rows


def _line(pair: _Pair) -> str:
    who = "lm-eval" if pair.theirs else "we"
    texts = "" if pair.same_text else "; the texts differ"
    extracted = f"{pair.rule} read {pair.extracted[0]!r}, {pair.verdict} {pair.extracted[1]!r}"
    return f"item {pair.id}: {who} alone say right ({extracted}){texts}"


def _row(pair: _Pair) -> Row:
    sides = (pair.rule, pair.theirs), (pair.verdict, pair.ours)
    theirs, ours = (
        {"rule": rule, "right": right, "read": extracted, "text": text}
        for (rule, right), extracted, text in zip(sides, pair.extracted, pair.texts, strict=True)
    )
    return {"id": pair.id, "lm_eval": theirs, "ours": ours}
