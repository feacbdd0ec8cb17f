"""Runs of Weights & Biases as a table: from its servers, or from the folders of offline runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from common.extras import require

BLOCK = 32768  # bytes; a record of a .wandb file that crosses the end of a block is written in parts
HEADER = 7  # bytes of the header of the file and of each part: checksum (4), length (2), kind (1)
WHOLE, FIRST, MIDDLE, LAST = 1, 2, 3, 4
ONLINE = "wandb:"  # prefix of the address of a project


def online(address: str) -> pd.DataFrame:
    """One row per run of ``wandb:ENTITY/PROJECT``: name, id, state, config (nested keys joined by dots) and summary.

    Raises ValueError where W&B refuses the key, or has no such project or no run in it.
    """
    require("from=wandb:ENTITY/PROJECT", ["wandb"])
    import wandb  # slow to import

    try:
        runs = wandb.Api().runs(address.removeprefix(ONLINE))
        rows = [_row(run.name, run.id, run.state, run.config, dict(run.summary)) for run in runs]
    except (wandb.Error, ValueError) as error:
        raise ValueError(
            f"{address} cannot be read: {error}; write wandb:ENTITY/PROJECT and set WANDB_API_KEY, or export the "
            "project's table as .csv"
        ) from error
    return _frame(rows, address)


def offline(folder: Path) -> pd.DataFrame:
    """The same for the .wandb files under ``folder``; the last logged value is used where the summary lacks it.

    Of a run that was killed, what it had written by then. Raises ValueError where there is no run.
    """
    return _frame([_read(file) for file in sorted(folder.rglob("*.wandb"))], str(folder))


def _frame(rows: list[dict[str, Any]], where: str) -> pd.DataFrame:
    if not rows:
        raise ValueError(f"{where} holds no run")
    return pd.DataFrame(rows)


def _row(name: str, id_: str, state: str, config: Mapping[str, Any], summary: Mapping[str, Any]) -> dict[str, Any]:
    kept = {k: v for k, v in {**_flat(config), **_flat(summary)}.items() if not k.startswith("_")}
    return {"name": name, "id": id_, "state": state, **kept}


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested values by keys joined with dots; lists and the like are left out."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        elif value is None or isinstance(value, bool | int | float | str):
            flat[f"{prefix}{key}"] = value
    return flat


def _read(file: Path) -> dict[str, Any]:
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
    return _row(name, id_, state, config, {**logged, **summary})


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
