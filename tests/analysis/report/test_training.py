"""Training runs of sweeps: each once, with loss, speed and memory, those first that have not ended."""

import itertools
import json

import pytest

from analysis.data.sweep_folder import sweep_folders
from analysis.figures.training import POINTS, windows
from analysis.report.training import training


def sweep(root, name, cells, running=()):
    """A sweep in the format of `sweep.json`: cells by label with the keys of their trainings, of which some run."""
    folder = root / "sweeps" / name
    folder.mkdir(parents=True)
    saved = {
        "cells": [{"label": label, "trained": keys, "scores": {}} for label, keys in cells.items()],
        "jobs": [{"key": key, "kind": "train", "inputs": {}} for keys in cells.values() for key in keys],
    }
    (folder / "sweep.json").write_text(json.dumps(saved))
    for key in {key for keys in cells.values() for key in keys}:
        place = root / ("partial" if key in running else "train") / (f"train-{key}.me" if key in running else key)
        place.mkdir(parents=True, exist_ok=True)
        rows = [{"step": n, "tokens": 10 * n, "loss": 4 / n, f"loss/{key[0]}": 1} for n in range(1, 5)]
        (place / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        if key not in running:
            (place / "timings.json").write_text(json.dumps({"tokens_per_second": 1234.5, "peak_memory_bytes": 2**29}))
    return folder / "table.csv"


def test_every_run_is_a_line_and_a_row_with_its_speed_and_memory(tmp_path):
    table = sweep(tmp_path, "s", {"seed=0,n=1": ["a1"], "seed=0,n=2": ["a1", "b2"], "seed=0,n=3": ["b3"]}, {"b3"})
    shown = training(sweep_folders([table]), {"b3": 50.4})
    assert [row[0] for row in shown.tables[0].rows] == ["n=3 (not ended)", "n=1", "n=2"]
    assert shown.tables[0].rows[0][1:] == ("4", "40", "4.000", "1.000", "50", "-")
    assert shown.tables[0].rows[1][1:] == ("4", "40", "4.000", "1.000", "1,234", "0.50")
    (drawn,) = shown.pictures
    assert {(row["series"], row["run"]) for row in drawn.figure.rows} == {("a", "n=1"), ("b", "n=2"), ("b", "n=3")}


def test_runs_of_several_sweeps_are_told_apart_and_a_shared_one_is_that_of_the_first(tmp_path):
    tables = [sweep(tmp_path, name, {"n=1": ["a1"], "n=2": [key]}) for name, key in (("old", "a2"), ("new", "a3"))]
    shown = training(sweep_folders(tables))
    assert {row[0] for row in shown.tables[0].rows} == {"old: n=1", "old: n=2", "new: n=2"}
    assert {row["series"] for row in shown.pictures[0].figure.rows} == {"old: a", "new: a"}


def test_before_a_training_has_begun_there_is_nothing(tmp_path):
    assert training(sweep_folders([sweep(tmp_path, "s", {})])) is None


def test_long_runs_are_drawn_as_means():
    steps = [(float(n), 1000.0 / n) for n in range(1, 5000)]
    drawn = windows(steps)
    assert len(drawn) <= POINTS and drawn[0] == steps[0] and drawn[-1][0] == 4999
    assert all(after[1] < before[1] for before, after in itertools.pairwise(drawn))
    ends = [0.0, *(tokens for tokens, _ in drawn)]
    inside = [loss for tokens, loss in steps if ends[-2] < tokens <= ends[-1]]
    assert drawn[-1][1] == pytest.approx(sum(inside) / len(inside))
    assert windows([(1.0, float("nan")), (2.0, 0.5)]) == [(2.0, 0.5)]
