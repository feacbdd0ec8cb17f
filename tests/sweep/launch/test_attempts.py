"""Why a task stopped, and whether it is started once more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from eval.judge.replies import JudgePrompt, Replies, Reply
from eval.spec.judge import Judge, JudgeRun
from sweep.launch.attempts import (
    CANCELLED,
    HUNG,
    NODE_FAILURE,
    OUT_OF_MEMORY,
    PREEMPTED,
    STOPPED,
    TIME_LIMIT,
    Attempts,
    cause,
    oom_kills,
    progress,
    remedy,
)
from sweep.launch.slurm_logs import Place
from sweep.stages.store import Store
from sweep.stages.worker import Job
from tests.sweep.stages.processes import world

START = (0, 0, 0)


@pytest.mark.parametrize(
    ("status", "said", "facts", "left", "expected"),
    [
        (137, "error: Detected 1 oom_kill event in StepId=3.0. Some of the step tasks have been OOM Killed.",
         {}, 9e3, OUT_OF_MEMORY),
        (125, "", {}, 9e3, OUT_OF_MEMORY),
        (137, "slurmstepd: error: *** STEP 3.0 ON n1 CANCELLED AT 2026-01-01T00:00:00 DUE TO TIME LIMIT ***",
         {}, 0.0, TIME_LIMIT),
        (75, "", {}, 100.0, TIME_LIMIT),
        (75, "", {}, 9e3, STOPPED),
        (75, "", {}, None, STOPPED),
        (75, "", {"PreemptTime": "2026-01-01T00:00:00"}, 9e3, PREEMPTED),
        (75, "", {"PreemptTime": "None"}, 9e3, STOPPED),
        (143, "slurmstepd: error: *** STEP 3.0 CANCELLED DUE TO PREEMPTION ***", {}, 9e3, PREEMPTED),
        (137, "slurmstepd: error: *** STEP 3.0 CANCELLED DUE TO NODE FAILURE ***", {}, 9e3, NODE_FAILURE),
        (137, "", {}, 9e3, "killed by signal 9, as the kernel does when memory runs out"),
        (-9, "", {}, 9e3, "killed by signal 9, as the kernel does when memory runs out"),
        (139, "", {}, 9e3, "killed by signal 11"),
        (255, "", {}, 9e3, "srun itself failed with status 255"),
        (75, "slurmstepd: error: *** STEP 3.0 CANCELLED AT 2026-01-01T00:00:00 ***", {"JobState": "CANCELLED"}, -1.0,
         CANCELLED),
        (143, "", {"JobState": "COMPLETING"}, -1.0, CANCELLED),
        (75, "", {"JobState": "TIMEOUT"}, -1.0, TIME_LIMIT),
        (75, "*** STEP 3.0 ON n1 CANCELLED DUE TO JOB REQUEUE ***", {"JobState": "PENDING"}, -1.0, NODE_FAILURE),
        (137, HUNG, {}, 9e3, HUNG),
    ],
)  # fmt: skip
def test_a_cause_has_a_name(status: int, said: str, facts: dict[str, str], left: float | None, expected: str):
    assert cause(status, said, facts, left, 120.0) == expected


@pytest.mark.parametrize(("status", "named"), [(-9, True), (137, True), (-15, False), (75, False)])
def test_a_kill_is_out_of_memory_where_the_kernel_counts_one(status: int, named: bool):
    assert (cause(status, "", {}, 9e3, 120.0, oom_kill=True) == OUT_OF_MEMORY) == named
    assert cause(status, "", {"JobState": "OUT_OF_MEMORY"}, 9e3, 120.0) == OUT_OF_MEMORY


JOB = "system.slice/slurmstepd.scope/job_12"


@pytest.mark.parametrize(
    ("cgroup", "file", "counted"),
    [
        (f"0::/{JOB}/step_batch/user/task_0", f"{JOB}/memory.events", 3),
        ("0::/user.slice/session", "user.slice/session/memory.events", 3),
        ("0::/seen/from/outside/the/container", "memory.events", 3),
        (f"0::/\n4:memory:/{JOB}/step_batch\n3:cpu:/", f"memory/{JOB}/memory.oom_control", 3),
        ("4:memory:/docker/0a", "memory/memory.oom_control", 3),
        ("0::/", "none", 1),
    ],
)
def test_kills_for_memory_are_counted_where_this_process_is(tmp_path: Path, cgroup: str, file: str, counted: int):
    """In the SLURM job, the cgroup, the container, or else on the machine, which counts one."""
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "cgroup").write_text(cgroup + "\n")
    (tmp_path / "vmstat").write_text("pgfault 7\noom_kill 1\n")
    where = tmp_path / "cgroups" / file
    where.parent.mkdir(parents=True)
    where.write_text("low 0\noom 5\noom_kill 3\noom_group_kill 0\n")
    assert oom_kills(tmp_path, tmp_path / "cgroups") == counted
    assert oom_kills(tmp_path / "no proc", tmp_path / "cgroups") == 0


def run(*ends: tuple[tuple[int, int, int], str]) -> Attempts:
    """Starts, each with how far the task was, and why it ended."""
    attempts = Attempts()
    for at, why in ends:
        attempts.begin(at)
        attempts.end(why)
    return attempts


def test_three_stops_without_progress_are_the_end():
    assert not run((START, TIME_LIMIT), (START, OUT_OF_MEMORY)).stuck(START, 10)
    assert run((START, TIME_LIMIT), (START, OUT_OF_MEMORY), (START, HUNG)).stuck(START, 10)


def test_progress_starts_the_count_anew():
    attempts = run(*[((0, step, 0), TIME_LIMIT) for step in range(0, 1000, 100)])
    assert not attempts.stuck((0, 1000, 0), 10)
    assert not run((START, TIME_LIMIT), (START, TIME_LIMIT), ((1, 0, 0), TIME_LIMIT)).stuck((1, 0, 0), 10)


def test_what_the_cluster_does_counts_by_itself():
    attempts = run(*[(START, PREEMPTED)] * 3)
    assert not attempts.stuck(START, 3) and attempts.stuck(START, 2)


def test_a_start_that_left_no_cause_lost_its_node(tmp_path: Path):
    attempts = Attempts()
    attempts.begin(START)
    attempts.save(tmp_path / "a")
    again = Attempts.load(tmp_path / "a")
    again.begin(START)
    assert again.starts == [(START, NODE_FAILURE), (START, "")]
    (tmp_path / "a").write_text("{")
    assert Attempts.load(tmp_path / "a").starts == Attempts.load(tmp_path / "none").starts == []


def test_progress_is_stages_then_steps_then_answers(tmp_path: Path):
    store = Store(tmp_path)
    jobs = [Job(world(seed), None, tmp_path, 1.0) for seed in range(2)]
    partial = store.partial(world(0), "one")
    points = [progress(jobs)]
    for number in (20, 100):
        (partial / "resume" / f"step-{number}").mkdir(parents=True)
        points.append(progress(jobs))
    (partial / "responses.jsonl").write_text("{}")
    points.append(progress(jobs))
    store.own(world(0)).mkdir(parents=True)
    points.append(progress(jobs))
    assert points == sorted(set(points)) == [(0, 0, 0), (0, 20, 0), (0, 100, 0), (0, 100, 2), (1, 0, 0)]


def test_a_score_advances_with_its_judges_replies(tmp_path: Path):
    """They lie outside the stage, and a judge that answers slowly may take several starts."""
    stage = replace(world(1), kind="score")
    asked, found = [{"role": "user", "content": "rate"}], []
    job = Job(stage, JudgeRun(cache="asked"), tmp_path, 1.0)
    for repeat in range(3):
        found.append(progress([job]))
        Replies(tmp_path / "asked", Judge(model="m")).keep(JudgePrompt(asked, repeat), Reply("7", 1, 1))
    assert found == [(0, 0, 0), (0, 0, 1), (0, 0, 2)]
    assert progress([Job(stage, None, tmp_path, 1.0)]) == START


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("train", "84 GiB; raise hydra.launcher.train.mem_gb, or lower engine.micro_tokens"),
        ("answer", "84 GiB; raise hydra.launcher.answer.mem_gb, or lower suite.eval_batch_size"),
    ],
)
def test_memory_is_remedied_where_it_is_used(kind: str, told: str):
    job = Job(replace(world(1), kind=kind), None, Path(), 1.0, gib=84.0)
    assert told in remedy(OUT_OF_MEMORY, job, kind)


def test_the_end_of_a_job_is_read_from_slurms_log_or_state(tmp_path: Path):
    """Of one that was killed with its batch script, which could note no cause."""
    place, job = Place(tmp_path, 0, 1), Job(replace(world(1), kind="train"), None, Path(), 1.0, gib=84.0)
    told = "out of memory on the host; the plan's estimate is 84 GiB; raise hydra.launcher.train.mem_gb, or"
    assert place.why(job, {}) == "" and not place.started
    assert place.why(job, {"JobState": "FAILED", "Reason": "JobLaunchFailure"}) == "FAILED for JobLaunchFailure"
    assert place.why(job, {"JobState": "OUT_OF_MEMORY"}).startswith(told)
    log = tmp_path / "7_0_log.err"
    log.write_text("")
    assert place.why(job, {"JobState": "COMPLETING"}) == "" and place.started
    log.write_text("loading\nline 9: module: command not found\n")
    assert place.why(job, {}) == f"line 9: module: command not found; SLURM's log: {log}"
    log.write_text("stopped: time limit\nstopped: cancelled\nsrun: error: n1\n")
    assert place.why(job, {"JobState": "CANCELLED"}) == f"cancelled; SLURM's log: {log}"
    log.write_text("loading\n" * 999 + "slurmstepd: error: Detected 1 oom_kill event in StepId=7.batch.\n")
    assert place.why(job, {}).startswith(told) and place.why(job, {}).endswith(f"SLURM's log: {log}")
