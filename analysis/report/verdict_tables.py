"""Verdicts as tables, sentences and a record."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.data.metric import KINDS
from analysis.text_table import TextTable
from analysis.verdicts.all_verdicts import Findings
from analysis.verdicts.strategy import StrategyMeans
from analysis.verdicts.verdict import Verdict
from analysis.verdicts.wording import with_interval

QUESTIONS = {
    "scaling": "does more of its data still help, per doubling at the largest amounts?",
    "size": "is a larger model better at equal data?",
    "synergy": "does mixing with other abilities help or hurt?",
    "strategy": "which strategy is better?",
    "forgetting": "what is lost or gained against training on the ability alone?",
    "replay": "what does replay change?",
}
UNITS = {
    "share": "points of a score",
    "rating": "points of a rating's scale",
    "loss": "% of a loss",
    "other": "units of the metric",
}
FOUND = {
    "scaling": {"up": "improving", "down": "worsening", "equal": "plateau"},
    "synergy": {"up": "synergy", "down": "conflict"},
    "forgetting": {"up": "gained", "down": "lost"},
}


def verdict_sheets(verdicts: Sequence[Verdict]) -> list[TextTable]:
    """One table a question: what about, the effect with its interval, the margin, the power to see an effect as large
    as the margin, the smallest effect that shows with a chance of 80 % (marked where it is larger than the effect), the
    finding.
    """
    sheets = []
    for question, title in QUESTIONS.items():
        chosen = sorted((v for v in verdicts if v.question == question), key=lambda v: KINDS.index(v.metric.kind))
        if not chosen:
            continue
        header = ("about", "gain, 95 % interval", "margin", "power", "detectable", "finding")
        sheets.append(TextTable(f"{question}: {title} (in {_units(chosen)})", header, tuple(map(_row, chosen))))
    return sheets


def _units(verdicts: Sequence[Verdict]) -> str:
    """The units of the effects in a table."""
    kinds = list(dict.fromkeys(v.metric.kind for v in verdicts))
    return "points" if kinds == ["share"] else " or ".join(UNITS[kind] for kind in kinds)


def _row(verdict: Verdict) -> tuple[str, ...]:
    power = "-" if np.isnan(verdict.power) else f"{100 * verdict.power:.0f} %"
    detectable = verdict.metric.effect(verdict.detectable).lstrip("+") if verdict.power == verdict.power else "-"
    detectable += " > effect" if verdict.small else ""
    finding = verdict.edge or FOUND.get(verdict.question, {}).get(verdict.finding, verdict.finding)
    finding = {"up": "better", "down": "worse"}.get(finding, finding)
    return (
        verdict.about,
        with_interval(verdict),
        verdict.metric.effect(verdict.margin).lstrip("+"),
        power,
        detectable,
        finding,
    )


def matrix_sheet(compared: StrategyMeans, chances: Sequence[float]) -> TextTable:
    """The forgetting and transfer matrix: strategies by ability, relative to training on the ability alone."""
    rows = []
    for j, strategy in enumerate(compared.strategies):
        cells = [compared.metric.effect(float(d)) for d in compared.mean[:, j] - compared.alone]
        chance = "-" if np.isnan(chances[j]) else f"{100 * chances[j]:.0f} %"
        rows.append((strategy, *cells, chance))
    title = f"{compared.metric.name} relative to training on the ability alone; chance of being undominated"
    return TextTable(title, ("strategy", *compared.abilities, "undominated"), tuple(rows))


def record(found: Findings) -> dict[str, object]:
    """The findings for machines; numbers that are missing are absent."""
    shares = [
        {
            "about": s.about,
            "shares": dict(zip(("amount", "ratio", "interaction", "rest"), map(float, s.value), strict=True)),
            "low": list(map(float, s.low)),
            "high": list(map(float, s.high)),
            "partial": {"amount": s.partial[0], "ratio": s.partial[1]},
            "ranges": {"amount": s.amounts, "ratio": s.ratios},
        }
        for s in found.shares
    ]
    fronts = {
        compared.metric.name: {name: c for name, c in zip(compared.strategies, chances, strict=True) if c == c}
        for compared, chances in found.strategies
    }
    return {
        "verdicts": [_verdict_record(verdict) for verdict in found.verdicts],
        "amount_or_ratio": shares,
        "undominated": fronts,
        "notes": list(found.notes),
        "audits": list(found.audits),
    }


def _verdict_record(verdict: Verdict) -> dict[str, object]:
    """A verdict for machines: its metric by name, kind and direction; numbers that are missing are absent."""
    metric = verdict.metric
    known = {k: v for k, v in vars(verdict).items() if k != "metric" and v == v}
    return {**known, "metric": metric.name, "kind": metric.kind, "better": metric.better}
