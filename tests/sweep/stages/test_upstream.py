"""Upstream stores: their stages count as a store's own, and nothing there is written, claimed or removed."""

import json
import shutil
from pathlib import Path

import pytest

from common.json_file import write_json
from common.start import packaged_store
from eval.spec.scores import OverlapSpec
from sweep.launch.states import cell_states
from sweep.results import garbage
from sweep.results.saved_sweep import load, save
from sweep.stages.stage import Stage, StageRef
from sweep.stages.store import Damaged, Store
from sweep.stages.upstream import FILE, PACKAGED
from sweep.stages.worker import Job, build_stage
from tests.conftest import MATH_ALONE, TINY, sweep
from tests.sweep.composing import cell, plan
from tests.sweep.stages.processes import build, world
from train.spec import WorldSpec


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A colleague's store, with one finished stage."""
    build(Store(tmp_path / "lab"), world(0), "theirs")
    return tmp_path / "lab"


def files(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(p.relative_to(folder)): (p.stat().st_mtime_ns, p.stat().st_size) for p in folder.rglob("*")}


def test_a_stage_upstream_counts_and_stays_as_it_is(store_path: Path, lab: Path):
    before = files(lab)
    store = Store(store_path, [str(lab)])
    assert store.has(world(0))
    assert (store.path(world(0)) / "rows.txt").read_text() == "theirs"
    store.verify(store.path(world(0)))
    build(store, world(1), "mine")
    assert store.path(world(1)).is_relative_to(store_path)
    garbage.remove(store, garbage.unused(store))
    assert not store.has(world(1))  # no sweep uses it
    assert files(lab) == before


def test_a_worker_reads_upstream_and_writes_into_its_own_store(store_path: Path, lab: Path):
    base = Job(Stage("world", WorldSpec(0, 20, 20, 20, 5, 20), {}), None, lab, 1.0)
    assert build_stage(base, "me") == 0
    before = files(lab)
    store = Store(store_path, [str(lab)])
    store.remember_upstream()
    inputs = {name: StageRef("world", base.stage.key) for name in ("data", "source")}
    overlap = Stage("overlap", OverlapSpec("gsm8k", "test/math.jsonl", "math.jsonl"), inputs)
    assert build_stage(Job(overlap, None, store_path, 1.0), "me") == 0
    assert build_stage(Job(base.stage, None, store_path, 1.0), "me") == 0
    assert store.own(overlap).exists() and not store.own(base.stage).exists()
    assert files(lab) == before


@pytest.mark.slow
def test_a_sweep_takes_a_colleagues_stages_and_gets_their_table(store_path: Path, lab: Path):
    words = ["-m", *TINY, *MATH_ALONE, "fraction=1/4", "model.pretrain.epochs=null", "model.pretrain.steps=2"]
    theirs = sweep(*words, "name=s", store=lab)
    assert theirs.returncode == 0, theirs.stdout + theirs.stderr
    table = (lab / "sweeps" / "s" / "table.csv").read_bytes()
    before = files(lab)
    mine = sweep(*words, "name=s", f"upstream=[{lab}]", store=store_path)
    assert mine.returncode == 0 and ", 0 to run" in mine.stdout, mine.stdout + mine.stderr
    assert (store_path / "sweeps" / "s" / "table.csv").read_bytes() == table
    (store_path / "sweeps" / "s" / "table.csv").unlink()
    assert sweep("collect", store=store_path).returncode == 0
    assert (store_path / "sweeps" / "s" / "table.csv").read_bytes() == table
    assert "s: 1 cell, 1 done" in sweep("ls", store=store_path).stdout
    more = sweep(*words, "seed=1", "name=t", store=store_path)
    assert more.returncode == 0, more.stdout + more.stderr
    kept = {path.parent.name for path in (store_path / "train").glob("*/stage.json")}
    assert len(kept) == 1, "the base is the colleague's, the fine-tuning is new"
    assert files(lab) == before


