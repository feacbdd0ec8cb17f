"""Sweeps that were planned for real, with results made up."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit

from sweep.plan.files import Files
from sweep.plan.plan import make
from sweep.results.saved_sweep import save
from sweep.stages.store import Store
from tests.sweep.composing import cell

TASKS = {"math": "gsm8k", "code": "humaneval", "general": "ifeval"}
MIXES = ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (0, 1, 1), (1, 1, 1))
OTHER_MATH = "data.sources.math.held_out_rows=400"


def swept(store: Path, name: str, fractions: tuple[str, ...], *overrides: str, gain: float = 0.0) -> Path:
    """The table of a sweep over mixtures of three abilities: math data are worth ``gain`` logits more."""
    cells = [
        cell("strategy=multitask", f"fraction={f}", "amount={" + ",".join(f"{a}:{m}" for a, m in mix) + "}", *overrides)
        for f in fractions
        for mix in (list(zip(TASKS, shares, strict=True)) for shares in MIXES)
    ]
    saved = Store(store)
    save(make(name, [(f"{name}{k}", one, {}) for k, one in enumerate(cells)], Files(saved)), saved)
    rng, rows = np.random.default_rng(len(name) + len(overrides)), []
    for one in json.loads((saved.sweep(name) / "sweep.json").read_text(encoding="utf-8"))["cells"]:
        for ability, task in TASKS.items():
            own = one["factors"][f"samples_{ability}"]
            chance = expit(-2 + 0.5 * np.log1p(own / 20) + gain * (ability == "math" and own > 0))
            row = {"sweep": name, "cell": one["label"], "overrides": json.dumps(overrides), "ability": ability}
            value = rng.binomial(300, chance) / 300
            row |= {"task": task, "metric": "accuracy"}
            rows.append({**row, "value": value, "n_items": 300, "samples": own, **one["factors"]})
    path = saved.sweep(name) / "table.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return path
