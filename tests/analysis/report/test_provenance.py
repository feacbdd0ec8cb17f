"""Provenance: the one command that runs all cells again, and the facts of a cell."""

import json

import pandas as pd
import pytest

from analysis.data.study import Study
from analysis.data.sweep_folder import SweepFolder
from analysis.report.cells import cell_facts, reproduction


def study(*cells):
    """A table of one measurement a cell, given the words of each."""
    rows = [
        {"ability": "math", "task": "t", "metric": "accuracy", "value": 0.1, "n_items": 9, "cell": str(words),
         "overrides": json.dumps(list(words)), "samples": 1, "total_samples": 1, "hours": 0.5}
        for words in cells
    ]  # fmt: skip
    return Study(pd.DataFrame(rows))


def test_a_grid_is_one_command():
    cells = [(f"ability={a}", f"fraction={f}") for a in ("math", "code") for f in ("0", "1/4", "1")]
    whole = ["python -m sweep -m ability=math,code fraction=0,1/4,1 name=mine"]
    assert reproduction(study(*cells), "mine") == whole
    assert reproduction(study(*(c for c in cells if c != ("ability=code", "fraction=0"))), "mine") == whole, (
        "cells without data are one cell by content"
    )


def test_cells_that_are_no_grid_have_a_command_each():
    cells = [("ability=math", "fraction=1"), ("ability=code", "fraction=1/2")]
    commands = ["python -m sweep ability=math fraction=1", "python -m sweep ability=code fraction=1/2"]
    assert reproduction(study(*cells), "mine") == commands


@pytest.mark.parametrize("words", [(), ("fraction=1",)])
def test_facts_of_a_cell_are_those_of_the_table(words):
    (facts,) = cell_facts(study(words), [str(words)]).values()
    assert cell_facts(study(words), []) == {}
    assert facts["hours"] == "0.500"
    assert facts.get("command") == ("python -m sweep fraction=1" if words else None)


def test_dollars_of_a_judge_are_those_of_its_ledger(tmp_path):
    (tmp_path / "judge" / "spent" / "run").mkdir(parents=True)
    (tmp_path / "judge" / "spent" / "run" / "a.jsonl").write_text('{"dollars": 0.25}\n{"dollars": 0.5}\n')
    how = {"cache": "judge", "ledger": "run", "dollars": 5.0}
    scores = {str(i): {"kind": "score", "how": how} for i in range(3)}
    assert SweepFolder("s", tmp_path, (), scores).dollars() == (0.75, 5.0)
    assert SweepFolder("s", tmp_path, (), {"a": {"kind": "train", "how": {"engine": {}}}}).dollars() is None
