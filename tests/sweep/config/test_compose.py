"""The composer gives what Hydra gives, cell for cell, and says what is wrong in one line."""

import pytest

from sweep.config.compose import freeze
from tests.sweep.composing import cell, composer, config, hydra

pytestmark = pytest.mark.slow

OVERRIDES = [
    ["fraction=1/4", "seed=3"],
    ["fraction=1/16", "seed=4"],
    ["strategy=dmt", "replay=1/64"],
    ["strategy=dmt", "replay=0"],
    ["strategy=dmt", "replay=1/4", "amount.math=0.5"],
    ["strategy=single", "ability=code", "recipe.learning_rate=1"],
    ["strategy=single", "ability=general", "recipe.learning_rate=1e-4"],
    ["ratio_arm=constant_total", "ratio=1/4", "strategy=multitask"],
    ["ratio_arm=constant_total", "ratio=1", "strategy=multitask"],
    ["+amount.law=1", "~suite.tasks.gsm8k", "seed=1"],
    ["+data.sources.math.columns.question=q", "seed=5"],
    ["strategy.stages=[{math: 1}, {code: 0.5}]", "seed=6"],
    ["exclude=[{seed: 1}]", "name=x"],
    ["ratio={a: 1}", "seed=1"],
    ["ratio={b: 1}", "seed=1"],
    ["amount.math=1/2", "amount={math: 1/4}"],
    ["amount={math: 1/4}", "amount.math=1/2"],
    ["seed=3", "++seed=4"],
    ["++seed=4", "seed=3"],
    ["model.pretrain=${recipe}", "recipe.learning_rate=0.1"],
    ["model.pretrain=${recipe}", "recipe.learning_rate=0.2"],
]


def test_the_composer_agrees_with_hydra():
    with hydra():
        fast, _ = composer()
        quick = [fast.cell(overrides) for overrides in (*OVERRIDES, *OVERRIDES[::-1])]
    for overrides, mine in zip((*OVERRIDES, *OVERRIDES[::-1]), quick, strict=True):
        assert repr(mine) == repr(cell(*overrides)), overrides


def test_unchanged_branches_are_the_same_objects():
    with hydra():
        fast, _ = composer()
        first, second = fast.cell(["fraction=1/4", "seed=1"]), fast.cell(["fraction=1/16", "seed=1"])
        third, fourth = (fast.cell([f"data.max_length={n}", "seed=2"]) for n in (64, 64))
    assert first.data is second.data
    assert first.recipe is second.recipe
    assert third.data.sources is fourth.data.sources


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["fractoin=1"], "did you mean fraction"),
        (["recipe.epoch=1"], "did you mean recipe.epochs"),
        (["recipe.lr=1"], r"recipe\.lr is not in the config; recipe has epochs, .*, learning_rate, "),
        (["seed=abc"], "seed=abc is not a whole number"),
        (["recipe.checkpoints=1/4"], r"recipe.checkpoints=1/4 is no list; write recipe.checkpoints=\[1/4\]"),
        (["recipe.checkpoints=[3/2]"], r"recipe.checkpoints=3/2 is no share of the steps"),
        (["data.max_length=long"], "data.max_length=long is not a whole number"),
        (["fraction=1/0"], "fraction: 1/0 is not an amount"),
        (["fraction=2"], "between 0"),
        (["ability=mth"], "no source of 'mth', .*did you mean 'math'"),
        (["amount.law=1/2"], "law"),
        (
            ["model=micro_z"],
            "model=micro_z: there is none of that name; did you mean 'micro_.*choose one of: .*micro_s",
        ),
        (["engine.zero_stage=2"], "choose engine=zero2"),
        (["sample_rounding=up"], "floor, round, ceil"),
        (["recipe.epochs=null"], "set exactly one"),
        (["+my_k=1/4"], r"my_k is not in the config; a value of your own.*ratio=\{my_k: VALUE\}.*\$\{ratio\.my_k\}"),
        (["+model.pretrain.checkpoints=[1/2]"], "model.pretrain.checkpoints is not in the config"),
        (["+strategy.interpolated=[seed]"], "strategy.interpolated is not in the config"),
        (["+sede=3"], "sede is not in the config; did you mean 'seed'"),
        (["recipe.warmup=1.5"], "fractions of all steps"),
        (["suite.tasks.gsm8k.task=quiz"], "gsm8k, humaneval"),
        (
            ["suite.tasks.math_loss.path=x", "suite.tasks.math_loss.format=xml"],
            r"suite\.tasks\.math_loss\.format='xml'.*gsm8k",
        ),
        (["+foo=1"], "foo"),
        (["~seed"], "needs seed"),
        (["tracker.name=paper"], "none, wandb"),
    ],
)
@pytest.mark.parametrize("position", ["first", "second"])
def test_bad_values_are_refused_wherever_they_stand(overrides, message, position):
    """The second cell of a sweep does not pass through Hydra: it must be as strict as the first."""
    with hydra():
        fast, _ = composer()
        if position == "second" and "+" not in overrides[0]:
            key = overrides[0].partition("=")[0]
            good = {
                "seed": "1",
                "fraction": "1",
                "data.max_length": "64",
                "ability": "math",
                "sample_rounding": "floor",
            }
            if key in good:
                fast.cell([f"{key}={good[key]}"])
        with pytest.raises(ValueError, match=message):
            fast.cell(overrides)


def test_interpolations_follow_the_values_they_name():
    with hydra():
        fast, _ = composer()
        replays = [
            fast.cell(["strategy=dmt", f"replay={k}"]).strategy.stages[1]["specialised"] for k in ("1/4", "1/8", "0")
        ]
    assert [replay.text for replay in replays] == ["1/4", "1/8", "0"]


def test_another_recipe_of_the_base_brings_its_empty_checkpoints():
    assert cell("recipe@model.pretrain=micro").model.pretrain.checkpoints == ()


def test_freeze_is_checked_and_frozen():
    made = freeze(config())
    with pytest.raises(AttributeError):
        made.seed = 1
    with pytest.raises(AttributeError):
        made.data.world.seed = 1


def test_a_group_that_is_named_like_a_key_is_a_group(tmp_path):
    (tmp_path / "conf" / "ratio").mkdir(parents=True)
    (tmp_path / "conf" / "ratio" / "tenth.yaml").write_text("# @package _global_\nratio: 1/10\nseed: 7\n")
    with hydra():
        fast, _ = composer(f"hydra.searchpath=[{tmp_path}/conf]")
        cell = fast.cell(["+ratio=tenth", "fraction=1/4"])
        with pytest.raises(ValueError, match="Could not override 'ratio'"):  # no defaults list has that group
            fast.cell(["ratio=tenth", "fraction=1/4"])
    assert (cell.ratio, cell.seed, cell.fraction.text) == ("1/10", 7, "1/4")
