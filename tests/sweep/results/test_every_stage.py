"""Every stage of a strategy is measured: in the plan, in the table and its items, and in what a sweep may lose."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pytest

from common.json_file import write_json
from eval.items.metrics import share
from sweep.config.strategy import Moment
from sweep.plan.files import Files
from sweep.plan.plan import Plan, make
from sweep.results import table, warnings
from sweep.results.saved_sweep import SavedSweep, check_replacement, load, save
from sweep.results.stage_names import stage_names
from sweep.stages.store import Store
from tests.sweep.composing import cell, plan
from train.spec import checkpoint_folder

ORDER = ["code", "math", "general"]


def planned(store: Store, *words: str) -> Plan:
    cells = [cell(*words, f"strategy={name}") for name in ("single", "sequential")]
    return make("s", [(one.strategy.name, one, {}) for one in cells], Files(store))


def measure(saved: SavedSweep, store: Store) -> None:
    """Write what each score's stage would: of ten items as many right as the score has stages behind it."""
    for one in saved.cells:
        for score in saved.measured(one):
            folder = store.path(score.job.stage)
            folder.mkdir(parents=True, exist_ok=True)
            after = score.moment.after_stage
            right = [place < after for place in range(10)]
            high = [{"metric": "empty_rate", "value": 0.5, "limit": 0.1}] if after == 2 else []
            write_json(folder / "summary.json", {"metrics": [asdict(share("accuracy", right))], "warnings": high})
            rows = [{"metric": "accuracy", "item": str(n), "value": float(v), "weight": 1} for n, v in enumerate(right)]
            (folder / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
            (folder / "scores.jsonl").touch()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


@pytest.mark.parametrize(
    ("words", "stages"),
    [
        (["strategy=single"], [1]),
        (["strategy=sequential"], [1, 2, 3]),
        (["strategy=mixed_sequential"], [1, 2]),
        (["strategy=dmt"], [1, 2]),
        (["strategy=sequential", "amount.math=0"], [1, 2]),
        (["strategy=sequential", "fraction=0"], [0]),
        (["strategy=single", "recipe.checkpoints=[1/2,1/4]"], [0.25, 0.5, 1]),
        (["strategy=dmt", "recipe.checkpoints=[1/4]"], [0.25, 1, 1.25, 2]),
        (["strategy=dmt", "recipe.checkpoints=[0.25]", "suite.score=last"], [1.25, 2]),
        (["strategy=single", "recipe.checkpoints=[1/4]", "fraction=0"], [0]),
        (["strategy=sequential", "suite.score=last"], [3]),
        (["strategy=sequential", "model=llama_7b", "recipe=paper"], [1, 2, 3]),
        (["strategy=sequential", "model=llama_7b", "recipe=paper", "fraction=0"], [0]),
    ],
)
def test_each_training_stage_is_scored_in_every_task(words: list[str], stages: list[int], store: Store):
    made = plan(cell(*words), store=store.root)
    saved = save(made, store)
    (one,) = saved.cells
    assert load(store, "test") == saved
    tasks = sorted(made.cells[0].cell.suite.tasks)
    measured = [(score.moment.after_stage, score.task) for score in saved.measured(one)]
    assert measured == [(n, t) for n in stages for t in tasks]
    tuned = [stage.key for stage in saved.tuned(one)]
    for score in saved.measured(one):
        answers = saved.jobs[score.job.stage.inputs["answers"].key].stage
        model = answers.inputs.get("model")
        if score.moment.stage:
            assert model is not None and model.key == tuned[score.moment.stage - 1]
            share = score.moment.checkpoint
            assert answers.spec.model_folder == (checkpoint_folder(share) if share else "")
        else:
            assert model is None or model.key == one.trained[0]


def test_a_stage_that_another_cell_has_is_scored_once():
    first = plan(cell("strategy=sequential", "suite.score=every"), cell("strategy=single", "ability=code"))
    alone = plan(cell("strategy=sequential"))
    assert first.cells[0].earlier[0] == (Moment(1), first.cells[1].scores)
    assert len(first.stages) == len(alone.stages)


def test_a_cell_is_the_same_whether_its_earlier_stages_are_scored_or_not():
    both = [cell("strategy=dmt", f"suite.score={score}") for score in ("every", "last")]
    assert plan(both[0]).cells[0].key == plan(both[1]).cells[0].key
    assert len(plan(*both).duplicates) == 1


def test_the_table_says_what_each_measured_model_was_trained_on(store: Store):
    saved = save(planned(store, "ability=code", "fraction=1/2"), store)
    measure(saved, store)
    path = table.write(saved, store)
    rows = pd.read_csv(path)
    assert pd.read_parquet(path.with_suffix(".parquet")).shape == rows.shape
    own = rows[(rows["cell"] == "sequential") & (rows["task"] == "gsm8k")].set_index("after_stage")
    assert own["value"].to_list() == [0.1, 0.2, 0.3]
    assert own["last_stage"].to_list() == [3, 3, 3]
    assert own["trained_on"].to_list() == ["code", "code+math", "code+math+general"]
    assert own["train_samples"].to_list() == [0, 1280, 1280]
    assert own["samples_code"].to_list() == [1280] * 3
    assert own["samples_general"].to_list() == [0, 0, 3072]
    assert own["total_samples"].to_list() == [1280, 2560, 5632]
    (single,) = rows.loc[
        (rows["cell"] == "single") & (rows["task"] == "gsm8k"), ["after_stage", "last_stage"]
    ].to_numpy()
    assert single.tolist() == [1, 1]
    items = pd.read_parquet(path.with_name("items.parquet"))
    keys = ["cell", "after_stage", "task"]
    means = items.astype({"cell": str, "task": str}).groupby(keys)["value"].mean()
    expected = rows.set_index(keys)["value"].sort_index()
    assert means.to_dict() == pytest.approx(expected.to_dict())


def test_hours_count_every_scored_stage(store: Store):
    hours = {}
    for score in ("every", "last"):
        saved = save(planned(store, "ability=code", f"suite.score={score}"), store)
        measure(saved, store)
        rows = pd.read_csv(table.write(saved, store))
        hours[score] = rows.groupby("cell")["hours"].first()
    assert hours["every"]["sequential"] > hours["last"]["sequential"]
    assert hours["every"]["single"] == hours["last"]["single"]


def test_a_warning_names_the_stage_and_counts_cells(store: Store):
    saved = save(planned(store, "ability=code"), store)
    measure(saved, store)
    lines = [line for line in warnings.write(saved, store) if "gsm8k:" in line]
    assert lines == ["warning: gsm8k: empty_rate is above 10% in 1 of 2 cells, up to 50% (sequential after stage 2)"]


def test_a_sweep_loses_no_scores_of_earlier_stages(store: Store):
    last = planned(store, "ability=code", "suite.score=last")
    every = planned(store, "ability=code")
    save(last, store)
    check_replacement(every, store, replace=False)
    save(every, store)
    check_replacement(last, store, replace=False)  # nothing is measured yet
    measure(load(store, "s"), store)
    with pytest.raises(
        ValueError, match=r"drop 1 of them, such as sequential after its earlier stages; .*replace=true"
    ):
        check_replacement(last, store, replace=False)
    check_replacement(last, store, replace=True)


def test_a_sweep_saved_before_stages_were_scored_is_read(store: Store):
    saved = save(planned(store, "ability=code", "suite.score=last"), store)
    file = store.sweep("s") / "sweep.json"
    text = json.loads(file.read_text())
    for one in text["cells"]:
        del one["earlier"]
    write_json(file, text)
    assert load(store, "s") == saved


def test_a_sweep_saved_before_there_were_checkpoints_is_read(store: Store):
    saved = save(planned(store, "ability=code"), store)
    file = store.sweep("s") / "sweep.json"
    text = json.loads(file.read_text())
    for one in text["cells"]:
        one["earlier"] = [moment["scores"] for moment in one["earlier"]]
    write_json(file, text)
    assert load(store, "s") == saved


def test_the_table_says_what_a_checkpoint_was_trained_on(store: Store):
    saved = save(planned(store, "ability=code", "recipe.checkpoints=[1/4]"), store)
    measure(saved, store)
    single = saved.cells[0]
    (stage,) = saved.tuned(single)
    folder = store.path(stage)
    folder.mkdir(parents=True)
    dose = {"ability": "code", "samples": 2560, "presentations": 7680, "tokens": 90, "supervised_tokens": 50}
    quarter = dose | {"samples": 1920, "presentations": 1920, "tokens": 20, "supervised_tokens": 9}
    summary = {"sources": {"code": dose}, "checkpoints": {"1/4": {"steps": 1, "sources": {"code": quarter}}}}
    write_json(folder / "summary.json", summary)
    rows = pd.read_csv(table.write(saved, store))
    own = rows[(rows["cell"] == "single") & (rows["task"] == "humaneval")].set_index("after_stage")
    columns = ["train_samples", "samples_code", "total_samples", "presentations", "tokens", "supervised_tokens"]
    assert own.loc[0.25, columns].tolist() == [1920, 1920, 1920, 1920, 20, 9]
    assert own.loc[1, columns].tolist() == [2560, 2560, 2560, 7680, 90, 50]
    assert own["last_stage"].tolist() == [1, 1]
    assert sorted(pd.read_parquet(store.sweep("s") / "items.parquet")["after_stage"].unique()) == [
        0.25, 1.0, 1.25, 2.0, 2.25, 3.0,
    ]  # fmt: skip
    assert stage_names(saved)[single.earlier[0][1]["gsm8k"]["key"]] == "score gsm8k, single, stage 1 at 1/4"


def test_only_every_and_last_are_choices():
    with pytest.raises(ValueError, match=r"suite\.score='all' is unknown; choose one of: every, last"):
        cell("suite.score=all")
