"""The plan: what is shared, what is the same, what is refused, and which leaf of the config is identity."""

from fractions import Fraction
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from sweep.config.cell import EXECUTION, LABELS
from sweep.config.compose import freeze
from sweep.plan.amounts import amounts
from sweep.plan.plan import CellError
from sweep.results.saved_sweep import factors
from tests.sweep.composing import cell, config, leaves, plain, plan

POOLS = {"math": 8192, "code": 4000, "general": 2000}


composed_once = cache(config)


def portions(*overrides: str) -> list[dict[str, int]]:
    return amounts(cell(*overrides), POOLS)


def test_three_numbers_multiply():
    assert portions("strategy=single", "fraction=1/4", "amount.math=1/2") == [{"math": 1024}]
    assert portions("strategy=multitask", "fraction=1/4", "amount.code=400") == [
        {"math": 2048, "code": 100, "general": 500}
    ]
    assert portions("strategy=dmt", "replay=1/16")[1] == {"general": 2000, "math": 512, "code": 250}


@pytest.mark.parametrize(("rounding", "count"), [("floor", 7), ("round", 8), ("ceil", 8)])
def test_rounding_is_a_choice(rounding: str, count: int):
    assert portions("strategy=single", "ability=general", "fraction=1/256", f"sample_rounding={rounding}") == [
        {"general": count}
    ]


@given(st.integers(3, 6000), st.sampled_from(["1/256", "1/64", "1/16", "1/4", "1"]))
@settings(max_examples=25, deadline=None)
def test_a_constant_total_is_kept_exactly(total: int, ratio: str):
    composed = composed_once(
        "strategy=multitask", "ratio_arm=constant_total", f"ratio={ratio}", "allow_repeats=true"
    ).copy()
    composed.total_samples = total
    assert sum(count for stage in amounts(freeze(composed), POOLS) for count in stage.values()) == total


@given(st.fractions(Fraction(1, 200), 1), st.fractions(Fraction(1, 200), 1))
@settings(max_examples=50, deadline=None)
def test_more_is_never_less(one: Fraction, other: Fraction):
    composed = composed_once("strategy=single").copy()
    counts = []
    for fraction in sorted((one, other)):
        composed.fraction = f"{fraction.numerator}/{fraction.denominator}"
        counts.append(amounts(freeze(composed), POOLS)[0]["math"])
    assert counts[0] <= counts[1]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["amount.math=9000"], r"9000 samples of math, .* hold 2560.*allow_repeats=true"),
        (["fraction=1/100000"], "round to none.*sample_rounding=ceil"),
        (["data.sources.math.held_out_rows=99999"], "held_out_rows=99999"),
        (["data.sources.math.world=maths.jsonl"], r"math\.jsonl"),
        (["data.world=null"], "no world"),
    ],
)
def test_what_cannot_be_planned_names_cell_value_and_remedy(overrides, message):
    with pytest.raises(CellError, match=f"(?s)^cell cell1: .*{message}"):
        plan(cell("fraction=1/4"), cell(*overrides))
    with pytest.raises(CellError, match=f"(?s){message}") as alone:
        plan(cell(*overrides))
    assert "cell0" not in str(alone.value)


def test_repeat_allows_more_than_the_source_holds():
    made = plan(cell("amount.math=9000", "allow_repeats=true"))
    assert made.cells[0].samples == {"math": 9000}


def test_a_cell_whose_one_step_would_have_learning_rate_zero_is_refused():
    assert plan(cell("strategy=single", "amount.math=8")).cells  # three epochs are three steps
    assert plan(cell("strategy=single", "amount.math=9", "recipe.epochs=1")).cells
    assert plan(cell("strategy=single", "amount.math=8", "recipe.epochs=1", "recipe.warmup=0")).cells
    for recipe in (["recipe.epochs=1"], ["recipe.epochs=null", "recipe.steps=1"]):
        with pytest.raises(CellError, match=r"^recipe\.warmup=0\.05.*only 1 step.*set recipe\.warmup=0"):
            plan(cell("strategy=single", "amount.math=8", *recipe))


def test_only_what_no_stage_of_the_cell_trains_on_is_published_rounded():
    """bf16 by default in the recipe of large models, fp32 in that of the micro models."""
    (planned,) = plan(cell("strategy=single")).cells
    assert planned.trained[-1].spec.recipe.export_precision == "fp32"
    (planned,) = plan(cell("strategy=sequential", "model=llama_7b", "data=paper", "recipe=paper", "suite=base")).cells
    published = [stage.spec.recipe.export_precision for stage in planned.trained]
    assert published == [*["fp32"] * (len(published) - 1), "bf16"] and len(published) > 2


def test_stages_that_cells_share_are_planned_once():
    arms = [cell("strategy=dmt", f"replay={k}") for k in ("0", "1/256", "1/16")]
    made = plan(*arms, cell("strategy=mixed_sequential"))
    assert len(made.cells) == 3  # no replay is mixed_sequential
    assert len(made.duplicates) == 1
    trainings = [stage for stage in made.stages if stage.kind == "train"]
    assert len(trainings) == 1 + 1 + 3  # the base, the specialised stage all share, and three second stages


def test_fraction_zero_is_the_untrained_base_for_every_ability():
    made = plan(*(cell("fraction=0", f"ability={a}") for a in ("math", "code", "general")))
    assert len(made.cells) == 1
    assert made.cells[0].samples == {}


def test_seeds_share_data_and_base():
    made = plan(cell("seed=0"), cell("seed=1"))
    kinds = [stage.kind for stage in made.stages]
    assert kinds.count("world") == kinds.count("tokenizer") == 1
    assert kinds.count("train") == 3
    assert (
        kinds.count("tokens") == 2 + 1 + 3
    )  # the corpus and its dialogues, math, and the held-out rows of three abilities


