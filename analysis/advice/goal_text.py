"""The answer to ``next quantity=math=90%``: the data that a score takes, what it costs, and which cells would tell."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from analysis.advice.advise import headline_measures, surrogates_of
from analysis.advice.commands import unlike_sweeps
from analysis.advice.distance import OTHER
from analysis.advice.next_cells import COSTS, choices, next_table
from analysis.advice.one_kind import one_kind
from analysis.advice.surrogate import BASE
from analysis.data.metric import Metric, primary
from analysis.data.series import COUNTED
from analysis.data.study import Measure, Study
from analysis.fitting.series_fits import SeriesFit, fit_series
from analysis.format import counted
from analysis.text_table import render
from analysis.verdicts.goal import SEEDS, Goal, doubling_text, goal, next_doubling, rounded

DRAWS = 4000


def goal_text(study: Study, quantity: str, only: Mapping[str, str] | None = None) -> str:
    """For each series: the samples that the goal takes, the next doubling, what would settle it; then the others' cost
    and the cells to run.

    ``quantity`` is ``ABILITY=VALUE`` or ``ABILITY:METRIC=VALUE``; a share may be written in per cent. Raises ValueError
    for an ability or metric that the table lacks, and for a value that the metric cannot take. Cost and cells are those
    of one model (see `one_kind`).
    """
    measure, value = goal_of(study, quantity)
    found = [(fit, goal(measure, fit, value)) for fit in fit_series(measure)]
    lines = [line for fit, one in found for line in _lines(measure, fit, one)]
    kind = one_kind(study, only)
    part, _ = goal_of(kind.study, quantity)
    reached = [one.amount for fit in fit_series(part) if (one := goal(part, fit, value)) is not None]
    at = next(filter(math.isfinite, reached), math.nan)
    if math.isnan(at) or part.axis != "samples":
        return "".join(f"{line}\n" for line in lines)
    others = _others(kind.study, measure.ability, at)
    try:
        point = f"{measure.ability}@{at:.0f}"
        cells = choices(kind.study, point)
        notes = [f"note: {line}" for line in unlike_sweeps(kind.study)]
        ending = [*notes, f"cost: {COSTS[cells[0].unit]}", f"run it: {cells[0].line}"]
        table = render(next_table(cells, point))
    except ValueError as error:  # too few designs for a surrogate: the answer above stands
        table, ending = "", [f"note: no cell is proposed: {error}"]
    about = [f"note: {line.replace('this is', 'what follows is', 1)}" for line in kind.sentences if others or table]
    return "".join(f"{line}\n" for line in [*lines, *about, *others]) + table + "".join(f"{x}\n" for x in ending)


def goal_record(study: Study, quantity: str) -> dict[str, Any]:
    """For each series: the samples that the goal takes, with an interval, and what the next doubling gains."""
    measure, value = goal_of(study, quantity)
    series = []
    for fit in fit_series(measure):
        found, gain = goal(measure, fit, value), next_doubling(measure, fit)
        known = {} if found is None else {
            "samples": found.amount, "low": found.low, "high": found.high, "searched": found.searched,
            "fitted": found.fitted, "items": dict(zip(map(str, SEEDS), found.items, strict=False)),
        }  # fmt: skip
        ahead = {} if gain is None else {"next_doubling": dict(zip(("effect", "low", "high"), gain, strict=True))}
        series.append({"series": fit.series.label, **known, **ahead})
    return {"quantity": quantity, "metric": measure.metric.name, "value": value, "series": series}


def goal_of(study: Study, quantity: str) -> tuple[Measure, float]:
    """The measure and the value that a quantity names; errors as in `goal_text`."""
    named, _, text = quantity.partition("=")
    ability, _, metric = named.partition(":")
    own = [m for m in study.measures if m.ability == ability and m.series]
    if not own:
        raise ValueError(
            f"quantity={quantity!r}: ability {ability!r} is not in the table; it has {', '.join(study.abilities)}"
        )
    names = list(dict.fromkeys(m.metric.name for m in own))
    wanted = metric or getattr(primary(m.metric for m in own), "name", "")
    if wanted not in names:
        raise ValueError(f"quantity={quantity!r}: {ability} has no metric {wanted!r}; it has {', '.join(names)}")
    measure = next(m for m in own if m.metric.name == wanted)
    return measure, _value(measure.metric, text, quantity)


def _value(metric: Metric, text: str, quantity: str) -> float:
    try:
        value = float(text.strip().removesuffix("%")) / (100 if text.strip().endswith("%") else 1)
    except ValueError as error:
        raise ValueError(f"quantity={quantity!r}: {text!r} is not a value, as in math=90% or math:loss=1.2") from error
    if metric.bounded and not metric.low <= value <= metric.high:
        span = "0 to 1, or 0% to 100%" if metric.kind == "share" else f"{metric.low:g} to {metric.high:g}"
        raise ValueError(f"quantity={quantity!r}: {metric.name} goes from {span}")
    if metric.kind == "loss" and not value > 0:
        raise ValueError(f"quantity={quantity!r}: a loss is above 0")
    return value


def _lines(measure: Measure, fit: SeriesFit, found: Goal | None) -> list[str]:
    """What is known of one series, a sentence each."""
    name = fit.series.label or measure.label
    if found is None:
        return [f"{name}: how much data it takes is not known: {fit.reason or 'no amount of data varies'}"]
    by = "by its curve" if found.fitted else f"from the measurements alone ({fit.reason})"
    lines = [f"{found.about}: {found.shown_value} takes {found.needed}, {by}"]
    gain = next_doubling(measure, fit)
    if gain is not None:
        unit = measure.metric.effect_unit
        doubled = f"{rounded(found.largest)} to {rounded(2 * found.largest)} {COUNTED[found.axis]}"
        lines.append(f"  the next doubling, {doubled}: {doubling_text(measure.metric, gain)} {unit}")
    if found.items:
        enough = [
            f"{counted(s, 'seed')}: {counted(int(n), 'item')}"
            for s, n in zip(SEEDS, found.items, strict=True)
            if math.isfinite(n)
        ]
        told = "; ".join(enough) or f"it takes more than {SEEDS[-1]} seeds"
        lines.append(f"  to know the amount within a factor of two, measure there with {told}")
    return lines


def _others(study: Study, ability: str, at: float) -> list[str]:
    """What training on this much data of the ability alone does to the other abilities, against the untrained model;
    of those that the table allows to predict.
    """
    effects = []
    for other in (m.ability for m in headline_measures(study) if m.ability != ability):
        try:
            (model,) = surrogates_of(study, [other])
        except ValueError:
            continue
        if BASE not in model.design.strategy:
            continue
        amount = np.array([0.0, at])
        cells = model.inputs({OTHER: amount, ability: amount}, np.array([BASE, "multitask"]))
        mean, covariance = model.predict(cells)
        size, direction = np.linalg.eigh(covariance)
        root = direction * np.sqrt(np.maximum(size, 0.0))
        drawn = model.merit(mean + np.random.default_rng(0).standard_normal((DRAWS, 2)) @ root.T)
        low, middle, high = np.quantile(drawn[:, 1] - drawn[:, 0], [0.025, 0.5, 0.975])
        effect = doubling_text(model.metric, (float(middle), float(low), float(high)))
        effects.append(f"{model.ability} {effect} {model.metric.short_unit}")
    return [f"  others, against no training: {', '.join(effects)}"] if effects else []
