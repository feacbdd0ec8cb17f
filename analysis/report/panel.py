"""The data of the panel with sliders: predictions over a grid of amounts, and the command that runs a choice."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

import numpy as np

from analysis.advice.advise import source_size, surrogates_of
from analysis.advice.commands import common, strategy_words
from analysis.advice.distance import AND_FAR, FAR, NEAREST, NEVER, OTHER, OWN, Places
from analysis.advice.one_kind import one_kind
from analysis.advice.surrogate import BASE, Surrogate
from analysis.advice.text import mixed
from analysis.arrays import Array
from analysis.data.study import Study
from analysis.fitting.uncertainty import quantile

STEPS = 13
"""Amounts of own and of other data, each, at which predictions are stored; the page interpolates between them."""


def panel(study: Study) -> dict[str, object]:
    """What the panel's script reads; only ``why``, the reason, where there can be no panel."""
    kind = one_kind(study)
    study = kind.study
    try:
        models = surrogates_of(study, one_sum=True)
    except ValueError as error:
        return {"why": f"{error}."}
    strategies = sorted({str(name) for model in models for name in model.design.strategy} - {BASE})
    largest = {model.ability: _largest(study, model.ability) for model in models}
    words = {**common(study), "name": "tried", "fraction": "1"}
    measured = [_places(model.places) for model in models]
    guess = [] if mixed(study) else ["No cell mixes abilities, so how they affect each other here is a guess."]
    different = [one for i, one in enumerate(measured) if one not in measured[:i]]
    return {
        "abilities": [
            {**_grid(model, strategies, sum(largest.values())), "places": different.index(one)}
            for model, one in zip(models, measured, strict=True)
        ],
        "places": different,
        "distance": {"nearest": NEAREST, "far": AND_FAR, "never": NEVER, "from": FAR},
        "largest": largest,
        "strategies": {name: _texts(strategy_words(study, name)) for name in strategies},
        "words": _texts(words),
        "note": " ".join([*(f"{line[0].upper()}{line[1:]}." for line in kind.sentences), *guess]),
    }


def _texts(words: Mapping[str, str]) -> list[str]:
    """Overrides as words of a shell."""
    return [shlex.quote(key if key.startswith("~") else f"{key}={value}") for key, value in words.items()]


def _largest(study: Study, ability: str) -> float:
    """How far a slider goes: the whole source, or the most that any cell had of it where that is unknown."""
    size = source_size(study, ability)
    most = float(study.table.loc[study.table["ability"] == ability, "samples"].max())
    return float(round(size if np.isfinite(size) else max(most, 1.0)))


def _places(places: Places) -> dict[str, object]:
    """Where the arms of each strategy lie, in doublings; and the strategies that were measured on one mixture alone."""
    arms: dict[str, list[list[float]]] = {}
    for name, at in zip(places.strategy, places.doublings, strict=True):
        arms.setdefault(str(name), []).append([round(float(one), 6) for one in at])
    single = [name for name in arms if places.one_proportion([name])[0]]
    unique = {name: [list(one) for one in dict.fromkeys(map(tuple, found))] for name, found in arms.items()}
    return {"names": places.names, "least": places.least, "arms": unique, "single": single}


def _grid(model: Surrogate, strategies: list[str], most: float) -> dict[str, object]:
    """Predictions of one ability by strategy: value, low, high, each a list over own data times other data."""
    least = float(model.unit[0, 0])
    ends = least * np.expm1(model.unit[1])  # the largest amounts measured, which the page does not go beyond
    own, others = (
        np.expm1(np.linspace(0, np.log1p(end / least), STEPS)) * least for end in (ends[0], min(ends[1], most))
    )
    pairs = np.stack(np.meshgrid(own, others, indexing="ij"), axis=-1).reshape(-1, 2)
    wider, never = model.ratios()
    return {
        "name": model.ability,
        "label": model.metric.label,
        "share": model.metric.kind == "share",
        "range": [model.metric.factor * model.metric.low, model.metric.factor * model.metric.high]
        if model.metric.bounded
        else [],
        "least": least,
        "even": "logit" if model.metric.bounded else "log" if model.metric.kind == "loss" else "",
        "wider": _rounded(np.array(wider)),
        "never": float(never) if np.isfinite(never) else None,
        "own": _rounded(own),
        "others": _rounded(others),
        "by": {name: _predicted(model, pairs, name) for name in strategies},
    }


def _predicted(model: Surrogate, pairs: Array, strategy: str) -> list[list[float]]:
    """Value, low and high (3, pairs) in shown units; the band is that of the curve, without the scatter of runs."""
    mean, covariance = model.predict(
        model.inputs({OWN: pairs[:, 0], OTHER: pairs[:, 1]}, np.full(len(pairs), strategy))
    )
    half = quantile(0.95, np.inf) * np.sqrt(np.maximum(np.diag(covariance), 0.0))
    ends = np.stack([model.shown(mean), model.shown(mean - half), model.shown(mean + half)])
    low, high = np.minimum(ends[1], ends[2]), np.maximum(ends[1], ends[2])
    return [_rounded(model.metric.factor * part) for part in (ends[0], low, high)]


def _rounded(values: Array) -> list[float]:
    return [float(f"{value:.4g}") for value in values]
