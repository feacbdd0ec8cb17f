"""The long table as one object: what was measured of each ability, worked out once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.arrays import Array
from analysis.data.apart import SAMPLES, as_in, with_task
from analysis.data.cleaning import clean
from analysis.data.cost import AXES, by_design, with_flops
from analysis.data.items import Items, read_items
from analysis.data.metric import HEADLINES, Metric, metrics_of, primary
from analysis.data.reading import read_groups
from analysis.data.series import AMOUNTS, NAMES, Series, part_name, series_of
from analysis.data.table import factors_of, finished
from analysis.format import amount, fraction

KEYS = ["ability", "task", "metric"]
LONGEST_NAME = 160
"""Bytes of the name of a measure's files, from which on it is cut."""


@dataclass(frozen=True, eq=False)
class Measure:
    """One ability, measured by one task and metric.

    ``rows`` are its rows of the table, ``items`` the results of single items, ``fraction_text`` gives a fraction as it
    was written, and ``x`` is what curves are along, one of `AXES`.
    """

    ability: str
    task: str
    metric: Metric
    rows: pd.DataFrame
    items: Items | None
    fraction_text: Callable[[float], str]
    x: str = "samples"

    @cached_property
    def trained(self) -> pd.DataFrame:
        """The rows of trained models, on whatever ability."""
        return self.rows[~untrained(self.rows)]

    @cached_property
    def base(self) -> dict[str, float]:
        """The value of each model before training."""
        rows = self.rows[untrained(self.rows)]
        models = rows["model"] if "model" in rows else pd.Series("", index=rows.index)
        return {str(model): float(value) for model, value in rows["value"].groupby(models).mean().items()}

    @property
    def axis(self) -> str:
        """The amount that varies along the series; "" where none does."""
        return self._curves[0]

    @property
    def series(self) -> tuple[Series, ...]:
        """The measurements of models trained on the ability, by curve."""
        return self._curves[1]

    @cached_property
    def _curves(self) -> tuple[str, tuple[Series, ...]]:
        rows = self.trained[~trained_elsewhere(self.trained)]
        return series_of(rows if self.x == "samples" else by_design(rows, self.x), self.x)

    def amount_text(self, value: float) -> str:
        """An amount along the axis as text: 8,192, or 1/256 as it was written."""
        return self.fraction_text(value) if self.axis == "fraction" else amount(value)

    def item_values(self, rows: pd.DataFrame) -> tuple[Array, Array] | None:
        """Values and weights (rows, items) behind some of the rows; None where the items are not known."""
        return None if self.items is None or not len(rows) else self.items.matrix(rows)

    @property
    def name(self) -> str:
        """A file name."""
        names = [self.ability, self.task, self.metric.name]
        parts = [names[0], names[2]] if self.task in ("", self.metric.name) else names
        name = "-".join("".join(c if c.isalnum() else "_" for c in part) for part in parts)
        # File systems allow 255 bytes, of which endings such as -rollout.svg take some.
        digest = hashlib.sha256(name.encode()).hexdigest()[:8]
        return name if len(name.encode()) <= LONGEST_NAME else f"{name[: LONGEST_NAME // 4]}-{digest}"

    @property
    def title(self) -> str:
        """Ability and metric, and the task where it adds to them, as gsm8k does and math_loss does not."""
        says_more = self.task != "" and (self.metric.name not in self.task or as_in(self.task))
        return f"{self.ability}: {self.metric.name}" + (f" on {self.task}" if says_more else "")

    @property
    def label(self) -> str:
        """Ability and metric, and the task where it is not the same in all sweeps, as sentences name them."""
        return with_task(f"{self.ability} {self.metric.name}", self.task)

    @property
    def heading(self) -> str:
        """The title with the unit of the metric."""
        unit = self.metric.shown_unit
        return self.title + (f" ({unit})" if unit else "")


