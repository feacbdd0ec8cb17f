"""The batch plan: nested subsets, whole epochs, and independence of how the stage is executed."""

from __future__ import annotations

import inspect
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.train.tiny import recipe
from train.batches import BatchPlan, plan, portion_samples
from train.spec import Portion, TrainSpec

SIZES = {"a": 30, "b": 20, "c": 25}
LENGTHS = np.arange(75) % 17 + 2
PORTIONS = (Portion("math", ("a", "b"), 40), Portion("code", ("c",), 10))


def make(portions: tuple[Portion, ...] = PORTIONS, seed: int = 0, **changes: object) -> BatchPlan:
    spec = TrainSpec(None, None, portions, recipe(**changes), seed)
    return plan(spec, sizes=SIZES, lengths=LENGTHS)


def all_samples(batches: BatchPlan) -> list[int]:
    return [int(sample) for step in range(batches.steps) for sample in batches.batch(step)]


@given(small=st.integers(0, 60), more=st.integers(0, 60), seed=st.integers(0, 9), size=st.integers(1, 40))
def test_a_smaller_portion_is_the_beginning_of_a_larger_one(small: int, more: int, seed: int, size: int) -> None:
    pool = np.arange(size) + 7
    fewer = portion_samples(pool, Portion("math", ("a",), small, repeats=True), seed=seed)
    larger = portion_samples(pool, Portion("math", ("a",), small + more, repeats=True), seed=seed)
    assert larger[: len(fewer)].tolist() == fewer.tolist()
    counts = np.bincount(larger, minlength=size + 7)[7:]
    assert counts.max() - counts.min() <= 1  # repeats only after the whole pool


def test_more_samples_than_the_sources_hold_are_refused_unless_they_may_repeat() -> None:
    with pytest.raises(ValueError, match=r"'math': 8 samples were planned, but its sources a, b hold 7"):
        portion_samples(np.arange(7), Portion("math", ("a", "b"), 8), seed=0)
    assert sorted(portion_samples(np.arange(7), Portion("math", ("a",), 7), seed=0)) == list(range(7))


def test_an_ability_whose_sources_are_empty_is_refused_unless_nothing_is_asked_of_it() -> None:
    with pytest.raises(ValueError, match=r"'math': its sources a, b have no samples; add rows"):
        portion_samples(np.arange(0), Portion("math", ("a", "b"), 1, repeats=True), seed=0)
    assert len(portion_samples(np.arange(0), Portion("math", ("a",), 0), seed=0)) == 0


def test_seed_and_ability_choose_the_subset() -> None:
    pool = np.arange(1000)
    chosen = {
        tuple(portion_samples(pool, Portion(ability, ("a",), 20), seed=seed))
        for ability in ("math", "code")
        for seed in (0, 1)
    }
    assert len(chosen) == 4


@settings(deadline=None)
@given(
    epochs=st.floats(0.1, 3.5), batch=st.integers(1, 70), tokens=st.integers(1, 200), by_samples=st.booleans(),
    seed=st.integers(0, 5),
)  # fmt: skip
def test_epochs_hold_every_sample_once_and_end_after_the_set_amount(
    epochs: float, batch: int, tokens: int, by_samples: bool, seed: int
) -> None:
    size = {"batch_samples": batch} if by_samples else {"batch_samples": None, "batch_tokens": tokens}
    batches = make(seed=seed, epochs=epochs, steps=None, **size)
    samples = all_samples(batches)
    members = sorted(batches.members.tolist())
    full_epochs = int(epochs)
    for epoch in range(full_epochs):
        assert sorted(samples[epoch * 50 : (epoch + 1) * 50]) == members
    assert len(samples) == full_epochs * 50 + (round((epochs - full_epochs) * 50) or (0 if full_epochs else 1))
    for step in range(batches.steps):
        members_of_step = batches.batch(step)
        assert (
            len(members_of_step) <= batch
            if by_samples
            else LENGTHS[members_of_step].sum() <= tokens or len(members_of_step) == 1
        )


def test_batches_of_tokens_are_filled_to_the_limit() -> None:
    """Every sample has 5 tokens: 10 hold two, 14 too, 15 three, and 4 none, so that each is a batch of its own."""
    spec = TrainSpec(None, None, (Portion("math", ("a",), 6),), recipe(), 0)
    for tokens, sizes in ((10, [2, 2, 2]), (14, [2, 2, 2]), (15, [3, 3]), (25, [5, 1]), (4, [1] * 6), (30, [6])):
        changed = replace(spec, recipe=recipe(epochs=2, steps=None, batch_samples=None, batch_tokens=tokens))
        batches = plan(changed, sizes={"a": 6}, lengths=np.full(6, 5))
        assert [len(batches.batch(step)) for step in range(batches.steps)] == sizes * 2


@given(steps=st.integers(1, 60), batch=st.integers(1, 70))
def test_steps_go_through_epochs_until_they_are_done(steps: int, batch: int) -> None:
    batches = make(steps=steps, batch_samples=batch)
    assert batches.steps == steps
    counts = np.bincount(all_samples(batches), minlength=75)[batches.members]
    assert counts.max() - counts.min() <= 1


def test_a_batch_depends_on_the_step_alone() -> None:
    forwards, backwards = make(steps=20), make(steps=20)
    last = [backwards.batch(step).tolist() for step in reversed(range(20))][::-1]
    assert [forwards.batch(step).tolist() for step in range(20)] == last
    assert [make(steps=20).batch(step).tolist() for step in range(20)] == last  # each asked first, as after a resume
    assert make(steps=20, seed=1).batch(0).tolist() != last[0]


def test_the_plan_takes_nothing_about_the_execution() -> None:
    assert list(inspect.signature(plan).parameters) == ["spec", "sizes", "lengths"]


def test_epochs_differ_in_order() -> None:
    batches = make(steps=2, batch_samples=50)
    assert batches.batch(0).tolist() != batches.batch(1).tolist()


def test_nothing_to_train_on_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to train on"):
        make((Portion("math", ("a",), 0),))
