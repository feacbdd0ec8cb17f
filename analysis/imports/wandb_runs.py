"""Runs of Weights & Biases as a table: from its servers, or from the folders of offline runs."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.format import counted
from common.extras import require

BLOCK = 32768  # bytes; a record of a .wandb file that crosses the end of a block is written in parts
HEADER = 7  # bytes of the header of the file and of each part: checksum (4), length (2), kind (1)
WHOLE, FIRST, MIDDLE, LAST = 1, 2, 3, 4
ONLINE = "wandb:"  # prefix of the address of a project
Run = tuple[str, str, str, dict[str, Any], dict[str, Any]]  # name, id, state, config, summary


STATES = ("finished", "running", "failed", "crashed", "killed", "preempted", "preempting", "pending")


@dataclass(frozen=True, eq=False)
class Runs:
    """Runs as a ``table``, a row a run: name, id, state, config (nested keys joined by dots) and summary.

    ``logged`` are the columns that come from the summary alone: what a run measured, not how it was set up.
    """

    table: pd.DataFrame
    logged: frozenset[str]

    def unnamed(self, names: Collection[str]) -> list[str]:
        """The columns that are not config and not among ``names``."""
        return [name for name in self.table if name in self.logged | {"name", "id"} and name not in names]


def only_finished(table: pd.DataFrame, where: str) -> tuple[pd.DataFrame, list[str]]:
    """The rows of finished runs without their state, and a remark that names the others.

    A table without a column of W&B's states stays as it is. Raises ValueError if no run has finished.
    """
    column = next((c for c in ("state", "State") if c in table and table[c].isin(STATES).all()), None)
    if column is None:
        return table, []
    finished = table[column] == "finished"
    name = next((c for c in ("name", "Name", "id", "ID") if c in table), column)
    others = [f"{row[name]} ({row[column]})" for _, row in table[~finished].iterrows()]
    if not finished.any():
        raise ValueError(f"{where} holds no finished run: {', '.join(others)}; import again once they have finished")
    remarks = [f"{counted(len(others), 'run')} not finished and left out: {', '.join(others)}"] if others else []
    return table[finished].drop(columns=column).reset_index(drop=True), remarks


def online(address: str) -> Runs:
    """The runs of ``wandb:ENTITY/PROJECT``.

    Raises ValueError where W&B refuses the key, or has no such project or no run in it.
    """
    require("from=wandb:ENTITY/PROJECT", ["wandb"])
    import wandb  # slow to import

    try:
        runs = wandb.Api().runs(address.removeprefix(ONLINE))
        rows = [(run.name, run.id, run.state, _flat(run.config), _flat(dict(run.summary))) for run in runs]
    except (wandb.Error, ValueError) as error:
        raise ValueError(
            f"{address} cannot be read: {error}; write wandb:ENTITY/PROJECT and set WANDB_API_KEY, or export the "
            "project's table as .csv"
        ) from error
    return _runs(rows, address)


def offline(folder: Path) -> Runs:
    """The runs in the .wandb files under ``folder``; the last logged value is used where the summary lacks it.

    Of a run that was killed, what it had written by then. Raises ValueError where there is no run.
    """
    return _runs([_read(file) for file in sorted(folder.rglob("*.wandb"))], str(folder))


def _runs(rows: list[Run], where: str) -> Runs:
    if not rows:
        raise ValueError(f"{where} holds no run")
    records, config_keys, logged = [], set(), set()
    for name, id_, state, config, summary in rows:
        records.append({"name": name, "id": id_, "state": state} | _public(config) | _public(summary))
        config_keys |= set(config)
        logged |= set(summary)
    return Runs(pd.DataFrame(records), frozenset(logged - config_keys))


def _public(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values without those that W&B keeps for itself."""
    return {key: value for key, value in values.items() if not key.startswith("_")}


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested values by keys joined with dots; lists and the like are left out."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        elif value is None or isinstance(value, bool | int | float | str):
            flat[f"{prefix}{key}"] = value
    return flat


def _read(file: Path) -> Run:
    """The run in a .wandb file."""
    require("a folder of W&B runs", ["wandb"])
    from wandb.proto import wandb_internal_pb2

    protocol: Any = wandb_internal_pb2  # untyped: its classes are made when it is imported
    name, id_, state = "", file.stem.removeprefix("run-"), "running"
    config: dict[str, Any] = {}
    logged: dict[str, Any] = {}
    summary: dict[str, Any] = {}
    for message in _messages(file.read_bytes()):
        record = protocol.Record.FromString(message)
        kind = record.WhichOneof("record_type")
        if kind == "run":
            name, id_ = record.run.display_name, record.run.run_id
            config |= _items(record.run.config.update)
        elif kind == "config":
            config |= _items(record.config.update)
        elif kind == "history":
            logged |= _items(record.history.item)
        elif kind == "summary":
            summary |= _items(record.summary.update)
        elif kind == "exit":
            state = "failed" if record.exit.exit_code else "finished"
    return name, id_, state, _flat(config), _flat({**logged, **summary})


def _items(items: Any) -> dict[str, Any]:
    return {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in items}


def _messages(log: bytes) -> Iterator[bytes]:
    """The records of a log in LevelDB's format, up to the first incomplete part."""
    position, parts = HEADER, b""
    while position + HEADER <= len(log):
        if BLOCK - position % BLOCK < HEADER:  # no room for another header: padding to the end of the block
            position += BLOCK - position % BLOCK
            continue
        length, kind = int.from_bytes(log[position + 4 : position + 6], "little"), log[position + 6]
        part = log[position + HEADER : position + HEADER + length]
        if len(part) < length or kind not in (WHOLE, FIRST, MIDDLE, LAST):
            return
        position += HEADER + length
        parts = part if kind in (WHOLE, FIRST) else parts + part
        if kind in (WHOLE, LAST):
            yield parts
