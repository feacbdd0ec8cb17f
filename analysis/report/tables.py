"""The tables of measurements, curves and laws that the terminal and the report show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.data.cost import AXES, COSTS
from analysis.data.metric import Metric, primary
from analysis.data.series import COUNTED
from analysis.data.study import Measure, Study, trained_elsewhere
from analysis.fitting.levels import AmountLevel
from analysis.fitting.series_fits import SeriesFit
from analysis.format import amount
from analysis.report.results import MeasureFits
from analysis.report.text import fitted_value, joined, measured
from analysis.text_table import TextTable
from analysis.verdicts.goal import SEEDS, doubling_text, goals, next_doubling

SIDE_BY_SIDE = 2  # series up to which measured and fitted values stand in one table
KEYS = ["ability", "task", "metric"]


def measure_tables(measure: Measure, fits: Sequence[SeriesFit]) -> list[TextTable]:
    """What each series of a measure measured and what its curve gives: one row per amount.

    One table for up to two series, else one for measured and one for fitted values. Without amounts, one row per
    series.
    """
    if not measure.axis:
        several = len(measure.base) > 1
        bare = [(f"untrained {model}" if several else "untrained", value) for model, value in measure.base.items()]
        rows = [(name, measure.metric.number(value)) for name, value in bare]
        rows += [(fit.series.label or "all", measured(fit.levels[0], measure.metric)) for fit in fits]
        return [TextTable(measure.heading, ("series", "measured"), tuple(rows))]
    along = [fit for fit in fits if len(fit.levels) > 1]
    if len(fits) > SIDE_BY_SIDE and 0 < len(along) < len(fits):
        return [*measure_tables(measure, along), _constant_table(measure, [fit for fit in fits if fit not in along])]
    if len(fits) <= SIDE_BY_SIDE:
        return [_amount_table(measure, fits, measure.heading, ("measured", "fitted"))]
    curves = [fit for fit in fits if fit.at_levels is not None]
    tables = [_amount_table(measure, fits, f"{measure.heading}, measured", ("measured",))]
    return [*tables, _amount_table(measure, curves, f"{measure.heading}, fitted", ("fitted",))] if curves else tables


def _constant_table(measure: Measure, fits: Sequence[SeriesFit]) -> TextTable:
    """Series that have one amount each, of which something else varies: a row each."""
    levels = [(fit.series.label, fit.levels[0]) for fit in fits]
    rows = [(label, measure.amount_text(one.amount), measured(one, measure.metric)) for label, one in levels]
    title = f"{measure.heading}, at one amount of its data each"
    return TextTable(title, ("series", measure.axis, "measured"), tuple(rows))


def law_table(fits: Sequence[SeriesFit]) -> TextTable | None:
    """The laws of each curve: rolling-origin error (the main score), AICc weight (the second), weight in the average.

    None without a curve. Errors are root mean squares over the amounts beyond an origin, their geometric mean over the
    origins: relative for losses, in logits for shares and ratings whose number of items is known. ``ahead`` is how far
    the farthest of these predictions lies beyond the amounts fitted, in ranges of their logarithms.
    """
    rows = []
    curves = [(fit, fit.curve) for fit in fits if fit.curve is not None]
    for fit, curve in curves:
        rolling = curve.rolling_origin
        errors = np.full(len(curve.curves), np.nan) if rolling is None else rolling.errors
        ahead = "-" if rolling is None else f"{_ahead(fit, float(rolling.origins[0])):.2f}"
        for law, error, second, weight in zip(curve.curves, errors, curve.aicc_weights(), curve.weights, strict=True):
            name = joined(": ", fit.series.label, law.law.name)
            rows.append((name, _root(error), ahead, f"{100 * second:.0f} %", f"{100 * weight:.0f} %"))
        if rolling is not None:
            mean = float(np.exp(np.log(rolling.average_square_errors).mean()))
            rows.append((joined(": ", fit.series.label, "average"), _root(mean), ahead, "", ""))
    if not rows:
        return None
    unit = {"log": "relative", "logit": "in logits"}.get(curves[0][1].scale.name, "in units of the value")
    title = "laws: error beyond the amounts fitted (rolling origin)"
    return TextTable(title, ("law", f"error, {unit}", "ahead, log ranges", "AICc weight", "weight"), tuple(rows))


def _root(square: float) -> str:
    return f"{np.sqrt(square):.3g}" if np.isfinite(square) else "-"


def _ahead(fit: SeriesFit, origin: float) -> float:
    """How far the largest amount lies beyond ``origin``, in ranges of the logarithms from the smallest to it."""
    amounts = fit.series.amount[fit.series.amount > 0]
    return float(np.log(amounts.max() / origin) / np.log(origin / amounts.min()))


def goal_table(fits: Sequence[MeasureFits]) -> TextTable | None:
    """How much data the next round score of each series takes, what the next doubling brings, and what would settle it.

    The last column has the items, by numbers of seeds, from which on the amount would be known within a factor of two.
    None where no series has a goal.
    """
    seeds = ", ".join(map(str, SEEDS))
    rows = []
    for measure, fit, goal in goals(fits):
        best = max(fit.levels, key=lambda level: level.amount)
        at = f"{measured(best, measure.metric)} at {measure.amount_text(best.amount)}"
        gain = doubling_text(measure.metric, next_doubling(measure, fit))
        rows.append((goal.about, at, gain, goal.shown_value, goal.samples, goal.settled))
    if not rows:
        return None
    header = ("series", "largest amount", "next doubling", "goal", "takes", f"items, for {seeds} seeds")
    costs = dict.fromkeys(COUNTED[measure.axis] for measure, _ in fits if measure.axis in COSTS)
    what = f"how many {' or '.join(costs)} does" if costs else "how much of its data does"
    return TextTable(f"{what} more take? (95 % intervals)", header, tuple(rows))


def further_table(study: Study) -> TextTable | None:
    """All further metrics, such as accuracy_clean or those of a task's categories: means over seeds, one row each.

    Of models trained on the ability that a metric measures, and of untrained ones. The columns are the strategies (at
    the most data of the ability that each had), or, with one strategy, the fractions. None where there are no further
    metrics or only one column.
    """
    rows = study.further[~trained_elsewhere(study.further)]
    by = next((c for c in ("strategy", "fraction") if c in rows and rows[c].nunique() > 1), None)
    if not len(rows) or by is None:
        return None
    if by == "strategy" and "samples" in rows:
        most = rows.groupby([*KEYS, by])["samples"].transform("max")
        rows = rows[(rows["samples"] == most) | rows["samples"].isna()]
    mean = rows.pivot_table("value", KEYS, by, sort=False)
    mean = mean[sorted(mean) if by == "fraction" else list(mean)]
    count = rows.groupby(KEYS)["n_items"].median() if "n_items" in rows else pd.Series(dtype=float)
    header = (*KEYS, "items", *(study.fraction_text(c) if by == "fraction" else str(c) for c in mean))
    body = []
    for key, values in zip(mean.index, mean.to_numpy(float), strict=True):
        metric = study.metrics[key[2]]
        unit = f" ({metric.shown_unit})" if metric.shown_unit else ""
        items = amount(float(count.get(key, np.nan)))
        body.append((key[0], key[1], f"{metric.name}{unit}", items, *map(metric.number, values)))
    return TextTable("further metrics", header, tuple(body))


def overlap_table(pairs: pd.DataFrame) -> TextTable | None:
    """Test items that training sources contain: one row per pair of task and source; None where there are none.

    Columns of ``pairs``: task, source, items, flagged, whole, any_13 (see eval/stages/overlap.py).
    """
    held = pairs[(pairs["flagged"] > 0) | (pairs["any_13"] > 0)]
    counts = ("items", "flagged", "whole", "any_13")
    rows = [
        (str(row["task"]), str(row["source"]), *(f"{row[name]:,}" for name in counts)) for _, row in held.iterrows()
    ]
    header = ("task", "training source", "items", "held", "held whole", "with a run of 13 words")
    return TextTable("Test items in training data", header, tuple(rows)) if rows else None


def _amount_table(measure: Measure, fits: Sequence[SeriesFit], title: str, kinds: tuple[str, ...]) -> TextTable:
    """One row per amount, one column per series and kind ("measured", "fitted")."""
    header = [measure.axis]
    for fit in fits:
        shown = [kind for kind in kinds if kind == "measured" or fit.at_levels is not None]
        named = len(kinds) > 1 or not fit.series.label
        header += [joined(": ", fit.series.label, kind if named else "") for kind in shown]
    amounts = sorted({level.amount for fit in fits for level in fit.levels})
    body = [
        (measure.amount_text(value), *(cell for fit in fits for cell in _cells(fit, value, kinds, measure.metric)))
        for value in amounts
    ]
    fractions = [_fractions(measure, fits, value) for value in amounts]
    bare = [cell for fit in fits for cell in _untrained_cells(measure, fit, kinds)]
    if any(bare):
        body.insert(0, ("0" if measure.axis in AXES else "untrained", *bare))
        fractions.insert(0, "untrained")
    if measure.axis not in AXES or not all(fractions):
        return TextTable(title, tuple(header), tuple(body))
    return TextTable(title, ("fraction", *header), tuple((f, *row) for f, row in zip(fractions, body, strict=True)))


def _fractions(measure: Measure, fits: Sequence[SeriesFit], value: float) -> str:
    """The fraction(s) of the data that an amount stands for; empty where one is unknown."""
    values = [level.fraction for fit in fits for level in fit.levels if level.amount == value]
    return "" if np.isnan(values).any() else ", ".join(dict.fromkeys(map(measure.fraction_text, values)))


def _cells(fit: SeriesFit, value: float, kinds: tuple[str, ...], metric: Metric) -> list[str]:
    """The entries of a series at an amount, by kind; no "fitted" for a series without a curve."""
    place = next((i for i, level in enumerate(fit.levels) if level.amount == value), None)
    cells = []
    if "measured" in kinds:
        cells.append("" if place is None else measured(fit.levels[place], metric))
    if "fitted" in kinds and fit.at_levels is not None:
        cells.append("" if place is None else fitted_value(fit, place, metric))
    return cells


def _untrained_cells(measure: Measure, fit: SeriesFit, kinds: tuple[str, ...]) -> list[str]:
    """The entries of the base model of a series, by kind; curves say nothing about it."""
    value = measure.base.get(fit.series.model)
    cells = [("" if value is None else measure.metric.number(value))] if "measured" in kinds else []
    return [*cells, ""] if "fitted" in kinds and fit.at_levels is not None else cells


def overview(results: Sequence[MeasureFits]) -> TextTable | None:
    """One table over the abilities for the primary metric: a row per fraction (or other amount) and series.

    None for fewer than two measures of that metric, and where their rows differ.
    """
    metric = primary(measure.metric for measure, _ in results)
    chosen = [(measure, fits) for measure, fits in results if measure.metric == metric and fits]
    axes = {measure.axis for measure, _ in chosen}
    if metric is None or len(chosen) < 2 or len(axes) > 1:
        return None
    axis = axes.pop()
    columns = [column for measure, fits in chosen if (column := _column(measure, fits)) is not None]
    if len(columns) < len(chosen):
        return None
    keys = sorted(dict.fromkeys(key for column in columns for key in column), key=lambda key: key[0])
    labelled = any(label for _, label in keys)
    lead = [name for name in ("fraction" if axis in AXES else axis, "series" if labelled else "") if name]
    first = chosen[0][0]
    text = first.fraction_text if axis in AXES else first.amount_text
    rows = []
    for value, label in keys:
        start = ([text(value)] if axis else []) + ([label] if labelled else []) or ["all"]
        rows.append((*start, *(column.get((value, label), "") for column in columns)))
    rows = [*_untrained(chosen, bool(axis), labelled), *rows]
    title = f"{metric.label} by ability, ± 95 % interval of the measurement"
    return TextTable(title, (*(lead or ["series"]), *_column_names(chosen)), tuple(rows))


def _column_names(chosen: Sequence[MeasureFits]) -> list[str]:
    """The abilities, with their task where one has several."""
    abilities = [measure.ability for measure, _ in chosen]
    return [m.ability if abilities.count(m.ability) == 1 else f"{m.ability}, {m.task}" for m, _ in chosen]


def _column(measure: Measure, fits: Sequence[SeriesFit]) -> dict[tuple[float, str], str] | None:
    """A measure's entries by (amount or fraction, series); None where two entries would have the same key."""
    column: dict[tuple[float, str], str] = {}
    for fit in fits:
        for level in fit.levels:
            key = (_row_key(measure, level), fit.series.label)
            if np.isnan(key[0]) or key in column:
                return None
            column[key] = measured(level, measure.metric)
    return column


