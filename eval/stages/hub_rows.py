"""Stage rows: one split of a hub data set as JSON lines, or one of its files as it is; every later stage reads that."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from common.hub import download, split_rows
from common.rows import write_jsonl
from eval.spec.answers import HubRows


def run(spec: HubRows, inputs: Mapping[str, Path], out: Path) -> None:
    """Write the rows into ``out`` under `HubRows.result`, from the cache or the network.

    Raises ValueError for what cannot be read.
    """
    if not spec.file:
        write_jsonl(out / spec.result, split_rows(spec.repo, spec.revision, spec.config, spec.split))
        return
    file = download(spec.repo, spec.revision, [spec.file], kind="dataset") / spec.file
    if not file.is_file():
        raise ValueError(
            f"the data set {spec.repo!r} at revision {spec.revision!r} has no file {spec.file!r}; give the path of a "
            "file in that repository, or where there is no network download it once on a machine with one"
        )
    shutil.copyfile(file, out / spec.result)
