"""Numbers, findings and warnings as plain text."""

from __future__ import annotations

import numpy as np

from analysis.data.series import Block
from analysis.fitting.diagnosis import explain, remedy
from analysis.fitting.series_fits import AmountLevel, SeriesFit, is_share
from analysis.format import amount, number


def measured(level: AmountLevel, share: bool) -> str:
    """``mean ± the farther end of the interval``."""
    if np.isnan(level.low):
        return number(level.mean, share)
    reach = max(level.high - level.mean, level.mean - level.low)
    return f"{number(level.mean, share)} ± {number(reach, share)}"


def fitted_value(found: SeriesFit, at: int, share: bool) -> str:
    """``value (low to high)`` of the curve at a level; empty where the curve says nothing."""
    if found.at_levels is None or found.levels[at].amount <= 0:
        return ""
    p = found.at_levels
    return f"{number(p.value[at], share)} ({number(p.low[at], share)} to {number(p.high[at], share)})"


def unit(block: Block) -> str:
    return "%" if is_share(block) else ("nats a token" if block.metric == "loss" else "")


def heading(block: Block) -> str:
    suffix = unit(block)
    return block.title + (f" ({suffix})" if suffix else "")


def sentence(block: Block, found: SeriesFit) -> str:
    """What the series shows, in one plain sentence."""
    share = is_share(block)
    suffix = " %" if share else ""
    who = f"{found.series.label}: " if found.series.label else ""
    levels = [level for level in found.levels if level.amount > 0]
    if not levels or not block.axis:
        return f"{who}{found.reason}." if found.reason else ""
    first, last = levels[0], levels[-1]
    said = (
        f"{who}{block.metric} goes from {number(first.mean, share)}{suffix} at {amount(first.amount)} to "
        f"{number(last.mean, share)}{suffix} at {amount(last.amount)} {block.axis}"
    )
    if found.curve is None:
        return f"{said}. No curve: {found.reason}."
    at_end = fitted_value(found, len(found.levels) - 1, share)
    return f"{said}; the curve there is at {at_end}{suffix}. It is {_laws(found)}."


def _laws(found: SeriesFit) -> str:
    """The laws that carry the curve."""
    assert found.curve is not None
    parts = [(c.law.name, w) for c, w in zip(found.curve.curves, found.curve.weights, strict=True) if w >= 0.01]
    if len(parts) == 1:
        return f"the law {parts[0][0]}"
    return "the average of " + ", ".join(f"{name} ({100 * w:.0f} %)" for name, w in parts)


def warning_rows(found: SeriesFit) -> list[tuple[str, str, str, str]]:
    """The warnings of laws that carry weight: series and law, code, meaning, remedy."""
    if found.curve is None:
        return []
    heavy = {c.law.name for c, w in zip(found.curve.curves, found.curve.weights, strict=True) if w >= 0.1}
    rows = []
    for warning in found.curve.warnings:
        law, _, code = warning.partition(":")
        if law in heavy:
            who = ", ".join(filter(None, (found.series.label, law)))
            rows.append((who, code, explain(code), remedy(code)))
    return rows
