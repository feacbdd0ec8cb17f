"""All verdicts that a table can give, by ability and metric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analysis.arrays import Array
from analysis.data.study import Study
from analysis.format import fraction
from analysis.verdicts.arms import ArmMeans, arms
from analysis.verdicts.audit import audit, undetectable
from analysis.verdicts.ratio import Shares, amount_or_ratio
from analysis.verdicts.replay import Replays, best_k, by_replay, replays
from analysis.verdicts.scaling import scaling
from analysis.verdicts.size import sizes
from analysis.verdicts.strategy import Comparison, against_alone, compare, pairs, pareto
from analysis.verdicts.synergy import synergies
from analysis.verdicts.verdict import MARGIN, Verdict

SERIES = ("model", "strategy", "trained_on", "arm", "replay")  # what tells curves of one amount apart


@dataclass(frozen=True, eq=False)
class Findings:
    """Verdicts in the order of the questions; further sentences; audits; strategies with their Pareto chances."""

    verdicts: tuple[Verdict, ...]
    shares: tuple[Shares, ...]
    notes: tuple[str, ...]
    audits: tuple[str, ...]
    strategies: tuple[tuple[Comparison, tuple[float, ...]], ...]  # one a metric


def findings(study: Study, margin: float = MARGIN, weights: Mapping[str, float] | None = None) -> Findings:
    """Everything the table answers. ``margin`` is the difference that matters, relative to a loss or to the range of
    a share, rating or other number.

    Comparisons are paired item by item where the study has items; ``weights`` of the abilities choose the best replay
    (default: all alike).
    """
    if not 0 < margin < 1:
        raise ValueError(f"margin={margin} must lie between 0 and 1, for example 0.02 for two points")
    unknown = sorted(set(weights or {}) - set(study.abilities))
    if unknown:
        raise ValueError(f"weights name ability {unknown[0]!r}; the table has {', '.join(study.abilities)}")
    found = [arms(measure) for measure in study.measures if len(measure.trained)]
    found = [f for f in found if len(f.table)]
    own = [f.with_rows(f.table["samples"] > 0) if "samples" in f.table else f for f in found]
    own = [f for f in own if len(f.table)]
    verdicts = [v for f in own for v in _scalings(f, f.metric.margin(margin))]
    verdicts += [v for f in own for v in sizes(f, f.metric.margin(margin))]
    verdicts += [v for f in own for v in synergies(f, f.metric.margin(margin))]
    shares = tuple(s for f in own for s in [amount_or_ratio(f)] if s)
    notes: list[str] = []
    strategies = []
    for metric in dict.fromkeys(f.metric for f in own):
        chosen = [f for f in own if f.metric == metric]
        matters = metric.margin(margin)
        compared = compare(chosen)
        if compared:
            verdicts += pairs(compared, matters) + against_alone(compared, matters)
            chance = pareto(compared)
            strategies.append((compared, tuple(float(c) for c in chance)))
            notes += _pareto_note(compared, chance)
        replayed = by_replay(chosen)
        if replayed:
            verdicts += replays(replayed, matters)
            notes.append(_replay_note(metric.name, replayed, weights))
    audits = (*audit(study), *undetectable(verdicts))
    return Findings(tuple(verdicts), shares, tuple(notes), audits, tuple(strategies))


def _scalings(found: ArmMeans, margin: float) -> list[Verdict]:
    """One verdict a series along the own samples."""
    table = found.table
    if "samples" not in table:
        return []
    names: list[str] = []
    for c in (c for c in SERIES if c in table):  # as far as the columns before leave it open
        open_ = table.groupby(names, dropna=False)[c].nunique(dropna=False).max() if names else table[c].nunique()
        names += [c] if open_ > 1 else []
    parts = [("", table)] if not names else table.groupby(names, dropna=False, sort=True)
    out = []
    for key, part in parts:
        label = ", ".join(_said(name, value) for name, value in zip(names, key, strict=True) if value == value)
        verdict = scaling(found.with_rows(table.index.isin(part.index)), label, margin)
        out += [verdict] if verdict else []
    return out


def _said(name: str, value: object) -> str:
    return f"{name} {fraction(value)}" if isinstance(value, float) else str(value)


def _replay_note(metric: str, replayed: Replays, weights: Mapping[str, float] | None) -> str:
    k, sure = best_k(replayed, weights)
    confidence = "" if np.isnan(sure) else f" (best with a chance of {100 * sure:.0f} %)"
    said = "weights " + ", ".join(f"{name} {weight:g}" for name, weight in (weights or {}).items())
    who = said if weights else "equal weights of the abilities"
    return f"{metric}: replay {fraction(k)} is best for {who}{confidence}."


def _pareto_note(compared: Comparison, chance: Array) -> list[str]:
    if np.isnan(chance).any():
        return []
    order = np.argsort(-chance, kind="stable")
    parts = ", ".join(f"{compared.strategies[i]} {100 * chance[i]:.0f} %" for i in order)
    return [f"{compared.metric.name}: the chance that no other strategy is at least as good in every ability: {parts}."]
