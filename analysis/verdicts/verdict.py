"""One answer: its effect with interval, margin, power, finding and sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.special import ndtr, stdtr

from analysis.arrays import Array
from analysis.data.metric import Metric
from analysis.fitting.uncertainty import quantile

LEVEL = 0.95
MARGIN = 0.02  # of a difference: 2 points of a share, 2 % of a loss or of the range of a rating
SLOPE = 0.5  # margin of a gain per doubling, as a share of the margin of a difference
DETECTION_POWER = 0.8  # the power from which on a design counts as able to detect an effect


@dataclass(frozen=True)
class Verdict:
    """The answer to one question about one thing.

    ``effect``, its 95 % interval (``low`` to ``high``), ``margin`` and ``detectable`` are differences of merits
    (`Metric.merit`): positive is better. ``finding`` is "up", "down", "equal" (the 90 % interval lies within the
    margin: two one-sided tests at 5 %, Schuirmann 1987, J. Pharmacokinet. Biopharm. 15) or "undecided". ``power`` is
    the chance that a true effect as large as the margin is found; ``detectable`` is the smallest effect that is found
    with a chance of 80 %. ``p`` is two-sided, for an effect of 0. ``items`` is the number of items over which the
    effect is paired (0: not paired), ``narrower`` the share of the interval's width that pairing saves. ``edge`` is
    "floor" or "ceiling" where all values lie at the worst or best possible one. Numbers are NaN where the noise is
    unknown. ``noise`` says where the noise was measured, and so what the verdict holds for (`arms.HOLDS_FOR`).
    ``withdrawn_among`` is the number of verdicts in the family among which an effect that is clear on its own is not
    significant (0: it is, or was not clear). ``say`` writes the sentence.
    """

    question: str
    about: str
    effect: float
    low: float
    high: float
    margin: float
    power: float
    detectable: float
    p: float
    finding: str
    metric: Metric
    items: int = 0
    narrower: float = 0.0
    edge: str = ""
    noise: str = "runs"
    withdrawn_among: int = 0
    say: Callable[[Verdict], str] = field(default=lambda verdict: "", compare=False, repr=False)

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        return self.say(self)

    @property
    def small(self) -> bool:
        """Whether the effect, if not equal to 0 within the margin, is smaller than what the design can detect."""
        return self.finding != "equal" and abs(self.effect) < self.detectable

    def saying(self, say: Callable[[Verdict], str]) -> Verdict:
        """The same verdict with another way to write its sentence."""
        return replace(self, say=say)


def judge(
    question: str, about: str, effect: float, variance: float, dof: float, margin: float, metric: Metric
) -> Verdict:
    """The verdict on an effect with this variance, which was estimated with ``dof`` degrees of freedom.

    Undecided, with an interval of NaN, where the variance is unknown (``dof`` of 0).
    """
    error = float(np.sqrt(variance)) if dof > 0 else float("nan")
    if np.isnan(error):
        nan = float("nan")
        return Verdict(question, about, effect, nan, nan, margin, nan, nan, nan, "undecided", metric)
    wide, narrow = (quantile(level, dof) * error for level in (LEVEL, 2 * LEVEL - 1))
    low, high = effect - wide, effect + wide
    clear = "up" if low > 0 else "down" if high < 0 else "undecided"
    finding = "equal" if abs(effect) + narrow < margin else clear
    critical = quantile(LEVEL, dof)
    power = float(ndtr(margin / error - critical) + ndtr(-margin / error - critical)) if error > 0 else 1.0
    detectable = (critical + quantile(2 * DETECTION_POWER - 1, dof)) * error
    return Verdict(
        question, about, effect, low, high, margin, power, detectable, tail(effect, error, dof), finding, metric
    )


def tail(effect: float, error: float, dof: float) -> float:
    """The two-sided p value of an effect (t distribution)."""
    if error == 0:
        return float(effect == 0)
    size = abs(effect) / error
    return float(2 * (1 - (ndtr(size) if np.isinf(dof) else stdtr(dof, size))))


def as_a_family(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts with p values adjusted by Holm over all of them, so that the chance of any false effect is 5 %.

    An effect that is clear on its own but not in the family becomes undecided. The intervals stay those of single
    comparisons, and so does the finding "equal", which is no claim of an effect.
    """
    adjusted = holm([verdict.p for verdict in verdicts])
    number = sum(verdict.p == verdict.p for verdict in verdicts)
    final = []
    for verdict, p in zip(verdicts, adjusted, strict=True):
        withdrawn = verdict.finding in ("up", "down") and p >= 1 - LEVEL
        final.append(
            replace(verdict, p=p, finding="undecided", withdrawn_among=number) if withdrawn else replace(verdict, p=p)
        )
    return final


def holm(p: list[float]) -> list[float]:
    """Holm's adjusted p values (1979, Scand. J. Stat. 6), in the same order; NaN stays NaN and is not counted."""
    numbers = [i for i, value in enumerate(p) if value == value]
    adjusted = [float("nan")] * len(p)
    largest = 0.0
    for rank, i in enumerate(sorted(numbers, key=lambda i: p[i])):
        largest = max(largest, min(1.0, (len(numbers) - rank) * p[i]))
        adjusted[i] = largest
    return adjusted


def draws_of(means: Array, variances: Array, dof: float, count: int, seed: int = 0) -> Array:
    """Draws (count, means) from the joint t distribution of means; ``variances`` may be a covariance matrix."""
    rng = np.random.default_rng(seed)
    unit = rng.standard_normal((count, len(means)))
    if variances.ndim == 1:
        away = unit * np.sqrt(variances)
    else:
        size, direction = np.linalg.eigh(variances)
        away = unit @ (direction * np.sqrt(np.maximum(size, 0.0))).T
    wide = 1.0 if np.isinf(dof) else np.sqrt(dof / rng.chisquare(dof, (count, 1)))
    return np.asarray(means + wide * away)
