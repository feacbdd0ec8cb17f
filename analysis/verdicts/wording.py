"""Verdicts as text."""

from __future__ import annotations

import numpy as np

from analysis.verdicts.arms import HOLDS_FOR
from analysis.verdicts.verdict import Verdict


def with_interval(verdict: Verdict) -> str:
    """The effect with its interval: ``+3.1 (+1.0 to +5.2)``."""
    if np.isnan(verdict.low):
        return f"{verdict.metric.effect(verdict.effect)} (noise unknown)"
    return verdict.metric.effect_with_ends(verdict.effect, verdict.low, verdict.high)


def with_unit(verdict: Verdict) -> str:
    """The same with its unit: ``+3.1 (+1.0 to +5.2) points``, ``×3.2 (×1.8 to ×5.6) the loss``."""
    metric, lowest = verdict.metric, verdict.effect if np.isnan(verdict.low) else verdict.low
    unit = f"the {metric.name}" if metric.multiplies(lowest) else metric.effect_unit
    return f"{with_interval(verdict)} {unit}"


def qualification(verdict: Verdict) -> str:
    """How far the verdict holds, or why it is open, as the end of a sentence."""
    return f"{_certainty(verdict)}; for {HOLDS_FOR[verdict.noise]}"


def _certainty(verdict: Verdict) -> str:
    metric, unit = verdict.metric, verdict.metric.short_unit
    margin = unsigned(verdict, verdict.margin)
    if np.isnan(verdict.low):
        return "; runs with other seeds would show the noise"
    if verdict.withdrawn_among:
        return f"{pairing(verdict)}; not significant among the {verdict.withdrawn_among} effects of this report"
    if verdict.finding == "undecided":
        power = f"a true effect of {margin} {unit} would be found with a chance of {100 * verdict.power:.0f} %"
        return f"{pairing(verdict)}; {power}"
    if verdict.finding == "equal":
        return f", within the margin of {margin} {unit}{pairing(verdict)}"
    least = f"{unsigned(verdict, verdict.detectable)} {metric.short_unit}"
    weak = f"; the design detects effects reliably only from {least} on" if verdict.small else ""
    return f"{pairing(verdict)}{weak}"


def pairing(verdict: Verdict) -> str:
    """Over how many items the effect is paired, and how much that narrows its interval, as part of a sentence."""
    if not verdict.items:
        return ""
    saved = f", which narrows the interval by {100 * verdict.narrower:.0f} %" if verdict.narrower >= 0.005 else ""
    return f"; paired over {verdict.items:,} items{saved}"


def unsigned(verdict: Verdict, effect: float) -> str:
    """The size of an effect, without its sign."""
    return verdict.metric.effect(effect).lstrip("+-")
