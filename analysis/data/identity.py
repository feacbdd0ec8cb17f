"""What a sweep's cells were trained from, on and how, and measured by, as its ``sweep.json`` and store tell."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from analysis.data.sweep_folder import SweepFolder

Leaves = dict[str, str]
"""What identifies a thing: texts by dotted name, so that two can be compared leaf by leaf."""

ANSWERS = "answers"
MODEL = ("model_repo", "model_revision")
"""Parts of the spec of answers that say which model gave them."""


def sources(folder: SweepFolder, cell: Mapping[str, Any]) -> dict[str, str]:
    """What identifies the rows that a cell was trained on, by ability, whatever its tokenizer and chat template."""
    found: dict[str, set[str]] = {}
    for stage in _tuned(folder, cell):
        for portion in stage["spec"]["portions"]:
            tokens = [folder.stages[stage["inputs"][name]["key"]] for name in portion["sources"]]
            rows = {json.dumps(_rows(folder, one), sort_keys=True) for one in tokens}
            found.setdefault(str(portion["ability"]), set()).update(rows)
    return {ability: "\n".join(sorted(rows)) for ability, rows in found.items()}


def recipe(folder: SweepFolder, cell: Mapping[str, Any]) -> Leaves:
    """The recipe of the cell's last training stage, and its chat template; empty for an untrained model."""
    stages = _tuned(folder, cell)
    if not stages:
        return {}
    tokens = [folder.stages[node["key"]] for node in stages[-1]["inputs"].values() if "key" in node]
    templates = sorted({str(one["spec"]["template"]) for one in tokens if one["kind"] == "tokens"})
    return dict(_leaves({**stages[-1]["spec"]["recipe"], "template": ", ".join(templates)}))


def base(folder: SweepFolder, cell: Mapping[str, Any]) -> Leaves:
    """The model that a cell started from, whatever the seed of its pretraining; empty for a cell without scores."""
    if not cell["scores"]:
        return {}
    _, answer = _stages(folder, cell, next(iter(cell["scores"])))
    node, hub = answer["inputs"].get("model"), {name: answer["spec"].get(name) for name in MODEL}
    while node is not None and "key" in node:
        stage = folder.stages[node["key"]]
        if stage["spec"]["architecture"] is not None:
            return _pretrained(folder, stage)
        node, given = stage["inputs"].get("init"), stage["spec"]["hub"] or {}
        hub = dict(zip(MODEL, (given.get("repo"), given.get("revision")), strict=True))
    return dict(_leaves(hub)) if node is None else {"folder": str(node["digest"])}


def _pretrained(folder: SweepFolder, stage: Mapping[str, Any]) -> Leaves:
    spec = {name: part for name, part in stage["spec"].items() if name not in ("seed", "hub")}
    texts = {name: _content(folder, node, "") for name, node in stage["inputs"].items()}
    return dict(_leaves({**spec, **texts}))


def strategy(folder: SweepFolder, cell: Mapping[str, Any]) -> Leaves:
    """The stages of the cell's strategy as they are written, without amounts that read other keys of the config; empty
    where its sweep was planned before they were kept.
    """
    return {f"stage {number}": json.dumps(stage) for number, stage in enumerate(cell.get("strategy", ()), 1)}


def measured(folder: SweepFolder, cell: Mapping[str, Any], task: str) -> Leaves:
    """By what a task measured a cell: its items, prompts, decoding and scoring, whatever the model. Empty for a task
    that the sweep does not score the cell on.
    """
    if task not in cell["scores"]:
        return {}
    score, answer = _stages(folder, cell, task)
    spec = {**answer["spec"], **score["spec"]}
    file = str(spec.pop("file", ""))
    shots = spec.get("shots") or {}
    found = {name: part for name, part in spec.items() if name not in MODEL}
    for name, node in {**answer["inputs"], **score["inputs"]}.items():
        if name == "tokenizer":
            found["template"] = folder.stages[node["key"]]["spec"]["template"] if "key" in node else node["digest"]
        elif name not in (ANSWERS, "model") and not name.startswith("overlap."):
            found[_plain(name)] = _content(folder, node, str(shots.get("file", "")) if name == "shots" else file)
    return dict(_leaves(found))


def _plain(name: str) -> str:
    """An input of answers as a reader would call it."""
    return "test items" if name.partition(".")[0] == "data" else name


def _stages(folder: SweepFolder, cell: Mapping[str, Any], task: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The stages that scored a cell's answers to a task and that gave them."""
    score = folder.stages[cell["scores"][task]["key"]]
    return score, folder.stages[score["inputs"][ANSWERS]["key"]]


def _tuned(folder: SweepFolder, cell: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The stages that fine-tuned a cell."""
    stages = [folder.stages[key] for key in cell["trained"]]
    return [stage for stage in stages if stage["spec"]["architecture"] is None]


def _rows(folder: SweepFolder, tokens: Mapping[str, Any]) -> dict[str, Any]:
    """The rows that a stage has tokenised, and in which form."""
    left_out = ("tokenizer_hub", "template", "complete", "file")
    form = {name: part for name, part in tokens["spec"].items() if name not in left_out}
    return {"rows": _content(folder, tokens["inputs"]["data"], str(tokens["spec"]["file"])), **form}


def _content(folder: SweepFolder, node: Mapping[str, Any], file: str) -> Any:
    """What identifies an input, by content as far as that is known; ``file`` is the one that is read of a folder."""
    if "digest" in node:
        return [node["digest"], file]
    stage = folder.stages[node["key"]]
    if stage["kind"] == "tokens":
        own = stage["inputs"].get("tokenizer")
        tokenizer = stage["spec"]["tokenizer_hub"] if own is None else _content(folder, own, "")
        return {**_rows(folder, stage), "tokenizer": tokenizer}
    if stage["kind"] == "tokenizer":
        texts = [_content(folder, stage["inputs"][text["input"]], text["file"]) for text in stage["spec"]["texts"]]
        return {**stage["spec"], "texts": texts}
    return folder.digests(node["key"]).get(file) or [node["key"], file]


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Dotted name and text of everything in nested mappings."""
    if not isinstance(value, Mapping):
        yield name, value if isinstance(value, str) else json.dumps(value, sort_keys=True)
        return
    for key, part in value.items():
        yield from _leaves(part, f"{name}.{key}" if name else str(key))
