"""Advice against what came of it: predictions for cells that the surrogates have not seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.advice.advise import surrogates_of, weighting
from analysis.advice.distance import FAR, amounts_of, distance_words, times
from analysis.advice.surrogate import ONE_SUM, Surrogate, strategies, values
from analysis.arrays import Array
from analysis.data.apart import SAMPLES
from analysis.data.metric import common_metric
from analysis.data.study import Measure, Study
from analysis.format import counted, fraction
from analysis.text_table import TextTable
from analysis.verdicts.arms import arm_means

SHOWN = 8  # cells of the table
Z = 1.96  # standard errors of a 95 % interval


@dataclass(frozen=True, eq=False)
class AdviceCheck:
    """Cells that were measured after they were predicted.

    ``predicted`` and ``measured`` (cells, abilities) are values of the surrogates, ``error`` the standard errors of a
    new measurement, ``noise`` the variances of the measured values. ``away`` (cells,) are the doublings between a cell
    and the nearest one that the predictions rest on (`Places.away`); ``error`` has been stretched accordingly, and is
    NaN where nothing tells how wide an interval has to be so far away.
    """

    models: tuple[Surrogate, ...]
    weights: Array
    cells: tuple[str, ...]
    predicted: Array
    error: Array
    measured: Array
    noise: Array
    away: Array

    @property
    def far(self) -> NDArray[np.bool_]:
        """Which cells (cells,) lie far from what was measured, by `FAR` doublings or more."""
        return np.asarray(self.away >= FAR)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which predictions (cells, abilities) have an interval."""
        return np.isfinite(self.error)

    @property
    def inside(self) -> Array:
        """Which measurements (cells, abilities) lie in their 95 % interval."""
        return np.asarray(np.abs(self.measured - self.predicted) <= Z * self.error)

    def totals(self) -> tuple[Array, Array, Array]:
        """The weighted sums of merits, predicted and measured, and the standard errors of the measured ones."""
        sums = []
        for value in (self.predicted, self.measured):
            sums.append(np.stack([m.merit(value[:, i]) for i, m in enumerate(self.models)], axis=1) @ self.weights)
        near = [m.merit(self.measured[:, i]) for i, m in enumerate(self.models)]
        bounded = [m.metric.bounded for m in self.models]
        # The derivative of a merit by the surrogate's value, which is a logit where the metric is bounded.
        steep = np.stack([u * (1 - u) if b else np.ones_like(u) for u, b in zip(near, bounded, strict=True)])
        return sums[0], sums[1], np.sqrt((self.noise * (steep.T * self.weights) ** 2).sum(axis=1))


def compare(study: Study, after: Study, weights: Mapping[str, float]) -> AdviceCheck:
    """The cells of ``after`` predicted from ``study``, except those of a design that ``study`` holds itself.

    Raises ValueError where no cell is left, and as `surrogates_of` and `weighting`.
    """
    models = surrogates_of(study)
    unseen = _unseen(study, after)
    if not len(unseen.table):
        raise ValueError("check= holds no new cell; run what advise prints, then collect the sweep")
    parts = []
    for model in models:
        measured = [m for m in unseen.measures if (m.ability, m.metric.name) == (model.ability, model.metric.name)]
        parts.append(_predictions(model, measured[0]) if measured else {})
    shared = [name for name in parts[0] if all(name in part for part in parts)]
    if not shared:
        raise ValueError(f"check= holds no cell that was measured in {', '.join(m.ability for m in models)}")
    table = np.array([[part[name] for part in parts] for name in shared])
    chosen = weighting(tuple(m.ability for m in models), weights)
    predicted, error, measured, noise, away = table.transpose(2, 0, 1)
    return AdviceCheck(models, chosen, tuple(shared), predicted, error, measured, noise, away.max(axis=1))


def _design(rows: pd.DataFrame) -> pd.Series[str]:
    """What each row's model was trained on, as text; the same for all abilities of a cell."""
    text = rows["strategy"].astype(str) if "strategy" in rows else pd.Series("", index=rows.index)
    if "replay" in rows:
        text = text + rows["replay"].map(lambda k: "" if np.isnan(k) else f" {fraction(k)}")
    amounts = sorted(c for c in rows if str(c).startswith("samples_")) or ["total_samples"]
    for column in amounts:
        text = text + rows[column].map(lambda n, name=column: f" {name.removeprefix('samples_')}:{n:g}")
    return text


def _unseen(study: Study, after: Study) -> Study:
    """The trained cells of ``after`` whose design is not in ``study``; their designs are a column of the table."""
    rows = after.trained.assign(design=_design(after.trained))
    return Study(rows[~rows["design"].isin(set(_design(study.table)))])


def _predictions(model: Surrogate, measure: Measure) -> dict[str, Array]:
    """By design: predicted value, its standard error for a new measurement, measured value, its variance, and the
    doublings between the design and the nearest arm of the surrogate.
    """
    arms = arm_means(measure)
    amounts = amounts_of(arms.table)
    if model.others != ONE_SUM and len(amounts) == 2:
        raise ValueError(
            f"the table of check= lacks columns such as {SAMPLES}{model.others[0]}, by which {model.ability} is "
            "predicted; add how many samples of each ability every row was trained on"
        )
    mean, covariance = model.predict(model.inputs(amounts, strategies(arms)))
    value, noise = values(arms)
    scatter = (model.scale * model.shape.scatter) ** 2 / arms.table["runs"].to_numpy(float)
    away = model.away(amounts, strategies(arms))
    error = model.stretch(away, strategies(arms)) * np.sqrt(np.diag(covariance) + scatter + noise)
    columns = np.stack([mean, error, value, noise, away], axis=1)
    return dict(zip(map(str, arms.table["design"]), columns, strict=True))


