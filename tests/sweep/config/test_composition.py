"""For any list of overrides the cell of a sweep is what stock Hydra composes, in whatever order the cells come."""

import os
from functools import cache
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sweep.cli.multirun import cells
from sweep.config.amount import Amount
from sweep.config.compose import CellComposer
from tests.sweep.composing import cell, composer, hydra

pytestmark = pytest.mark.slow

EXAMPLES = int(os.environ.get("DOSAGE_EXAMPLES", "15"))
"""Sweeps tried, of up to 4 cells; `python -m tests.bench composition` compares 1,000 lists of overrides."""

CHOICES = {
    "strategy": ("single", "multitask", "sequential", "mixed_sequential", "dmt"),
    "ratio_arm": ("constant_total", "general_small", "special_full", "null"),
    "model": ("micro_xs", "micro_m", "llama_7b"),
    "data": ("micro", "local"),
    "recipe": ("micro", "paper"),
    "recipe@model.pretrain": ("micro", "pretrain"),
    "suite": ("micro", "open", "paper"),
    "engine": ("torch", "zero2"),
    "tracker": ("none", "wandb"),
}
VALUES = {
    "seed": ("0", "3", "${data.world.seed}", "range(0,3)", "range(1,8,3)"),
    "ability": ("math", "code", "'math'", "general"),
    "fraction": ("1/4", "0", "1", "0.5", "'1/16'", "${ratio}", "1e-2"),
    "replay": ("0", "1/64", "${fraction}", "1/2"),
    "ratio": ("1/4", "1", "${replay}"),
    "total_samples": ("1024", "null", "${data.max_length}"),
    "allow_repeats": ("true", "false", "yes"),
    "sample_rounding": ("floor", "ceil"),
    "name": ("null", "'a, b'", "run-1", "'null'", "123", '"x=y"', "${ability}_${seed}", "a b", "${hydra:job.name}"),
    "exclude": ("[{seed: 1}]", "[]", "[{ability: code, fraction: 1/4}, {seed: 2}]"),
    "amount": ("{math:1/4}", "{code:1/4}", "{math: 0.5, general: 100}", "{math: '${ratio}'}"),
    "amount.math": ("1/4", "500", "0.25", "'1/2'", "${fraction}"),
    "amount.code": ("1/4", "int(2)", "str(1)"),
    "amount.specialised": ("1/8", "${fraction}", "12"),
    "amount.general": ("1/2", "0"),
    "data.max_length": ("64", "96", "${model.architecture.max_length}"),
    "data.world": ("null", "{seed: 2, math: 1, code: 1, general: 1, test: 1, corpus: 1}"),
    "data.sources": ("{math: {held_out_rows: 3}}", "{}"),
    "model.pretrain": ("${recipe}", "null", "{epochs: 2}"),
    "model.pretrain.learning_rate": ("0.01", "1", "${recipe.epochs}"),
    "model.architecture.num_layers": ("1", "2"),
    "recipe.learning_rate": ("1e-4", "1", "${model.pretrain.learning_rate}"),
    "recipe.epochs": ("1", "2.5"),
    "recipe": ("{epochs: 1}", "{schedule: constant, warmup: 0}"),
    "strategy.stages": (
        "[{math: 1}, {code: 0.5}]",
        "[{general: '${replay}'}]",
        "[]",
        "[{each: 1/2}]",
        "[{all: '${ratio}'}]",
    ),
    "strategy.name": ("mine", "${suite.name}"),
    "suite.tasks": ("{extra: {ability: math, task: loss}}", "{}"),
    "suite.judge": ("null", "{model: m}", "{repeats: 2}"),
    "engine.ranks": ("1",),
    "tracker.entity": ("team", "null"),
}
OFTEN_WRONG = {
    "seed": ("null", "abc", "1.5"),
    "ability": ("law", "${tracker.name}"),
    "fraction": ("2", "1/0", "true", "interval(0,1)", "null"),
    "total_samples": ("0", "${data.world.math}"),
    "sample_rounding": ("up",),
    "amount": ("{law: 1}", "1"),
    "amount.law": ("1", "1/4", "{a: 1}"),
    "data.general": ("math", "law"),
    "amount.math": ("{a: 1}", "null", "[1, 2]"),
    "model": ("huge",),
    "data.max_length": ("long", "100000"),
    "data.world": ("{seed: 2}",),
    "data.world.seed": ("1", "${seed}"),
    "data.sources.math": ("{held_out_rows: 3}", "null", "{world: code.json, format: alpaca}"),
    "data.sources.math.held_out_rows": ("12", "0", "-1"),
    "data.sources.math.columns": ("{question: q}", "{answer: a}", "{}"),
    "data.sources.math.columns.question": ("q", "'a b'"),
    "model.pretrain": ("{seed: 1}", "${suite}"),
    "recipe.learning_rate": ("null", "${seed}"),
    "recipe.epochs": ("null", "1e400"),
    "recipe.steps": ("100", "null"),
    "recipe": ("${model.pretrain}",),
    "strategy.stages.0.math": ("1/2", "${fraction}"),
    "strategy.name": ("null",),
    "suite.tasks.gsm8k.max_new_tokens": ("8", "0"),
    "suite.tasks.gsm8k": ("{max_items: 3}", "{temperature: 1, answers_per_item: 2}"),
    "suite.tasks": ("{gsm8k: {max_items: 2}}",),
    "suite.judge.model": ("gpt", "null"),
    "suite.judge_client.dollars": ("2", "-1"),
    "engine.ranks": ("2",),
    "tracker.entity": ("???",),
    "foo": ("1",),
    "data.nothing.there": ("1",),
}
"""Values that are refused, and keys that only some group choices have."""

