"""The tables that the terminal and the report show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.data.metric import Metric, primary
from analysis.data.study import Measure, Study
from analysis.fitting.series_fits import AmountLevel, SeriesFit
from analysis.format import amount
from analysis.report.results import MeasureFits
from analysis.report.text import fitted_value, heading, measured
from analysis.text_table import TextTable

BESIDE = 2  # series whose measured and fitted values stand in one table


def measure_sheets(measure: Measure, found: Sequence[SeriesFit]) -> list[TextTable]:
    """What each series measured and what its curve says: a row an amount, in one sheet, or two for many series.

    Without amounts a row is a series.
    """
    if not measure.axis:
        several = len(measure.base) > 1
        bare = [(f"untrained {model}" if several else "untrained", value) for model, value in measure.base.items()]
        rows = [(name, measure.metric.number(value)) for name, value in bare]
        rows += [(f.series.label or "all", measured(f.levels[0], measure.metric)) for f in found]
        return [TextTable(heading(measure), ("series", "measured"), tuple(rows))]
    if len(found) <= BESIDE:
        return [_amount_sheet(measure, found, heading(measure), ("measured", "fitted"))]
    curves = [f for f in found if f.at_levels is not None]
    sheets = [_amount_sheet(measure, found, f"{heading(measure)}, measured", ("measured",))]
    return [*sheets, _amount_sheet(measure, curves, f"{heading(measure)}, fitted", ("fitted",))] if curves else sheets


def law_sheet(found: Sequence[SeriesFit]) -> TextTable | None:
    """The laws of each curve: how far each was off beyond the amounts it was fitted to (main score), its AICc weight
    (second) and its weight in the average. None where there is no curve.

    Errors are root mean squares over the amounts beyond an origin, their geometric mean over the origins: relative for
    losses, in logits for scores whose items are known. ``ahead`` is how far the farthest prediction behind them lay
    beyond the amounts fitted, in ranges of their logarithms.
    """
    rows = []
    curves = [(f, f.curve) for f in found if f.curve is not None]
    for f, curve in curves:
        rolled = curve.rolling_origin
        errors = np.full(len(curve.curves), np.nan) if rolled is None else rolled.errors
        ahead = "-" if rolled is None else f"{_ahead(f, float(rolled.origins[0])):.2f}"
        for law, error, second, weight in zip(curve.curves, errors, curve.aicc_weights(), curve.weights, strict=True):
            who = ": ".join(filter(None, (f.series.label, law.law.name)))
            rows.append((who, _off(error), ahead, f"{100 * second:.0f} %", f"{100 * weight:.0f} %"))
        if rolled is not None:
            mean = float(np.exp(np.log(rolled.average_square_errors).mean()))
            rows.append((": ".join(filter(None, (f.series.label, "average"))), _off(mean), ahead, "", ""))
    if not rows:
        return None
    unit = {"log": "relative", "logit": "in logits"}.get(curves[0][1].scale.name, "in units of the value")
    title = "laws: error beyond the amounts fitted (rolling origin)"
    return TextTable(title, ("law", f"off by, {unit}", "ahead, log ranges", "AICc weight", "weight"), tuple(rows))


def _off(square: float) -> str:
    return f"{np.sqrt(square):.3g}" if np.isfinite(square) else "-"


def _ahead(found: SeriesFit, origin: float) -> float:
    """How far the largest amount lies beyond ``origin``, in ranges of the logarithms from the smallest to it."""
    amounts = found.series.amount[found.series.amount > 0]
    return float(np.log(amounts.max() / origin) / np.log(origin / amounts.min()))


def other_sheet(study: Study) -> TextTable | None:
    """All further metrics, such as accuracy_clean or those of a task's categories: a row each, a column a strategy (at
    the most data it had), or where there is one strategy a column a fraction; means over seeds. None without any.
    """
    rows = study.further
    by = next((c for c in ("strategy", "fraction") if c in rows and rows[c].nunique() > 1), None)
    if not len(rows) or by is None:
        return None
    if by == "strategy" and "total_samples" in rows:
        most = rows.groupby(["ability", "task", "metric", by])["total_samples"].transform("max")
        rows = rows[(rows["total_samples"] == most) | (rows["total_samples"].isna())]
    keys = ["ability", "task", "metric"]
    metrics = study.metrics
    mean = rows.pivot_table("value", keys, by, sort=False)
    mean = mean[sorted(mean) if by == "fraction" else list(mean)]
    count = rows.groupby(keys)["n_items"].median() if "n_items" in rows else pd.Series(dtype=float)
    header = (*keys, "items", *(study.fraction_text(c) if by == "fraction" else str(c) for c in mean))
    body = [
        (*key[:2], _named(metrics[key[2]]), amount(float(count.get(key, np.nan))), *map(metrics[key[2]].number, row))
        for key, row in zip(mean.index, mean.to_numpy(float), strict=True)
    ]
    return TextTable("further metrics", header, tuple(body))


def _named(metric: Metric) -> str:
    """The name with the unit of the values."""
    return f"{metric.name} ({metric.shown_unit})" if metric.shown_unit else metric.name


def overlap_sheet(pairs: pd.DataFrame) -> TextTable | None:
    """What training sources hold of test items: a row each pair where anything is held. None where nothing is.

    Columns of ``pairs``: task, source, items, flagged, whole, any_13 (see eval/stages/overlap.py).
    """
    held = pairs[(pairs["flagged"] > 0) | (pairs["any_13"] > 0)]
    counts = ("items", "flagged", "whole", "any_13")
    rows = [
        (str(row["task"]), str(row["source"]), *(f"{row[name]:,}" for name in counts)) for _, row in held.iterrows()
    ]
    header = ("task", "training source", "items", "held", "held whole", "with a run of 13 words")
    return TextTable("Test items in training data", header, tuple(rows)) if rows else None


def _amount_sheet(measure: Measure, found: Sequence[SeriesFit], title: str, kinds: tuple[str, ...]) -> TextTable:
    """One row an amount, a column a series and kind ("measured", "fitted")."""
    header = [measure.axis]
    for f in found:
        shown = [kind for kind in kinds if kind == "measured" or f.at_levels is not None]
        header += [
            ": ".join(filter(None, (f.series.label, kind if len(kinds) > 1 or not f.series.label else "")))
            for kind in shown
        ]
    amounts = sorted({level.amount for f in found for level in f.levels})
    body = [
        (amount(value), *(cell for f in found for cell in _cells(f, value, kinds, measure.metric))) for value in amounts
    ]
    shares = [_fractions(measure, found, value) for value in amounts]
    bare = [cell for f in found for cell in _untrained_cells(measure, f, kinds)]
    if any(bare):
        body.insert(0, ("0" if measure.axis == "samples" else "untrained", *bare))
        shares.insert(0, "untrained")
    if measure.axis != "samples" or not all(shares):
        return TextTable(title, tuple(header), tuple(body))
    return TextTable(title, ("fraction", *header), tuple((s, *row) for s, row in zip(shares, body, strict=True)))


def _fractions(measure: Measure, found: Sequence[SeriesFit], value: float) -> str:
    """The fraction(s) of the data that an amount stands for; empty where one is unknown."""
    known = [level.fraction for f in found for level in f.levels if level.amount == value]
    return "" if np.isnan(known).any() else ", ".join(dict.fromkeys(map(measure.fraction_text, known)))


def _cells(found: SeriesFit, value: float, kinds: tuple[str, ...], metric: Metric) -> list[str]:
    """What a series shows at an amount, by kind; no "fitted" for a series without a curve."""
    at = next((i for i, level in enumerate(found.levels) if level.amount == value), None)
    cells = []
    if "measured" in kinds:
        cells.append("" if at is None else measured(found.levels[at], metric))
    if "fitted" in kinds and found.at_levels is not None:
        cells.append("" if at is None else fitted_value(found, at, metric))
    return cells


def _untrained_cells(measure: Measure, found: SeriesFit, kinds: tuple[str, ...]) -> list[str]:
    """What the base model of a series measured, by kind; curves say nothing about it."""
    value = measure.base.get(found.series.model)
    cells = [("" if value is None else measure.metric.number(value))] if "measured" in kinds else []
    return [*cells, ""] if "fitted" in kinds and found.at_levels is not None else cells


def overview(results: Sequence[MeasureFits]) -> TextTable | None:
    """One table over the abilities for the headline metric: a row a fraction (or other amount) and series.

    None where there are fewer than two such blocks, or where they do not share their rows.
    """
    metric = primary(measure.metric for measure, _ in results)
    chosen = [(measure, found) for measure, found in results if measure.metric == metric and found]
    axes = {measure.axis for measure, _ in chosen}
    if metric is None or len(chosen) < 2 or len(axes) > 1:
        return None
    axis = axes.pop()
    columns = [_column(measure, found) for measure, found in chosen]
    if any(column is None for column in columns):
        return None
    keys = sorted(dict.fromkeys(key for column in columns if column for key in column), key=lambda key: key[0])
    labelled = any(label for _, label in keys)
    name = "fraction" if axis == "samples" else axis
    lead = [f for f in (name, "series" if labelled else "") if f]
    text = chosen[0][0].fraction_text if axis in ("samples", "fraction") else amount
    rows = []
    for value, label in keys:
        start = ([text(value)] if axis else []) + ([label] if labelled else []) or ["all"]
        rows.append((*start, *(column.get((value, label), "") for column in columns if column is not None)))
    bare = _untrained(chosen)
    if bare:
        rows.insert(0, ("untrained", *[""] * (len(lead) - 1), *bare))
    tasks = [measure.ability for measure, _ in chosen]
    names = [
        measure.ability if tasks.count(measure.ability) == 1 else f"{measure.ability}, {measure.task}"
        for measure, _ in chosen
    ]
    title = f"{metric.label} by ability, ± 95 % interval of the measurement"
    return TextTable(title, (*(lead or ["series"]), *names), tuple(rows))


def _column(measure: Measure, found: Sequence[SeriesFit]) -> dict[tuple[float, str], str] | None:
    """A block's measurements by (amount or fraction, series); None where that does not tell them apart."""
    column: dict[tuple[float, str], str] = {}
    for f in found:
        for level in f.levels:
            key = (_row(measure, level), f.series.label)
            if np.isnan(key[0]) or key in column:
                return None
            column[key] = measured(level, measure.metric)
    return column


