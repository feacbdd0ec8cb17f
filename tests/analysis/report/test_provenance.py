"""Provenance: the commands that run all cells again, and the facts of a cell."""

import json
import shlex
from dataclasses import replace
from itertools import product

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.data.study import Study
from analysis.data.sweep_folder import SweepFolder
from analysis.report.behind import behind
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


def test_other_cells_are_as_few_grids_as_they_can_be():
    """A grid of trained cells, a second one that lacks an amount, an untrained cell, and one with a key of its own."""
    alone = [("strategy=single", f"ability={a}", f"fraction={f}") for a in ("math", "code") for f in ("1/4", "1")]
    mixed = [("strategy=multitask", "ability=math", "fraction=1")]
    own = [("strategy=dmt", "ability=math", "fraction=1", "replay=1/16")]
    cells = [("strategy=single", "ability=math", "fraction=0"), *alone, *mixed, *own]
    assert reproduction(study(*cells), "mine") == [
        "python -m sweep -m strategy=single ability=math,code fraction=0,1/4,1 name=mine",
        "python -m sweep strategy=multitask ability=math fraction=1 name=mine",
        "python -m sweep strategy=dmt ability=math fraction=1 replay=1/16 name=mine",
    ]
    assert reproduction(study(("ability=math", "fraction=1"), ("ability=code", "fraction=1/2")), "mine") == [
        "python -m sweep ability=math fraction=1 name=mine", "python -m sweep ability=code fraction=1/2 name=mine"
    ]  # fmt: skip


@given(st.sets(st.tuples(*(st.sampled_from("abc") for _ in range(3))), min_size=1))
def test_grids_hold_the_cells_and_no_other(cells):
    rows = [tuple(f"{key}={value}" for key, value in zip("xyz", values, strict=True)) for values in sorted(cells)]
    found = []
    for line in reproduction(study(*rows), "mine"):
        words = [word for word in line.split()[3:] if "=" in word and not word.startswith("name=")]
        found += product(*(word.partition("=")[2].split(",") for word in words))
    assert sorted(found) == sorted(cells)


@pytest.mark.parametrize("words", [(), ("fraction=1",)])
def test_facts_of_a_cell_are_those_of_the_table(words):
    (facts,) = cell_facts(study(words), [str(words)]).values()
    assert cell_facts(study(words), []) == {}
    assert facts["hours"] == "0.500"
    assert facts.get("command") == ("python -m sweep fraction=1" if words else None)


def test_the_commands_of_a_cell_name_its_store(tmp_path):
    mine = replace(study(("fraction=1",)), store="else where")
    name = str(("fraction=1",))
    assert cell_facts(mine, [name])[name]["command"] == "python -m sweep fraction=1 'store=else where'"
    cells = ({"label": name, "trained": [], "scores": {}},)
    facts = behind(mine, [SweepFolder("s", tmp_path, cells, {})], None, [name])["facts"]
    assert shlex.split(facts[name]["log"]) == [
        *["python", "-m", "sweep", "logs", "name=s"],
        f"cell={name}",
        "store=else where",
    ]


def test_dollars_of_a_judge_are_those_of_its_ledger(tmp_path):
    (tmp_path / "judge" / "spent" / "run").mkdir(parents=True)
    (tmp_path / "judge" / "spent" / "run" / "a.jsonl").write_text('{"dollars": 0.25}\n{"dollars": 0.5}\n')
    how = {"cache": "judge", "ledger": "run", "dollars": 5.0}
    scores = {str(i): {"kind": "score", "how": how} for i in range(3)}
    assert SweepFolder("s", tmp_path, (), scores).dollars() == (0.75, 5.0)
    assert SweepFolder("s", tmp_path, (), {"a": {"kind": "train", "how": {"engine": {}}}}).dollars() is None