DELETIONS = (
    "~suite.tasks.gsm8k", "~suite.tasks.math_loss", "~amount.general", "~amount.code=1", "~data.sources.code",
    "~ratio_arm",
    "~suite.judge", "~suite.tasks", "~amount.code=1/4", "~strategy", "~strategy=single", "~seed", "~foo", "~exclude",
    "~recipe.learning_rate", "~strategy.stages.0", "~seed.x", "~name",
)  # fmt: skip


def words(values: dict[str, tuple[str, ...]], sign: st.SearchStrategy[str], most: int) -> st.SearchStrategy[str]:
    """Overrides with up to ``most`` of a key's values."""

    def swept(key: str) -> st.SearchStrategy[str]:
        return st.lists(st.sampled_from(values[key]), min_size=1, max_size=most).map(",".join).map(f"{key}={{}}".format)

    return st.builds(str.__add__, sign, st.sampled_from(sorted(values)).flatmap(swept))


PLAIN, ADDED = st.just(""), st.sampled_from(["+", "++"])
RIGHT = st.one_of(words(CHOICES, PLAIN, 2), words(VALUES, PLAIN, 2), words(VALUES, PLAIN, 1))
ANY = st.one_of(
    words(OFTEN_WRONG, PLAIN, 2), words(VALUES | OFTEN_WRONG, ADDED, 1), words(CHOICES, st.just("+"), 1),
    st.sampled_from(DELETIONS),
)  # fmt: skip
WORDS = st.tuples(st.lists(RIGHT, max_size=6), st.lists(ANY, max_size=2)).map(lambda lists: [*lists[0], *lists[1]])


@cache
def stock(overrides: tuple[str, ...]) -> str | None:
    """The cell of stock Hydra as text, which tells 1 from 1.0 and from True; None where it is refused."""
    try:
        return repr(cell(*overrides))
    except Exception:
        return None


def planned(fast: CellComposer, overrides: list[str]) -> str | None:
    try:
        return repr(fast.cell(overrides))
    except ValueError:
        return None


def cells_that_differ(command: list[str], order: Random) -> tuple[list[list[str]], list[list[str]]]:
    """The overrides of up to 4 cells of a sweep, tried in one order and back, and of those that Hydra makes other."""
    with hydra():
        fast, _ = composer()
        try:
            swept = cells({}, command, fast.config_loader)
        except Exception:  # such as a range in a list of choices: nothing to compose
            return [], []
        swept = order.sample(swept, min(len(swept), 4))
        ours = [planned(fast, overrides) for overrides in swept + swept[::-1]]
    pairs = zip(swept + swept[::-1], ours, strict=True)
    return swept, [overrides for overrides, mine in pairs if mine != stock(tuple(overrides))]


COMMANDS, ORDERS = WORDS.flatmap(st.permutations), st.randoms(use_true_random=False)


@given(COMMANDS, ORDERS)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_cell_is_what_hydra_composes(command: list[str], order: Random):
    _, differ = cells_that_differ(command, order)
    assert not differ


def test_a_swept_dictionary_stays_in_its_cell():
    with hydra():
        fast, _ = composer()
        swept = [fast.cell([f"amount={{{value}}}", "seed=1"]).amount for value in ("math:1/4", "code:1/8", "math:1/4")]
    assert [{name: amount.text for name, amount in amounts.items()} for amounts in swept] == [
        {"math": "1/4"},
        {"code": "1/8"},
        {"math": "1/4"},
    ]


def test_a_value_is_read_alike_in_every_cell():
    """Also where the first cell, from which the others are made, has none."""
    with hydra():
        fast, _ = composer()
        replays = [fast.cell([f"replay={value}", "seed=1"]).replay for value in ("null", "1/4", "null", "1/8")]
    assert replays == [None, Amount.parse("1/4"), None, Amount.parse("1/8")]


def test_a_new_key_stands_where_hydra_puts_it():
    """Two keys of one table, of which each is new: found by 1,000 random lists."""
    for command in (["amount.general=1/2", "+amount.code=1/4"], ["++amount.code=1/4", "amount.general=1/2"]):
        assert cells_that_differ(command, Random(0)) == ([command], [])
