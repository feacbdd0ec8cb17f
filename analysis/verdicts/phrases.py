"""Effects as text."""

from __future__ import annotations

import numpy as np

from analysis.verdicts.verdict import Verdict


def size(effect: float, share: bool) -> str:
    """An effect with its sign: points of a score, or per cent of a loss (its change, not its logarithm)."""
    if np.isnan(effect):
        return "unknown"
    return f"{100 * effect:+.1f}" if share else f"{100 * np.expm1(effect):+.1f}"


def unit(share: bool) -> str:
    return "points" if share else "% (of the loss, upwards is better)"


def spread(verdict: Verdict) -> str:
    """``+3.1 (+1.0 to +5.2)``."""
    if np.isnan(verdict.low):
        return f"{size(verdict.effect, verdict.share)} (noise unknown)"
    ends = " to ".join(size(end, verdict.share) for end in (verdict.low, verdict.high))
    return f"{size(verdict.effect, verdict.share)} ({ends})"


def reason(verdict: Verdict) -> str:
    """Why a verdict is open, or how far equality goes, as the end of a sentence."""
    margin = size(verdict.margin, verdict.share).lstrip("+")
    what = "points" if verdict.share else "%"
    if np.isnan(verdict.low):
        return "; runs with other seeds would tell the noise"
    if verdict.finding == "undecided":
        return f"; the design shows a difference of {margin} {what} with a chance of {100 * verdict.power:.0f} %"
    if verdict.finding == "equal":
        return f", within the margin of {margin} {what}"
    return ""
