"""Stage rows: one split of a hub data set as JSON lines, which every later stage reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from common.hub import split_rows
from common.rows import write_jsonl
from eval.spec.answers import ROWS, HubRows


def run(spec: HubRows, inputs: Mapping[str, Path], out: Path) -> None:
    """Write rows.jsonl into ``out``, from the cache or the network. Raises ValueError for what cannot be read."""
    write_jsonl(out / ROWS, split_rows(spec.repo, spec.revision, spec.config, spec.split))