def _row(measure: Measure, level: AmountLevel) -> float:
    if not measure.axis:
        return 0.0
    return level.fraction if measure.axis == "samples" else level.amount


def _untrained(chosen: Sequence[MeasureFits]) -> list[str]:
    """The base model's values; empty where there is none, or more than one model."""
    if any(len(measure.base) > 1 for measure, _ in chosen) or not any(measure.base for measure, _ in chosen):
        return []
    return [measure.metric.number(next(iter(measure.base.values()), float("nan"))) for measure, _ in chosen]


def cross_sheets(study: Study, metrics: Sequence[Metric]) -> list[TextTable]:
    """For each metric, what training on other abilities did: a row an ability and training, a column a fraction."""
    effects = study.elsewhere
    if not len(effects):
        return []
    by = "fraction" if effects["fraction"].notna().all() else "samples"
    text = study.fraction_text if by == "fraction" else amount
    sheets = []
    for metric in metrics:
        rows = effects[effects["metric"] == metric.name]
        if not len(rows):
            continue
        amounts = sorted(rows[by].unique())
        body = []
        for (ability, trained), part in rows.groupby(["ability", "trained_on"], sort=False):
            value = part.groupby(by)["value"].mean()
            cells = [metric.number(float(value.get(a, np.nan))) for a in amounts]
            body.append((str(ability), str(trained), metric.number(float(part["base"].mean())), *cells))
        title = f"{metric.label} after training on other abilities only, by {by}"
        sheets.append(TextTable(title, ("measured", "trained on", "untrained", *map(text, amounts)), tuple(body)))
    return sheets
