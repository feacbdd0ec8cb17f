"""What has been sent of each run, and where to: STORE/wandb/sent/<run>.json."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from common.json_file import write_json
from sweep.stages.store import Store


@dataclass(frozen=True)
class Sent:
    """What is in place of one run: the sweep that sent it, the place, the content's digest, the number of the next row.

    ``finished`` says that nothing of it is missing. ``folders`` are those of the offline runs that hold it.
    """

    sweep: str
    place: str
    digest: str = ""
    next: int = 0
    finished: bool = False
    folders: tuple[str, ...] = ()


def read(store: Store, run: str) -> Sent | None:
    """What has been sent of a run; None where nothing was, or where that cannot be read."""
    try:
        value = json.loads(_file(store, run).read_bytes())
        return Sent(**{**value, "folders": tuple(value["folders"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(store: Store, run: str, sent: Sent) -> None:
    _file(store, run).parent.mkdir(parents=True, exist_ok=True)
    write_json(_file(store, run), asdict(sent))


def _file(store: Store, run: str) -> Path:
    return store.root / "wandb" / "sent" / f"{run}.json"
