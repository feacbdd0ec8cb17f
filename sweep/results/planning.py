"""Which sweeps are being planned: a sweep has no cells to list until its sources are tokenised and counted."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

from common.json_file import write_json
from sweep.stages import process
from sweep.stages.disk import SCRATCH
from sweep.stages.store import Store

FILE = f"planning{SCRATCH}"
"""The file in the folder of a sweep that is being planned. It names the process."""


@contextlib.contextmanager
def announced(store: Store, name: str | None) -> Iterator[None]:
    """Within the block, let `under_way` list the sweep; one without a name is not listed."""
    if name is None:
        yield
        return
    file = store.sweep(name) / FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    write_json(file, process.identity())
    try:
        yield
    finally:
        file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # there is more in it
            file.parent.rmdir()
            file.parent.parent.rmdir()


def under_way(store: Store) -> dict[str, str]:
    """The process that plans each sweep, by the sweep's name. What a killed one has left does not count."""
    found = {}
    for file in sorted(store.root.glob(f"sweeps/*/{FILE}")):
        with contextlib.suppress(OSError, ValueError, KeyError):
            own = json.loads(file.read_bytes())
            if not process.is_over(own):
                found[file.parent.name] = f"process {own['pid']} on {own['host']}"
    return found
