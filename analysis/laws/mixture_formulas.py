"""Laws of several abilities' data: of the ratios of a mixture, or of own data beside that of other abilities.

They take any number of amounts from two on, and amounts of 0; how many there are follows from the number of arguments.
Parameters may be complex, as in `analysis.laws.formulas`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.arrays import Array
from analysis.laws.law import Number


def ratio_power(*at: Number) -> Number:
    """``c + sum_j w_j r_j^p`` in the ratios r_1 ... r_n of a mixture. Parameters c, w_1 ... w_n, p.

    A power can follow the jump of a loss where a source is almost absent, which an exponential of a linear form
    cannot. With p = 1 only the differences of the w are determined, as ratios add up to 1.
    """
    count = (len(at) - 2) // 2
    ratios, c, weights, p = at[:count], at[count], at[count + 1 : -1], at[-1]
    return c + sum(w * _power(r, p) for w, r in zip(weights, ratios, strict=True))


def ratio_exponential(*at: Number) -> Number:
    """``c + exp(sum_j t_j r_j)`` in the ratios r_1 ... r_n of a mixture. Parameters c, t_1 ... t_n.

    The data mixing law of Ye et al. 2024 (arXiv 2403.16952), whose factor before the exponential is part of the t here,
    as ratios add up to 1.
    """
    count = (len(at) - 1) // 2
    ratios, c, slopes = at[:count], at[count], at[count + 1 :]
    return c + np.exp(_weighted(ratios, slopes))


def transfer(*at: Number) -> Number:
    """``E + A (D0 + D_1 + sum_j k_j D_j)^-b + g ln(1 + sum_j D_j)`` in own data D_1 and others' D_2 ... D_n.

    Parameters E, A, b, D0, k_2 ... k_n, g. A sample of ability j is worth k_j own ones (effective transferred data:
    Hernandez et al. 2021, arXiv 2102.01293; with mixtures arXiv 2508.11953): k > 0 is synergy. g > 0 is
    conflict: a loss that grows with others' data however much there is of the ability's own.
    """
    count = (len(at) - 4) // 2
    own, others = at[0], at[1:count]
    E, A, b, D0 = at[count : count + 4]
    worth = D0 + own + _weighted(others, at[count + 4 : -1])
    return E + A * np.exp(-b * np.log(worth)) + at[-1] * np.log1p(sum(others))


def logarithm_above(value: Number, floor: Number) -> Number:
    """``ln(value - floor)``, with values at or below the floor moved to just above it."""
    return np.log(np.maximum(value - floor, 1e-9 * np.maximum(np.abs(value), 1e-300)))


def _power(ratio: Array, p: Number) -> Number:
    """``ratio^p``, 0 for a ratio of 0."""
    return np.where(ratio > 0, np.exp(p * np.log(np.where(ratio > 0, ratio, 1.0))), 0.0)


def _weighted(amounts: Sequence[Array], weights: Sequence[Number]) -> Number:
    return sum(w * x for w, x in zip(weights, amounts, strict=True))
