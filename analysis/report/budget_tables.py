"""Tables of what an equal budget buys, where curves are along a cost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.data.cost import COSTS
from analysis.data.series import COUNTED
from analysis.data.study import Measure
from analysis.fitting.series_fits import SeriesFit
from analysis.format import amount
from analysis.report.results import MeasureFits
from analysis.text_table import TextTable
from analysis.verdicts.equal_budget import bought, budgets
from analysis.verdicts.goal import rounded


def budget_tables(fits: Sequence[MeasureFits]) -> list[TextTable]:
    """For each measure along a cost: what its series reach at equal costs, and on how many samples of the ability."""
    tables = []
    for measure, found in fits:
        places = budgets(found) if measure.axis in COSTS else []
        if not places:
            continue
        unit = COUNTED[measure.axis]
        header = ("series", *(f"{amount(float(f'{place:.3g}'))} {unit}" for place in places))
        rows = [(fit.series.label or "all", *(_cell(measure, fit, place) for place in places)) for fit in found]
        title = f"what an equal budget buys: {measure.heading}, 95 % intervals for these items"
        tables.append(TextTable(title, header, tuple(rows)))
    return tables


def _cell(measure: Measure, fit: SeriesFit, place: float) -> str:
    """``54.2 (50.1 to 58.3) on 640``: the value, and the samples of the ability; empty where nothing was measured."""
    found = bought(measure, fit, place)
    if found is None:
        return ""
    merits = np.array([found.merit, found.merit - found.half, found.merit + found.half])
    merits = np.clip(merits, 0.0, 1.0) if measure.metric.bounded else merits
    value, *ends = measure.metric.value(merits)
    low, high = map(measure.metric.number, sorted(ends))
    samples = f" on {rounded(found.samples)}" if np.isfinite(found.samples) else ""
    return f"{measure.metric.number(value)} ({low} to {high}){samples}"
