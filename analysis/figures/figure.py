"""A figure: rows of data, and a Vega-Lite specification that does not care where its rows come from."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from analysis.figures.look import CONFIG

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
Spec = dict[str, Any]
"""A Vega-Lite specification, or a part of one."""
Row = Mapping[str, str | float | None]
"""One record of a figure's long table. ``row`` says what it is: point, curve, joined, base ..."""


@dataclass(frozen=True)
class Source:
    """Where a specification finds its rows and its words. This one: both are written into the specification.

    ``known`` says whether the rows are known when the specification is written, so that it may name their series and
    place its ticks.
    """

    known: bool = True

    def data(self, rows: Sequence[Row]) -> Spec:
        """The property ``data`` of the specification."""
        return {"values": list(rows)}

    def column(self, name: str) -> str:
        """How the specification names a column."""
        return name

    def words(self, key: str, text: str) -> str:
        """A title: ``text``, or a place for it that has the name ``key``."""
        return text


@dataclass(frozen=True)
class TableSource(Source):
    """A custom chart of Weights & Biases: rows of a ``wandb.Table``, columns and titles chosen in the panel."""

    known: bool = False

    def data(self, rows: Sequence[Row]) -> Spec:
        return {"name": "wandb"}

    def column(self, name: str) -> str:
        return f"${{field:{name}}}"

    def words(self, key: str, text: str) -> str:
        return f"${{string:{key}}}"


@dataclass(frozen=True)
class Figure:
    """A figure with its data.

    ``name`` is that of its files. ``description`` says in a sentence what is to be seen, for people who do not see it.
    ``rows`` are the records of one long table with equal keys; ``view`` draws them, given their source.
    ``columns`` lists the columns that the specification reads, ``words`` its titles by key.
    """

    name: str
    title: str
    description: str
    rows: tuple[Row, ...]
    view: Callable[[Source], Spec] = field(repr=False, compare=False)
    words: Mapping[str, str] = field(default_factory=dict)

    def spec(self, source: Source | None = None) -> Spec:
        """The whole Vega-Lite specification, by default with its rows inside."""
        source = source or Source()
        return {
            "$schema": SCHEMA,
            "description": source.words("description", self.description),
            "title": titled(source, self.title),
            "data": source.data(self.rows),
            "config": CONFIG,
            **self.view(source),
        }


def titled(source: Source, text: str) -> Spec:
    """The title of a figure."""
    return {"text": source.words("title", text), "anchor": "start", "frame": "group"}


def shown(value: float, digits: int = 5) -> float | None:
    """A number of a row, to so many digits; None for a missing or infinite one."""
    return float(f"{value:.{digits}g}") if math.isfinite(value) else None


def only(source: Source, *kinds: str) -> list[Spec]:
    """A transform that keeps the rows of these kinds."""
    return [{"filter": {"field": source.column("row"), "oneOf": list(kinds)}}]
