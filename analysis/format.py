"""Numbers, amounts and fractions as plain text."""

from __future__ import annotations

from fractions import Fraction

import numpy as np


def number(value: float) -> str:
    """The number with three decimals, or with four digits where it is very small or large; "-" for a missing one."""
    if np.isnan(value):
        return "-"
    return f"{value:.3f}" if 0.01 <= abs(value) < 100 or value == 0 else f"{value:.4g}"


def times(factor: float) -> str:
    """A factor: ``×3.54``, ``×290``."""
    return f"×{factor:,.0f}" if 100 <= factor < 1e6 else f"×{factor:.3g}"


def counted(count: int, noun: str) -> str:
    """A count with its noun: ``1 cell``, ``2,000 cells``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def amount(value: float) -> str:
    """The amount as a whole number (``8,192``), a fraction (``1/64``) or four digits; "-" for a missing one.

    From 1e10 on three digits and a power of ten (``3.18e10``).
    """
    if np.isnan(value):
        return "-"
    if 0 < value < 1:
        return fraction(value)
    if value >= 1e10:
        return f"{value:.3g}".replace("e+", "e")
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.4g}"


def size(parameters: float) -> str:
    """A number of parameters: ``242,112``, from ten million on ``13M`` and ``7.6B``."""
    if parameters < 1e7 or np.isnan(parameters):
        return amount(parameters)
    unit, letter = next((u, s) for u, s in ((1e12, "T"), (1e9, "B"), (1e6, "M")) if parameters >= 0.9995 * u)
    return f"{float(f'{parameters / unit:.3g}'):g}{letter}"


def fraction(value: float) -> str:
    """The fraction ``1/64`` for 0.015625, "-" for a missing number.

    Four digits where the denominator would not be a power of two or at most 12.
    """
    if np.isnan(value):
        return "-"
    nearest = Fraction(value).limit_denominator(4096)
    simple = nearest.denominator <= 12 or nearest.denominator & (nearest.denominator - 1) == 0
    exact = abs(float(nearest) - value) < 1e-9
    return str(nearest) if simple and nearest.numerator <= 16 and exact else f"{value:.4g}"
