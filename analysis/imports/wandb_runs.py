"""Runs of Weights & Biases as a table: from its servers, or from the folders that runs without a connection leave."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from common.extras import require

BLOCK = 32768  # bytes: a .wandb file is cut into blocks, and a record that crosses their borders is written in parts
HEADER = 7  # bytes of the file's header, and of each part's: checksum (4), length (2), kind (1)
WHOLE, FIRST, MIDDLE, LAST = 1, 2, 3, 4
ONLINE = "wandb:"  # how the address of a project starts


def online(address: str) -> pd.DataFrame:
    """One row a run of ``wandb:ENTITY/PROJECT``: name, id, state, its config (nested keys joined by dots), its summary.

    Raises ValueError where W&B refuses the key, or holds no such project or no run.
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
    """The same of the runs whose .wandb files lie under ``folder``; the last logged value stands in for a summary.

    What a run had not written when it was killed is absent. Raises ValueError where there is no run.
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
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{key}.")
        elif value is None or isinstance(value, bool | int | float | str):
            found[f"{prefix}{key}"] = value
    return found


def _read(file: Path) -> dict[str, Any]:
    """The run in a .wandb file."""
    require("a folder of W&B runs", ["wandb"])
    from wandb.proto import wandb_internal_pb2

    form: Any = wandb_internal_pb2  # its classes are made when it is imported
    name, id_, state = "", file.stem.removeprefix("run-"), "running"
    config: dict[str, Any] = {}
    logged: dict[str, Any] = {}
    summary: dict[str, Any] = {}
    for message in _messages(file.read_bytes()):
        record = form.Record.FromString(message)
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
    """The records of a log in LevelDB's format, up to the first part that is not whole."""
    place, parts = HEADER, b""
    while place + HEADER <= len(log):
        if BLOCK - place % BLOCK < HEADER:  # no room for another header: padding up to the border
            place += BLOCK - place % BLOCK
            continue
        length, kind = int.from_bytes(log[place + 4 : place + 6], "little"), log[place + 6]
        part = log[place + HEADER : place + HEADER + length]
        if len(part) < length or kind not in (WHOLE, FIRST, MIDDLE, LAST):
            return
        place += HEADER + length
        parts = part if kind in (WHOLE, FIRST) else parts + part
        if kind in (WHOLE, LAST):
            yield parts
