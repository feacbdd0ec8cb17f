"""The table's rows by hand: what a model was trained on after each of its stages, and the hours of a cell."""

import csv
from pathlib import Path

import pytest

from common.json_file import write_json
from sweep.plan.files import Files
from sweep.plan.plan import make
from sweep.results.machines import own_stages
from sweep.results.saved_sweep import SavedSweep, dose, load, save
from sweep.results.table import write
from sweep.stages.store import Store
from tests.sweep.composing import cell

STAGES = [
    {"sums": ("math", 10, 30, 300, 90), "more sums": ("math", 5, 5, 60, 20), "talk": ("general", 3, 3, 33, 11)},
    {"talk": ("general", 7, 7, 70, 21), "sums": ("math", 4, 4, 40, 12)},
]
"""What two stages saw of each source: ability, samples, presentations, tokens, supervised tokens."""


def test_samples_by_ability_are_named_and_added_up():
    found = dose({"math": 3, "code": 2}, ["math", "code", "general"])
    assert found == {
        "trained_on": "math+code", "total_samples": 5, "samples_math": 3, "samples_code": 2, "samples_general": 0
    }  # fmt: skip
    assert dose({}, ["math"]) == {"trained_on": "base", "total_samples": 0, "samples_math": 0}


@pytest.fixture
def saved(store_path: Path) -> SavedSweep:
    store = Store(store_path)
    save(make("s", [("one", cell("strategy=dmt"), {})], Files(store)), store)
    return load(store, "s")


def written(saved: SavedSweep, store: Store) -> dict[str, dict[str, str]]:
    """The rows of gsm8k by stage."""
    with write(saved, store).open() as stream:
        return {row["after_stage"]: row for row in csv.DictReader(stream) if row["task"] == "gsm8k"}


def test_a_model_is_what_its_stages_so_far_saw(saved: SavedSweep, store_path: Path):
    """Samples of an ability are nested, so the stage with most of them counts; all else adds up over the stages."""
    store, (one,) = Store(store_path), saved.cells
    names = ("ability", "samples", "presentations", "tokens", "supervised_tokens")
    for stage, sources in zip(saved.tuned(one), STAGES, strict=True):
        store.path(stage).mkdir(parents=True)
        seen = {name: dict(zip(names, values, strict=True)) for name, values in sources.items()}
        write_json(store.path(stage) / "summary.json", {"sources": seen})
    for score in saved.measured(one):
        store.path(score.job.stage).mkdir(parents=True)
        metric = {"metric": "accuracy", "value": 0.5, "n_items": 4, "stderr": 0.25}
        write_json(store.path(score.job.stage) / "summary.json", {"metrics": [metric]})
    first, second = written(saved, store).values()
    columns = ["last_stage", "train_samples", "samples_math", "samples_general", "total_samples", *names[2:]]
    assert [first[name] for name in columns] == ["2", "15", "15", "3", "18", "38", "393", "121"]
    assert [second[name] for name in columns] == ["2", "15", "15", "7", "22", "49", "503", "154"]
    assert (first["trained_on"], second["trained_on"]) == ("math+general", "math+general")
    hours = sum(saved.jobs[stage.key].seconds for stage in own_stages(saved, one)) / 3600
    assert float(first["hours"]) == pytest.approx(hours, abs=1e-6) and hours > 0.001


def test_a_model_whose_training_is_gone_counts_as_planned(saved: SavedSweep, store_path: Path):
    store, (one,) = Store(store_path), saved.cells
    for score in saved.measured(one):
        store.path(score.job.stage).mkdir(parents=True)
        write_json(store.path(score.job.stage) / "summary.json", {"metrics": [{"metric": "accuracy", "value": 0.5}]})
    planned = [portion for stage in saved.tuned(one) for portion in stage.spec.portions if portion.ability == "math"]
    last = written(saved, store)["2"]
    assert last["samples_math"] == str(max(portion.samples for portion in planned))
    assert last["presentations"] == last["tokens"] == ""
