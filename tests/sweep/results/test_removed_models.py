"""What ``keep`` removes of a sweep's models, when, and what stays of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from common.json_file import write_json
from sweep.launch.local import Pool
from sweep.launch.progress import Progress
from sweep.launch.watch import Watch
from sweep.plan import fit
from sweep.plan.files import Files
from sweep.plan.plan import make
from sweep.results import garbage, removed_models, table
from sweep.results.saved_sweep import SavedSweep, load, save
from sweep.stages.disk import remove
from sweep.stages.stage import Stage
from sweep.stages.store import Store
from tests.conftest import MATH_ALONE
from tests.sweep.composing import cell, plan
from tests.sweep.stages.processes import kill_at, leave_claim

WEIGHTS = "model.safetensors"
SOURCE = {"ability": "math", "samples": 10, "presentations": 30, "tokens": 300, "supervised_tokens": 90}


def saved(store: Store, keep: str, *words: str, name: str = "s") -> SavedSweep:
    """A sweep of one cell of two training stages and its base, planned and saved."""
    one = cell("strategy=dmt", "upstream=[]", f"keep={keep}", *MATH_ALONE, *words)
    return save(make(name, [("one", one, {})], Files(store)), store)


def build(store: Store, sweep: SavedSweep, *without: str) -> None:
    """Publish what each missing stage's worker would, but for the keys ``without``."""
    for job in sweep.jobs.values():
        if job.stage.key in without or store.has(job.stage):
            continue
        with store.build(job.stage, "me") as out:
            (out / (WEIGHTS if job.stage.kind == "train" else "rows.txt")).write_text("weights")
            metric = {"metric": "accuracy", "value": 0.5, "n_items": 4, "stderr": 0.25}
            write_json(out / "summary.json", {"metrics": [metric], "sources": {"sums": SOURCE}})


def models(store: Store, sweep: SavedSweep) -> list[bool]:
    """Whether the base and the model of each stage are there."""
    return [store.has(sweep.jobs[key].stage) for key in sweep.cells[0].trained]


def rows(store: Store, sweep: SavedSweep) -> str:
    return table.write(sweep, store).read_text()


