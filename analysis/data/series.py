"""From the long table to series: which measurements lie on one curve, and against which amount."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.arrays import Array
from analysis.data.metric import HEADLINES, Metric, metrics_of

AMOUNTS = ("samples", "fraction", "replay", "total_samples", "params")  # the horizontal axis, in order of preference
NAMES = ("model", "strategy")  # what tells series apart first
NO_FACTORS = (
    *("ability", "task", "metric", "kind", "better", "low", "high"),
    *("value", "n_items", "stderr", "seed", "sweep", "cell", "settings"),
)
"""Columns that say what was measured and where, not how the model was trained."""
CONSEQUENCES = (
    "tokens",
    "supervised_tokens",
    "steps",
    "flops",
    "hours",
    "presentations",
)  # follow from the factors; vary with the seed
UNITS = {
    "samples": "training samples of the ability",
    "total_samples": "training samples, all abilities",
    "fraction": "fraction of the data",
    "replay": "replayed fraction of the specialised data",
    "params": "model parameters",
}


@dataclass(frozen=True, eq=False)
class Series:
    """Measurements that lie on one curve, ordered by amount. ``amount`` is NaN where no amount varies."""

    label: str
    amount: Array
    value: Array
    items: Array  # NaN where unknown
    stderr: Array  # NaN where unknown
    seed: tuple[str, ...]
    fraction: Array  # NaN where unknown
    model: str


@dataclass(frozen=True, eq=False)
class Block:
    """All series of one ability, task and metric. ``base`` maps a model to its value before training."""

    ability: str
    task: str
    metric: Metric
    axis: str  # the name of the amount, "" where none varies
    series: tuple[Series, ...]
    base: dict[str, float]

    @property
    def name(self) -> str:
        """A file name."""
        parts = (
            [self.ability, self.metric.name]
            if self.task in ("", self.metric.name)
            else [self.ability, self.task, self.metric.name]
        )
        return "-".join("".join(c if c.isalnum() else "_" for c in part) for part in parts)

    @property
    def title(self) -> str:
        return f"{self.ability}: {self.metric.name}" + (f" on {self.task}" if self._says_task else "")

    @property
    def _says_task(self) -> bool:
        """Whether the task adds to the metric's name, as gsm8k does and math_loss does not."""
        return self.task != "" and self.metric.name not in self.task


def untrained(frame: pd.DataFrame) -> pd.Series[bool]:
    """The rows of base models."""
    rows = pd.Series(False, index=frame.index)
    if "strategy" in frame:
        rows |= frame["strategy"] == "base"
    if "samples" in frame and "total_samples" in frame:
        rows |= (frame["samples"] == 0) & (frame["total_samples"] == 0)
    return rows


def crossed(frame: pd.DataFrame) -> pd.Series[bool]:
    """The rows of models trained on other abilities only."""
    if "samples" not in frame or "total_samples" not in frame:
        return pd.Series(False, index=frame.index)
    return (frame["samples"] == 0) & (frame["total_samples"] > 0)


