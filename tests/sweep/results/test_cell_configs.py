"""The config of each cell lies beside the sweep's table, as Hydra users expect."""

import json
import shlex
from pathlib import Path

import pytest
import yaml

from common.restore import restore
from sweep.config.cell import Cell
from sweep.plan.files import Files
from sweep.plan.plan import Plan, make
from sweep.results.cell_configs import LONGEST, plain
from sweep.results.saved_sweep import save
from sweep.stages.store import Store
from tests.sweep.composing import cell


def planned(store: Store, *commands: list[str]) -> Plan:
    cells = [(",".join(words), cell(*words), {"overrides": json.dumps(words)}) for words in commands]
    return make("s", cells, Files(store))


def files(store: Store) -> list[Path]:
    return sorted((store.sweep("s") / "cells").iterdir())


@pytest.mark.parametrize(
    "words",
    [
        ["fraction=1/256"],
        ["strategy=dmt", "replay=0.25", "data.system='a: b #c\\nd'", "seed=3"],
        ["model=llama_7b", "recipe=paper", "suite=base", "data=paper", "~suite.tasks.mbpp"],
        ["exclude=[{seed: 1}]", "ratio={tail: 1/4}", "amount.math=500"],
    ],
)
def test_a_file_gives_its_cell_back(words: list[str], tmp_path: Path):
    store = Store(tmp_path)
    made = planned(store, words)
    save(made, store)
    (file,) = files(store)
    value = yaml.safe_load(file.read_text())
    assert value == plain(made.cells[0].cell)
    assert plain(restore(Cell, value)) == value
    label, command = file.read_text().splitlines()[:2]
    assert label.startswith("# ") and shlex.split(command) == ["#", "python", "-m", "sweep", *words]


def test_values_are_resolved_and_parts_are_those_of_their_own_cell(tmp_path: Path):
    store = Store(tmp_path)
    save(planned(store, ["strategy=dmt", "replay=1/4"], ["strategy=dmt", "replay=1/8", "data.max_length=64"]), store)
    read = [yaml.safe_load(file.read_text()) for file in files(store)]
    assert [one["strategy"]["stages"][1]["specialised"] for one in read] == ["1/4", "1/8"]
    assert [one["data"]["max_length"] for one in read] == [128, 64]
    assert [file.name.rpartition("-")[0] for file in files(store)] == [
        "strategy=dmt,replay=1-4", "strategy=dmt,replay=1-8,data.max_length=64",
    ]  # fmt: skip


def test_files_of_cells_that_left_the_sweep_go(tmp_path: Path):
    store = Store(tmp_path)
    save(planned(store, ["seed=1"], ["seed=2"]), store)
    save(planned(store, ["seed=2"], ["seed=" + "3" * 9]), store)
    assert [file.name.rpartition("-")[0] for file in files(store)] == ["seed=2", "seed=333333333"]


def test_a_long_label_is_cut_and_its_key_tells_it_apart(tmp_path: Path):
    store = Store(tmp_path)
    long = "data.system=" + "x" * 300
    save(planned(store, [long, "seed=1"], [long, "seed=2"]), store)
    assert len(files(store)) == 2
    assert {len(file.name) for file in files(store)} == {LONGEST + len("-12345678.yaml")}
