"""The charts of W&B: each figure's specification once as a preset, and a panel that fills it from a table."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analysis.figures.figure import Figure, Spec, TableSource


@dataclass(frozen=True)
class Preset:
    """A specification under a name that changes with it, so that a preset which exists never needs another text."""

    name: str
    title: str
    spec: Spec


def preset(figure: Figure) -> Preset:
    """The chart that draws figures of this kind from any table with their columns."""
    spec = figure.spec(TableSource())
    digest = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:10]
    return Preset(f"dosage-{digest}", f"Dosage {digest}", spec)


def presets(figures: tuple[Figure, ...]) -> dict[str, Preset]:
    """The presets of all figures by name; figures of one kind share one."""
    return {made.name: made for made in map(preset, figures)}


def chart(figure: Figure, entity: str) -> Any:
    """A panel that draws the figure from the table of its name."""
    import wandb_workspaces.reports.v2 as wr

    columns = {name: name for name in figure.rows[0]}
    panel = wr.CustomChart.from_table(figure.name, chart_fields=columns, chart_strings=words(figure))
    panel.chart_name = f"{entity}/{preset(figure).name}"
    return panel


def words(figure: Figure) -> dict[str, str]:
    """The texts that the panel puts into the preset."""
    return {"title": figure.title, "description": figure.description, **figure.words}


def filled(figure: Figure) -> Spec:
    """The preset with columns, texts and rows put in, as W&B does it: what a browser will draw."""
    text = json.dumps(preset(figure).spec)
    for name in figure.rows[0]:
        text = text.replace(f"${{field:{name}}}", name)
    for key, value in words(figure).items():
        text = text.replace(f"${{string:{key}}}", json.dumps(value)[1:-1])
    spec: Mapping[str, Any] = json.loads(text)
    return {**spec, "data": {"values": list(figure.rows)}}
