"""Laws of mixed training data: of the ratios of a mixture, or of an ability's own data and that of other abilities.

They take two or more amounts, which may be 0; the number of arguments determines how many there are. Shapes are those
of `analysis.laws.formulas`, and parameters may be complex as there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.arrays import Array
from analysis.laws.law import Number


def ratio_power(*arguments: Number) -> Number:
    """``c + sum_j w_j r_j^p`` in the ratios r_1 ... r_n of a mixture.

    Parameters c, w_1 ... w_n, p. A power below 1 is steep near a ratio of 0, so it follows the jump of a loss where a
    source is almost absent; `ratio_exponential` cannot. With p = 1 only differences of the w are determined, since
    ratios add up to 1.
    """
    count = (len(arguments) - 2) // 2
    ratios, c, weights, p = arguments[:count], arguments[count], arguments[count + 1 : -1], arguments[-1]
    return c + sum(w * _power(r, p) for w, r in zip(weights, ratios, strict=True))


def ratio_exponential(*arguments: Number) -> Number:
    """``c + exp(sum_j t_j r_j)`` in the ratios r_1 ... r_n of a mixture.

    Parameters c, t_1 ... t_n. The data mixing law of Ye et al. 2024 (arXiv 2403.16952). Their factor before the
    exponential is part of the t here, which ratios that add up to 1 allow.
    """
    count = (len(arguments) - 1) // 2
    ratios, c, slopes = arguments[:count], arguments[count], arguments[count + 1 :]
    return c + np.exp(_weighted(ratios, slopes))


def transfer(*arguments: Number) -> Number:
    """``E + A (D0 + D_1 + sum_j k_j D_j)^-b + g ln(1 + sum_j D_j)`` in own data D_1 and others' data D_j.

    D_1 is the ability's own data, D_2 ... D_n that of the other abilities, over which the sums run. Parameters E, A, b,
    D0, k_2 ... k_n, g.

    A sample of ability j is worth k_j of the ability's own samples (effective transferred data: Hernandez et al. 2021,
    arXiv 2102.01293; with mixtures arXiv 2508.11953): k > 0 is synergy. g > 0 is conflict: a loss that grows with the
    other abilities' data, however much data of its own the ability has.
    """
    count = (len(arguments) - 4) // 2
    own, others = arguments[0], arguments[1:count]
    E, A, b, D0 = arguments[count : count + 4]
    worths, g = arguments[count + 4 : -1], arguments[-1]
    effective = D0 + own + _weighted(others, worths)
    return E + A * np.exp(-b * np.log(effective)) + g * np.log1p(sum(others))


def logarithm_above(value: Number, floor: Number) -> Number:
    """``ln(value - floor)``, with values at or below the floor moved to just above it."""
    return np.log(np.maximum(value - floor, 1e-9 * np.maximum(np.abs(value), 1e-300)))


def _power(ratio: Array, p: Number) -> Number:
    """``ratio^p``, 0 for a ratio of 0."""
    # The inner `where` keeps the logarithm of 0 out of the branch that is thrown away: it would warn.
    return np.where(ratio > 0, np.exp(p * np.log(np.where(ratio > 0, ratio, 1.0))), 0.0)


def _weighted(amounts: Sequence[Array], weights: Sequence[Number]) -> Number:
    """The sum of the amounts times their weights."""
    return sum(w * x for w, x in zip(weights, amounts, strict=True))
