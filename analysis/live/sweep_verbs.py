"""What ``python -m sweep`` says of a sweep and does with it, in a process of its own: the analysis imports no sweep."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from common.start import for_own_module


def collect(names: Sequence[str], store: Path) -> None:
    """Write the tables of sweeps again from the scores that are in the store. Raises ValueError as `cells` does."""
    for name in names:
        _run("collect", name, store)


def cells(names: Sequence[str], store: Path) -> str:
    """The cells of sweeps with their states, as ``python -m sweep ls`` lists them.

    Raises ValueError with that command's sentence where there is no such sweep or it cannot be read.
    """
    return "\n".join(_run("ls", name, store) for name in names)


def _run(verb: str, name: str, store: Path) -> str:
    # WANDB_MODE: bringing a tracker up to date is the sweep's own business.
    environment = {**for_own_module(), "COLUMNS": "160", "WANDB_MODE": "disabled"}
    ended = subprocess.run(
        [sys.executable, "-P", "-m", "sweep", verb, f"name={name}", f"store={store.resolve()}"],
        env=environment, capture_output=True, text=True,
    )  # fmt: skip
    if ended.returncode == 2:
        raise ValueError(ended.stderr.strip().removeprefix("error: "))
    if ended.returncode:
        raise RuntimeError(f"python -m sweep {verb} name={name} ended with {ended.returncode}: {ended.stderr.strip()}")
    return ended.stdout.rstrip()
