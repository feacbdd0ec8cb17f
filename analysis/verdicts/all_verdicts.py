"""All verdicts that a study can give, by ability and metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.arrays import Array
from analysis.data.metric import primary
from analysis.data.study import Measure, Study
from analysis.fitting.series_fits import SeriesFit
from analysis.fitting.uncertainty import RUN_NOISE
from analysis.format import fraction
from analysis.verdicts.arms import HOLDS_FOR, ArmMeans, arm_means
from analysis.verdicts.audit import audit, undetectable
from analysis.verdicts.equal_budget import equal_budgets
from analysis.verdicts.ratio import DevianceShares, amount_or_ratio
from analysis.verdicts.replay import ReplayMeans, best_k, by_replay, replays, turns
from analysis.verdicts.scaling import scaling
from analysis.verdicts.size import factors, sizes
from analysis.verdicts.source import sources, together
from analysis.verdicts.spread import unlike_spreads
from analysis.verdicts.strata import by_stratum, strata
from analysis.verdicts.strategy import StrategyMeans, against_alone, compare, pairs, pareto
from analysis.verdicts.synergy import synergies
from analysis.verdicts.verdict import MARGIN, Verdict, as_a_family
from analysis.verdicts.within_run import stand_ins

SERIES = ("model", "strategy", "trained_on", "ratio_arm", "replay")
"""Columns that label series along an ability's own samples."""


@dataclass(frozen=True, eq=False)
class Findings:
    """Verdicts in the order of the questions; deviance shares; further sentences; audits; and strategies.

    ``strategies`` has, for each metric and stratum, the compared strategies with their chances of being undominated;
    ``strategy_notes``, which are among the ``notes``, say which are and which replay is best.
    """

    verdicts: tuple[Verdict, ...]
    shares: tuple[DevianceShares, ...]
    notes: tuple[str, ...]
    strategy_notes: tuple[str, ...]
    audits: tuple[str, ...]
    strategies: tuple[tuple[StrategyMeans, tuple[float, ...]], ...]


def findings(
    study: Study,
    margin: float = MARGIN,
    weights: Mapping[str, float] | None = None,
    fits: Sequence[tuple[Measure, list[SeriesFit]]] = (),
) -> Findings:
    """Everything the study answers.

    ``margin`` is the difference that matters: relative for a loss, and of the range of any other metric. Comparisons
    are paired item by item where the study has items. ``weights`` of the abilities choose the best replay (all alike by
    default). ``fits`` are compared at equal cost where they are along one. Raises ValueError for a margin outside 0 to
    1 and weights of unknown abilities.
    """
    if not 0 < margin < 1:
        raise ValueError(f"margin={margin} must lie between 0 and 1, for example 0.02 for two points")
    unknown = sorted(set(weights or {}) - set(study.abilities))
    if unknown:
        raise ValueError(f"weights name ability {unknown[0]!r}; the table has {', '.join(study.abilities)}")
    all_arms = [_trained_on_it(arm_means(measure)) for measure in study.measures if len(measure.trained)]
    all_arms = [arms for arms in all_arms if len(arms.table)]
    parts = [part for arms in all_arms for part in strata(arms)]
    verdicts = [v for arms in parts for v in _scalings(arms, arms.metric.margin(margin))]
    for arms in all_arms:
        verdicts += factors(arms, arms.metric.margin(margin))
        verdicts += [v for a in strata(arms, models=False) for v in sizes(a, arms.metric.margin(margin))]
    verdicts += equal_budgets(fits, margin)
    verdicts += stand_ins(study, margin)
    verdicts += [v for arms in parts for v in synergies(arms, arms.metric.margin(margin))]
    verdicts += [v for arms in parts for v in sources(arms, arms.metric.margin(margin))]
    shares = tuple(share for arms in parts if (share := amount_or_ratio(arms)))
    notes = [*_unrepeated(all_arms), *_floors(all_arms), *filter(None, map(together, parts))]
    notes += [line for measure in study.measures for line in unlike_spreads(measure)]
    strategies, turned, strategy_notes = [], list[str](), list[str]()
    for same in (same for group in _comparable(all_arms) for same in by_stratum(group)):
        if compared := compare(same):
            verdicts += pairs(compared, margin) + against_alone(compared, margin)
            chances = pareto(compared)
            strategies.append((compared, tuple(map(float, chances))))
            strategy_notes += _pareto_note(compared, chances)
        for replayed in by_replay(same):
            verdicts += replays(replayed, margin)
            strategy_notes.append(_replay_note(replayed, weights))
            turned += turns(replayed, margin)
    family, notes = as_a_family(verdicts), [*notes, *strategy_notes]
    audits = (*audit(study), *turned, *undetectable(family))
    return Findings(tuple(family), shares, tuple(notes), tuple(strategy_notes), audits, tuple(strategies))


