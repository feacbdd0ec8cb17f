"""Fit a curve to each series of a long table, with the means and predictions that tables and figures show."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import chdtrc, rel_entr

from analysis.arrays import Array
from analysis.data.metric import Metric
from analysis.data.series import Series
from analysis.data.study import Measure
from analysis.fitting.average import Average, fit_average
from analysis.fitting.diagnosis import explain, separated
from analysis.fitting.levels import AmountLevel, levels_of
from analysis.fitting.points import Points
from analysis.fitting.shared_items import SharedItems, alike
from analysis.fitting.uncertainty import RUN_NOISE, USUAL_DOF, Prediction
from analysis.laws.catalogue import laws_for

MISFIT = 0.01  # chance of a larger misfit, below which a law counts as wrong
LOSS_NOISE = 0.02  # relative standard deviation of a loss between training runs, as repeated runs usually show
USUAL_ITEMS = 500  # behind a score that comes without their number: what its noise is drawn towards
DESIGN_EFFECT = 1.1  # factor on binomial variances from which on items count as clustered, not as badly rounded
MIN_AMOUNTS = 3  # distinct amounts that a curve needs
MIN_ANSWERS = 10  # right answers, and wrong ones, that a curve needs: with fewer the bands' normal theory fails


@dataclass(frozen=True, eq=False)
class SeriesFit:
    """A series with its levels, and its curve or the reason why it has none.

    ``at_levels`` are predictions at the amounts of the levels, ``line`` at the amounts ``grid``, which are dense enough
    to draw. All three are None or empty without a curve. ``shared`` is what their intervals know of the items that all
    measurements have in common; None where nothing is known of them.
    """

    series: Series
    levels: tuple[AmountLevel, ...]
    curve: Average | None
    reason: str
    at_levels: Prediction | None
    grid: Array
    line: Prediction | None
    shared: SharedItems | None = None


def fit_series(measure: Measure) -> list[SeriesFit]:
    """The levels of every series of a measure, with a curve for each series that allows one."""
    if not measure.series:
        return []
    together = alike(measure)
    return [_series_fit(measure, series, together) for series in measure.series]


def predicted(curve: Average, measure: Measure, amounts: Array, shared: SharedItems | None = None) -> Prediction:
    """The curve at ``amounts`` (amounts,), in values of the measure's metric.

    The interval is for these very items, or, with ``shared``, for items like them.
    """
    prediction = curve.predict({measure.axis: amounts})
    if shared is not None:
        prediction = shared.widened(prediction, curve.scale, amounts)
    if not measure.metric.bounded:
        return prediction
    # Without a number of items the curve is fitted on the scale of values, where it may leave their range.
    ends = (np.clip(merit, 0.0, 1.0) for merit in (prediction.value, prediction.low, prediction.high))
    return Prediction(*measure.metric.values((next(ends), next(ends), next(ends))))


def _series_fit(measure: Measure, series: Series, together: float) -> SeriesFit:
    counted = replace(series, items=_independent(series, measure.metric))
    levels = levels_of(counted, measure.metric)
    curve, reason = _fit_curve(measure, counted)
    if curve is None:
        return SeriesFit(series, levels, None, reason, None, np.zeros(0), None)
    amounts = np.array([level.amount for level in levels])
    grid = np.geomspace(amounts[amounts > 0].min(), amounts.max(), 60)
    # Laws have no value at amount 0; the figures draw it where the curve begins.
    shared = _shared(measure.metric, counted, together)
    at_levels = predicted(curve, measure, np.where(amounts > 0, amounts, grid[0]), shared)
    return SeriesFit(series, levels, curve, "", at_levels, grid, predicted(curve, measure, grid, shared), shared)


def _shared(metric: Metric, series: Series, together: float) -> SharedItems | None:
    """What the measurements of a series have in common; None for metrics and losses whose error over items is unknown.

    Ratings scatter less than shares do: their number of items is raised to that of as well known shares.
    """
    there = series.amount > 0
    amounts, at = np.unique(series.amount[there], return_inverse=True)
    if metric.kind == "loss" and not np.isnan(series.stderr).any():
        errors = np.bincount(at, (series.stderr / series.value)[there]) / np.bincount(at)
        return SharedItems(together, float("inf"), amounts, errors)
    if not metric.bounded:
        return None
    items = float(np.median(series.items)) if not np.isnan(series.items).any() else float(USUAL_ITEMS)
    if metric.kind == "rating" and not np.isnan(series.stderr).any():
        share, error = metric.merit(series.value), metric.merit_error(series.stderr, series.value)
        items = max(items, float(np.median(share * (1 - share) / np.maximum(error, 1e-9) ** 2)))
    return SharedItems(together, items, amounts, np.zeros(0))


def _independent(series: Series, metric: Metric) -> Array:
    """How many independent items say as much as the items (points,) of each measurement.

    Items that belong together say less than as many that do not: their number is divided by the factor by which the
    standard errors lie above binomial ones (the design effect of Kish 1965), the median over the series.
    """
    if metric.kind != "share" or np.isnan(series.items).all():
        return series.items
    share = metric.merit(series.value)
    binomial = share * (1 - share) / series.items
    factors = (series.stderr**2 / np.where(binomial > 0, binomial, np.nan))[(binomial > 0) & (series.stderr > 0)]
    effect = float(np.median(factors)) if len(factors) else 1.0
    return series.items / effect if effect > DESIGN_EFFECT else series.items


def _fit_curve(measure: Measure, series: Series) -> tuple[Average | None, str]:
    """The average of the laws that suit the metric, or None and the reason why there is no curve.

    Shares and ratings are fitted as shares of their range, with 1 for the best value.
    """
    metric, trained = measure.metric, series.amount > 0
    distinct = len(np.unique(series.amount[trained]))
    if not measure.axis:
        return None, "no amount varies, so there is no curve"
    if series.several_mixtures:
        told = "several mixtures lie along the costs: some cells have less of the ability's data than cheaper ones"
        return None, told
    if distinct < MIN_AMOUNTS:
        plural = "" if distinct == 1 else "s"
        return None, f"{distinct} distinct amount{plural} of {measure.axis}: a curve needs at least {MIN_AMOUNTS}"
    if np.ptp(series.value[trained]) == 0:
        return None, "all values are equal, so there is no curve to fit"
    value = metric.merit(series.value) if metric.bounded else series.value
    counts = metric.bounded and not np.isnan(series.items).any()
    if counts and (reason := _one_sided(series, value, metric)):
        return None, reason
    points = Points(
        {measure.axis: series.amount}, value, trials=series.items if counts else None, group=np.array(series.seed)
    )
    if counts and separated(points.take(trained)):
        return None, f"{explain('separated')}; measure amounts between them"
    if metric.bounded:
        if not counts:
            middle = float(value[trained].mean())
            usual = middle * (1 - middle) * (4 * RUN_NOISE**2 + 1 / USUAL_ITEMS)
            return fit_average(points, laws_for("scores", distinct), "least_squares", usual=usual), ""
        curve = fit_average(points, laws_for("counts", distinct), "quasibinomial")
        return (None, reason) if (reason := misfit(curve)) else (curve, "")
    if metric.kind == "loss":
        return _fit_losses(measure.axis, series)
    # A number without known bounds may go anywhere: only a line is assumed.
    return fit_average(points, laws_for("numbers", distinct), "least_squares"), ""


def _fit_losses(axis: str, series: Series) -> tuple[Average | None, str]:
    """The average of the laws of losses, or None and the reason why there is no curve.

    Each loss weighs as its noise allows: its standard error over items, where known, and the usual scatter of runs.
    """
    trained = series.amount > 0
    amount, loss, stderr = series.amount[trained], series.value[trained], series.stderr[trained]
    if (loss <= 0).any():
        return None, f"a loss of {loss.min():g} has no logarithm, which the laws of losses need"
    if np.polyfit(np.log(amount), np.log(loss), 1)[0] >= 0:
        return None, "the loss does not fall with more data, as every law of losses assumes"
    known = not np.isnan(stderr).any()
    weight = 1 / ((stderr / loss) ** 2 + LOSS_NOISE**2) if known else np.ones(len(loss))
    seeds, laws = np.array(series.seed)[trained], laws_for("loss", len(np.unique(amount)))
    points = Points({axis: amount}, loss, group=seeds, weight=weight / weight.mean())
    usual = 1 / weight.mean() if known else 2 * LOSS_NOISE**2  # unknown items scatter as much again
    # Logarithmic residuals extrapolate better than plain ones on fine-tuning losses.
    curve = fit_average(points, laws, "log", usual=float(usual))
    excess = [weight.mean() * law.error.dispersion for law in curve.curves if law.error.dof > 0]
    chances = [chdtrc(law.error.dof, law.error.dof * weight.mean() * law.error.dispersion) for law in curve.curves]
    if known and excess and max(chances) < MISFIT:
        return None, _misfit_text(float(np.sqrt(min(excess))), "amounts between them would show how they fall")
    return curve, ""


def _misfit_text(times: float, remedy: str) -> str:
    return (
        f"no law follows these values: they lie {times:.1f} times as far from the nearest one as their noise explains; "
        f"{remedy}"
    )


def misfit(curve: Average) -> str:
    """Why no law of an average describes its shares; empty where one does.

    The deviance of the means at each amount from the best law is compared with chi-squared, after division by the
    dispersion of runs at one amount, which is drawn towards the usual one (see `FitError.shrunk`). Beyond `MISFIT` the
    law is wrong, and its residuals are no measure of noise.
    """
    points, (x,) = curve.curves[0].points, curve.curves[0].points.x.values()
    amounts, at = np.unique(x, return_inverse=True)
    assert points.trials is not None
    trials = np.bincount(at, points.trials).astype(float)
    mean = np.bincount(at, points.trials * points.value) / trials
    spare = len(x) - len(amounts)
    usual = curve.curves[0].error.usual
    within = float(_deviance(points.value, mean[at], points.trials).sum())
    noise = (within + USUAL_DOF * usual) / (spare + USUAL_DOF)
    nearest = np.inf
    for law in curve.curves:
        free = law.error.dof - spare
        if free <= 0:
            return ""
        away = float(_deviance(mean, law.predict({next(iter(points.x)): amounts}).value, trials).sum())
        if chdtrc(free, away / noise) >= MISFIT:
            return ""
        nearest = min(nearest, np.sqrt(away / noise / free))
    return _misfit_text(nearest, "more amounts would show where the score jumps")


def _deviance(share: Array, fitted: Array, trials: Array) -> Array:
    """The binomial deviance of shares of ``trials`` items from fitted ones; all of the shape (points,)."""
    return np.asarray(2 * trials * (rel_entr(share, fitted) + rel_entr(1 - share, 1 - fitted)))


def _one_sided(series: Series, share: Array, metric: Metric) -> str:
    """The reason for no curve where nearly all answers are wrong, or right; empty where they are not.

    ``share`` (points,) is that of right answers, or of the range of ratings.
    """
    trained = series.amount > 0
    right = float((share * series.items)[trained].sum())
    wrong = float(((1 - share) * series.items)[trained].sum())
    if right >= MIN_ANSWERS and wrong >= MIN_ANSWERS:
        return ""
    if metric.kind == "rating":
        return f"nearly all ratings are the {'worst' if right < wrong else 'best'} possible"
    kind, count = ("right", right) if right < wrong else ("wrong", wrong)
    return f"{count:.0f} {kind} answers over all amounts say too little about a curve (it takes {MIN_ANSWERS})"
