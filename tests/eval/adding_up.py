"""The check that the item rows of a score explain its headline number."""

import json
from dataclasses import fields
from pathlib import Path

import pytest

from eval.items.jsonl import read
from eval.spec.item_rows import FILE, ItemRow


def check_items(folder: Path) -> list[ItemRow]:
    """The item rows in a score's folder, after checking that their weighted mean is the number of the summary."""
    rows = [ItemRow(**row) for row in read(folder / FILE)]
    assert [list(row) for row in read(folder / FILE)] == [[one.name for one in fields(ItemRow)]] * len(rows)
    metrics = {one["metric"]: one["value"] for one in json.loads((folder / "summary.json").read_bytes())["metrics"]}
    for metric in ("accuracy", "loss"):
        own = [row for row in rows if row.metric == metric]
        assert bool(own) == (metric in metrics)
        assert len({row.item for row in own}) == len(own)
        if own:
            mean = sum(row.value * row.weight for row in own) / sum(row.weight for row in own)
            assert mean == pytest.approx(metrics[metric], rel=1e-12)
    return rows
