"""Models from a folder or the hub: their names, sizes and recipes are their own, and what they lack ends the plan."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from sweep.plan.plan import CellError
from sweep.plan.planner import parameters
from sweep.results.saved_sweep import factors
from tests.conftest import sweep
from tests.sweep.composing import cell, composer, hydra, plan

RATE = (
    r"takes its learning rate from a model that is pretrained here.*give recipe=paper, or .*recipe\.learning_rate=2e-5"
)


def model_folder(folder: Path, size: int = 10) -> Path:
    """A folder with the files of a model, as a plan sees them."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "architectures": ["LlamaForCausalLM"]}))
    (folder / "tokenizer.json").write_text("{}")
    save_file({"weight": np.zeros((size, 3), np.float32)}, folder / "model.safetensors")
    return folder


def test_a_folder_over_the_default_model_has_its_own_name_size_and_no_architecture(tmp_path: Path) -> None:
    here = cell(f"model.path={model_folder(tmp_path / 'mine')}", "recipe=paper")
    assert (here.model.name, here.model.architecture, here.model.pretrain) == ("mine", None, None)
    assert parameters(here) == 30
    row = factors(plan(here).cells[0])
    assert (row["model"], row["params"], row["base_seed"]) == ("mine", 30, None)
    assert here.recipe.learning_rate == 2e-5
    named = cell(f"model.path={tmp_path / 'mine'}", "model.name=other", "model.parameters=7", "recipe=paper")
    assert (named.model.name, parameters(named)) == ("other", 7)
    assert cell("model=micro_l").model.name == "micro_l"
    assert cell(f"model.path={tmp_path}/mine/", "recipe=paper").model.name == "mine"


def test_a_hub_model_over_the_default_model_is_named_by_repository_and_revision(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    words = ("model.hub=org/Small-1B", "recipe.learning_rate=1e-5")
    main, step = cell(*words, "model.revision=main"), cell(*words, "model.revision=step-5")
    assert (main.model.name, step.model.name) == ("Small-1B", "Small-1B@step-5")
    assert (main.model.architecture, main.recipe.learning_rate) == (None, 1e-5)
    assert factors(plan(main).cells[0])["params"] is None  # unknown, not 0
    model_folder(tmp_path / "models--org--Small-1B" / "snapshots" / "abc")
    (tmp_path / "models--org--Small-1B" / "refs").mkdir()
    (tmp_path / "models--org--Small-1B" / "refs" / "main").write_text("abc")
    assert factors(plan(main).cells[0])["params"] == 30


def test_an_untrained_hub_model_answers_from_the_hub_and_a_trained_one_from_its_training(tmp_path: Path) -> None:
    def answers(*words: str) -> list[tuple[str | None, str | None, bool]]:
        made = plan(cell(*words))
        some = [stage for stage in made.stages if stage.kind == "answer"]
        return [(one.spec.model_repo, one.spec.model_revision, "model" in one.inputs) for one in some]

    hub = ("model.hub=org/Small", "model.revision=step-5", "recipe=paper")
    assert {*answers(*hub, "fraction=0")} == {("org/Small", "step-5", False)}
    assert {*answers(*hub, "fraction=1/4")} == {(None, None, True)}
    assert {*answers(f"model.path={model_folder(tmp_path / 'mine')}", "recipe=paper", "fraction=0")} == {
        (None, None, True)
    }


@pytest.mark.parametrize("words", [["model.path=/m"], ["model.hub=a/b", "model.revision=main"], ["model=llama_7b"]])
def test_the_micro_recipe_says_what_to_give_for_a_model_that_is_not_pretrained_here(words: list[str]) -> None:
    with pytest.raises(ValueError, match=RATE):
        cell(*words)
    assert cell(*words, "recipe=paper").recipe.learning_rate == 2e-5
    assert cell(*words, "recipe.learning_rate=1e-3").recipe.learning_rate == 1e-3


def test_swept_places_are_read_as_each_alone(tmp_path: Path) -> None:
    with hydra():
        composing, _ = composer()
        rate, *paths = "recipe.learning_rate=1e-3", *(f"model.path={tmp_path / name}" for name in ("a", "b"))
        lists = (
            [paths[0], rate, "seed=0"],
            [rate, "seed=0"],
            [paths[1], rate, "seed=1"],
            ["model=micro_m", paths[0], rate],
        )
        assert [composing.cell(words).model.name for words in lists] == ["a", "micro_s", "b", "a"]
        assert composing.cell([paths[1], rate]).model.architecture is None
        assert composing.cell(["model.path=null", "seed=1"]).model.scratch
        for words in ([paths[0], "seed=1"], ["model.hub=a/b", "model.revision=main", "seed=1"]):
            with pytest.raises(ValueError, match=RATE):
                composing.cell(words)


def test_two_models_of_one_name_are_refused(tmp_path: Path) -> None:
    paths = [model_folder(tmp_path / name / "last", size) for name, size in (("a", 1), ("b", 2))]
    cells = [cell(f"model.path={path}", "recipe=paper") for path in paths]
    with pytest.raises(
        ValueError, match=r"model\.name=last stands for both model\.path=\S*/a/last and .*/b/last; give"
    ):
        plan(*cells)
    assert len(plan(cells[0], cell(f"model.path={paths[1]}", "model.name=b", "recipe=paper")).cells) == 2
    micro = model_folder(tmp_path / "micro_s")
    with pytest.raises(ValueError, match=r"micro_s stands for both pretraining and model\.path="):
        plan(cell(), cell(f"model.path={micro}", "recipe=paper"))


@pytest.mark.parametrize(
    ("part", "message"),
    [("tokenizer.json", "no tokenizer"), ("model.safetensors", "no weights"), ("config.json", r"no config\.json")],
)
def test_a_folder_that_lacks_a_part_ends_the_plan(tmp_path: Path, part: str, message: str) -> None:
    folder = model_folder(tmp_path / "mine")
    (folder / part).unlink()
    with pytest.raises(CellError, match=rf"model\.path={folder}: {message}"):
        plan(cell(f"model.path={folder}", "recipe=paper"))


@pytest.mark.parametrize("name", ["max_position_embeddings", "n_positions"])
def test_samples_longer_than_the_model_takes_are_refused(tmp_path: Path, name: str) -> None:
    folder = model_folder(tmp_path / "mine")
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", name: 64}))
    words = (f"model.path={folder}", "recipe=paper")
    with pytest.raises(CellError, match=rf"data\.max_length=65 is more than the 64 positions in {folder}/config\.json"):
        plan(cell(*words, "data.max_length=65"))
    assert plan(cell(*words, "data.max_length=64")).cells


def test_a_dry_run_refuses_a_folder_without_weights(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "mine")
    (folder / "model.safetensors").unlink()
    ended = sweep(f"model.path={folder}", "recipe=paper", "dry_run=true", store=tmp_path / "store")
    assert ended.returncode == 2
    assert f"model.path={folder}: no weights" in ended.stderr and "Traceback" not in ended.stderr