def test_the_stage_of_the_store_itself_comes_first(store_path: Path, lab: Path):
    build(Store(store_path), world(0), "mine")
    assert (Store(store_path, [str(lab)]).path(world(0)) / "rows.txt").read_text() == "mine"


def test_a_store_remembers_its_upstream_for_other_processes(store_path: Path, lab: Path):
    store = Store(store_path, [PACKAGED, str(lab)])
    store.remember_upstream()
    assert Store(store_path).has(world(0))
    assert Store(store_path).upstream == (packaged_store(), lab)


def test_a_damaged_stage_upstream_is_named_with_its_place(store_path: Path, lab: Path):
    (Store(lab).path(world(0)) / "rows.txt").write_text("changed in length")
    with pytest.raises(Damaged, match=f"{lab}.*lies in an upstream store, which {store_path} only reads"):
        Store(store_path, [str(lab)]).has(world(0))


def test_an_upstream_store_that_is_not_there_is_named(store_path: Path, lab: Path):
    Store(store_path, [str(lab)]).remember_upstream()
    shutil.rmtree(lab)
    with pytest.raises(ValueError, match=f"the upstream store {lab} is not there; mount it, or leave it out"):
        Store(store_path).has(world(0))
    (store_path / FILE).write_text("{}")
    with pytest.raises(ValueError, match="cannot be read; write a list of stores into it"):
        Store(store_path).has(world(0))


@pytest.mark.parametrize("model", ["micro_xs", "micro_s"])
def test_the_packaged_bases_are_those_that_the_config_plans(model: str, store_path: Path):
    """Where a change to config or code gives the bases other keys, ``make bases`` trains them anew."""
    (planned,) = plan(cell(f"model={model}", "fraction=0"), store=store_path).cells
    (base,) = planned.trained
    store = Store(store_path, [PACKAGED])
    for stage in (base, base.inputs["tokenizer"]):
        assert isinstance(stage, Stage)
        assert store.path(stage).is_relative_to(packaged_store())
        assert store.has(stage)
        store.verify(store.path(stage))


def test_a_sweep_on_a_packaged_base_does_not_build_what_the_base_was_made_from(store_path: Path):
    made = plan(cell("model=micro_xs", "fraction=1/256"), store=store_path)
    corpus = {stage.key for stage in made.stages if stage.kind == "tokens" and stage.spec.supervise == "all"}
    assert len(corpus) == 2  # documents and dialogues
    for store, built in ((Store(store_path), corpus), (Store(store_path, [PACKAGED]), set())):
        assert corpus & set(store.lacking(made.stages)) == built


def test_a_cell_is_done_without_what_its_packaged_base_was_made_from(store_path: Path):
    made = plan(cell("model=micro_xs", "fraction=1/256"), store=store_path)
    store = Store(store_path, [PACKAGED])
    save(made, store)
    for stage in store.lacking(made.stages).values():
        store.own(stage).mkdir(parents=True)
        write_json(store.own(stage) / "stage.json", {"identity": json.loads(stage.text), "files": {}})
    (state,) = cell_states(load(store, made.name), store, {})
    assert state.state == "done"
    shutil.rmtree(store.own(made.cells[0].trained[-1]))
    assert cell_states(load(store, made.name), store, {})[0].state == "done"  # its scores are all that is asked for
    shutil.rmtree(store.own(made.cells[0].scores["gsm8k"]))
    (state,) = cell_states(load(store, made.name), store, {})
    assert (state.state, state.detail.split(" of ")[0]) == ("waiting", "1")


def test_nothing_else_is_packaged():
    kinds = sorted(path.name for path in packaged_store().iterdir())
    assert kinds == ["tokenizer", "train"]
    keys = sorted(path.name for path in (packaged_store() / "train").iterdir())
    planned = [plan(cell(f"model={model}", "fraction=0")).cells[0].trained[0].key for model in ("micro_xs", "micro_s")]
    assert keys == sorted(planned)
    assert all(Store(packaged_store()).has(StageRef("train", key)) for key in keys)
