"""The machine of a stage in its record, of a cell in the table, and the warning about a sweep that mixes them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from common.json_file import write_json
from sweep.plan.files import Files
from sweep.plan.plan import make
from sweep.results.machines import machines, mixture
from sweep.results.saved_sweep import SavedSweep, load, save
from sweep.stages.machine import machine, text
from sweep.stages.store import Store
from tests.conftest import HANG_SECONDS, ROOT
from tests.sweep.composing import cell

RECORD = {
    "processor": "AMD EPYC", "instructions": "AVX2", "threads": 1, "gpu": None, "python": "3.11.7",
    "versions": {"torch": "2.13.0+cpu", "transformers": "5.1.0"},
}  # fmt: skip


@pytest.mark.parametrize("capability", ["default", "avx2"])
def test_the_record_has_the_instruction_set_that_torch_uses(capability: str):
    script = "import json, torch; from sweep.stages.machine import machine; print(json.dumps(machine()))"
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=HANG_SECONDS,
        env={**os.environ, "PYTHONPATH": str(ROOT), "ATEN_CPU_CAPABILITY": capability, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    record = json.loads(ended.stdout)
    assert record["instructions"] == capability.upper()
    assert record["threads"] == 1
    assert (
        text(record)
        == f"{record['processor']}, {capability.upper()}, torch {record['versions']['torch'].split('+')[0]}"
    )


def test_a_stage_without_torch_names_the_processor_alone():
    script = "import json; from sweep.stages.machine import machine; print(json.dumps(machine()))"
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=HANG_SECONDS,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    record = json.loads(ended.stdout)
    assert record["processor"] == machine()["processor"] != ""
    assert record["instructions"] is record["gpu"] is None
    assert text(record) is None


def test_a_gpu_stands_for_its_processor():
    assert text(RECORD | {"gpu": "NVIDIA H200"}) == "NVIDIA H200, torch 2.13.0"


@pytest.fixture
def store(store_path: Path) -> Store:
    return Store(store_path)


@pytest.fixture
def saved(store: Store) -> SavedSweep:
    cells = [(f"cell{n}", cell(f"fraction={f}"), {}) for n, f in enumerate(("0", "1/4", "1"))]
    save(make("s", cells, Files(store)), store)
    return load(store, "s")


def built(saved: SavedSweep, store: Store, label: str, **changes) -> None:
    """Records of all stages that the cell rests on, as their workers leave them; existing ones stay."""
    (one,) = (one for one in saved.cells if one.label == label)
    for stage in saved.stages(one):
        path = store.path(stage) / "record.json"
        if not path.exists():
            path.parent.mkdir(parents=True)
            write_json(path, RECORD | changes)


def test_each_cell_names_the_machine_that_trained_and_measured_it_whoever_trained_the_base(
    saved: SavedSweep, store: Store
):
    (base,) = (j.stage for j in saved.jobs.values() if j.stage.kind == "train" and j.stage.spec.architecture)
    store.path(base).mkdir(parents=True)
    write_json(store.path(base) / "record.json", RECORD | {"instructions": "AVX512"})
    built(saved, store, "cell1")
    assert [machines(saved, one, store) for one in saved.cells] == [None, "AMD EPYC, AVX2, torch 2.13.0", None]
    assert mixture(saved, store) == []


def test_a_sweep_that_mixes_machines_says_in_what_they_differ(saved: SavedSweep, store: Store):
    built(saved, store, "cell0")
    built(saved, store, "cell1")
    built(saved, store, "cell2", instructions="AVX512", versions={"torch": "2.13.0+cpu", "transformers": "5.2.0"})
    (warning,) = mixture(saved, store)
    assert warning.startswith("warning: the cells differ in instruction set AVX2 (2 cells) and AVX512 (1 cell); ")
    assert "transformers 5.1.0 (2 cells) and 5.2.0 (1 cell)" in warning
    assert "processor" not in warning and "torch" not in warning


def test_records_of_earlier_versions_say_nothing(saved: SavedSweep, store: Store):
    built(saved, store, "cell0")
    (one,) = (one for one in saved.cells if one.label == "cell1")
    for stage in saved.stages(one):
        if not store.path(stage).exists():
            store.path(stage).mkdir(parents=True)
            write_json(store.path(stage) / "record.json", {"python": "3.12", "versions": {"torch": "2.6"}})
    assert machines(saved, one, store) is None
    assert mixture(saved, store) == []