def test_each_base_seed_is_a_base_of_its_own_that_its_cells_share_and_the_table_names():
    made = plan(*(cell(f"model.pretrain.seed={base}", f"seed={seed}") for base in (0, 1) for seed in (0, 1)))
    bases = [stage for stage in made.stages if stage.kind == "train" and stage.spec.architecture]
    assert [stage.spec.seed for stage in bases] == [0, 1]
    assert {stage.spec.seed for stage in made.stages if stage.kind == "train"} == {0, 1}
    assert len(made.cells) == 4
    assert [(factors(one)["base_seed"], factors(one)["seed"]) for one in made.cells] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert factors(plan(cell("model=qwen2.5_7b", "recipe.learning_rate=1e-5")).cells[0])["base_seed"] is None


def test_parents_stand_before_children():
    seen = set()
    for stage in plan(cell("strategy=dmt")).stages:
        assert {parent.key for parent in stage.parents} <= seen
        seen.add(stage.key)


OTHER = {
    "model.resources": {"minutes": 30},
    "ability": "code", "fraction": "1/2", "replay": "1/8", "sample_rounding": "ceil",
    "total_samples": 100, "allow_repeats": True,
    "data.template": "chatml", "data.system": "Be brief.", "data.world.math": 8000, "data.world.test": 100,
    "model.hub": "org/model", "model.revision": "abc", "model.path": ".", "strategy.stages.0.selected": "1/2",
    "engine.name": "deepspeed", "engine.zero_stage": 0, "engine.offload": "none", "engine.ranks": 1,
    "tracker.name": "wandb",
    "suite.precision": "bf16", "suite.backend": "vllm", "suite.template_options": '{"enable_thinking": false}',
    "recipe.checkpoints": ["1/2"],
    "recipe.precision": "bf16", "recipe.export_precision": "bf16", "recipe.schedule": "constant",
    "model.pretrain.precision": "bf16", "model.pretrain.export_precision": "bf16",
    "model.pretrain.schedule": "constant", "model.architecture.num_heads": 2, "model.architecture.num_kv_heads": 1,
    "model.architecture.hidden_size": 128, "suite.score": "last", "dry_run": True, "keep": "last",
    "exclude": [{"seed": 5}], "tracker.entity": "team",
}  # fmt: skip
"""Another valid value for leaves that cannot simply be one more, one longer or the other truth value."""

PAIRED = (
    "epochs",
    "steps",
    "batch_samples",
    "batch_tokens",
    "format",
    "world",
    "path",
    "hub",
    "revision",
    "num_rows",
    "answers_per_item",
    "split",
    "config",
    "file",
    "form",
    "top_p",
    "shots",
    "shots_from",
    "shots_seed",
    "references",
    "judge",
    "judge_client",
)
"""Ends of leaves that change only together with others; each reaches a spec, whose fields test_stage covers."""

INERT_HERE = (
    "replay",
    "data.replay",
    "allow_repeats",
    "data.general",
    "sample_rounding",
    "exclude",
    "recipe.decay",
    "model.pretrain.decay",
)
"""Leaves without effect on the default cell; each has a test of its own above, or acts in other strategies."""


OF_OTHER_TASKS = ("template", "stops", "majority", "compare", "ignore")
"""Settings of tasks that the default suite does not have, and that are refused or without effect in those it has."""


def matches(path: str, pattern: str) -> bool:
    parts, want = path.split("."), pattern.split(".")
    return len(parts) >= len(want) and all(w in ("*", p) for p, w in zip(parts, want, strict=False))


def other(path: str, value: object) -> object:
    if path in OTHER:
        return OTHER[path]
    if path.endswith(".clean"):
        return ["drop_empty_turns"]
    if path.endswith(".only"):
        return {"topic": ["facts"]}
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value * 0.5 + 0.01
    return f"{value}x" if isinstance(value, str) else 7


def keys(composed) -> set[str]:
    return {stage.key for stage in plan(freeze(composed)).stages}


def test_every_leaf_is_identity_or_declared_otherwise():
    """Change each leaf in turn: declared ones leave every key alone, all others change some key."""
    base = config("strategy=single", "fraction=1/4", "amount.math=1")
    before = keys(base)
    checked = 0
    for path, value in leaves(plain(base)):
        if path.split(".")[-1] in PAIRED or path in INERT_HERE or path in ("data.sources.math.ability",):
            continue
        if "_loss." in path:  # task loss generates nothing
            continue
        if any(matches(path, f"suite.tasks.*.{name}") for name in OF_OTHER_TASKS):
            continue
        if path.endswith((".ability", ".columns", ".task", ".on_bad_row", ".on_overlong", ".tokens_per_sample")):
            continue
        declared = any(matches(path, pattern) for pattern in (*EXECUTION, *LABELS))
        changed = base.copy()
        OmegaConf.set_struct(changed, False)
        OmegaConf.update(changed, path, other(path, value))
        if (
            path in ("model.architecture.num_heads",)
            or path.startswith("model.hub")
            or path == "model.revision"
            or path == "model.path"
        ):
            continue
        same = keys(changed) == before
        assert same == declared, f"{path}: {'no key' if same else 'some key'} changed, declared: {declared}"
        checked += 1
    assert checked > 60


def test_every_declared_leaf_exists():
    paths = [path for path, _ in leaves(plain(config("strategy=single", "suite=micro")))]
    for pattern in (*EXECUTION, *LABELS):
        assert any(matches(path, pattern) for path in paths), pattern
