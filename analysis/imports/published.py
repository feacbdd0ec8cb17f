"""The long table that ``python -m analysis publish`` put into W&B, or into the folder of its dry run."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.data.table import check
from analysis.imports.wandb_runs import ONLINE
from common.extras import require

TABLE = "measurements"
"""The name under which the table is published."""


def published_table(source: str) -> pd.DataFrame:
    """The checked table of ``wandb:ENTITY/PROJECT/RUN``, or of a dry run's folder, with all digits of its numbers.

    Raises ValueError for any other source, and where W&B refuses the key or has no such run or no table in it.
    """
    if source.startswith(ONLINE) and source.count("/") == 2:
        content = _online(source)
    elif (file := Path(source) / "tables" / f"{TABLE}.table.json").exists():
        content = json.loads(file.read_text(encoding="utf-8"))
    else:
        raise ValueError(
            f"from={source} needs mapping=FILE.yaml; only what publish wrote needs none: wandb:ENTITY/PROJECT/RUN, or "
            "the folder of its dry run"
        )
    return check(pd.DataFrame(content["data"], columns=content["columns"]), source)


def _online(address: str) -> Any:
    """The content of the table of a run."""
    require("from=wandb:ENTITY/PROJECT/RUN", ["wandb"])
    import wandb  # slow to import

    try:
        run = wandb.Api().run(address.removeprefix(ONLINE))
        place = (run.summary.get(TABLE) or {}).get("path")
        if place is None:
            raise ValueError(f"the run has no table {TABLE!r}; publish the sweep again")
        with tempfile.TemporaryDirectory() as folder, run.file(place).download(root=folder) as stream:
            return json.load(stream)
    except (wandb.Error, ValueError) as error:
        raise ValueError(
            f"{address} cannot be read: {error}; give the run of an analysis, as publish prints it, and set "
            "WANDB_API_KEY"
        ) from error
