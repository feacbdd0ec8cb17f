"""Amounts of data: exact numbers that keep the text they were written as."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Amount:
    """Up to 1 a fraction of a source, above 1 a whole number of samples. ``text`` is as the user wrote it."""

    text: str
    value: Fraction

    @classmethod
    def parse(cls, written: object) -> Amount:
        """Read ``1/64``, ``0.25``, ``1`` or ``500`` exactly. Raises a ValueError for anything else."""
        text = str(written).replace(" ", "")
        try:
            value = Fraction(text)
        except (ValueError, ZeroDivisionError):
            raise ValueError(
                f"{written} is not an amount; write a fraction such as 1/64, a decimal, or a number of samples"
            ) from None
        if value < 0:
            raise ValueError(f"{written} is below 0; write 0 or more")
        if value > 1 and value.denominator != 1:
            raise ValueError(f"{written} is above 1 and not whole; above 1 an amount is a number of samples")
        return cls(text, value)


WHOLE = Amount("1", Fraction(1))
"""Everything that there is."""

STUDY_REPLAY = Amount("1/256", Fraction(1, 256))
"""What the study replays in the second stage of its dual-stage mixed fine-tuning (arXiv:2310.05492)."""
