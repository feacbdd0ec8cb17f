"""Stage rows: one split of a hub data set as JSON lines, which every later stage reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from eval.rows import write
from eval.spec import HubRows

ROWS = "rows.jsonl"


def run(spec: HubRows, inputs: Mapping[str, Path], out: Path) -> None:
    """Write rows.jsonl into ``out``, from the cache or the network. ValueError for whatever cannot be read."""
    import datasets  # slow to import, and only needed here

    try:
        table = datasets.load_dataset(spec.repo, spec.config, split=spec.split, revision=spec.revision)
    except Exception as error:  # the hub's libraries raise many unrelated classes
        reason = (str(error) or "no message").splitlines()[0]
        raise ValueError(
            f"the data set {spec.repo!r} at revision {spec.revision!r}, config {spec.config!r}, split {spec.split!r} "
            f"could not be read ({type(error).__name__}: {reason}); check these names and the network, log in with "
            "`hf auth login` if it is gated, or give the path of a local file instead"
        ) from error
    write(out / ROWS, table)
