"""Laws of one amount, and of size and data: plain functions.

A law takes its amounts first, then its parameters by name and order. Amounts are real and positive; parameters may be
complex arrays that broadcast against the amounts, which is how the solver takes exact derivatives (a complex step):
so a law uses analytic operations only, and looks at ``.real`` where it must compare; or it comes with its own gradient.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.special import loggamma

from analysis.arrays import Array
from analysis.laws.law import Number

LOG2 = float(np.log(2.0))


def power(x: Number, A: Number, b: Number) -> Number:
    """``A x^-b``. Hestness et al. 2017 (arXiv 1712.00409)."""
    return A * np.exp(-b * np.log(x))


def power_floor(x: Number, E: Number, A: Number, b: Number) -> Number:
    """``E + A x^-b``: a power law down to the floor E. Hestness et al. 2017; M2 of Alabdulmohsin et al. 2022."""
    return E + A * np.exp(-b * np.log(x))


def shifted_power(x: Number, E: Number, A: Number, b: Number, D0: Number) -> Number:
    """``E + A (x + D0)^-b``: the model starts as if it had seen D0 before. M3 family of Alabdulmohsin et al. 2022."""
    return E + A * np.exp(-b * np.log(x + D0))


def shifted_power_gradient(x: Array, E: Array, A: Array, b: Array, D0: Array) -> tuple[Array, Array]:
    """`shifted_power` and its derivatives by E, A, b and D0 along a new last axis, in real arithmetic."""
    logs = np.log(x + D0)
    fall = np.exp(-b * logs)
    return E + A * fall, _partials(np.ones_like(fall), fall, -A * fall * logs, -A * b * fall / (x + D0))


def bounded(x: Number, E: Number, L0: Number, D0: Number, b: Number) -> Number:
    """``E + (L0 - E) / (1 + (x / D0)^b)``: from L0 with no data to E with endless data.

    The rectified law of Lin et al. 2024 (arXiv 2402.02314), ``E + B / (D0^b + x^b)`` with ``B = (L0 - E) D0^b``.
    """
    return E + (L0 - E) * logistic(b * (np.log(D0) - np.log(x)))


def bounded_gradient(x: Array, E: Array, L0: Array, D0: Array, b: Array) -> tuple[Array, Array]:
    """`bounded` and its derivatives by E, L0, D0 and b along a new last axis, in real arithmetic."""
    before = np.log(D0) - np.log(x)
    share = logistic(b * before)
    bend = (L0 - E) * share * (1 - share)
    return E + (L0 - E) * share, _partials(1 - share, share, bend * b / D0, bend * before)


def m4(x: Number, E: Number, L0: Number, a: Number, B: Number, c: Number) -> Number:
    """The loss L between E and L0 with ``(L - E) / (L0 - L)^a = B x^-c``. M4 of arXiv 2209.06640. Real arguments only;
    `m4_gradient` gives the derivatives.
    """
    return E + (L0 - E) * logistic(_m4_logit(x, E, L0, a, B, c))


def m4_gradient(x: Number, E: Number, L0: Number, a: Number, B: Number, c: Number) -> tuple[Array, Array]:
    """`m4` and its derivatives by E, L0, a, B and c along a new last axis, from the equation that defines it."""
    w = _m4_logit(x, E, L0, a, B, c)
    share, rest = logistic(w), logistic(-w)
    height = L0 - E
    bend = height * share * rest / (rest + a * share)  # how L follows the right side of the equation for w
    by_e = rest + bend * (1 - a) / height
    by_l0 = share - bend * (1 - a) / height
    by_a = bend * (np.log(height) + log_logistic(-w))
    return E + height * share, _partials(by_e, by_l0, by_a, bend / B, -bend * np.log(x))


def _m4_logit(x: Number, E: Number, L0: Number, a: Number, B: Number, c: Number) -> Array:
    """``logit((L - E) / (L0 - E))``, by Halley's steps. The equation for it is monotone and of one curvature, so the
    start is where the nearest of three tangents meets it: those at both far ends and at 0.
    """
    want, power_ = np.broadcast_arrays(np.log(B) - c * np.log(x) - (1 - a) * np.log(L0 - E), a)
    left, right, middle = want, want / power_, (want - (power_ - 1) * LOG2) * 2 / (1 + power_)
    below, above = np.minimum(np.minimum(left, right), middle), np.maximum(np.maximum(left, right), middle)
    w = np.where(power_ > 1, below, above)
    for _ in range(40):
        small = np.exp(-np.abs(w))
        rest = np.log1p(small)  # ln logistic(w) is min(w, 0) - rest, ln logistic(-w) is min(-w, 0) - rest
        share = np.where(w > 0, 1.0, small) / (1 + small)
        gap = np.minimum(w, 0) - rest + power_ * (np.maximum(w, 0) + rest) - want
        slope = 1 - share + power_ * share
        step = gap / slope
        step /= 1 - 0.5 * step * (power_ - 1) * share * (1 - share) / slope
        w = w - step
        if np.abs(step).max(initial=0.0) < 1e-4:  # steps cube what is left
            break
    return np.asarray(w)


def m4_scale(at: Mapping[str, Number]) -> Number:
    """What makes B a pure number: without it B follows E, L0 and a by orders of magnitude."""
    return (at["L0"] - at["E"]) ** (1 - at["a"])


def m4_amplitude(x: Number, y: Number, E: Number, L0: Number, a: Number, c: Number) -> Number:
    """The B with which `m4` passes through the middle of the points (geometric mean over them)."""
    logs = np.log(np.maximum(y - E, 1e-9 * y)) - a * np.log(np.maximum(L0 - y, 1e-9 * y)) + c * np.log(x)
    return np.exp(np.median(logs, axis=-1, keepdims=True))


def log_linear(x: Number, a: Number, s: Number) -> Number:
    """``a + s ln x``: a constant gain per doubling, as scores are often drawn (Dong et al. 2024, arXiv 2310.05492)."""
    return a + s * np.log(x)


def sigmoid(x: Number, g: Number, u: Number, s: Number, m: Number) -> Number:
    """``g + (u - g) / (1 + exp(-s (ln x - m)))``: a score from guessing rate g to ceiling u, half-way at x = exp(m).

    The form of ladder and observational scaling work (Ruan et al. 2024, arXiv 2405.10938). g is held at 0 unless
    given; under a count objective u has a prior of 1 +- 0.15, which a few amounts beyond the knee outweigh.
    """
    return g + (u - g) * logistic(s * (np.log(x) - m))


def neg_log_accuracy(x: Number, E: Number, A: Number, b: Number) -> Number:
    """``exp(-(E + A x^-b))``: minus the logarithm of a score is a power law with a floor (arXiv 2512.08894)."""
    return np.exp(-(E + A * np.exp(-b * np.log(x))))


def broken_power(x: Number, E: Number, A: Number, c0: Number, c1: Number, d: Number, f: Number) -> Number:
    """``E + A x^-c0 (1 + (x / d)^(1 / f))^(-c1 f)``: the slope turns from c0 to c0 + c1 around d, the sharper the
    smaller f. One smooth break of Caballero et al. 2023 (arXiv 2210.14891); six parameters, so at least 12 amounts.
    """
    bend = -log_logistic((np.log(d) - np.log(x)) / f)
    return E + A * np.exp(-c0 * np.log(x) - c1 * f * bend)


def hinge(x: Number, a: Number, s: Number, t: Number) -> Number:
    """``a + s min(ln x, t)``: a constant gain per doubling up to the amount exp(t), then a plateau.

    Segmented regression (Hudson 1966, J. Am. Stat. Assoc. 61); t lies within the amounts seen. That it fits does not
    prove the plateau: see `analysis.scaling`.
    """
    logs = np.log(x)
    return a + s * np.where(logs < np.real(t), logs, t)


def beta_binomial(k: Number, a: Number, b: Number) -> Number:
    """``1 - B(a, b + k) / B(a, b)``: the share of items solved at least once in k tries (pass@k), when items' chances
    of being solved follow a beta distribution with a and b. Schaeffer et al. 2025 (arXiv 2502.17578).
    """
    return 1 - np.exp(loggamma(b + k) + loggamma(a + b) - loggamma(b) - loggamma(a + b + k))


def additive(n: Number, d: Number, E: Number, A: Number, a: Number, B: Number, b: Number) -> Number:
    """``E + A n^-a + B d^-b`` in size n and data d.

    Hoffmann et al. 2022; refitted by Besiroglu et al. 2024 (arXiv 2404.10102).
    """
    return E + A * np.exp(-a * np.log(n)) + B * np.exp(-b * np.log(d))


def additive_gradient(n: Array, d: Array, E: Array, A: Array, a: Array, B: Array, b: Array) -> tuple[Array, Array]:
    """`additive` and its derivatives by E, A, a, B and b along a new last axis, in real arithmetic."""
    log_n, log_d = np.log(n), np.log(d)
    size, data = np.exp(-a * log_n), np.exp(-b * log_d)
    partials = _partials(np.ones_like(size), size, -A * size * log_n, data, -B * data * log_d)
    return E + A * size + B * data, partials


def multiplicative(n: Number, d: Number, E: Number, A: Number, a: Number, b: Number) -> Number:
    """``E + A n^-a d^-b`` in size n (or other pretraining amount) and fine-tuning data d: one amplitude, so that the
    gain from data shrinks with size. Zhang et al. 2024 (arXiv 2402.17193).
    """
    return E + A * np.exp(-a * np.log(n) - b * np.log(d))


def joint_bounded(n: Number, d: Number, E: Number, L0: Number, A: Number, a: Number, B: Number, b: Number) -> Number:
    """``E + (L0 - E) h / (1 + h)`` with ``h = A n^-a + B d^-b``: additive in size and data, and never above L0.

    The bounded form of arXiv 2605.09189, which keeps small amounts from raising the loss without end.
    """
    h = A * np.exp(-a * np.log(n)) + B * np.exp(-b * np.log(d))
    return E + (L0 - E) * h / (1 + h)


def repetition(u: Number, d: Number, E: Number, A: Number, b: Number, R: Number) -> Number:
    """``E + A D^-b`` with ``D = u (1 + R (1 - exp(-(d / u - 1) / R)))``: d samples seen, of which u are distinct.

    A repetition is worth less each time; beyond about R of them nothing is gained. Muennighoff et al. 2023 (arXiv
    2305.16264). u counts as d where it is larger.
    """
    distinct = np.minimum(u, d)
    worth = 1 + R * (1 - np.exp(-(d / distinct - 1) / R))
    return E + A * np.exp(-b * (np.log(distinct) + np.log(worth)))


def _partials(*columns: Array) -> Array:
    return np.stack(np.broadcast_arrays(*columns), axis=-1)


def logistic(w: Number) -> Number:
    """``1 / (1 + exp(-w))`` for real or complex w, without overflow."""
    small = np.exp(np.where(w.real > 0, -w, w))
    return np.where(w.real > 0, 1.0, small) / (1.0 + small)


def log_logistic(w: Number) -> Number:
    """``ln(1 / (1 + exp(-w)))`` for real or complex w, without overflow."""
    small = np.exp(np.where(w.real > 0, -w, w))
    return np.where(w.real > 0, 0.0, w) - np.log1p(small)
