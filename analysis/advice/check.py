"""Advice against what came of it: predictions for cells that the surrogates have not seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.advice.advise import surrogates_of, weighting
from analysis.advice.surrogate import Surrogate, strategies, values
from analysis.arrays import Array
from analysis.data.metric import common_metric
from analysis.data.study import Measure, Study
from analysis.format import counted, fraction
from analysis.text_table import TextTable
from analysis.verdicts.arms import arm_means

SHOWN = 30  # cells of the table
Z = 1.96  # standard errors of a 95 % interval


@dataclass(frozen=True, eq=False)
class AdviceCheck:
    """Cells that were measured after they were predicted.

    ``predicted`` and ``measured`` (cells, abilities) are values of the surrogates, ``error`` the standard errors of a
    new measurement, ``noise`` the variances of the measured values.
    """

    models: tuple[Surrogate, ...]
    weights: Array
    cells: tuple[str, ...]
    predicted: Array
    error: Array
    measured: Array
    noise: Array

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
    return AdviceCheck(models, chosen, tuple(shared), *(table[:, :, k] for k in range(4)))


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
    """By design: predicted value, its standard error for a new measurement, measured value, its variance."""
    arms = arm_means(measure)
    own = arms.table["samples"].to_numpy(float)
    others = arms.table["total_samples"].to_numpy(float) - own
    mean, covariance = model.predict(model.inputs(own, others, strategies(arms)))
    value, noise = values(arms)
    scatter = (model.scale * model.shape.scatter) ** 2 / arms.table["runs"].to_numpy(float)
    error = np.sqrt(np.diag(covariance) + scatter + noise)
    columns = np.stack([mean, error, value, noise], axis=1)
    return dict(zip(map(str, arms.table["design"]), columns, strict=True))


def check_table(check: AdviceCheck) -> TextTable:
    """Each cell as predicted, with the interval of a new measurement, and as measured; best predicted first."""
    total, measured, _ = check.totals()
    metric = common_metric([model.metric for model in check.models])
    rows = []
    for k in np.argsort(-total, kind="stable")[:SHOWN]:
        texts = [text for i in range(len(check.models)) for text in _predicted_and_measured(check, int(k), i)]
        sums = [metric.number(float(metric.value(v))) for v in (total[k], measured[k])]
        rows.append((check.cells[k], *texts, *sums))
    head = [text for m in check.models for text in (f"{m.ability}, predicted", "measured")]
    title = "predicted, with the 95 % interval of a new measurement, against measured (! outside)"
    return TextTable(title, ("cell", *head, "weighted, predicted", "measured"), tuple(rows))


def _predicted_and_measured(check: AdviceCheck, cell: int, which: int) -> tuple[str, str]:
    """Two entries of the table, for one cell and ability."""
    model = check.models[which]
    middle, half = check.predicted[cell, which], Z * check.error[cell, which]
    low, high = sorted(float(model.shown(np.array(end))) for end in (middle - half, middle + half))
    number = model.metric.number
    predicted, measured = (float(model.shown(np.array(v))) for v in (middle, check.measured[cell, which]))
    mark = "" if check.inside[cell, which] else " !"
    return f"{number(predicted)} ({number(low)}–{number(high)})", f"{number(measured)}{mark}"


def check_lines(check: AdviceCheck) -> list[str]:
    """How often measurements lie in their intervals, how large the errors are, and whether the ranking held."""
    lines = []
    for i, model in enumerate(check.models):
        error = model.shown(check.predicted[:, i]) - model.shown(check.measured[:, i])
        rms = model.metric.number(float(np.sqrt((error**2).mean()))) + (" points" if model.metric.bounded else "")
        inside = f"{check.inside[:, i].sum()} of {counted(len(error), 'measurement')} in the 95 % interval"
        lines.append(f"{model.ability}: {inside}; root mean square error {rms}")
    return [*lines, _ranking_line(check)] if len(check.cells) > 1 else lines


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