def check_table(check: AdviceCheck) -> TextTable:
    """Each cell as predicted, with the interval of a new measurement, and as measured; best predicted first."""
    total, measured, _ = check.totals()
    metric = common_metric([model.metric for model in check.models])
    names = "\n".join([*(model.ability for model in check.models), "weighted"])
    rows = []
    for k in map(int, np.argsort(-total, kind="stable")[:SHOWN]):
        entries = [predicted_and_measured(check, k, i) for i in range(len(check.models))]
        sums = [metric.number(float(metric.value(v))) for v in (total[k], measured[k])]
        columns = zip(*entries, (sums[0], "", sums[1], ""), strict=True)
        cell = "\n".join([*check.cells[k].split(), f"({distance_words(check.away[k])})"])
        rows.append((cell, names, *map("\n".join, columns)))
    labels = ", ".join(dict.fromkeys(model.metric.label for model in check.models))
    more = f"; {len(total) - SHOWN} more cells with json=true" if len(total) > SHOWN else ""
    title = f"{labels} as predicted and as measured, the best predicted first{more}"
    return TextTable(title, ("cell", "ability", "predicted", "95 % interval", "measured", ""), tuple(rows))


def predicted_and_measured(check: AdviceCheck, cell: int, which: int) -> tuple[str, str, str, str]:
    """For one cell and ability: predicted, its interval, measured, and whether that lies outside."""
    model = check.models[which]
    number = model.metric.number
    predicted, measured = (float(model.shown(np.array(v[cell, which]))) for v in (check.predicted, check.measured))
    if not check.known[cell, which]:
        return number(predicted), "unknown", number(measured), ""
    middle, half = check.predicted[cell, which], Z * check.error[cell, which]
    low, high = sorted(float(model.shown(np.array(end))) for end in (middle - half, middle + half))
    mark = "" if check.inside[cell, which] else "outside"
    return number(predicted), f"{number(low)} to {number(high)}", number(measured), mark


def check_summary(check: AdviceCheck) -> TextTable:
    """How often measurements lie in their intervals, and how large the errors are; far cells apart."""
    rows = []
    for i, model in enumerate(check.models):
        entries = [_held(check, i, cells, name) for cells, name in ((~check.far, "near"), (check.far, "far"))]
        columns = map("\n".join, zip(*filter(None, entries), strict=True))
        rows.append((f"{model.ability}, {model.metric.label}", *columns))
    header = ("ability", "cells", "in the 95 % interval", "no interval", "root mean square error")
    return TextTable(f"{counted(len(check.cells), 'cell')} predicted, then measured", header, tuple(rows))


def _held(check: AdviceCheck, which: int, cells: NDArray[np.bool_], name: str) -> tuple[str, ...]:
    """The entries of the summary for some cells of an ability; empty without any."""
    if not cells.any():
        return ()
    model, known = check.models[which], int(check.known[cells, which].sum())
    error = model.shown(check.predicted[cells, which]) - model.shown(check.measured[cells, which])
    rms = model.metric.number(float(np.sqrt((error**2).mean()))) + (" points" if model.metric.bounded else "")
    return f"{len(error)} {name}", f"{check.inside[cells, which].sum()} of {known}", f"{len(error) - known}", rms


def check_lines(check: AdviceCheck) -> list[str]:
    """Whether the ranking held, and what far cells are."""
    lines = [_ranking_line(check), _control_line(check)] if len(check.cells) > 1 else []
    if check.far.any():
        lines.append(
            f"far: an ability's amount is {times(FAR)} or more away from every cell of that strategy that the "
            "predictions rest on. There an interval is as wide as predictions of the table's own cells from others so "
            "far away need, and there is none where such cells are too few or the strategy was measured on one mixture."
        )
    return lines


def _control_line(check: AdviceCheck) -> str:
    """Whether the cells predicted best and worst differ as predicted."""
    total, measured, error = check.totals()
    best, worst = int(total.argmax()), int(total.argmin())
    metric = common_metric([model.metric for model in check.models])
    came, said = (metric.effect(float(sums[best] - sums[worst])) for sums in (measured, total))
    clear = measured[best] - measured[worst] > Z * np.hypot(error[best], error[worst])
    line = f"control: from the cell predicted worst to the one predicted best, predicted {said} {metric.short_unit}, "
    line += f"measured {came}"
    return line if clear else f"{line}; that is no clear gain, so do not trust predictions from this table"


def _ranking_line(check: AdviceCheck) -> str:
    """Whether the cells came out in the predicted order."""
    total, measured, error = check.totals()
    first, second = np.triu_indices(len(total), 1)
    agree = np.sign(total[first] - total[second]) == np.sign(measured[first] - measured[second])
    clear = np.abs(measured[first] - measured[second]) > Z * np.hypot(error[first], error[second])
    metric = common_metric([model.metric for model in check.models])
    lost = metric.effect(float(measured.max() - measured[total.argmax()])).lstrip("+")
    ordered = f"{agree.sum()} of {counted(len(agree), 'pair')} of cells came out in the predicted order"
    clearly = f"{agree[clear].sum()} of the {counted(int(clear.sum()), 'pair')} that differ clearly"
    best = f"the cell predicted best is {lost} {metric.short_unit} below the best measured"
    return f"ranking: {ordered}, {clearly}; {best}"