def headline(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of accuracy and loss; of every metric for an ability that has neither."""
    main = frame["metric"].isin(HEADLINES)
    covered = set(frame.loc[main, "ability"])
    return frame[main | ~frame["ability"].isin(covered)]


def blocks(frame: pd.DataFrame) -> list[Block]:
    """One block an ability, task and metric: abilities as they come in the table, losses last."""
    metrics = metrics_of(frame)
    order = {ability: i for i, ability in enumerate(dict.fromkeys(frame["ability"]))}
    groups = headline(frame).groupby(["ability", "task", "metric"], sort=True)
    keys = sorted(groups.groups, key=lambda k: (metrics[k[2]].kind == "loss", order[k[0]], k))
    return [_block(key[0], key[1], metrics[key[2]], groups.get_group(key)) for key in keys]


def _block(ability: str, task: str, metric: Metric, rows: pd.DataFrame) -> Block:
    bare = untrained(rows)
    models = rows["model"] if "model" in rows else pd.Series("", index=rows.index)
    base = {str(k): float(v) for k, v in rows.loc[bare, "value"].groupby(models[bare]).mean().items()}
    own = rows[~bare & ~crossed(rows)]
    if "params" in own:
        own = own.sort_values("params", kind="stable")
    axis, labels = _layout(own)
    parts = [own] if not labels else [group for _, group in own.groupby(labels, sort=False, dropna=False)]
    return Block(ability, task, metric, axis, tuple(_series(part, axis, labels) for part in parts if len(part)), base)


def _layout(rows: pd.DataFrame) -> tuple[str, list[str]]:
    """The amount and the columns that tell series apart, so that it varies along the series of as many rows as can be.

    Ties go to the order of `AMOUNTS`, then of the columns. No amount ("") where none varies along any series.
    """
    others = [str(c) for c in rows if c not in (*NO_FACTORS, *AMOUNTS, *CONSEQUENCES) and _is_number(rows[c])]
    best, chosen = 0, ("", _labels(rows, ""))
    for axis in [c for c in AMOUNTS if c in rows] + [c for c in others if not c.startswith("samples_")]:
        if rows[axis].nunique() < 2:
            continue
        labels = _labels(rows, axis)
        keys = [rows[c] for c in labels] or [pd.Series(0, index=rows.index)]
        along = rows[axis].groupby(keys, dropna=False).transform("nunique") > 1
        if along.sum() > best:
            best, chosen = int(along.sum()), (axis, labels)
    return chosen


def _labels(rows: pd.DataFrame, axis: str) -> list[str]:
    """The columns that tell series apart: names, then numbers, that the amount and the columns before leave open."""
    varying = [
        str(c) for c in rows if c not in (*NO_FACTORS, *AMOUNTS, *CONSEQUENCES, *NAMES) and rows[c].nunique() > 1
    ]
    names = [c for c in NAMES if c in rows and not (c == "model" and axis == "params")]
    words = [c for c in varying if not _is_number(rows[c])]
    names += sorted(words, key=lambda c: c == "trained_on")  # what else explains the difference says it shorter
    numbers = [c for c in varying if _is_number(rows[c])] + [c for c in AMOUNTS if c in rows and c != axis]
    labels: list[str] = []
    for column in [*names, *numbers]:
        known = [*labels, *([axis] if axis and column in numbers else [])]
        spread = rows.groupby(known, dropna=False)[column].nunique().max() if known else rows[column].nunique()
        if spread > 1:
            labels.append(column)
    return labels


def _series(rows: pd.DataFrame, axis: str, labels: list[str]) -> Series:
    amount = rows[axis].astype(float) if axis else pd.Series(np.nan, index=rows.index)
    rows = rows.assign(_amount=amount).sort_values(["_amount", "value"], kind="stable")
    first = rows.iloc[0]
    label = ", ".join(_name(column, first[column]) for column in labels)
    seeds = tuple(rows["seed"]) if "seed" in rows else ("",) * len(rows)
    return Series(
        label,
        rows["_amount"].to_numpy(float),
        rows["value"].to_numpy(float),
        _numbers(rows, "n_items"),
        _numbers(rows, "stderr"),
        seeds,
        _numbers(rows, "fraction"),
        str(first["model"]) if "model" in rows else "",
    )


def _name(column: str, value: object) -> str:
    if isinstance(value, float | int | np.number):
        return f"{column} {float(value):g}"
    return str(value)


def _numbers(rows: pd.DataFrame, column: str) -> Array:
    return rows[column].to_numpy(float) if column in rows else np.full(len(rows), np.nan)


def _is_number(column: pd.Series[float]) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def cross_effects(frame: pd.DataFrame) -> pd.DataFrame:
    """What training on other abilities only did: one row an ability, metric, training and amount, averaged over seeds.

    Columns ability, task, metric, trained_on, fraction, samples, value, base; empty where there are none.
    """
    rows = headline(frame)
    rows = rows[crossed(rows) & ~untrained(rows)]
    if not len(rows):
        return pd.DataFrame()
    keys = ["ability", "task", "metric"] + (["model"] if "model" in frame else [])
    bare = frame[untrained(frame)].groupby(keys)["value"].mean()
    names = _trained_on(rows)
    for column in NAMES:
        if column in rows and rows[column].nunique() > 1:
            names = names + ", " + rows[column]
    out = rows[keys].assign(
        trained_on=names, fraction=_numbers(rows, "fraction"), samples=rows["total_samples"], value=rows["value"]
    )
    out["base"] = rows[keys].merge(bare.rename("base"), left_on=keys, right_index=True, how="left")["base"]
    order = {ability: i for i, ability in enumerate(dict.fromkeys(frame["ability"]))}
    by = [*keys, "trained_on", "fraction", "samples"]
    mean = out.groupby(by, dropna=False, sort=True).mean().reset_index()
    return mean.sort_values("ability", key=lambda c: c.map(order), kind="stable")


def _trained_on(rows: pd.DataFrame) -> pd.Series[str]:
    """What each model was trained on: the abilities with samples, else the strategy."""
    if "trained_on" in rows:
        return rows["trained_on"].astype(str).str.replace("+", " + ")
    parts = [str(c) for c in rows if str(c).startswith("samples_")]
    if not parts:
        return rows["strategy"] if "strategy" in rows else pd.Series("other abilities", index=rows.index)
    present = rows[parts].to_numpy(float) > 0
    names = np.array([p.removeprefix("samples_") for p in parts])
    label = [" + ".join(names[mask]) or "nothing" for mask in present]
    return pd.Series(label, index=rows.index)
