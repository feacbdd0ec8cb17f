"""Numbers and findings as text: the terminal's tables and the report's sentences."""

from __future__ import annotations

import io
from fractions import Fraction

import numpy as np
import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from analysis.curve import WARNINGS
from analysis.series import Block
from analysis.summary import Fitted, Level, is_share

WIDTH = 118
Rows = list[list[str]]


def number(value: float, share: bool) -> str:
    """A value as shown: shares in per cent with one decimal, other values with four digits."""
    if np.isnan(value):
        return "-"
    return f"{100 * value:.1f}" if share else f"{value:.4g}"


def amount(value: float) -> str:
    if np.isnan(value):
        return "-"
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.4g}"


def fraction(value: float) -> str:
    """1/64 for 0.015625; a plain number where no small fraction fits."""
    if np.isnan(value):
        return "-"
    near = Fraction(value).limit_denominator(4096)
    return str(near) if abs(float(near) - value) < 1e-9 and near.numerator <= 16 else f"{value:.4g}"


def measured(level: Level, share: bool) -> str:
    """``mean ± half the interval``."""
    if np.isnan(level.low):
        return number(level.mean, share)
    return f"{number(level.mean, share)} ± {number((level.high - level.low) / 2, share)}"


def fitted_value(found: Fitted, at: int, share: bool) -> str:
    """``value (low to high)`` of the curve at a level; empty where the curve says nothing."""
    if found.at is None or found.levels[at].amount <= 0:
        return ""
    p = found.at
    return f"{number(p.value[at], share)} ({number(p.low[at], share)} to {number(p.high[at], share)})"


def unit(block: Block) -> str:
    return "%" if is_share(block) else ("nats a token" if block.metric == "loss" else "")


def heading(block: Block) -> str:
    suffix = unit(block)
    return block.title + (f" ({suffix})" if suffix else "")


def block_table(block: Block, found: list[Fitted]) -> tuple[list[str], Rows]:
    """Header and rows: one row an amount, for each series the measured and the fitted value."""
    share = is_share(block)
    by_amount = [{level.amount: i for i, level in enumerate(f.levels)} for f in found]
    amounts = sorted({a for table in by_amount for a in table})
    with_fraction = block.axis == "samples" and all(not np.isnan(level.fraction) for f in found for level in f.levels)
    header = (["fraction"] if with_fraction else []) + [block.axis]
    for f in found:
        prefix = f"{f.series.label}: " if f.series.label else ""
        header += [prefix + "measured"] + ([prefix + "fitted"] if f.at is not None else [])
    rows = []
    for value in amounts:
        row = [fraction(value) if block.axis in ("fraction", "replay") else amount(value)]
        if with_fraction:
            row.insert(
                0,
                " ".join(
                    dict.fromkeys(
                        fraction(f.levels[t[value]].fraction)
                        for f, t in zip(found, by_amount, strict=True)
                        if value in t
                    )
                ),
            )
        for f, table in zip(found, by_amount, strict=True):
            at = table.get(value)
            row.append("" if at is None else measured(f.levels[at], share))
            if f.at is not None:
                row.append("" if at is None else fitted_value(f, at, share))
        rows.append(row)
    return header, rows


def plain_block_table(block: Block, found: list[Fitted]) -> tuple[list[str], Rows]:
    """Where no amount varies: one row a series."""
    share = is_share(block)
    return ["series", "measured"], [[f.series.label or "all", measured(f.levels[0], share)] for f in found]


def overview(results: list[tuple[Block, list[Fitted]]]) -> tuple[str, list[str], Rows] | None:
    """One table over the abilities for the headline score: rows are fractions (one series an ability) or series (no amount).

    None where the blocks share no such rows.
    """
    chosen = [(b, f) for b, f in results if b.metric == "accuracy"] or [
        (b, f) for b, f in results if b.metric == "loss"
    ]
    if len(chosen) < 2:
        return None
    columns: dict[str, dict[tuple[float, str], str]] = {}
    for block, found in chosen:
        cells = {}
        for f in found:
            for level in f.levels:
                cells[(level.fraction if block.axis else float("nan"), f.series.label)] = measured(
                    level, is_share(block)
                )
        columns[
            block.ability if len({b.task for b, _ in chosen if b.ability == block.ability}) == 1 else block.title
        ] = cells
        if block.axis and (np.isnan([key[0] for key in cells]).any() or len(cells) < sum(len(f.levels) for f in found)):
            return None
    keys = list(dict.fromkeys(key for cells in columns.values() for key in cells))
    axis = any(block.axis for block, _ in chosen)
    keys = sorted({(k if not np.isnan(k[0]) else (-1.0, k[1])) for k in keys})
    labelled = any(key[1] for key in keys)
    header = (["fraction"] if axis else []) + (["series"] if labelled else []) + list(columns)
    rows = []
    for value, label in keys:
        lead = ([fraction(value)] if axis else []) + ([label] if labelled else [])
        rows.append(lead + [_lookup(cells, value, label) for cells in columns.values()])
    base = [next(iter(block.base.values())) if len(block.base) == 1 else float("nan") for block, _ in chosen]
    if not np.isnan(base).all():
        lead = (["untrained"] if axis else []) + ([""] if axis and labelled else ["untrained"] if labelled else [])
        rows.insert(0, lead + [number(v, is_share(b)) for v, (b, _) in zip(base, chosen, strict=True)])
    metric = chosen[0][0].metric
    return (
        f"{metric}{' (%)' if metric == 'accuracy' else ''} by ability, with 95 % intervals of the measurement",
        header,
        rows,
    )


def _lookup(cells: dict[tuple[float, str], str], value: float, label: str) -> str:
    for (other, name), text in cells.items():
        if name == label and (other == value or (np.isnan(other) and value < 0)):
            return text
    return ""


def cross_table(effects: pd.DataFrame) -> tuple[list[str], Rows]:
    """Header and rows of the effects of training on other abilities."""
    rows = []
    for row in effects.itertuples(index=False):
        share = row.metric == "accuracy"
        rows.append(
            [row.ability, row.metric, row.trained_on, fraction(row.fraction), amount(row.samples)]
            + [number(v, share) for v in (row.value, row.base, row.change)]
        )
    return ["measured ability", "metric", "trained on", "fraction", "samples", "value", "untrained", "change"], rows


def sentence(block: Block, found: Fitted) -> str:
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
    return f"{said}; the curve there is at {fitted_value(found, len(found.levels) - 1, share)}. It averages {_laws(found)}."


def _laws(found: Fitted) -> str:
    assert found.curve is not None
    parts = zip(found.curve.curves, found.curve.weights, strict=True)
    return ", ".join(f"{c.law.name} {100 * w:.0f} %" for c, w in parts)


def warning_lines(found: Fitted) -> list[str]:
    """The warnings of laws that carry weight, as ``code: explanation``."""
    if found.curve is None:
        return []
    heavy = {c.law.name for c, w in zip(found.curve.curves, found.curve.weights, strict=True) if w >= 0.1}
    lines = []
    for code in found.curve.warnings:
        law, _, rest = code.partition(":")
        if law == "law_refused" or (law not in heavy and rest):
            continue
        kind = (rest or law).split(":")[0]
        lines.append(f"{code}: {WARNINGS[kind]}")
    return lines


def render(title: str, header: list[str], rows: Rows) -> str:
    """A table for the terminal."""
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", title_style="")
    for i, name in enumerate(header):
        table.add_column(name, justify="left" if i == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    console = Console(file=io.StringIO(), width=WIDTH, color_system=None, highlight=False, markup=False)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines()) + "\n"
