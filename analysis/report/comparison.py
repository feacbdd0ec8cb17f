"""Two versions of a table side by side, as text and as a record."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analysis.records import result
from analysis.report.verdict_tables import holds_for
from analysis.text_table import TextTable, render
from analysis.verdicts.versions import Comparison, compare
from analysis.verdicts.wording import with_interval
from common.options import Result

FINDINGS = {"up": "better", "down": "worse", "equal": "same", "undecided": "open"}


def compared(tables: tuple[Path, Path], names: tuple[str, str], items: Sequence[Path], margin: float) -> Result:
    """What changed from the first table to the second; arguments and errors as in `compare`."""
    found = compare(tables, items, margin)
    return result(comparison_record(found), comparison_text(found, *names, margin))


def comparison_text(comparison: Comparison, before: str, after: str, margin: float) -> str:
    """A table a measure, then what else differs and what could not be compared."""
    pieces = []
    measures: dict[tuple[str, str], list[tuple[str, ...]]] = {}
    for verdict, (old, new) in zip(comparison.verdicts, comparison.values, strict=True):
        name, _, label = verdict.about.partition(", ")
        row = (label, verdict.metric.number(old), verdict.metric.number(new), with_interval(verdict))
        measures.setdefault((name, verdict.metric.short_unit), []).append((*row, FINDINGS[verdict.finding]))
    for (name, unit), rows in measures.items():
        header = ("cells", before, after, f"gain in {unit}, 95 % interval", "finding")
        pieces.append(render(TextTable(name, header, tuple(rows))))
    holds = holds_for(comparison.verdicts)
    lines = [f"Verdicts hold for {holds}. Same: within the margin of {margin:g} of the range or loss."]
    lines += [f"{name}: {old} in {before}, {new} in {after}" for name, (old, new) in comparison.differs.items()]
    lines += comparison.remarks
    for name, count in zip((before, after), comparison.alone.values(), strict=True):
        lines += [f"{count} measured designs of {name} have no like in the other"] if count else []
    return "".join([*pieces, *(f"{line}\n" for line in lines)])


def comparison_record(comparison: Comparison) -> dict[str, Any]:
    """The same for machines, without missing numbers; effects are differences of merits, as in verdicts.json."""
    rows = [
        {"about": v.about, "metric": v.metric.name, "before": old, "after": new, "effect": v.effect, "low": v.low,
         "high": v.high, "margin": v.margin, "p": v.p, "finding": v.finding, "items": v.items, "noise": v.noise,
         "sentence": v.sentence}
        for v, (old, new) in zip(comparison.verdicts, comparison.values, strict=True)
    ]  # fmt: skip
    return {
        "matched_by": comparison.design, "differs": comparison.differs, "alone": comparison.alone,
        "notes": list(comparison.remarks), "verdicts": rows,
    }  # fmt: skip
