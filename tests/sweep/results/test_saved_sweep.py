"""Reading a sweep back: what cannot be read is named in one sentence, with what to do."""

import json
from pathlib import Path

import pytest

from common.json_file import write_json
from sweep.results.saved_sweep import load
from sweep.stages.store import Store
from sweep.stages.worker import Job
from tests.sweep.stages.processes import world

JOB = Job(world(0), None, Path(), 1.0).to_json()
CELL = {"label": "default", "factors": {}, "trained": [world(0).key], "scores": {}}


def saved(store: Store, **changes) -> Path:
    folder = store.sweep("s")
    folder.mkdir(parents=True)
    write_json(folder / "sweep.json", {"cells": [CELL], "jobs": [JOB]} | changes)
    return folder / "sweep.json"


def test_a_sweep_is_read_back(store_path: Path):
    saved(Store(store_path))
    sweep = load(Store(store_path), "s")
    assert sweep.stages(sweep.cells[0]) == [world(0)]
    assert sweep.jobs[world(0).key].store == store_path


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"jobs": [JOB | {"key": "0" * 16}]}, "was planned by another version of the code"),
        ({"jobs": [JOB | {"kind": "poem"}]}, "it has no 'poem'"),
        ({"jobs": [JOB | {"spec": {"verses": 3}}]}, "has no verses"),
        ({"jobs": []}, f"it has no '{world(0).key}'"),
        ({"jobs": None}, "not iterable"),
        ({"cells": [{}]}, "it has no 'label'"),
    ],
)
def test_a_sweep_that_cannot_be_read_is_named_with_the_reason_and_the_remedy(store_path: Path, changes, reason: str):
    path = saved(Store(store_path), **changes)
    with pytest.raises(ValueError, match="cannot be read") as problem:
        load(Store(store_path), "s")
    sentence = str(problem.value)
    assert sentence.startswith(f"{path} cannot be read (") and reason in sentence
    assert sentence.count("run that sweep's command again") == 1


def test_a_file_cut_off_at_any_place_is_named(store_path: Path):
    path = saved(Store(store_path))
    text = path.read_text()
    for length in range(0, len(text) - 2, 97):
        path.write_text(text[:length])
        with pytest.raises(ValueError, match=str(path)):
            load(Store(store_path), "s")
    path.write_text(json.dumps([1]))
    with pytest.raises(ValueError, match=str(path)):
        load(Store(store_path), "s")


def test_factors_of_an_older_version_get_their_current_names(store_path: Path):
    older = {"arm": "general_full", "suite.engine": "vllm", "total": "300", "total_samples": 299, "seed": 0}
    saved(Store(store_path), cells=[CELL | {"factors": older}])
    assert load(Store(store_path), "s").cells[0].factors == {
        "ratio_arm": "general_full", "suite.backend": "vllm", "total_samples": 299, "seed": 0,
    }  # fmt: skip
