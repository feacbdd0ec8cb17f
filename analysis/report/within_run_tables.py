"""Tables of checkpoints: how well the end of a run is known on its way, and the ends of runs that go on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.data.metric import Metric
from analysis.format import fraction
from analysis.text_table import TextTable
from analysis.verdicts.within_run import EarlyLook, Expected

ABOUT = (
    "Shares are those of the steps of a cell's last training stage. The rank correlation (Spearman's) compares the "
    "order of runs then with that of their ends. Ends are predicted in two ways, each from the checkpoints up to "
    "there: by a curve through those of the run itself, which needs three of them (for the 20 runs with the most "
    "samples), and by adding what the other runs still gained. Inside are the ends that lie in the curves' 95 % "
    "intervals."
)

LOOKS = (
    "measured", "after", "runs", "gain still to come", "rank correlation", "curve off by", "inside", "others off by",
)  # fmt: skip
EXPECTED = ("run", "after", "measured", "now", "expected end", "by")


def within_run_tables(looks: Sequence[EarlyLook], expected: Sequence[Expected]) -> list[TextTable]:
    """Both as tables, as far as there is anything to tell."""
    tables = []
    if looks:
        rows = tuple(map(_row, looks))
        tables.append(TextTable("what checkpoints tell of the end of a run", LOOKS, rows))
    if expected:
        rows = tuple(map(_expected_row, expected))
        tables.append(TextTable("runs that have not ended, 95 % intervals", EXPECTED, rows))
    return tables


def _expected_row(one: Expected) -> tuple[str, ...]:
    number = one.measure.metric.number
    end = number(one.value) + (f" ({number(one.low)} to {number(one.high)})" if np.isfinite(one.low) else "")
    return one.cell, fraction(one.share), one.measure.label, number(one.now), end, one.way


def _row(look: EarlyLook) -> tuple[str, ...]:
    metric = look.measure.metric
    gain = (
        metric.effect_with_ends(look.gain, look.low, look.high) if np.isfinite(look.low) else metric.effect(look.gain)
    )
    return (
        f"{look.measure.label}, {metric.short_unit}", fraction(look.share), str(look.runs), gain,
        "-" if np.isnan(look.rank) else f"{look.rank:.2f}", _size(metric, look.by_curve),
        f"{look.inside} of {look.predicted}" if look.predicted else "-", _size(metric, look.by_others),
    )  # fmt: skip


def _size(metric: Metric, error: float) -> str:
    return "-" if np.isnan(error) else metric.effect(error).lstrip("+-")


def within_run_record(looks: Sequence[EarlyLook], expected: Sequence[Expected]) -> dict[str, object]:
    """Both for machines; missing numbers are left out."""
    return {
        "looks": [_fields(look) for look in looks],
        "expected": [_fields(one) for one in expected],
    }


def _fields(one: EarlyLook | Expected) -> dict[str, object]:
    own = {name: value for name, value in vars(one).items() if name != "measure" and value == value}
    names = {"ability": one.measure.ability, "task": one.measure.task, "metric": one.measure.metric.name}
    return names | own
