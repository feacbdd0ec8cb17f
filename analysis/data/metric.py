"""What a metric is: its kind, which way is better, and how its values are fitted, compared and shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import numpy as np
import pandas as pd

from analysis.arrays import Array
from analysis.format import number, times

KINDS = ("share", "rating", "loss", "other")
WAYS = ("higher", "lower")
DIFFERENCE_UNITS = {
    "share": "points of a score",
    "rating": "points of a rating's scale",
    "loss": "% of a loss (×3: three times the loss)",
    "other": "units of the metric",
}
"""The units of differences of each kind, for tables that hold several kinds."""
HEADLINES = ("accuracy", "loss")
"""The metrics an ability is analysed by; an ability that has neither is analysed by all its metrics."""


@dataclass(frozen=True)
class Metric:
    """One metric of the long table.

    ========  ==================================  ==========================  ===================  ====================
    kind      values                              fitted as                   compared by          shown
    ========  ==================================  ==========================  ===================  ====================
    share     0 to 1, of ``n_items`` items        share of right items        difference           per cent, points
    rating    ``low`` to ``high``, by a judge     share of the range          share of the range   points of the scale
    loss      above 0, in ``unit``, lower better  the value, log residuals    ratio                three decimals, %
    other     ``low`` to ``high`` measured        the value                   difference           three decimals
    ========  ==================================  ==========================  ===================  ====================

    Shares and ratings for which lower is better are turned around before they are fitted or compared (1 - share).
    ``binary`` marks shares of items that are each right or wrong. ``assumed`` says what was assumed where neither the
    table nor the name says what the metric is.

    Raises ValueError for an unknown kind or direction, a range without width, a share with another range than 0 to 1,
    and a loss for which higher is better.
    """

    name: str
    kind: str
    better: str = "higher"
    low: float = 0.0
    high: float = 1.0
    unit: str = ""
    binary: bool = False
    assumed: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"metric {self.name!r}: kind {self.kind!r} is unknown; choose one of: {', '.join(KINDS)}")
        if self.better not in WAYS:
            raise ValueError(f"metric {self.name!r}: better={self.better!r} must be 'higher' or 'lower'")
        if self.kind == "share" and (self.low, self.high) != (0.0, 1.0):
            raise ValueError(
                f"metric {self.name!r}: a share lies between 0 and 1; declare kind rating for other ranges"
            )
        if self.kind == "rating" and not self.low < self.high:
            raise ValueError(f"metric {self.name!r}: low={self.low:g} must be below high={self.high:g}")
        if self.kind == "loss" and self.better != "lower":
            raise ValueError(f"metric {self.name!r}: a loss is better when lower; declare kind other")

    @property
    def bounded(self) -> bool:
        """Whether values lie in a fixed range, so that they are fitted and compared as shares of it."""
        return self.kind in ("share", "rating")

    def merit(self, values: Array) -> Array:
        """Values on the scale of comparisons, on which larger is better.

        Shares and ratings from 0 (worst) to 1 (best), losses as minus their logarithms, others with their sign.
        """
        if self.kind == "loss":
            return np.asarray(-np.log(values))
        scaled = (values - self.low) / (self.high - self.low) if self.bounded else values
        if self.better == "higher":
            return np.asarray(scaled)
        return np.asarray(1 - scaled if self.bounded else -scaled)

    def value(self, merit: Array) -> Array:
        """The inverse of `merit`."""
        if self.kind == "loss":
            with np.errstate(over="ignore"):  # an interval without an end to speak of ends at infinity
                return np.asarray(np.exp(-merit))
        turned = merit if self.better == "higher" else 1 - merit if self.bounded else -merit
        return np.asarray(self.low + (self.high - self.low) * turned if self.bounded else turned)

    def values(self, merits: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        """Middle, lower and upper end on the scale of `merit` as middle, lower and upper end of values."""
        middle, low, high = map(self.value, merits)
        return (middle, high, low) if self.better == "lower" else (middle, low, high)

    def merit_error(self, error: Array, values: Array) -> Array:
        """Standard errors of ``values`` as standard errors on the scale of `merit`."""
        if self.kind == "loss":
            return np.asarray(error / values)
        return np.asarray(error / (self.high - self.low) if self.bounded else error)

    def margin(self, relative: float) -> float:
        """The difference that matters, on the scale of `merit`: ``relative`` of the range, or of a loss."""
        return relative * (self.high - self.low) if self.kind == "other" else relative

    @property
    def file_name(self) -> str:
        """The name with ``_`` for every character that is not a letter or digit."""
        return "".join(c if c.isalnum() else "_" for c in self.name)

    @property
    def fitted_as(self) -> str:
        """What curves are fitted to, as text; empty where it is the value itself."""
        if not self.bounded or (self.kind == "share" and self.better == "higher"):
            return ""
        if self.kind == "share":
            return "1 - value"
        ends = f"(value - {self.low:g})" if self.better == "higher" else f"({self.high:g} - value)"
        return f"{ends} / {self.high - self.low:g}"

    @property
    def factor(self) -> float:
        """What values are multiplied by where they are shown: 100 for shares, shown in per cent."""
        return 100.0 if self.kind == "share" else 1.0

    @property
    def shown_unit(self) -> str:
        """The unit in headings: ``%``, ``1 to 10``, ``nats a token``; empty for none."""
        if self.kind == "rating":
            return f"{self.low:g} to {self.high:g}"
        return "%" if self.kind == "share" else self.unit

    @property
    def suffix(self) -> str:
        """What follows a value in a sentence."""
        return " %" if self.kind == "share" else ""

    @property
    def label(self) -> str:
        """Name and unit, as on an axis: ``accuracy in %``."""
        if self.kind == "rating":
            return f"{self.name} from {self.shown_unit}"
        return f"{self.name} in {self.shown_unit}" if self.shown_unit else self.name

    def number(self, value: float) -> str:
        """A value as text: shares in per cent with one decimal, ratings with two decimals."""
        if np.isnan(value):
            return "-"
        if self.kind == "share":
            return f"{100 * value:.1f}"
        return f"{value:.2f}" if self.kind == "rating" else number(value)

    def effect(self, difference: float) -> str:
        """A difference of merits with its sign, in the unit of `effect_unit`; the factor of a loss that doubles."""
        if np.isnan(difference):
            return "unknown"
        if self.multiplies(difference):
            return times(float(self.value(np.array(difference))))
        return format(self.gain(difference), {"rating": "+z.2f", "other": "+z.3g"}.get(self.kind, "+z.1f"))

    def gain(self, difference: float) -> float:
        """A difference of merits in the unit of `effect_unit`."""
        if self.kind == "loss":  # a merit is minus the logarithm of a loss
            return float(-100 * np.expm1(-difference))
        return {"share": 100.0, "rating": self.high - self.low}.get(self.kind, 1.0) * difference

    def multiplies(self, difference: float) -> bool:
        """Whether a difference of merits is that of a loss which at least doubles; its factor has no unit: ``×3.2``."""
        return self.kind == "loss" and bool(np.exp(difference) <= 0.5)

    def effect_with_ends(self, effect: float, low: float, high: float) -> str:
        """An effect with its interval, all told in the same way: ``+3.1 (+1.0 to +5.2)``, ``×3.2 (×1.8 to ×5.6)``."""
        if self.multiplies(low):
            middle, worst, best = (times(float(self.value(np.array(merit)))) for merit in (effect, low, high))
            return f"{middle} ({best} to {worst})"
        return f"{self.effect(effect)} ({self.effect(low)} to {self.effect(high)})"

    @property
    def effect_unit(self) -> str:
        """The unit of a difference, in a sentence."""
        unit = {
            "share": "points",
            "rating": f"points of the scale from {self.low:g} to {self.high:g}",
            "loss": "%",
            "other": f"units of {self.name}",
        }[self.kind]
        return f"{unit} (positive: {self.name} is lower)" if self.better == "lower" else unit

    @property
    def short_unit(self) -> str:
        """The unit of a difference, after it was named in full."""
        return {"share": "points", "rating": "points", "loss": "%", "other": "units"}[self.kind]

    @property
    def model_unit(self) -> str:
        """The unit of errors of a model of this metric: of logits of merits where bounded, else of merits."""
        return {"loss": "relative", "other": f"units of {self.name}"}.get(self.kind, "logits")

    def gap(self, measured: Array, fitted: Array) -> Array:
        """Measured minus fitted, in the unit of `short_unit`."""
        if self.kind == "loss":
            return np.asarray(100 * (measured / fitted - 1))
        return np.asarray(self.factor * (measured - fitted))


_LOSS = Metric("", "loss", "lower")
_RATE = Metric("", "share", "lower")
NAMES = (
    ("error_rate *_error_rate", replace(_RATE, binary=True)),
    ("truncated_rate empty_rate timeout_rate *failure_rate unparsed_rate contaminated_rate loss_rate", _RATE),
    ("invalid_rate hallucination_rate toxicity_rate", _RATE),
    ("accuracy accuracy_* *_accuracy acc acc_* exact_match exact_match_*", Metric("", "share", binary=True)),
    ("pass@* *_rate *_share em f1 f1_* *_f1 precision recall mc1 mc2 correct", Metric("", "share")),
    ("strict loose *_strict *_loose", Metric("", "share")),
    ("score score_* turn_* rating rating_* *_rating judge_score", Metric("", "rating", low=1.0, high=10.0)),
    ("loss cross_entropy", replace(_LOSS, unit="nats a token")),
    ("nll *_nll", replace(_LOSS, unit="nats")),
    ("bits_per_byte *_bits_per_byte bpb", replace(_LOSS, unit="bits a byte")),
    ("loss_* *_loss perplexity *_perplexity ppl *_ppl error *_error mse rmse mae", _LOSS),
)
"""Patterns of names in lower case, and what they mean; the first that matches decides."""


def metric_named(name: str) -> Metric:
    """The metric that a name stands for by the table `NAMES`; kind other, with what is assumed, for an unknown name."""
    for patterns, metric in NAMES:
        if any(fnmatchcase(name.lower(), pattern) for pattern in patterns.split()):
            return replace(metric, name=name)
    return replace(_default(name, "other"), assumed="a number for which higher is better")


def metrics_of(table: pd.DataFrame) -> dict[str, Metric]:
    """The metrics of a long table by name, in its order.

    The optional columns ``kind``, ``better``, ``low`` and ``high`` decide, then the name. Raises ValueError where rows
    of one metric declare different things, or what no metric can be.
    """
    return {str(name): _declared(str(name), rows) for name, rows in table.groupby("metric", sort=False)}


def _declared(name: str, rows: pd.DataFrame) -> Metric:
    """The metric of these rows: what they declare over what the name says."""
    kind, better, low, high = (_only(name, rows, column) for column in ("kind", "better", "low", "high"))
    metric = metric_named(name)
    if kind is not None and kind != metric.kind:
        unsaid = "a rating from 1 to 10" if kind == "rating" and (low is None or high is None) else ""
        metric = replace(_default(name, str(kind)), assumed=unsaid)
    elif kind is not None or better is not None:
        metric = replace(metric, assumed="")
    metric = replace(
        metric,
        better=metric.better if better is None else str(better),
        low=metric.low if low is None else float(low),
        high=metric.high if high is None else float(high),
    )
    return _ranged(metric, rows["value"].to_numpy(float)) if metric.kind == "other" else metric


def _ranged(metric: Metric, values: Array) -> Metric:
    """A metric of kind other, with the range measured where none is declared."""
    low = metric.low if np.isfinite(metric.low) else float(values.min())
    high = metric.high if np.isfinite(metric.high) else float(values.max())
    if not metric.assumed:
        return replace(metric, low=low, high=high)
    span = f"differences are compared with its range of values, {number(low)} to {number(high)}"
    return replace(metric, low=low, high=high, assumed=f"{metric.assumed}; {span}")


def _default(name: str, kind: str) -> Metric:
    """A metric of a kind that nothing else is known of."""
    ends = {"rating": (1.0, 10.0), "other": (-np.inf, np.inf)}.get(kind, (0.0, 1.0))
    return Metric(name, kind, "lower" if kind == "loss" else "higher", *ends)


def _only(name: str, rows: pd.DataFrame, column: str) -> str | float | None:
    """The one value that the rows of a metric declare; None where they declare none."""
    if column not in rows:
        return None
    declared = [value for value in rows[column].dropna().unique() if value != ""]
    if len(declared) > 1:
        shown = " and ".join(map(str, declared[:2]))
        raise ValueError(f"metric {name!r}: column {column!r} holds {shown}; a metric has one: rename one of the two")
    return declared[0] if declared else None


def common_metric(metrics: Sequence[Metric]) -> Metric:
    """The metric of weighted sums of merits: the one that all are, else the share of each metric's range."""
    return metrics[0] if len(set(metrics)) == 1 else Metric("share of each range", "share")


def primary(metrics: Iterable[Metric]) -> Metric | None:
    """The metric that overviews and advice are about: accuracy, else the first share, rating, loss or other number."""
    return min(metrics, key=lambda m: (m.name != "accuracy", KINDS.index(m.kind)), default=None)