@pytest.fixture
def store(store_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr("sweep.stages.store.sync", list)  # not what is tested here, and slow
    return Store(store_path)


@pytest.mark.parametrize(
    ("kept", "left"), [("all", [True, True, True]), ("last", [True, False, True]), ("scores", [True, False, False])]
)
def test_models_go_once_scored_and_the_table_stays_the_same(store: Store, kept: str, left: list[bool]):
    sweep = saved(store, kept)
    build(store, sweep)
    before = rows(store, sweep)
    told = removed_models.Removal(sweep, store).at_the_end()
    assert models(store, sweep) == left
    gone = left.count(False)
    assert told == (f"keep={kept}: removed {gone} model{'s' * (gone > 1)}, 0.0 MiB" if gone else "")
    assert rows(store, sweep) == before and ",300," in before, "tokens are what the removed trainings recorded"
    assert not list(store.root.glob(f"trash/*/{WEIGHTS}")) and not list(store.root.glob(f"spent/*/*/{WEIGHTS}"))
    assert store.lacking(job.stage for job in sweep.jobs.values()) == {}, "the cell is done without its models"
    assert removed_models.Removal(sweep, store).at_the_end() == "" and garbage.unused(store).paths == ()


def _score_of(sweep: SavedSweep, model: str) -> Stage:
    """The score of the model with this key."""
    answers = {key for key, job in sweep.jobs.items() if job.stage.inputs.get("model", job.stage).key == model}
    return next(j.stage for j in sweep.jobs.values() if getattr(j.stage.inputs.get("answers"), "key", "") in answers)


@pytest.mark.parametrize(("number", "left"), [(1, [True, True, False]), (2, [True, True, True])])
def test_a_model_stays_while_something_is_to_be_built_on_it(store: Store, number: int, left: list[bool]):
    """The score of the model after one stage is missing, as after a failure; then that of the last model."""
    sweep = saved(store, "scores")
    build(store, sweep, _score_of(sweep, sweep.cells[0].trained[number]).key)
    removed_models.Removal(sweep, store).at_the_end()
    assert models(store, sweep) == left


def _missing(store: Store, sweep: SavedSweep) -> dict[str, Stage]:
    return store.lacking(job.stage for job in sweep.jobs.values())


def test_models_go_while_the_sweep_runs_and_the_end_counts_them(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(removed_models, "REST", 0.0)
    sweep = saved(store, "scores")
    removal, score = removed_models.Removal(sweep, store), _score_of(sweep, sweep.cells[0].trained[2])
    build(store, sweep, score.key)
    removal.while_running(_missing(store, sweep))
    assert models(store, sweep) == [True, True, True]
    build(store, sweep)
    removal.while_running({})
    assert models(store, sweep) == [True, False, False]
    assert removal.at_the_end() == "keep=scores: removed 2 models, 0.0 MiB"


def test_while_a_sweep_runs_the_store_is_searched_once_a_model(store: Store, monkeypatch: pytest.MonkeyPatch):
    searches: list[str] = []
    monkeypatch.setattr(removed_models, "REST", 0.0)
    monkeypatch.setattr(removed_models, "load", lambda store, name: searches.append(name) or load(store, name))
    sweep = saved(store, "scores")
    saved(store, "all", name="other")
    build(store, sweep)
    removal = removed_models.Removal(sweep, store)
    for _ in range(3):
        removal.while_running({})
    assert searches == ["s"] and models(store, sweep) == [True, True, True]


def test_the_command_that_waits_for_slurm_removes_models_too(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sweep.launch.squeue.jobs_for", lambda store: [])  # all jobs have ended
    sweep = saved(store, "scores")
    watch = Watch(sweep, store, removed_models.Removal(sweep, store))
    build(store, sweep)
    with Progress(watch.todo.values(), store, Console()) as progress:
        watch.poll(progress)
    assert models(store, sweep) == [True, False, False]


@pytest.mark.parametrize(("kept", "first"), [("scores", "answer"), ("all", "train")])
def test_models_are_measured_before_others_are_trained_where_they_then_go(store: Store, kept: str, first: str):
    sweep = saved(store, kept)
    base, trained = sweep.cells[0].trained[0], sweep.cells[0].trained[1:]
    answers = {job.stage.key for job in sweep.jobs.values() if job.stage.kind in ("answer", "score")}
    build(store, sweep, *trained, *answers)
    measures_base = saved(store, kept, "fraction=0", name="base")
    both = sweep.jobs | measures_base.jobs
    pool = Pool(both, store, 1, removed_models.Removal(sweep, store))
    job = pool.queue.pop()
    assert base not in pool.queue.missing and job is not None and job.stage.kind == first


def test_a_model_that_is_never_scored_stays(store: Store):
    sweep = saved(store, "scores")
    build(store, sweep)
    without = {key: job for key, job in sweep.jobs.items() if job.stage.kind not in ("answer", "score")}
    assert len(removed_models.removable(sweep, store, ())) == 2
    assert removed_models.removable(replace(sweep, jobs=without), store, ()) == []


def test_a_model_that_another_sweep_names_stays(store: Store):
    sweep = saved(store, "scores")
    saved(store, "all", "strategy.stages=[{specialised: 1}]", name="other")
    build(store, sweep)
    told = "keep=scores: removed 1 model, 0.0 MiB; 1 model that other sweeps name stay"
    assert removed_models.Removal(sweep, store).at_the_end() == told
    assert models(store, sweep) == [True, True, False]


def test_nothing_goes_while_a_sweep_cannot_be_read(store: Store):
    sweep = saved(store, "scores")
    build(store, sweep)
    store.sweep("other").mkdir()
    (store.sweep("other") / "sweep.json").write_text("{")
    assert "no model is removed" in removed_models.Removal(sweep, store).at_the_end()
    assert models(store, sweep) == [True, True, True]


def test_cells_that_another_command_has_added_count(store: Store):
    earlier = saved(store, "scores", "suite.score=last")
    build(store, earlier)
    grown = saved(store, "scores")  # measures the first stage too, which is not done yet
    removed_models.Removal(earlier, store).at_the_end()
    assert models(store, grown) == [True, True, False]


def test_a_model_that_a_process_builds_stays(store: Store):
    sweep = saved(store, "scores")
    build(store, sweep)
    leave_claim(store.claim(sweep.jobs[sweep.cells[0].trained[1]].stage))
    removed_models.Removal(sweep, store).at_the_end()
    assert models(store, sweep) == [True, True, False]


def _until(root: Path, moment: str, hang: Callable[..., None]) -> None:
    """Remove models up to the moment when the records of one lie apart, or when all are in the trash."""
    store = Store(root)
    if moment == "records":
        Store.set_aside = hang
    else:
        removed_models.remove = lambda path: hang() if path.is_relative_to(root / "trash") else remove(path)
    removed_models.Removal(load(store, "s"), store).at_the_end()


@pytest.mark.parametrize("moment", ["records", "trash"])
def test_a_kill_while_models_go_loses_nothing_of_the_table(store: Store, moment: str):
    sweep = saved(store, "scores")
    build(store, sweep)
    before = rows(store, sweep)
    kill_at(_until, store.root, moment)
    assert rows(store, sweep) == before and not store.lacking(job.stage for job in sweep.jobs.values())
    removed_models.Removal(sweep, store).at_the_end()
    assert models(store, sweep) == [True, False, False] and rows(store, sweep) == before


def test_a_later_cell_trains_a_removed_model_again_and_the_plan_says_so(store: Store):
    sweep = saved(store, "scores", "suite.score=last")
    build(store, sweep)
    removed_models.Removal(sweep, store).at_the_end()
    later = saved(store, "scores")
    missing = store.lacking(job.stage for job in later.jobs.values())
    assert [key in missing for key in later.cells[0].trained] == [False, True, False]
    assert (
        removed_models.trained_again(missing.values(), store) == "1 model to train again: removed after scoring (keep=)"
    )
    build(store, later)
    assert removed_models.trained_again(store.lacking(job.stage for job in later.jobs.values()).values(), store) == ""
    removed_models.Removal(later, store).at_the_end()
    assert models(store, later) == [True, False, False]


def test_gc_removes_the_records_of_models_of_no_sweep(store: Store):
    sweep = saved(store, "scores")
    build(store, sweep)
    removed_models.Removal(sweep, store).at_the_end()
    first, last = sweep.cells[0].trained[1:]
    path = store.sweep("s") / "sweep.json"
    content = json.loads(path.read_bytes())
    write_json(path, {**content, "jobs": [job for job in content["jobs"] if job["key"] != first]})
    doomed = garbage.unused(store)
    assert doomed.paths == (store.root / "spent" / "train" / first,)
    assert (store.root / "spent" / "train" / last).exists()


@pytest.mark.parametrize(
    ("kept", "told"),
    [
        ("all", "2 models to keep, 38 GiB in bf16 and fp32; "),
        (
            "last",
            "2 models, 38 GiB in bf16 and fp32 together, each until it is scored; 1 model, 13 GiB, stays (keep=last); ",
        ),
        (
            "scores",
            "2 models, 38 GiB in bf16 and fp32 together, each until it is scored; 0 models, 0.00 GiB, stay "
            "(keep=scores); ",
        ),
    ],
)
def test_the_plan_says_what_disk_models_take_before_and_after(kept: str, told: str):
    words = ("model=llama_7b", "recipe=paper", "data=paper", "suite=paper", "~suite.tasks.mtbench")
    made = plan(cell(*words, "strategy=dmt", f"keep={kept}"))
    assert fit.lines(made, {stage.key for stage in made.stages}, None)[-1].startswith(f"disk: {told}")


def test_the_plan_counts_the_disk_of_checkpoints():
    words = ("model=llama_7b", "recipe=paper", "data=paper", "suite=paper", "~suite.tasks.mtbench")
    made = plan(cell(*words, "strategy=dmt", "recipe.checkpoints=[1/4,1/2]"))
    told = fit.lines(made, {stage.key for stage in made.stages}, None)[-1]
    assert told.startswith("disk: 2 models and 4 checkpoints to keep, 113 GiB in bf16 and fp32; ")
