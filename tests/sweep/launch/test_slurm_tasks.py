"""What SLURM would get: every missing stage once, nothing before what it needs, in few arrays."""

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from sweep.config.amount import Amount
from sweep.launch.settings import Request, Settings
from sweep.launch.tasks import Array, Shape, inputs, pack, split
from sweep.results.saved_sweep import jobs
from sweep.stages.store import Store
from sweep.stages.worker import Job
from tests.sweep.composing import cell, config, plan

ABILITIES = ("math", "code")
STRATEGIES = ("single", "multitask", "sequential", "dmt")


@cache
def sweep_of(fractions: int, strategies: tuple[str, ...] = STRATEGIES) -> dict[str, Job]:
    """The jobs of a grid over strategies, abilities (which only ``single`` heeds) and fractions."""
    first = [cell(f"strategy={strategy}", f"ability={a}", "replay=1/2") for strategy in strategies for a in ABILITIES]
    cells = [
        replace(one, fraction=Amount.parse(f"{number + 1}/{fractions}"))
        for one, number in product(first, range(fractions))
    ]
    return jobs(plan(*cells), Store("nowhere"))


def order(arrays: list[Array]) -> dict[str, int]:
    """The place of every stage in the sequence of submission; fails if a stage is submitted twice."""
    keys = [job.stage.key for array in arrays for task in array.tasks for job in task.jobs]
    assert len(keys) == len(set(keys))
    return {key: place for place, key in enumerate(keys)}


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 12))
def test_any_remainder_of_a_sweep_is_submitted_once_and_in_order(random, limit: int):
    every = sweep_of(3)
    state = {key: random.choice(("done", "queued", "todo", "todo")) for key in every}
    done = {key for key, now in state.items() if now == "done"}
    queued = {key: f"7_{number}" for number, (key, now) in enumerate(state.items()) if now == "queued"}
    tasks = split(every, done, queued)
    arrays = pack(tasks, limit)
    place = order(arrays)
    assert set(place) == set(every) - done - set(queued)
    task_of = {job.stage.key: task for task in tasks for job in task.jobs}
    for key, now in place.items():
        for node in inputs(every[key].stage):
            if node.key in place:
                assert place[node.key] < now
                assert task_of[node.key] is task_of[key] or task_of[node.key].name in task_of[key].needs
            elif node.key in queued:
                assert queued[node.key] in task_of[key].needs


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 12))
def test_arrays_ask_for_exactly_the_needs_of_their_tasks(random, limit: int):
    every = sweep_of(3)
    arrays = pack(split(every, {key for key in every if random.random() < 0.3}, {}), limit)
    for array in arrays:
        assert 1 <= len(array.tasks) <= limit
        assert len({task.shape for task in array.tasks}) == 1
        assert array.pairs is None or len(array.pairs.tasks) == len(array.tasks)
        for index, task in enumerate(array.tasks):
            paired = {array.pairs.tasks[index].name} if array.pairs else set()
            assert array.needs | paired == task.needs


def test_a_whole_grid_takes_few_calls():
    """Data, base, an array each of fine-tunes, answers and scores: as many calls for sixty models as for six."""
    calls = {number: len(pack(split(sweep_of(number, ("single",)), set(), {}), 1001)) for number in (3, 30)}
    assert calls == {3: 5, 30: 5}


def test_chains_of_stages_are_paired_and_not_submitted_one_by_one():
    assert len(pack(split(sweep_of(20, ("sequential",)), set(), {}), 1001)) < 12


def test_nothing_is_left_of_a_finished_sweep():
    every = sweep_of(3)
    assert split(every, set(every), {}) == []


@cache
def shipped() -> dict:
    """The launcher's settings as they are shipped."""
    fields = OmegaConf.to_container(config("hydra/launcher=submitit_slurm", hydra_too=True).hydra.launcher)
    fields.pop("_target_")
    return fields


def launcher(**changes: object) -> Settings:
    return Settings(**shipped() | changes)


def request(jobs: Iterable[str], **changes: object) -> Request:
    """The same settings for all stages."""
    return Request(dict.fromkeys(jobs, launcher(**changes)))


@pytest.mark.parametrize(
    ("changes", "ranks", "nodes", "per_node"),
    [
        ({}, 1, 1, 1),
        ({"gpus_per_node": 8}, 1, 1, 1),
        ({"gpus_per_node": 8}, 16, 2, 8),
        ({"tasks_per_node": 1}, 2, 2, 1),
        ({"nodes": 4}, 16, 4, 4),
        ({}, 6, 1, 6),
    ],
)
def test_ranks_are_spread_over_nodes(changes: dict[str, int], ranks: int, nodes: int, per_node: int):
    step = launcher(**changes).step(Shape("train", ranks, True))
    assert (step.nodes, step.tasks_per_node, step.ranks) == (nodes, per_node, ranks)


def test_ranks_that_do_not_fill_nodes_are_refused():
    with pytest.raises(ValueError, match=r"engine.ranks=12 cannot fill nodes of 8 tasks each"):
        launcher(gpus_per_node=8).step(Shape("train", 12, True))


def test_no_gpu_waits_for_a_judge_or_a_program_under_test():
    """Answers and scores share no job; only a judge that is itself a model is given what answers are given."""
    answers, scores = (
        [task for task in split(sweep_of(2), set(), {}) if task.jobs[0].stage.kind == kind]
        for kind in ("answer", "score")
    )
    assert {job.stage.kind for task in answers for job in task.jobs} == {"answer"}
    assert {job.stage.kind for task in scores for job in task.jobs} == {"score"}
    assert all(task.shape.part == "answer" and task.shape.model for task in answers)
    assert all(task.shape.part == "score" and not task.shape.model for task in scores)
    needed = {need for task in scores for need in task.needs}
    assert {task.name for task in answers} <= needed and len(scores) == len(answers)