def _comparable(all_arms: Sequence[ArmMeans]) -> list[list[ArmMeans]]:
    """The arms in groups whose merits have one scale: all shares and ratings, as shares of their range; other metrics
    each alone. An ability that has several shares and ratings enters by the first of them (see `primary`).
    """
    groups: dict[str, list[ArmMeans]] = {}
    for arms in all_arms:
        metrics = [other.metric for other in all_arms if other.ability == arms.ability and other.metric.bounded]
        if not arms.metric.bounded:
            groups.setdefault(arms.metric.name, []).append(arms)
        elif arms.metric == primary(metrics):
            groups.setdefault("", []).append(arms)
    return list(groups.values())


def _unrepeated(all_arms: Sequence[ArmMeans]) -> list[str]:
    """What verdicts hold for where no two runs differ in seed alone: a sentence on shares and one on other values."""
    shares, others = (
        ", ".join(dict.fromkeys(arms.metric.name for arms in all_arms if arms.noise in sources))
        for sources in (("assumed",), ("items", "unknown"))
    )
    spread = f"{100 * RUN_NOISE:g} point at a share of one half, as published runs usually do"
    notes = [f"{shares}: no two runs differ in seed alone; intervals assume that runs scatter by {spread}."]
    notes += [f"{others}: no two runs differ in seed alone; verdicts hold for these runs, not for new ones."]
    return [note for note, names in zip(notes, (shares, others), strict=True) if names]


def _floors(all_arms: Sequence[ArmMeans]) -> list[str]:
    """How far runs that differ in seed alone come to differ, a sentence each ability where seeds repeat."""
    return [
        f"{arms.name}: two {'bases' if arms.noise == 'bases' else 'runs'} that differ in seed alone come to differ by "
        f"{arms.metric.effect(arms.floor).lstrip('+-')} {arms.metric.short_unit} (95 %); verdicts hold for "
        f"{HOLDS_FOR[arms.noise]}."
        for arms in all_arms
        if np.isfinite(arms.floor)
    ]


def _trained_on_it(arms: ArmMeans) -> ArmMeans:
    """The arms of models that were trained on the ability's own data, where the table tells."""
    return arms.with_rows(arms.table["samples"] > 0) if "samples" in arms.table else arms


def _scalings(arms: ArmMeans, margin: float) -> list[Verdict]:
    """One verdict per series along the ability's own samples."""
    table = arms.table
    if "samples" not in table:
        return []
    names = _series_columns(arms)
    parts = [("", table)] if not names else table.groupby(names, dropna=False, sort=True)
    verdicts = []
    for key, part in parts:
        label = ", ".join(_label(name, value) for name, value in zip(names, key, strict=True) if value == value)
        verdict = scaling(arms.with_rows(table.index.isin(part.index)), label, margin)
        verdicts += [verdict] if verdict else []
    return verdicts


def _series_columns(arms: ArmMeans) -> list[str]:
    """The columns that label series; without those that the columns before them determine."""
    names: list[str] = []
    for column in (c for c in SERIES if c in arms.table):
        values = arms.table.groupby(names, dropna=False)[column] if names else arms.table[column]
        most = values.nunique(dropna=False).max() if names else arms.table[column].nunique()
        names += [column] if most > 1 else []
    return names


def _label(name: str, value: object) -> str:
    return f"{name} {fraction(value)}" if isinstance(value, float) else str(value)


def _replay_note(replayed: ReplayMeans, weights: Mapping[str, float] | None) -> str:
    k, chance = best_k(replayed, weights)
    confidence = "" if np.isnan(chance) else f" (best with a chance of {100 * chance:.0f} %)"
    listed = ", ".join(f"{name} {weight:g}" for name, weight in (weights or {}).items())
    weighting = f"weights {listed}" if listed else "equal weights of the abilities"
    of = f" of {replayed.strategy}" if replayed.strategy else ""
    where = replayed.arms[0].where
    metrics = ", ".join(dict.fromkeys(arms.metric.name for arms in replayed.arms)) + (f" ({where})" if where else "")
    return f"{metrics}: replay {fraction(k)}{of} is best for {weighting}{confidence}."


def _pareto_note(compared: StrategyMeans, chances: Array | Sequence[float]) -> list[str]:
    if np.isnan(chances).any():
        return []
    order = np.argsort(-np.asarray(chances), kind="stable")
    listed = ", ".join(f"{compared.strategies[i]} {100 * chances[i]:.0f} %" for i in order)
    abilities = ", ".join(dict.fromkeys(compared.abilities))
    return [f"{compared.name}: the chance that no other strategy is at least as good in all of {abilities}: {listed}."]
