"""What stages cost, by hand: tokens, operations, seconds and memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweep.plan.cost import Cost, costs, gpus, share_of_peak
from sweep.plan.plan import Plan
from sweep.stages.stage import Stage
from tests.sweep.composing import cell, plan

PARAMETERS = 242_112  # of micro_s
TOKENS = 40.0  # of a sample, as the plan estimates those of the world


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


def tuned(*overrides: str) -> tuple[Cost, Plan, Stage]:
    """The cost of the fine-tuning of a cell of 160 samples of math."""
    made = plan(cell("ability=math", "fraction=1/16", *overrides))
    (stage,) = (s for s in made.stages if s.kind == "train" and s.spec.architecture is None)
    assert [portion.samples for portion in stage.spec.portions] == [160]
    return costs(made)[stage.key], made, stage


@pytest.mark.parametrize(
    ("recipe", "tokens"),
    [
        (["recipe.epochs=3"], 3 * 160 * TOKENS),
        (["recipe.epochs=0.5"], 160 * TOKENS / 2),
        (["recipe.epochs=null", "recipe.steps=7", "recipe.batch_samples=4"], 7 * 4 * TOKENS),
        (["recipe.epochs=null", "recipe.steps=7", "recipe.batch_samples=null", "recipe.batch_tokens=100"], 7 * 100),
    ],
)
def test_training_takes_six_operations_a_parameter_and_token(recipe: list[str], tokens: float):
    cost, made, stage = tuned(*recipe)
    assert made.parameters[stage.key] == PARAMETERS
    assert cost.tokens == tokens
    assert cost.flops == 6 * PARAMETERS * tokens
    assert cost.seconds == pytest.approx(0.5 + cost.flops / 4.5e10)
    assert not cost.gpu


def test_several_sources_of_an_ability_count_with_their_mean_length():
    made = plan(cell("strategy=multitask", "fraction=1/16", "recipe.epochs=2"))
    (stage,) = (s for s in made.stages if s.kind == "train" and s.spec.architecture is None)
    samples = sum(portion.samples for portion in stage.spec.portions)
    assert costs(made)[stage.key].tokens == pytest.approx(2 * samples * TOKENS)


def test_answers_take_two_operations_a_parameter_and_token():
    """60 tokens an item, and 300 items where the suite does not say how many."""
    for overrides, items in (([], 300), (["suite.tasks.gsm8k.max_items=50"], 50)):
        made = plan(cell("ability=math", "fraction=1/16", *overrides))
        (answer,) = (s for s in made.stages if s.kind == "answer" and s.spec.task == "gsm8k")
        cost = costs(made)[answer.key]
        assert (cost.tokens, cost.flops) == (items * 60, 2 * PARAMETERS * items * 60)


def test_stages_without_a_model_take_their_overhead_alone():
    made = plan(cell("ability=math", "fraction=1/16"))
    found = {stage.kind: costs(made)[stage.key] for stage in made.stages}
    assert found["world"] == Cost(0.0, 0.0, 3.0, False)
    assert found["score"] == Cost(0.0, 0.0, 0.2, False)


def test_a_judge_takes_five_seconds_a_call(tmp_path: Path):
    """Four turns, each rated three times, by two calls at once."""
    path = tmp_path / "few.jsonl"
    path.write_text('{"turns": ["a", "b", "c"]}\n{"prompt": "d"}\n')
    client = ["model=grader", "repeats=3"], ["input_price=30", "output_price=60", "concurrency=2"]
    judge = [f"suite.judge.{one}" for one in client[0]] + [f"suite.judge_client.{one}" for one in client[1]]
    made = plan(cell("suite=paper", *judge, f"suite.tasks.mtbench.path={path}"))
    (score,) = (stage for stage in made.stages if stage.kind == "score" and stage.spec.judge is not None)
    assert costs(made)[score.key] == Cost(0.0, 0.0, pytest.approx(0.2 + 4 * 3 * 5 / 2), False)


def test_models_above_100_million_parameters_are_planned_for_gpus():
    for parameters, gpu in ((10**8 - 1, False), (10**8, True)):
        cost, _, _ = tuned(f"model.parameters={parameters}")
        assert cost.gpu == gpu
        moved = 6 * parameters / 1e9  # read in bf16, written in fp32
        assert cost.seconds == pytest.approx(0.5 + (moved + cost.flops / 4.945e14 if gpu else cost.flops / 4.5e10))


@pytest.mark.parametrize(("devices", "share"), [(1, 0.5), (2, 0.42), (8, 0.42), (16, 0.33), (32, 0.33), (64, 0.25)])
def test_the_more_gpus_the_less_of_their_peak(devices: int, share: float):
    assert share_of_peak(devices) == share


def test_ranks_share_the_time_and_not_the_hours():
    alone, _, _ = tuned("model.parameters=1000000000")
    many, _, _ = tuned("model.parameters=1000000000", "engine=zero3", "engine.ranks=16")
    assert (many.tokens, many.flops, many.devices) == (alone.tokens, alone.flops, 16)
    fixed = 0.5 + 6.0
    assert (many.seconds - fixed) * 16 * 0.33 == pytest.approx((alone.seconds - fixed) * 0.5)
    assert many.hours == pytest.approx(16 * many.seconds / 3600)


@pytest.mark.parametrize(
    ("recipe", "steps"),
    [(["recipe.epochs=null", "recipe.steps=7"], 7), (["recipe.epochs=2", "recipe.batch_samples=32"], 2 * 160 / 32)],
)
def test_states_on_the_host_are_updated_by_its_processors_in_every_step(recipe: list[str], steps: float):
    """A node of eight ranks updates all states of its share."""
    large = ("model.parameters=1000000000", *recipe, "engine.ranks=16")
    card, _, _ = tuned(*large, "engine=zero3")
    host, _, _ = tuned(*large, "engine=zero3_offload")
    assert host.seconds - card.seconds == pytest.approx(steps * 0.55 / 2)


def test_answers_of_a_large_model_read_its_weights_for_every_token():
    """1,319 items, 64 at a time, 512 tokens each, of a 7B: 43 s at the memory's speed, as the issue counts them."""
    made = plan(cell("suite=paper", "model=llama_7b", "recipe=paper", "~suite.tasks.mtbench", "fraction=1/16"))
    (answer,) = (s for s in made.stages if s.kind == "answer" and s.spec.task == "gsm8k")
    weights = 2 * 6738415616
    written = 512 * 21 * weights / 3.35e12
    assert written == pytest.approx(43, abs=0.5)
    flops = 2 * 6738415616 * 1319 * 60
    assert costs(made)[answer.key].seconds == pytest.approx(0.5 + weights / 1e9 + flops / 4.945e14 + written)


@pytest.mark.parametrize(("card", "devices"), [("null", 2), ("80", 2), ("40", 4)])
def test_answers_on_several_gpus_take_the_hours_of_all_of_them(card: str, devices: int):
    """134 GiB of weights and cache; where neither the config nor the machine says what a GPU holds, it is 80 GiB."""
    words = ("suite=paper", "model=llama_33b", "recipe=paper", "~suite.tasks.mtbench", "fraction=1/16")
    made = plan(cell(*words, f"engine.gpu_gib={card}"))
    (answer,) = (s for s in made.stages if s.kind == "answer" and s.spec.task == "gsm8k")
    cost = costs(made)[answer.key]
    assert (cost.devices, cost.hours) == (devices, devices * cost.seconds / 3600)


def test_a_gpu_is_used_by_models_of_any_size_where_there_is_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,2")
    cost, made, _ = tuned()
    assert cost.gpu
    assert not costs(made)[next(s.key for s in made.stages if s.kind == "world")].gpu


@pytest.mark.parametrize(("visible", "found"), [("", []), ("-1", []), ("0", ["0"]), ("1,3", ["1", "3"])])
def test_gpus_are_those_that_are_visible(visible: str, found: list[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpus() == found
