"""Settings of the launcher: what is refused before any work, and what a part's section stands for."""

from __future__ import annotations

import pytest

from sweep.launch.settings import Settings
from sweep.launch.tasks import Shape
from tests.sweep.launch.test_slurm_tasks import launcher


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"gpus_per_node": -8}, "hydra.launcher.gpus_per_node=-8 must be a whole number from 0 on"),
        ({"nodes": 1.5}, "hydra.launcher.nodes=1.5 must be a whole number above 0"),
        ({"cpus_per_gpu": True}, "hydra.launcher.cpus_per_gpu=True must be a whole number above 0"),
        ({"max_num_timeout": "x"}, "hydra.launcher.max_num_timeout='x' must be a whole number from 0 on"),
        ({"mem_gb": "lots"}, "hydra.launcher.mem_gb='lots' must be a number of GiB a node"),
        ({"partition": ["a", "b"]}, "hydra.launcher.partition=['a', 'b'] must be a text"),
        ({"wait": "yes"}, "hydra.launcher.wait='yes' must be true or false"),
        ({"train": {"timeout_min": "2h"}}, "hydra.launcher.train.timeout_min='2h' must be a whole number"),
        ({"answer": {"setup": "module load cuda"}}, "hydra.launcher.answer.setup='module load cuda' must be a list"),
        ({"score": {"gpus_per_node": 1}}, "hydra.launcher.score.gpus_per_node=1: this part never uses a GPU"),
        ({"answer": {"nodes": 2}}, "hydra.launcher.answer.nodes=2: only a training runs as several tasks"),
        ({"data": {"wait": False}}, "hydra.launcher.data.wait is no setting of a part"),
        ({"train": {"partitions": "a"}}, "hydra.launcher.train.partitions is no setting of a part; did you mean"),
        ({"additional_parameters": {"time": 30}}, "hydra.launcher.additional_parameters.time: the command sets this"),
        ({"train": {"additional_parameters": {"ntasks_per_node": 2}}}, "give hydra.launcher.train.tasks_per_node"),
        ({"additional_parameters": {"dependency": "singleton"}}, "sets this option itself; leave it out"),
        ({"cpus_per_task": 4, "cpus_per_gpu": 2}, "cpus_per_task=4 and hydra.launcher.cpus_per_gpu=2 exclude each"),
        ({"train": {"mem_gb": 4, "mem_per_cpu": "1G"}}, "train.mem_gb=4 and hydra.launcher.train.mem_per_cpu=1G excl"),
        ({"gpus_per_node": 8, "gres": "gpu:8"}, "gpus_per_node=8 and hydra.launcher.gres=gpu:8 exclude each other"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_key(changes: dict[str, object], problem: str):
    with pytest.raises(ValueError) as refused:
        launcher(**changes)
    assert problem in str(refused.value)


def test_all_mistakes_are_told_at_once():
    with pytest.raises(ValueError) as refused:
        launcher(mem_gb="lots", train={"timeout_min": 0})
    assert str(refused.value).count("hydra.launcher.") == 2


@pytest.mark.parametrize(
    ("whole", "own", "asked"),
    [
        ({"cpus_per_gpu": 12}, {"cpus_per_task": 4}, {"cpus_per_task": 4, "cpus_per_gpu": None}),
        ({"cpus_per_task": 4}, {"cpus_per_gpu": 12}, {"cpus_per_task": None, "cpus_per_gpu": 12}),
        ({"mem_per_gpu": "80G"}, {"mem_gb": 500}, {"mem_gb": 500, "mem_per_gpu": None}),
        ({"gres": "gpu:8"}, {"gpus_per_node": 2}, {"gres": None, "gpus_per_node": 2}),
        ({"gres": "nvme:1"}, {"gpus_per_node": 2}, {"gres": "nvme:1", "gpus_per_node": 2}),
        ({"gpus_per_node": 8, "gpus_per_task": 1}, {"gres": "gpu:2"}, {"gpus_per_node": None, "gpus_per_task": None}),
        ({"gpus_per_node": 8}, {"gres": "nvme:1"}, {"gpus_per_node": 8, "gres": "nvme:1"}),
    ],
)
def test_what_a_part_says_of_a_resource_stands_for_all_of_it(whole, own, asked):
    """sbatch refuses two ways to ask for processors, or for memory, beside each other."""
    settings = launcher(**whole, answer=own).of("answer")
    assert {name: getattr(settings, name) for name in asked} == asked
    assert {name: getattr(launcher(**whole, answer=own).of("train"), name) for name in whole} == whole


def step(settings: Settings, ranks: int) -> tuple[int, int]:
    made = settings.step(Shape("train", ranks, True))
    return made.nodes, made.tasks_per_node


def test_ranks_are_spread_over_the_gpus_of_generic_resources():
    assert step(launcher(gres="gpu:h100:8"), 16) == (2, 8)
    assert step(launcher(gres="nvme:1"), 16) == (1, 16)


@pytest.mark.parametrize("changes", [{"gpus_per_node": 4, "nodes": 1}, {"gres": "gpu:4", "tasks_per_node": 8}])
def test_ranks_that_would_share_gpus_are_refused(changes: dict[str, object]):
    with pytest.raises(ValueError, match=r"puts 8 ranks on a node, of which hydra.launcher asks for 4 GPUs; change"):
        launcher(**changes).step(Shape("train", 8, True))
