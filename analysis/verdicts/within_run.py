"""What the checkpoints of runs tell: how a run ends before it has ended, and which runs need not be trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.arrays import Array
from analysis.data.apart import SAMPLES
from analysis.data.metric import Metric
from analysis.data.series import AMOUNTS
from analysis.data.study import Measure, Study, trained_elsewhere, untrained
from analysis.data.table import factors_of
from analysis.fitting.series_fits import MIN_AMOUNTS, fit_series, predicted
from analysis.fitting.uncertainty import quantile
from analysis.format import counted
from analysis.verdicts.size import WORDS
from analysis.verdicts.verdict import LEVEL, Verdict, judge
from analysis.verdicts.wording import qualification, with_unit

NEEDED = ("sweep", "cell", "after_stage", "last_stage", "presentations")
"""Columns without which nothing is known of checkpoints."""
MOST_RUNS = 20
"""Runs whose ends are predicted from curves: those that saw most samples."""
FEWEST_RANKED = 4
"""Runs from which on their order is compared with that of their ends."""
ALIKE = 1.05
"""Factor between numbers of samples that count as equal."""


@dataclass(frozen=True, eq=False)
class Run:
    """The last training stage of a cell, as one measure saw it.

    ``points`` are the rows of its checkpoints, by ``share`` of the stage's steps; ``end`` is the value of the finished
    model, NaN where it is not measured yet. ``single`` says that it is the cell's only stage, so that the samples
    ``seen`` (presented, repeats counted) begin at 0.
    """

    sweep: str
    cell: str
    points: pd.DataFrame
    end: float
    end_seen: float
    single: bool

    def value_at(self, share: float) -> float:
        """The value at the checkpoint after this share of the steps; NaN where there is none."""
        here = np.isclose(self.points["share"], share)
        return float(self.points.loc[here, "value"].iloc[0]) if here.any() else float("nan")


@dataclass(frozen=True)
class EarlyLook:
    """What is known of the ends of runs after a ``share`` of their steps; numbers are differences of merits.

    ``gain`` is what the ``runs`` still gain on average, with its 95 % interval. ``rank`` is Spearman's correlation
    between their order then and at the end. ``by_curve`` and ``by_others`` are mean absolute errors of the ends as they
    are predicted by a curve through the run's own checkpoints, and by the gain of the other runs; ``inside`` of the
    ``predicted`` ends lie in the intervals of curves. Numbers that cannot be had are NaN.
    """

    measure: Measure
    share: float
    runs: int
    gain: float
    low: float
    high: float
    rank: float
    by_curve: float
    by_others: float
    inside: int
    predicted: int


@dataclass(frozen=True)
class Expected:
    """The value that a run which has not ended is expected to end at, with a 95 % interval; ``now`` is its last."""

    measure: Measure
    cell: str
    share: float
    now: float
    value: float
    low: float
    high: float
    way: str


def runs_of(study: Study, measure: Measure) -> list[Run]:
    """The runs of a measure that have checkpoints within their last stage, and were trained on its ability."""
    table = study.every_stage
    if table is None or not set(NEEDED) <= set(table):
        return []
    same = (table["ability"] == measure.ability) & (table["task"] == measure.task)
    rows = table[same & (table["metric"] == measure.metric.name)]
    share = rows["after_stage"] - rows["last_stage"] + 1
    rows = rows.assign(share=share, seen=rows["presentations"])[
        (share > 0) & ~untrained(rows) & ~trained_elsewhere(rows)
    ]
    found = []
    for (sweep, cell), own in rows.sort_values("share").groupby(["sweep", "cell"], sort=False):
        before, ends = own[own["share"] < 1].drop_duplicates("seen"), own[own["share"] >= 1]
        if len(ends):  # a stage of few steps may have checkpoints at its very end
            before = before[before["seen"] < ends["seen"].iloc[0]]
        if not len(before):
            continue
        single = float(own["last_stage"].iloc[0]) == 1
        last = before.iloc[-1]
        seen = float(ends["seen"].iloc[0]) if len(ends) else float(last["seen"] / last["share"])
        end = float(ends["value"].iloc[0]) if len(ends) else float("nan")
        found.append(Run(str(sweep), str(cell), before, end, seen, single))
    return found


def early_looks(measure: Measure, runs: Sequence[Run]) -> list[EarlyLook]:
    """How well ends are known, for every share of the steps after which two finished runs or more were measured."""
    ended = [run for run in runs if np.isfinite(run.end)]
    shares = sorted({round(float(share), 6) for run in ended for share in run.points["share"]})
    looks = []
    for share in shares:
        there = [run for run in ended if np.isfinite(run.value_at(share))]
        if len(there) > 1:
            looks.append(_look(measure, there, share))
    return looks


def _look(measure: Measure, runs: Sequence[Run], share: float) -> EarlyLook:
    now, end = _merits(measure.metric, [(run.value_at(share), run.end) for run in runs])
    gains, count = end - now, len(runs)
    half = quantile(LEVEL, count - 1) * float(gains.std(ddof=1)) / np.sqrt(count) if count > 2 else np.nan
    others = (gains.sum() - gains) / (count - 1)
    expected = by_curves(measure, runs, share)
    known = np.isfinite(expected[:, 0])
    away = np.abs(end - expected[:, 0])[known]
    inside = (expected[:, 1] <= end) & (end <= expected[:, 2])
    ranked = count >= FEWEST_RANKED and np.ptp(now) > 0 and np.ptp(end) > 0
    rank = float(pd.Series(now).rank().corr(pd.Series(end).rank())) if ranked else float("nan")
    gain = float(gains.mean())
    return EarlyLook(
        measure, share, count, gain, gain - half, gain + half, rank, float(away.mean()) if known.any() else np.nan,
        float(np.abs(gains - others).mean()), int(inside[known].sum()), int(known.sum()),
    )  # fmt: skip


def expected_ends(measure: Measure, runs: Sequence[Run], looks: Sequence[EarlyLook]) -> list[Expected]:
    """The ends of runs that have not ended, from their last checkpoint: by the gain of runs that have, or by a curve,
    whichever came closer for the latter; by a curve where none has ended.
    """
    found = []
    for run in (run for run in runs if not np.isfinite(run.end)):
        share = float(run.points["share"].iloc[-1])
        look = next((look for look in looks if np.isclose(look.share, share)), None)
        if look is None or look.by_curve < look.by_others:
            way, merits = "the curve of its checkpoints", by_curves(measure, [run], share)[0]
        else:
            way = f"what {look.runs} finished runs still gained"
            now = _merits(measure.metric, [(run.value_at(share), np.nan)])[0][0]
            one_more = np.sqrt(look.runs + 1)  # the interval of the mean of n, as one for a further run
            merits = now + look.gain + one_more * (np.array([look.gain, look.low, look.high]) - look.gain)
        if np.isfinite(merits[0]):
            ends = np.clip(merits, 0, 1) if measure.metric.bounded else merits
            value, *interval = (float(v) for v in measure.metric.value(ends))
            low, high = sorted(interval)
            found.append(Expected(measure, run.cell, share, run.value_at(share), value, low, high, way))
    return found


def by_curves(measure: Measure, runs: Sequence[Run], share: float) -> NDArray[np.float64]:
    """The ends (runs, 3) that curves through the checkpoints up to a share of the steps predict: merit, low and high.

    A curve needs `MIN_AMOUNTS` checkpoints; where a run has fewer, or earlier stages, its row is NaN.
    """
    found = np.full((len(runs), 3), np.nan)
    chosen = sorted(range(len(runs)), key=lambda i: -runs[i].end_seen)[:MOST_RUNS]
    parts = {i: runs[i].points[runs[i].points["share"] <= share * (1 + 1e-6)] for i in chosen if runs[i].single}
    parts = {i: part for i, part in parts.items() if len(part) >= MIN_AMOUNTS}
    if not parts:
        return found
    columns = ["ability", "task", "metric", "value", *(c for c in ("n_items", "stderr") if c in measure.rows)]
    rows = pd.concat(
        [part[columns].assign(samples=part["seen"], strategy=f"run {i}") for i, part in parts.items()],
        ignore_index=True,
    )
    own = Measure(measure.ability, measure.task, measure.metric, rows, None, measure.fraction_text)
    for fit in fit_series(own):
        number = int(fit.series.label.removeprefix("run ") or next(iter(parts)))
        if fit.curve is not None:
            said = predicted(fit.curve, own, np.array([runs[number].end_seen]), fit.shared)
            merits = [float(measure.metric.merit(part)[0]) for part in (said.value, said.low, said.high)]
            found[number] = merits[0], *sorted(merits[1:])
    return found


def stand_ins(study: Study, margin: float) -> list[Verdict]:
    """Whether finished runs differ from checkpoints of longer runs after as many samples, a verdict a measure.

    ``margin`` is relative, as in `findings`. The unit of chance is the longer run, whose checkpoints go together.
    """
    verdicts = []
    for measure in study.measures:
        gaps = _gaps(study, measure)
        if gaps:
            means = np.array([np.mean(own) for own in gaps.values()])
            count, pairs = len(means), sum(map(len, gaps.values()))
            variance = float(means.var(ddof=1)) / count if count > 1 else np.nan
            about = f"{measure.label}, finished run against checkpoint"
            dof = count - 1.0 if count > 2 else 0.0
            least = measure.metric.margin(margin)
            verdict = judge("checkpoint", about, float(means.mean()), variance, dof, least, measure.metric)
            verdicts.append(verdict.saying(partial(_sentence, measure.label, pairs, count)))
    return verdicts


def _sentence(name: str, pairs: int, runs: int, verdict: Verdict) -> str:
    many = f"{counted(pairs, 'pair')}, {counted(runs, 'longer run')}"
    compared = f"a finished run {WORDS[verdict.finding]} a checkpoint of a longer run after as many samples"
    return f"{name}: {compared} ({many}): {with_unit(verdict)}{qualification(verdict)}."


def _gaps(study: Study, measure: Measure) -> dict[tuple[str, str], list[float]]:
    """By longer run, how much better than its checkpoints are finished runs that saw as many samples (merits)."""
    runs = [run for run in runs_of(study, measure) if run.single]
    ended = measure.trained[~trained_elsewhere(measure.trained)]
    ended = ended[ended["last_stage"] == 1] if runs else ended[:0]
    if not len(ended):
        return {}
    design = [c for c in [*factors_of(ended), "seed"] if c in ended and c not in AMOUNTS and not c.startswith(SAMPLES)]
    firsts = pd.DataFrame([run.points.iloc[0] for run in runs])
    both = pd.concat([ended[design], firsts[design]], ignore_index=True)
    group = both.groupby(design, dropna=False, sort=False).ngroup().to_numpy() if design else np.zeros(len(both), int)
    seen, merit = np.log(ended["presentations"].to_numpy(float)), measure.metric.merit(ended["value"].to_numpy(float))
    gaps: dict[tuple[str, str], list[float]] = {}
    for run, own in zip(runs, group[len(ended) :], strict=True):
        alike = np.flatnonzero(group[: len(ended)] == own)
        if not len(alike):
            continue
        away = np.abs(seen[alike] - np.log(run.points["seen"].to_numpy(float))[:, None])
        nearest, near = alike[away.argmin(axis=1)], away.min(axis=1) < np.log(ALIKE)
        then = measure.metric.merit(run.points["value"].to_numpy(float))
        if near.any():
            gaps[run.sweep, run.cell] = (merit[nearest] - then)[near].tolist()
    return gaps


def _merits(metric: Metric, pairs: Sequence[tuple[float, float]]) -> tuple[Array, Array]:
    """Both sides of pairs of values on the scale of merits."""
    left, right = np.array(pairs, float).T
    return metric.merit(left), metric.merit(right)
