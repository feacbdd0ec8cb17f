"""What was advised against what came of it: predictions for cells that the surrogate has not seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.advice.advise import surrogates_of, weighting
from analysis.advice.surrogate import Surrogate, strategies, values
from analysis.arrays import Array
from analysis.data.study import Measure, Study
from analysis.format import fraction
from analysis.text_table import TextTable
from analysis.verdicts.arms import arm_means

SHOWN = 30
CLEAR = 1.96


@dataclass(frozen=True, eq=False)
class Check:
    """Cells (rows) by ability: predicted means, standard errors of a new measurement, measured means (all as the
    surrogate sees them), and the variance of the measured ones.
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
        """Which measurements lie in their 95 % interval."""
        return np.asarray(np.abs(self.measured - self.predicted) <= 1.96 * self.error)

    def totals(self) -> tuple[Array, Array, Array]:
        """The weighted sums, predicted and measured, and the standard errors of the measured ones."""
        sums = []
        for value in (self.predicted, self.measured):
            sums.append(np.stack([m.utility(value[:, i]) for i, m in enumerate(self.models)], axis=1) @ self.weights)
        near = [m.utility(self.measured[:, i]) for i, m in enumerate(self.models)]
        bounded = [m.metric.bounded for m in self.models]
        steep = np.stack([u * (1 - u) if b else np.ones_like(u) for u, b in zip(near, bounded, strict=True)])
        return sums[0], sums[1], np.sqrt((self.noise * (steep.T * self.weights) ** 2).sum(axis=1))


def compare(study: Study, after: Study, weights: Mapping[str, float]) -> Check:
    """The cells of ``after`` predicted from ``study``, without those of a design that it holds itself.

    Raises ValueError where no cell is left, and as `surrogates_of` and `weighting`.
    """
    models = surrogates_of(study)
    unseen = _unseen(study, after)
    if not len(unseen.table):
        raise ValueError(
            "check= holds no cell that the advice has not seen already; run what advise prints, then collect"
        )
    parts = []
    for model in models:
        measured = [m for m in unseen.measures if (m.ability, m.metric.name) == (model.ability, model.metric.name)]
        parts.append(_predicted(model, measured[0]) if measured else {})
    shared = [name for name in parts[0] if all(name in part for part in parts)]
    if not shared:
        raise ValueError(f"check= holds no cell that was measured in {', '.join(m.ability for m in models)}")
    table = np.array([[part[name] for part in parts] for name in shared])
    chosen = weighting(tuple(m.ability for m in models), weights)
    return Check(models, chosen, tuple(shared), *(table[:, :, k] for k in range(4)))


def _design(frame: pd.DataFrame) -> pd.Series[str]:
    """What a row's model was trained on, as text: the same for all abilities of a cell."""
    text = frame["strategy"].astype(str) if "strategy" in frame else pd.Series("", index=frame.index)
    if "replay" in frame:
        text = text + frame["replay"].map(lambda k: "" if np.isnan(k) else f" {fraction(k)}")
    amounts = sorted(c for c in frame if str(c).startswith("samples_")) or ["total_samples"]
    for column in amounts:
        text = text + frame[column].map(lambda n, name=column: f" {name.removeprefix('samples_')}:{n:g}")
    return text


def _unseen(study: Study, after: Study) -> Study:
    """The trained cells of ``after`` whose design is not in ``study``; their designs are a column of the table."""
    rows = after.trained.assign(design=_design(after.trained))
    return Study(rows[~rows["design"].isin(set(_design(study.table)))])


def _predicted(model: Surrogate, measure: Measure) -> dict[str, tuple[float, float, float, float]]:
    """By design: predicted, its error for a new measurement, measured, its variance."""
    found = arm_means(measure)
    table = found.table
    own = table["samples"].to_numpy(float)
    mean, covariance = model.predict(model.inputs(own, table["total_samples"].to_numpy(float) - own, strategies(found)))
    value, noise = values(found)
    scatter = (model.scale * model.shape.scatter) ** 2 / table["runs"].to_numpy(float)
    error = np.sqrt(np.diag(covariance) + scatter + noise)
    columns = (mean, error, value, noise)
    return {str(d): tuple(float(c[i]) for c in columns) for i, d in enumerate(table["design"])}  # type: ignore[misc]


def check_sheet(check: Check) -> TextTable:
    """Each cell: predicted with the interval of a new measurement, and measured; best predicted first."""
    total, measured, _ = check.totals()
    rows = []
    for k in np.argsort(-total, kind="stable")[:SHOWN]:
        cells = []
        for i, m in enumerate(check.models):
            middle, half = check.predicted[k, i], 1.96 * check.error[k, i]
            low, high = sorted(float(m.shown(np.array(end))) for end in (middle - half, middle + half))
            mark = "" if check.inside[k, i] else " !"
            shown = [m.metric.number(float(m.shown(np.array(v)))) for v in (middle, check.measured[k, i])]
            cells += [f"{shown[0]} ({m.metric.number(low)}–{m.metric.number(high)})", f"{shown[1]}{mark}"]
        metric = check.models[0].metric
        sums = [metric.number(float(metric.value(v))) for v in (total[k], measured[k])]
        rows.append((check.cells[k], *cells, *sums))
    head = [text for m in check.models for text in (f"{m.ability}, predicted", "measured")]
    title = "predicted, with the 95 % interval of a new measurement, against measured (! outside)"
    return TextTable(title, ("cell", *head, "weighted, predicted", "measured"), tuple(rows))


def check_lines(check: Check) -> list[str]:
    """How often measurements lay in their intervals, how far off they were, and whether the ranking held."""
    said = []
    for i, m in enumerate(check.models):
        gap = m.shown(check.predicted[:, i]) - m.shown(check.measured[:, i])
        off = m.metric.number(float(np.sqrt((gap**2).mean()))) + (" points" if m.metric.bounded else "")
        said.append(
            f"{m.ability}: {check.inside[:, i].sum()} of {len(gap)} in their interval; off by {off} (root mean square)"
        )
    total, measured, error = check.totals()
    first, second = np.triu_indices(len(total), 1)
    agree = np.sign(total[first] - total[second]) == np.sign(measured[first] - measured[second])
    clear = np.abs(measured[first] - measured[second]) > CLEAR * np.hypot(error[first], error[second])
    lost = float(measured.max() - measured[total.argmax()])
    if len(total) > 1:
        metric = check.models[0].metric
        unit = f"{metric.effect(lost).lstrip('+')} {metric.short_unit}"
        said.append(
            f"ranking: {agree.sum()} of {len(agree)} pairs of cells in the predicted order, {agree[clear].sum()} of the"
            f" {clear.sum()} pairs that differ clearly; the cell predicted best is {unit} below the best measured"
        )
    return said