def _row_key(measure: Measure, level: AmountLevel) -> float:
    if not measure.axis:
        return 0.0
    return level.fraction if measure.axis in AXES else level.amount


def _untrained(chosen: Sequence[MeasureFits], amounts: bool, labelled: bool) -> list[tuple[str, ...]]:
    """A row of values for each untrained model, which is named where there are several; as `overview` begins rows."""
    rows: list[tuple[str, ...]] = []
    models = list(dict.fromkeys(model for measure, _ in chosen for model in measure.base))
    for model in models:
        name = str(model) if len(models) > 1 else ""
        lead = ["untrained", name] if amounts and labelled else [" ".join(filter(None, ("untrained", name)))]
        values = [measure.metric.number(measure.base.get(model, float("nan"))) for measure, _ in chosen]
        rows.append((*lead, *values))
    return rows


def elsewhere_tables(study: Study, metrics: Sequence[Metric]) -> list[TextTable]:
    """For each metric, the effect of training on other abilities only: a row per ability and training data."""
    effects = study.elsewhere
    if not len(effects):
        return []
    by = "fraction" if effects["fraction"].notna().all() else "samples"
    text = study.fraction_text if by == "fraction" else amount
    tables = []
    for metric in metrics:
        rows = effects[effects["metric"] == metric.name]
        amounts = sorted(rows[by].unique())
        body = []
        for (ability, trained), part in rows.groupby(["ability", "trained_on"], sort=False):
            value = part.groupby(by)["value"].mean()
            cells = [metric.number(float(value.get(a, np.nan))) for a in amounts]
            body.append((str(ability), str(trained), metric.number(float(part["base"].mean())), *cells))
        title = f"{metric.label} after training on other abilities only, by {by}"
        header = ("measured", "trained on", "untrained", *map(text, amounts))
        tables += [TextTable(title, header, tuple(body))] if body else []
    return tables
