"""Laws of one amount, and of model size and data, as plain functions.

A law takes its amounts, then its parameters, and returns values of their common broadcast shape. Amounts are real and
positive. Parameters may be complex: the solver differentiates by a complex step (Squire and Trapp 1998, SIAM Rev. 40),
which is exact to rounding for analytic functions. So a law uses analytic operations only and compares real parts, or
it comes with a gradient of its own. A gradient takes real arrays and returns the values and, along a new last axis,
their derivatives by the parameters in the order of the law.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from analysis.arrays import Array
from analysis.laws.law import Number

LOG2 = float(np.log(2.0))


def power(x: Number, A: Number, b: Number) -> Number:
    """``A x^-b``. Hestness et al. 2017 (arXiv 1712.00409)."""
    return A * np.exp(-b * np.log(x))


def power_floor(x: Number, E: Number, A: Number, b: Number) -> Number:
    """``E + A x^-b``: a power law that falls to the floor E.

    Hestness et al. 2017 (arXiv 1712.00409); M2 of Alabdulmohsin et al. 2022 (arXiv 2209.06640).
    """
    return E + A * np.exp(-b * np.log(x))


def shifted_power(x: Number, E: Number, A: Number, b: Number, D0: Number) -> Number:
    """``E + A (x + D0)^-b``: a power law of a model that starts as if it had seen the amount D0 before.

    A form of M3 of Alabdulmohsin et al. 2022 (arXiv 2209.06640).
    """
    return E + A * np.exp(-b * np.log(x + D0))


def shifted_power_gradient(x: Array, E: Array, A: Array, b: Array, D0: Array) -> tuple[Array, Array]:
    """`shifted_power` and its derivatives by E, A, b and D0."""
    logs = np.log(x + D0)
    decay = np.exp(-b * logs)
    return E + A * decay, _partials(np.ones_like(decay), decay, -A * decay * logs, -A * b * decay / (x + D0))


def bounded(x: Number, E: Number, L0: Number, D0: Number, b: Number) -> Number:
    """``E + (L0 - E) / (1 + (x / D0)^b)``: falls from L0 without data to the floor E, half-way at x = D0.

    The rectified law of Lin et al. 2024 (arXiv 2402.02314), ``E + B / (D0^b + x^b)`` with ``B = (L0 - E) D0^b``.
    """
    # The logistic form does not overflow where (x / D0)^b would.
    return E + (L0 - E) * logistic(b * (np.log(D0) - np.log(x)))


def bounded_gradient(x: Array, E: Array, L0: Array, D0: Array, b: Array) -> tuple[Array, Array]:
    """`bounded` and its derivatives by E, L0, D0 and b."""
    log_ratio = np.log(D0) - np.log(x)
    height = logistic(b * log_ratio)  # of the curve between E and L0, from 0 to 1
    slope = (L0 - E) * height * (1 - height)
    return E + (L0 - E) * height, _partials(1 - height, height, slope * b / D0, slope * log_ratio)


def m4(x: Number, E: Number, L0: Number, a: Number, B: Number, c: Number) -> Number:
    """The L between E and L0 that solves ``(L - E) / (L0 - L)^a = B x^-c``. For real arguments only.

    M4 of Alabdulmohsin et al. 2022 (arXiv 2209.06640).
    """
    return E + (L0 - E) * logistic(_m4_logit(x, E, L0, a, B, c))


def m4_gradient(x: Number, E: Number, L0: Number, a: Number, B: Number, c: Number) -> tuple[Array, Array]:
    """`m4` and its derivatives by E, L0, a, B and c, from the equation that defines it (implicit function theorem)."""
    w = _m4_logit(x, E, L0, a, B, c)
    share, rest = logistic(w), logistic(-w)
    height = L0 - E
    slope = height * share * rest / (rest + a * share)  # of L in the logarithm of the equation's right side
    by_e = rest + slope * (1 - a) / height
    by_l0 = share - slope * (1 - a) / height
    by_a = slope * (np.log(height) + log_logistic(-w))
    return E + height * share, _partials(by_e, by_l0, by_a, slope / B, -slope * np.log(x))


def _m4_logit(x: Number, E: Number, L0: Number, a: Number, B: Number, c: Number) -> Array:
    """``logit((L - E) / (L0 - E))`` of `m4`, by Halley's method, which triples the correct digits at each step.

    With w the logit the equation is ``ln logistic(w) - a ln logistic(-w) = target``.
    """
    target, power_ = np.broadcast_arrays(np.log(B) - c * np.log(x) - (1 - a) * np.log(L0 - E), a)
    # The left side is monotone, and its curvature has one sign, so tangents give a start on the safe side of the root:
    # the nearest of those at both far ends and at 0.
    left, right, middle = target, target / power_, (target - (power_ - 1) * LOG2) * 2 / (1 + power_)
    below, above = np.minimum(np.minimum(left, right), middle), np.maximum(np.maximum(left, right), middle)
    w = np.where(power_ > 1, below, above)
    for _ in range(40):
        small = np.exp(-np.abs(w))
        rest = np.log1p(small)  # ln logistic(w) is min(w, 0) - rest, ln logistic(-w) is min(-w, 0) - rest
        share = np.where(w > 0, 1.0, small) / (1 + small)
        gap = np.minimum(w, 0) - rest + power_ * (np.maximum(w, 0) + rest) - target
        slope = 1 - share + power_ * share
        step = gap / slope
        step /= 1 - 0.5 * step * (power_ - 1) * share * (1 - share) / slope
        w = w - step
        # A step this small leaves an error of about its cube, which is below the rounding of floats.
        if np.abs(step).max(initial=0.0) < 1e-4:
            break
    return np.asarray(w)


def m4_scale(params: Mapping[str, Number]) -> Number:
    """The factor ``(L0 - E)^(1 - a)`` of B, without which B changes by orders of magnitude with E, L0 and a."""
    return (params["L0"] - params["E"]) ** (1 - params["a"])


def m4_amplitude(x: Number, y: Number, E: Number, L0: Number, a: Number, c: Number) -> Number:
    """The B with which `m4` passes through the middle of the points: the median over the last axis of the B that each
    point alone would give, shape (..., 1).
    """
    logs = np.log(np.maximum(y - E, 1e-9 * y)) - a * np.log(np.maximum(L0 - y, 1e-9 * y)) + c * np.log(x)
    return np.exp(np.median(logs, axis=-1, keepdims=True))


def log_linear(x: Number, a: Number, s: Number) -> Number:
    """``a + s ln x``: a constant gain per doubling.

    The usual way to draw scores against amounts, for example in Dong et al. 2024 (arXiv 2310.05492).
    """
    return a + s * np.log(x)


def sigmoid(x: Number, g: Number, u: Number, s: Number, m: Number) -> Number:
    """``g + (u - g) / (1 + exp(-s (ln x - m)))``: a score that rises from g to u, half-way at x = exp(m).

    g is the guessing rate and u the ceiling. The form of observational scaling laws (Ruan et al. 2024, arXiv
    2405.10938). g is fixed at 0 unless the caller of `fit` names another value. With the objective for counts u has the
    prior 1 +- 0.15, which a few amounts beyond the half-way point outweigh.
    """
    return g + (u - g) * logistic(s * (np.log(x) - m))


def sigmoid_gradient(x: Array, g: Array, u: Array, s: Array, m: Array) -> tuple[Array, Array]:
    """`sigmoid` and its derivatives by g, u, s and m."""
    away = np.log(x) - m
    height = logistic(s * away)
    slope = (u - g) * height * (1 - height)
    return g + (u - g) * height, _partials(1 - height, height, slope * away, -slope * s)


def neg_log_accuracy(x: Number, E: Number, A: Number, b: Number) -> Number:
    """``exp(-(E + A x^-b))``: a score whose negative logarithm is a power law with a floor (arXiv 2512.08894)."""
    return np.exp(-(E + A * np.exp(-b * np.log(x))))


def neg_log_accuracy_gradient(x: Array, E: Array, A: Array, b: Array) -> tuple[Array, Array]:
    """`neg_log_accuracy` and its derivatives by E, A and b."""
    decay, by_b = _decay(x, b)
    value = np.exp(-(E + A * decay))
    return value, _partials(-value, -value * decay, -value * A * by_b)


def broken_power(x: Number, E: Number, A: Number, c0: Number, c1: Number, d: Number, f: Number) -> Number:
    """``E + A x^-c0 (1 + (x / d)^(1 / f))^(-c1 f)``: a power law with a break at the amount d.

    The exponent changes from c0 to c0 + c1 there; the smaller f, the more abruptly. The broken neural scaling law
    with one break of Caballero et al. 2023 (arXiv 2210.14891).
    """
    log_factor = -log_logistic((np.log(d) - np.log(x)) / f)  # ln(1 + (x / d)^(1 / f))
    return E + A * np.exp(-c0 * np.log(x) - c1 * f * log_factor)


def additive(n: Number, d: Number, E: Number, A: Number, a: Number, B: Number, b: Number) -> Number:
    """``E + A n^-a + B d^-b`` in model size n and data d.

    Hoffmann et al. 2022 (arXiv 2203.15556); refitted by Besiroglu et al. 2024 (arXiv 2404.10102).
    """
    return E + A * np.exp(-a * np.log(n)) + B * np.exp(-b * np.log(d))


def additive_gradient(n: Array, d: Array, E: Array, A: Array, a: Array, B: Array, b: Array) -> tuple[Array, Array]:
    """`additive` and its derivatives by E, A, a, B and b."""
    log_n, log_d = np.log(n), np.log(d)
    size, data = np.exp(-a * log_n), np.exp(-b * log_d)
    partials = _partials(np.ones_like(size), size, -A * size * log_n, data, -B * data * log_d)
    return E + A * size + B * data, partials


def multiplicative(n: Number, d: Number, E: Number, A: Number, a: Number, b: Number) -> Number:
    """``E + A n^-a d^-b`` in model size n (or another pretraining amount) and fine-tuning data d.

    The one amplitude makes the gain from data shrink as models grow. Zhang et al. 2024 (arXiv 2402.17193).
    """
    return E + A * np.exp(-a * np.log(n) - b * np.log(d))


def multiplicative_gradient(n: Array, d: Array, E: Array, A: Array, a: Array, b: Array) -> tuple[Array, Array]:
    """`multiplicative` and its derivatives by E, A, a and b."""
    log_n, log_d = np.log(n), np.log(d)
    both = np.exp(-a * log_n - b * log_d)
    return E + A * both, _partials(np.ones_like(both), both, -A * both * log_n, -A * both * log_d)


def joint_bounded(n: Number, d: Number, E: Number, L0: Number, A: Number, a: Number, B: Number, b: Number) -> Number:
    """``E + (L0 - E) h / (1 + h)`` with ``h = A n^-a + B d^-b``: additive in model size n and data d, bounded by L0.

    The bound keeps small amounts from raising the loss without limit (arXiv 2605.09189).
    """
    h = A * np.exp(-a * np.log(n)) + B * np.exp(-b * np.log(d))
    return E + (L0 - E) * h / (1 + h)


def joint_bounded_gradient(
    n: Array, d: Array, E: Array, L0: Array, A: Array, a: Array, B: Array, b: Array
) -> tuple[Array, Array]:
    """`joint_bounded` and its derivatives by E, L0, A, a, B and b."""
    (size, by_a), (data, by_b) = _decay(n, a), _decay(d, b)
    h = A * size + B * data
    height = h / (1 + h)
    slope = (L0 - E) / (1 + h) ** 2  # of the value in h
    partials = _partials(1 - height, height, slope * size, slope * A * by_a, slope * data, slope * B * by_b)
    return E + (L0 - E) * height, partials


def logit_sizes(n: Number, d: Number, a: Number, k: Number, s: Number) -> Number:
    """``1 / (1 + exp(-(a + k ln n + s ln d)))``: a score whose logit grows evenly with doublings of either."""
    return logistic(a + k * np.log(n) + s * np.log(d))


def logit_sizes_gradient(n: Array, d: Array, a: Array, k: Array, s: Array) -> tuple[Array, Array]:
    """`logit_sizes` and its derivatives by a, k and s."""
    log_n, log_d = np.log(n), np.log(d)
    value = logistic(a + k * log_n + s * log_d)
    slope = value * (1 - value)
    return value, _partials(slope, slope * log_n, slope * log_d)


def neg_log_sizes(n: Number, d: Number, E: Number, A: Number, a: Number, B: Number, b: Number) -> Number:
    """``exp(-(E + A n^-a + B d^-b))``: a score whose negative logarithm is `additive` (arXiv 2512.08894)."""
    return np.exp(-additive(n, d, E, A, a, B, b))


def neg_log_sizes_gradient(n: Array, d: Array, E: Array, A: Array, a: Array, B: Array, b: Array) -> tuple[Array, Array]:
    """`neg_log_sizes` and its derivatives by E, A, a, B and b."""
    exponent, partials = additive_gradient(n, d, E, A, a, B, b)
    value = np.exp(-exponent)
    return value, -value[..., None] * partials


def _decay(n: Array, a: Array) -> tuple[Array, Array]:
    """``n^-a`` and its derivative by a."""
    logs = np.log(n)
    value = np.exp(-a * logs)
    return value, -value * logs


def _partials(*columns: Array) -> Array:
    """The derivatives by each parameter as one array, with the parameters along a new last axis."""
    return np.stack(np.broadcast_arrays(*columns), axis=-1)


def logistic(w: Number) -> Number:
    """``1 / (1 + exp(-w))`` for real or complex w, without overflow."""
    # Both branches are evaluated everywhere, so the exponential is that of minus |w|, whichever branch is taken.
    small = np.exp(np.where(w.real > 0, -w, w))
    return np.where(w.real > 0, 1.0, small) / (1.0 + small)


def log_logistic(w: Number) -> Number:
    """``ln(1 / (1 + exp(-w)))`` for real or complex w, without overflow."""
    small = np.exp(np.where(w.real > 0, -w, w))
    return np.where(w.real > 0, 0.0, w) - np.log1p(small)
