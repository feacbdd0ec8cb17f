"""Verdicts as tables and as a record."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.data.metric import DIFFERENCE_UNITS, KINDS
from analysis.text_table import TextTable
from analysis.verdicts.all_verdicts import Findings
from analysis.verdicts.arms import HOLDS_FOR
from analysis.verdicts.strategy import StrategyMeans
from analysis.verdicts.verdict import Verdict
from analysis.verdicts.wording import unsigned, with_interval

QUESTIONS = {
    "scaling": "does more of its data still help, per doubling at the largest amounts?",
    "size": "is a larger model better at equal data?",
    "budget": "what does an equal budget buy?",
    "checkpoint": "does a checkpoint of a longer run stand for a finished run of as many samples?",
    "factor": "what do further factors change at equal data?",
    "synergy": "does mixing with other abilities help or hurt?",
    "source": "what does a doubling of another ability's data change at equal own data?",
    "strategy": "which strategy is better?",
    "forgetting": "what is lost or gained against training on the ability alone?",
    "replay": "what does replay change?",
}
QUESTION_TITLES = {question: title[0].upper() + title[1:] for question, title in QUESTIONS.items()}
"""The questions as headings."""
FINDINGS = {
    "scaling": {"up": "improving", "down": "worsening", "equal": "plateau"},
    "synergy": {"up": "synergy", "down": "conflict"},
    "source": {"up": "helps", "down": "hurts"},
    "forgetting": {"up": "gained", "down": "lost"},
}


def verdict_tables(verdicts: Sequence[Verdict]) -> list[TextTable]:
    """One table per question.

    Its columns: what the verdict is about, the effect with its interval, the margin, the power for an effect as large
    as the margin, the smallest effect that is found with a chance of 80 % (marked where it is larger than the effect),
    and the finding.
    """
    tables = []
    for question, title in QUESTIONS.items():
        chosen = sorted((v for v in verdicts if v.question == question), key=lambda v: KINDS.index(v.metric.kind))
        if not chosen:
            continue
        header = ("about", "gain, 95 % interval", "margin", "power", "detectable", "finding")
        told = f"in {_units(chosen)}; for {holds_for(chosen)}"
        tables.append(TextTable(f"{question}: {title} ({told})", header, tuple(map(_row, chosen))))
    return tables


def _units(verdicts: Sequence[Verdict]) -> str:
    """The units of the effects in one table."""
    kinds = list(dict.fromkeys(v.metric.kind for v in verdicts))
    return "points" if kinds == ["share"] else " or ".join(DIFFERENCE_UNITS[kind] for kind in kinds)


def holds_for(verdicts: Sequence[Verdict]) -> str:
    """What the verdicts of one table hold for, by metric where they differ."""
    by: dict[str, list[str]] = {}
    for verdict in verdicts:
        by.setdefault(HOLDS_FOR[verdict.noise], []).append(verdict.metric.name)
    if len(by) == 1:
        return next(iter(by))
    return ", ".join(f"{holds} ({', '.join(dict.fromkeys(names))})" for holds, names in by.items())


def _row(verdict: Verdict) -> tuple[str, ...]:
    power = "-" if np.isnan(verdict.power) else f"{100 * verdict.power:.0f} %"
    detectable = unsigned(verdict, verdict.detectable) if verdict.power == verdict.power else "-"
    detectable += " > effect" if verdict.small else ""
    finding = verdict.edge or FINDINGS.get(verdict.question, {}).get(verdict.finding, verdict.finding)
    finding = {"up": "better", "down": "worse"}.get(finding, finding)
    finding += f" among {verdict.withdrawn_among}" if verdict.withdrawn_among else ""
    return verdict.about, with_interval(verdict), unsigned(verdict, verdict.margin), power, detectable, finding


def matrix_table(compared: StrategyMeans, chances: Sequence[float]) -> TextTable:
    """The matrix of forgetting and transfer: strategies by ability, against training on the ability alone."""
    rows = []
    for j, strategy in enumerate(compared.strategies):
        away = compared.mean[:, j] - compared.alone
        cells = [metric.effect(float(d)) for metric, d in zip(compared.metrics, away, strict=True)]
        chance = "-" if np.isnan(chances[j]) else f"{100 * chances[j]:.0f} %"
        rows.append((strategy, *cells, chance))
    units = " or ".join(dict.fromkeys(metric.short_unit for metric in compared.metrics))
    title = f"{compared.name} against training on the ability alone, in {units}; chance of being undominated"
    return TextTable(title, ("strategy", *compared.abilities, "undominated"), tuple(rows))


def findings_record(findings: Findings) -> dict[str, object]:
    """The findings for machines; missing numbers are left out."""
    shares = [
        {
            "about": s.about,
            "shares": dict(zip(("amount", "ratio", "interaction", "rest"), map(float, s.value), strict=True)),
            "low": list(map(float, s.low)),
            "high": list(map(float, s.high)),
            "partial": {"amount": s.partial[0], "ratio": s.partial[1]},
            "ranges": {"amount": s.amounts, "ratio": s.ratios},
        }
        for s in findings.shares
    ]
    fronts = {
        compared.name: {name: c for name, c in zip(compared.strategies, chances, strict=True) if c == c}
        for compared, chances in findings.strategies
    }
    return {
        "verdicts": [_verdict_record(verdict) for verdict in findings.verdicts],
        "amount_or_ratio": shares,
        "undominated": fronts,
        "notes": list(findings.notes),
        "audits": list(findings.audits),
    }


def _verdict_record(verdict: Verdict) -> dict[str, object]:
    """A verdict for machines, with name, kind and direction of its metric; missing numbers are left out."""
    metric = verdict.metric
    numbers = {k: v for k, v in vars(verdict).items() if k not in ("metric", "say", "noise") and v == v}
    return {
        **numbers,
        "sentence": verdict.sentence,
        "holds_for": HOLDS_FOR[verdict.noise],
        "metric": metric.name,
        "kind": metric.kind,
        "better": metric.better,
    }
