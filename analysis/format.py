"""Numbers, amounts and fractions as plain text."""

from __future__ import annotations

from fractions import Fraction

import numpy as np


def number(value: float) -> str:
    """A number as shown: with three decimals, or four digits where it is very small or large."""
    if np.isnan(value):
        return "-"
    return f"{value:.3f}" if 0.01 <= abs(value) < 100 or value == 0 else f"{value:.4g}"


def amount(value: float) -> str:
    """An amount as shown: 8,192 or 1/64."""
    if np.isnan(value):
        return "-"
    if 0 < value < 1:
        return fraction(value)
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.4g}"


def fraction(value: float) -> str:
    """1/64 for 0.015625; a plain number where no power of two or small number divides."""
    if np.isnan(value):
        return "-"
    near = Fraction(value).limit_denominator(4096)
    simple = near.denominator <= 12 or near.denominator & (near.denominator - 1) == 0
    return str(near) if simple and near.numerator <= 16 and abs(float(near) - value) < 1e-9 else f"{value:.4g}"