@dataclass(frozen=True, eq=False)
class Study:
    """A checked long table, the items behind it, and ``remarks`` on what reading left out.

    ``table`` holds finished models alone; ``every_stage`` also what was measured after earlier stages of their
    strategies. ``store`` is the store that the table lies in, where commands without ``store=`` would use another; else
    ''. ``x`` is what curves are along, one of `AXES`. Everything that verdicts, advice and report ask of the table is a
    property here, computed on first use.
    """

    table: pd.DataFrame
    items: Items | None = None
    remarks: tuple[str, ...] = ()
    every_stage: pd.DataFrame | None = None
    store: str = ""
    x: str = "samples"

    @cached_property
    def metrics(self) -> dict[str, Metric]:
        """All metrics by name."""
        return metrics_of(self.table)

    @cached_property
    def abilities(self) -> tuple[str, ...]:
        """The abilities in the order of the table."""
        return tuple(dict.fromkeys(self.table["ability"]))

    @cached_property
    def headline(self) -> pd.Series[bool]:
        """Which rows are analysed: those of accuracy and loss; for an ability without accuracy, the loss and its first
        rating or share; for one with neither, every metric.
        """
        ability, metric = self.table["ability"], self.table["metric"]
        main = metric.isin(HEADLINES)
        for name in self.abilities:
            present = list(dict.fromkeys(metric[ability == name]))
            scores = [m for m in present if self.metrics[m].bounded]
            if "accuracy" not in present and "loss" in present and scores:
                first = min(scores, key=lambda m: (self.metrics[m].kind == "share", self.metrics[m].better == "lower"))
                main |= (ability == name) & (metric == first)
        covered = set(ability[main])
        return main | ~ability.isin(covered)

    @cached_property
    def measures(self) -> tuple[Measure, ...]:
        """What is analysed: abilities in the order of the table, losses last."""
        groups = self.table[self.headline].groupby(KEYS, sort=True)
        place, text = self.abilities.index, self.fraction_text
        keys = sorted(groups.groups, key=lambda key: (self.metrics[key[2]].kind == "loss", place(key[0]), key))
        return tuple(
            Measure(ability, task, self.metrics[name], self._rows(groups.get_group(key)), self.items, text, self.x)
            for key in keys
            for ability, task, name in [key]
        )

    def _rows(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Rows of one measure, with errors over clusters of items where the items have some."""
        return rows if self.items is None else self.items.with_errors(rows)

    @cached_property
    def primary(self) -> Metric | None:
        """The metric that overviews and advice are about."""
        return primary(measure.metric for measure in self.measures)

    @cached_property
    def further(self) -> pd.DataFrame:
        """The rows of all metrics that are not analysed."""
        return self.table[~self.headline]

    @cached_property
    def trained(self) -> pd.DataFrame:
        """The rows of trained models."""
        return self.table[~untrained(self.table)]

    @cached_property
    def factors(self) -> list[str]:
        """The columns that say how a model was trained."""
        return factors_of(self.table)

    @cached_property
    def _fraction_texts(self) -> dict[float, str]:
        if not {"fraction", "fraction_text"} <= set(self.table):
            return {}
        written = self.table.loc[self.table["fraction_text"] != "", ["fraction", "fraction_text"]].drop_duplicates()
        return dict(reversed(list(written.itertuples(index=False, name=None))))

    def fraction_text(self, value: float) -> str:
        """A fraction as it was written, for example 1/256; as a number where the table does not say."""
        return self._fraction_texts.get(value) or fraction(value)

    @cached_property
    def elsewhere(self) -> pd.DataFrame:
        """What training on other abilities only did: one row an ability, metric, training and amount, over seeds.

        Columns ability, task, metric, trained_on, fraction, samples, value, base; empty where there are no such models.
        """
        return _elsewhere(self.table[self.headline], self.abilities)


def read_study(tables: Sequence[Path], items: Sequence[Path] = (), x: str = "samples") -> Study:
    """The study in long tables and files of items; errors as in `read_groups` and `read_items`, and for an unknown
    ``x``.
    """
    return read_studies([tables], items, x)[0]


def read_studies(groups: Sequence[Sequence[Path]], items: Sequence[Path] = (), x: str = "samples") -> list[Study]:
    """A study for each group of long tables, in which the same cells have the same names; else as in `read_study`."""
    if x not in AXES:
        raise ValueError(f"x={x} is no axis of curves; choose one of: {', '.join(AXES)}")
    frames, apart = read_groups(*groups)
    studies = []
    for frame, tables in zip(frames, groups, strict=True):
        table = with_flops(frame)
        cleaned, own_items, remarks = clean(finished(table), read_items(*items))
        studies.append(Study(cleaned, own_items, (*apart, *remarks), table, _store(tables[0]), x))
    return studies


def _store(table: Path) -> str:
    """The store of a sweep's table, for commands to name; '' for the default one and for a table of one's own."""
    folder = table.parent
    in_store = folder.parent.name == "sweeps" and (folder / "sweep.json").exists()
    place = str(folder.parent.parent)
    return place if in_store and place != (os.environ.get("DOSAGE_STORE") or "store") else ""


def untrained(rows: pd.DataFrame) -> pd.Series[bool]:
    """The rows of models that were not trained on anything."""
    bare = pd.Series(False, index=rows.index)
    if "strategy" in rows:
        bare |= rows["strategy"] == "base"
    if "samples" in rows and "total_samples" in rows:
        bare |= (rows["samples"] == 0) & (rows["total_samples"] == 0)
    return bare


def trained_elsewhere(rows: pd.DataFrame) -> pd.Series[bool]:
    """The rows of models that were trained on other abilities only."""
    if "samples" not in rows or "total_samples" not in rows:
        return pd.Series(False, index=rows.index)
    return (rows["samples"] == 0) & (rows["total_samples"] > 0)


def _elsewhere(table: pd.DataFrame, abilities: Sequence[str]) -> pd.DataFrame:
    rows = table[trained_elsewhere(table)]
    if not len(rows):
        return pd.DataFrame()
    keys = KEYS + (["model"] if "model" in table else [])
    bare = table[untrained(table)].groupby(keys)["value"].mean()
    names = _trained_on(rows)
    amounts = (*AMOUNTS, "trained_on")
    further = [c for c in factors_of(rows) if c not in (*NAMES, *amounts) and not c.startswith(SAMPLES)]
    for column in [c for c in (*NAMES, *further) if c in rows and rows[c].nunique(dropna=False) > 1]:
        label = rows[column].map(partial(part_name, column))
        names = names + label.map(lambda text: f", {text}" if text else "")
    share = rows.get("fraction", np.nan)
    effects = rows[keys].assign(trained_on=names, fraction=share, samples=rows["total_samples"], value=rows["value"])
    effects["base"] = rows[keys].merge(bare.rename("base"), left_on=keys, right_index=True, how="left")["base"]
    mean = effects.groupby([*keys, "trained_on", "fraction", "samples"], dropna=False, sort=True).mean().reset_index()
    return mean.sort_values("ability", key=lambda column: column.map(abilities.index), kind="stable")


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
