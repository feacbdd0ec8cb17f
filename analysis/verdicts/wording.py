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
        chance = f"; the design shows a difference of {margin} {what} with a chance of {100 * verdict.power:.0f} %"
        return f"{pairing(verdict)}{chance}"
    if verdict.finding == "equal":
        return f", within the margin of {margin} {what}{pairing(verdict)}"
    least = size(verdict.detectable, verdict.share).lstrip("+")
    weak = f"; that is less than the {least} {what} which the design detects reliably" if verdict.small else ""
    return f"{pairing(verdict)}{weak}"


def pairing(verdict: Verdict) -> str:
    """That an effect is paired item by item, and what that saved, as part of a sentence."""
    if not verdict.items:
        return ""
    saved = f", which narrows the interval by {100 * verdict.narrower:.0f} %" if verdict.narrower >= 0.005 else ""
    return f"; paired over {verdict.items:,} items{saved}"
