"""Advice for scripts: what `python -m analysis advise` and `next` print with ``json=true``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from analysis.advice.advise import Advice
from analysis.advice.check import AdviceCheck, Z
from analysis.advice.next_cells import NextCell
from analysis.advice.surrogate import ONE_SUM, Surrogate
from analysis.arrays import Array
from analysis.data.metric import Metric, common_metric


def advice_record(advice: Advice, best: Sequence[int], front: Sequence[int]) -> dict[str, Any]:
    """The compositions with these places among the candidates: the best of each strategy, and the front."""
    chance = advice.chance()
    names = [str(advice.strategy[which]) for which in best]
    return {
        "best": [
            {**_composition(advice, which), "chance": float(chance[advice.strategy == name].sum())}
            for name, which in zip(names, best, strict=True)
        ],
        "front": [_composition(advice, which) for which in front],
        "worst": None
        if advice.worst == 0
        else {**_composition(advice, advice.worst), "below_best": below_best(advice)},
        "models": [_model(model) for model in advice.surrogates],
    }


def below_best(advice: Advice) -> dict[str, float]:
    """How far the weighted sum of the worst mixture is below the best one's, as a difference of merits."""
    low, middle, high = np.quantile(advice.total[:, 0] - advice.total[:, advice.worst], [0.025, 0.5, 0.975])
    return {"value": float(middle), "low": float(low), "high": float(high)}


def _model(model: Surrogate) -> dict[str, Any]:
    """How a surrogate counts other abilities' data, and its error on mixtures left out beside that of the other way."""
    other = None if np.isnan(model.instead) else model.instead
    counted = "in one sum" if model.others == ONE_SUM else "each apart"
    return {"ability": model.ability, "others": counted, "error": model.error, "error_otherwise": other,
            "unit": model.metric.model_unit}  # fmt: skip


def _composition(advice: Advice, which: int) -> dict[str, Any]:
    samples = {name: float(n) for name, n in zip(advice.abilities, advice.samples[which], strict=True)}
    drawn = [_interval(advice.draws[:, which, i], model.metric) for i, model in enumerate(advice.surrogates)]
    return {
        "strategy": str(advice.strategy[which]),
        "samples": samples,
        "predicted": dict(zip(advice.abilities, drawn, strict=True)),
        "weighted": _interval(advice.total[:, which], advice.metric),
        "shortfall": float(advice.shortfall()[which]),
        "times_from_nearest": float(2.0 ** advice.away[which]),
    }


def _interval(drawn: Array, metric: Metric) -> dict[str, Any]:
    low, middle, high = np.quantile(metric.value(drawn), [0.025, 0.5, 0.975])
    return {"metric": metric.name, "value": float(middle), "low": float(low), "high": float(high)}


def check_record(check: AdviceCheck) -> dict[str, Any]:
    """Every cell as predicted and as measured."""
    total, measured, _ = check.totals()
    metric = common_metric([model.metric for model in check.models])
    sums = metric.value(np.stack([total, measured], axis=1))
    cells = [
        {
            "cell": name, "times_from_nearest": float(2.0 ** check.away[k]), "far": bool(check.far[k]),
            "weighted": {"predicted": float(sums[k, 0]), "measured": float(sums[k, 1])},
            "abilities": {model.ability: _predicted(check, k, i) for i, model in enumerate(check.models)},
        }
        for k, name in enumerate(check.cells)
    ]  # fmt: skip
    return {"cells": cells}


def _predicted(check: AdviceCheck, cell: int, which: int) -> dict[str, Any]:
    """The interval is missing where it is unknown; ``inside`` then too."""
    model, middle, half = check.models[which], check.predicted[cell, which], Z * check.error[cell, which]
    shown = model.shown(np.array([middle, middle - half, middle + half, check.measured[cell, which]]))
    value, *ends, measured = map(float, shown)
    inside = {"inside": bool(check.inside[cell, which])} if check.known[cell, which] else {}
    return {"metric": model.metric.name, "predicted": value, "low": min(ends), "high": max(ends),
            "measured": measured, **inside}  # fmt: skip


def next_record(cells: Sequence[NextCell]) -> dict[str, Any]:
    """The cells, the most worthwhile first."""
    listed = [
        {"cell": c.cell, "samples": c.label, "cost": c.cost, "unit": c.unit or "samples",
         "narrower_by": 1 - c.after / c.before, "command": c.line}
        for c in cells
    ]  # fmt: skip
    return {"cells": listed}
