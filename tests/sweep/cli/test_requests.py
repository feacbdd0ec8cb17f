"""What jobs ask SLURM for: by cell, by part of the sweep, and by the plan's estimate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from omegaconf import DictConfig

from sweep.cli.launcher import request, requests
from sweep.cli.plan_table import show_plan
from sweep.config.cell import Cell
from sweep.launch.limits import problems, within
from sweep.launch.settings import Request, Settings
from sweep.launch.squeue import Partition
from sweep.launch.tasks import split
from sweep.plan.plan import CellError
from sweep.results.saved_sweep import jobs
from sweep.stages.store import Store
from tests.conftest import sweep
from tests.sweep.composing import cell, config, plan
from tests.sweep.launch.test_slurm_tasks import launcher

LARGE = ("model=llama_7b", "recipe=paper", "data=paper", "suite=paper", "~suite.tasks.mtbench", "engine=zero3")


def of(*cells: Cell, overrides: tuple[str, ...] = ()) -> dict[str, Settings]:
    """The settings of the tasks of a plan, by the part of their first job and the name of the model they belong to."""
    made = plan(*cells)
    asked = request(made, whole(*overrides))
    tasks = split(jobs(made, Store("nowhere")), set(), {}, asked.shape)
    return {task.name.partition("-")[0] + str(task.shape.ranks): Request.settings(task.shape) for task in tasks}


def whole(*overrides: str) -> DictConfig:
    return config("hydra/launcher=submitit_slurm", *overrides, hydra_too=True)


def sized(name: str, ranks: int, minutes: int) -> Cell:
    """A cell of a model with resources of its own."""
    words = (f"+model.resources.minutes={minutes}", f"model.name={name}", f"model.pretrain.seed={ranks}")
    return cell(*words, "fraction=1/4", "engine=zero3", f"engine.ranks={ranks}")


def test_each_cell_has_its_own():
    found = of(
        sized("a", 2, 70),
        sized("b", 4, 700),
        overrides=("hydra.launcher.train.timeout_min=${model.resources.minutes}",),
    )
    assert (found["train2"].timeout_min, found["train4"].timeout_min) == (70, 700)
    assert found["answer1"].timeout_min == 60


def test_a_swept_setting_is_refused_with_what_to_write(store_path: Path):
    words = ("-m", "hydra/launcher=submitit_slurm", "hydra.launcher.train.timeout_min=60,120", "dry_run=true")
    ended = sweep(*words, store=store_path)
    assert ended.returncode == 2
    assert "hydra.launcher.train.timeout_min='${model.resources.OWN}'" in ended.stderr


def test_a_value_that_a_cell_lacks_is_named_with_the_cell():
    with pytest.raises(CellError, match=r"^hydra.launcher: .*model.resources.minutes"):
        of(cell("fraction=1/4"), overrides=("hydra.launcher.timeout_min=${model.resources.minutes}",))


def test_scores_and_data_hold_no_gpu_and_share_their_nodes():
    found = of(
        cell(*LARGE, "fraction=1/4"),
        overrides=(
            "hydra.launcher.gpus_per_node=8", "hydra.launcher.mem_per_gpu=100GB", "hydra.launcher.nodes=1",
            "+hydra.launcher.additional_parameters.exclusive=true", "+hydra.launcher.additional_parameters.nice=1",
            "hydra.launcher.score.partition=internet",
        ),
    )  # fmt: skip
    for part in ("score1", "data1"):
        assert (found[part].gpus_per_node, found[part].mem_per_gpu, found[part].nodes) == (None, None, None)
        assert found[part].additional_parameters == {"nice": 1}
    assert (found["score1"].partition, found["data1"].partition) == ("internet", None)
    assert (found["train8"].gpus_per_node, found["answer1"].gpus_per_node) == (8, 1)
    assert found["train8"].additional_parameters == {"exclusive": True, "nice": 1}


def test_a_large_model_gets_gpus_that_hold_it_and_a_small_one_none():
    found = of(cell(*LARGE, "fraction=1/4", "engine.gpu_gib=24", "suite.eval_batch_size=64"))
    assert (found["train8"].gpus_per_node, found["answer1"].gpus_per_node) == (8, 2)
    none = of(cell(*LARGE, "fraction=1/4"), overrides=("hydra.launcher.gpus_per_node=0",))
    assert (none["train8"].gpus_per_node, none["answer1"].gpus_per_node) == (0, 0)
    small = of(cell("fraction=1/4"))
    assert (small["train1"].gpus_per_node, small["answer1"].gpus_per_node) == (None, None)


@pytest.mark.parametrize(
    ("asked", "train", "answer"),
    [
        ("gres=gpu:h100:8", (2, "gpu:h100:8"), "gpu:h100:2"),
        ("+additional_parameters.gpus=8", (1, None), None),
        ("gres=nvme:1", (2, 8), 2),
    ],
)
def test_gpus_are_asked_for_as_the_settings_do(asked: str, train: tuple[int, object], answer: object):
    """A typed request stays one, for as many GPUs as trainings have ranks on a node, and answers need."""
    made = plan(cell(*LARGE, "engine.ranks=16", "engine.gpu_gib=24", "suite.eval_batch_size=64"))
    words = [f"{'+' * (asked[0] == '+')}hydra.launcher.{asked.lstrip('+')}"]
    rows = {row["part"]: row for row in requests(made, Store("nowhere"), whole(*words))}
    found = {part: row.get("gpus_per_node", row.get("gres")) for part, row in rows.items()}
    assert ((rows["train"]["nodes"], found["train"]), found["answer"]) == (train, answer)
    assert found["score"] is None
    small = requests(plan(cell(*LARGE, "engine.ranks=4")), Store("nowhere"), whole("hydra.launcher.gres=gpu:8"))
    assert small[0]["gres"] == "gpu:4"


def test_answers_get_all_their_gpus_in_one_task():
    made = plan(cell(*LARGE, "engine.gpu_gib=24", "suite.eval_batch_size=64"))
    rows = requests(made, Store("nowhere"), whole("hydra.launcher.gpus_per_task=1"))
    assert [row.get("gpus_per_task") for row in rows] == [1, 2, None, None]


def test_mistakes_in_the_settings_are_all_told():
    words = ("hydra.launcher.mem_gb=lots", "hydra.launcher.train.timeout_min=2h", "hydra.launcher.account=123")
    with pytest.raises(CellError) as refused:
        of(cell("fraction=1/4"), overrides=words)
    lines = [line.strip() for line in str(refused.value).splitlines()]
    assert [line.partition("=")[0] for line in lines[1:]] == [
        "hydra.launcher.mem_gb",
        "hydra.launcher.train.timeout_min",
    ]
    assert of(cell("fraction=1/4"), overrides=words[2:])["train1"].account == "123"


OFFLOADED = ("model=llama_33b", *LARGE[1:-1], "engine=zero3_offload", "fraction=1/4")


def test_a_training_that_keeps_its_states_on_the_host_asks_for_room_and_processors():
    """18 bytes of each of 32.5 billion parameters on 16 ranks are 34 GiB a rank; a quarter more on a node of 8."""
    one = cell(*OFFLOADED, "engine.ranks=16")
    found = of(one, overrides=("hydra.launcher.gpus_per_node=8",))
    assert found["train16"].cpus_per_task == 8
    assert 1.25 * 8 * 34 < (found["train16"].mem_gb or 0) < 1.25 * 8 * 38
    others = {(found[part].cpus_per_task, found[part].mem_gb) for part in ("answer1", "score1", "data1")}
    assert others == {(None, None)}
    assert of(cell(*LARGE, "fraction=1/4"))["train8"].mem_gb is None  # what it keeps there is little


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        (("cpus_per_task=4", "train.mem_gb=900"), (4, None, 900, None)),
        (("train.cpus_per_task=4", "mem_per_cpu=20GB"), (4, None, None, "20GB")),
        (("cpus_per_gpu=12", "mem_gb=0"), (None, 12, 0, None)),
    ],
)
def test_what_the_settings_say_of_processors_and_memory_stays(given: tuple[str, ...], asked: tuple[object, ...]):
    words = (*given, "gpus_per_node=8")
    found = of(cell(*OFFLOADED), overrides=tuple(f"hydra.launcher.{word}" for word in words))["train8"]
    assert (found.cpus_per_task, found.cpus_per_gpu, found.mem_gb, found.mem_per_cpu) == asked
    of_memory = of(cell(*OFFLOADED), overrides=("+hydra.launcher.additional_parameters.mem-per-gpu=80G",))["train8"]
    assert (of_memory.cpus_per_task, of_memory.mem_gb) == (8, None)


def test_processors_that_come_with_gpus_are_not_asked_for_a_second_time():
    """sbatch refuses --cpus-per-task beside --cpus-per-gpu."""
    made = plan(cell(*OFFLOADED, "suite.eval_batch_size=64"))
    rows = requests(made, Store("nowhere"), whole("hydra.launcher.gpus_per_node=8", "hydra.launcher.cpus_per_gpu=12"))
    found = {row["part"]: (row.get("cpus_per_task"), row.get("cpus_per_gpu")) for row in rows}
    assert found == {"train": (None, 12), "answer": (None, 12), "score": (1, None), "data": (1, None)}


@pytest.mark.parametrize(
    ("ranks", "given", "nodes", "each"),
    [(16, (), 2, 8), (12, (), 2, 6), (4, (), 1, 4), (16, ("hydra.launcher.nodes=1",), 1, 16),
     (16, ("hydra.launcher.tasks_per_node=4",), 4, 4)],
)  # fmt: skip
def test_ranks_of_a_large_model_fill_nodes_of_eight_gpus(ranks: int, given: tuple[str, ...], nodes: int, each: int):
    """Unless the settings say how many a node takes."""
    made = plan(cell(*LARGE, "fraction=1/4", f"engine.ranks={ranks}"))
    (row,) = (row for row in requests(made, Store("nowhere"), whole(*given)) if row["part"] == "train")
    assert (row["nodes"], row["ntasks_per_node"], row["gpus_per_node"]) == (nodes, each, each)


def test_a_dry_run_shows_what_each_part_asks_for(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "80")
    made = plan(*(cell(*LARGE, f"recipe.epochs={n}", "engine.ranks=16", "engine.gpu_gib=40") for n in (1, 100)))
    words = ("gpus_per_node=8", "mem_gb=500", "partition=gpu", "score={partition:internet,mem_gb:4.5}")
    rows = requests(made, Store("nowhere"), whole(*(f"hydra.launcher.{word}" for word in words)))
    assert [(row["part"], row["jobs"]) for row in rows] == [("train", 2), ("answer", 2), ("score", 2), ("data", 7)]
    assert rows[0]["minutes"][0] < rows[0]["minutes"][1] and rows[0]["nodes"] == 2
    show_plan(made, Store("nowhere"), rows)
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    shown = lines[next(n for n, line in enumerate(lines) if line.startswith("SLURM")) + 2 :][:4]
    assert shown == [
        f"train 2 2 8/node 1/task 8/node {rows[0]['minutes'][0]}-{rows[0]['minutes'][1]} 512000MB/node gpu",
        "answer 2 1 1/node 1/task 2/node 60 512000MB/node gpu",
        "score 2 1 1/node 1/task - 60 4608MB/node internet",
        "data 7 1 1/node 1/task - 60 512000MB/node gpu",
    ]


@pytest.mark.parametrize(("seconds", "minutes"), [(0, 60), (1290, 60), (1291, 120), (7348, 480)])
def test_a_time_limit_from_the_plan_has_a_margin(seconds: float, minutes: int):
    assert launcher().minutes(seconds) == minutes
    assert launcher(timeout_min=5).minutes(seconds) == 5


def test_the_request_is_kept_for_the_next_submission():
    made = plan(sized("a", 2, 70), sized("b", 4, 700))
    asked = request(made, whole("hydra.launcher.timeout_min=${model.resources.minutes}"))
    assert Request.from_json(asked.to_json()) == asked


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"timeout_min": 121}, "timeout_min asks for 121 minutes; partition here has 120; lower it"),
        ({"mem_gb": 9.0}, "mem_gb asks for 9 GiB a node; partition here has 4; set hydra.launcher.data.mem_gb"),
        ({"cpus_per_task": 17}, "asks for 17 processors a node; partition here has 16; set hydra.launcher.train.cpus"),
        ({"signal_delay_s": 7200}, "partition here ends a job after 120 minutes; of these signal_delay_s=7200 leaves"),
        ({"partition": "there"}, "partition=there is none of this cluster's: here"),
        ({"signal_delay_s": 600, "timeout_min": 10}, "signal_delay_s=600 leaves nothing of"),
    ],
)
def test_what_a_partition_never_grants_is_refused(changes: dict[str, object], problem: str):
    here = Partition(120.0, 4, 16, 4096, 0)
    made = plan(cell("fraction=1/4"))
    with pytest.raises(ValueError, match=problem):
        asked = Request({stage.key: launcher(**{"partition": "here"} | changes) for stage in made.stages})
        within(split(jobs(made, Store("nowhere")), set(), {}, asked.shape), {"here": here})


@pytest.mark.parametrize("asked", [{"nodes": 1}, {"gpus_per_task": 1, "nodes": 1}, {"gres": "gpu:16"}])
def test_more_gpus_than_a_node_has_are_refused_however_they_are_asked_for(asked: dict[str, object]):
    made = plan(cell(*LARGE, "engine.ranks=16"))
    config = whole(*(f"hydra.launcher.{name}={value}" for name, value in asked.items()))
    tasks = split(jobs(made, Store("nowhere")), set(), {}, request(made, config).shape)
    with pytest.raises(ValueError, match=r"gpus_per_node asks for 16 GPUs a node; the default partition has 8; hydra"):
        within(tasks, {"": Partition(None, 4, 64, 10**6, 8)})


@pytest.mark.parametrize(("has", "remedy"), [(8, "answer.gpus_per_node=8 answers fewer rows"), (0, "that has some")])
def test_answers_that_want_more_than_a_node_are_told_what_helps(has: int, remedy: str):
    made = plan(cell(*LARGE, "engine.gpu_gib=40", "suite.eval_batch_size=1024"))
    tasks = split(jobs(made, Store("nowhere")), set(), {}, request(made, whole("hydra.launcher.gpus_per_node=8")).shape)
    told = [line for task in tasks if task.shape.part == "answer"
            for line in problems(task.shape, {"": Partition(None, 4, 64, 10**6, has)})]  # fmt: skip
    assert len(told) == 1 and remedy in told[0]


def test_a_limit_from_the_plan_is_cut_to_the_partitions():
    made = plan(cell("fraction=1/4"))
    asked = Request({stage.key: launcher() for stage in made.stages})
    every = {key: replace(job, seconds=7348.0) for key, job in jobs(made, Store("nowhere")).items()}
    tasks = within(split(every, set(), {}, asked.shape), {"": Partition(120.0, 4, 16, 4096, 0)})
    assert {Request.settings(task.shape).timeout_min for task in tasks} == {120}
