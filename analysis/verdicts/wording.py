"""Effects as text."""

from __future__ import annotations

import numpy as np

from analysis.verdicts.verdict import Verdict


def spread(verdict: Verdict) -> str:
    """``+3.1 (+1.0 to +5.2)``."""
    if np.isnan(verdict.low):
        return f"{verdict.metric.effect(verdict.effect)} (noise unknown)"
    ends = " to ".join(map(verdict.metric.effect, (verdict.low, verdict.high)))
    return f"{verdict.metric.effect(verdict.effect)} ({ends})"


def reason(verdict: Verdict) -> str:
    """Why a verdict is open, or how far equality goes, as the end of a sentence."""
    margin = verdict.metric.effect(verdict.margin).lstrip("+")
    what = verdict.metric.short_unit
    if np.isnan(verdict.low):
        return "; runs with other seeds would tell the noise"
    if verdict.finding == "undecided":
        chance = f"; the design shows a difference of {margin} {what} with a chance of {100 * verdict.power:.0f} %"
        return f"{pairing(verdict)}{chance}"
    if verdict.finding == "equal":
        return f", within the margin of {margin} {what}{pairing(verdict)}"
    least = verdict.metric.effect(verdict.detectable).lstrip("+")
    weak = f"; that is less than the {least} {what} which the design detects reliably" if verdict.small else ""
    return f"{pairing(verdict)}{weak}"


def pairing(verdict: Verdict) -> str:
    """That an effect is paired item by item, and what that saved, as part of a sentence."""
    if not verdict.items:
        return ""
    saved = f", which narrows the interval by {100 * verdict.narrower:.0f} %" if verdict.narrower >= 0.005 else ""
    return f"; paired over {verdict.items:,} items{saved}"
