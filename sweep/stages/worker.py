"""Build one stage in a worker process. `STAGE_TYPES` says which module builds which kind."""

from __future__ import annotations

import importlib
import json
import socket
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from common.json_file import write_json
from common.restore import restore
from common.start import importing
from eval.spec.answers import AnswerSpec, EvalRun, HubRows
from eval.spec.judge import JudgeRun
from eval.spec.scores import OverlapSpec, ScoreSpec
from sweep.stages import snapshot
from sweep.stages.claims import TRY_AGAIN, Busy
from sweep.stages.disk import cached_digest, remove, stamp
from sweep.stages.machine import machine
from sweep.stages.stage import File, Stage, StageRef, plain
from sweep.stages.store import Damaged, Store
from train.spec import TokenizerSpec, TokensSpec, TrainRun, TrainSpec, WorldSpec


class InputChanged(ValueError):
    """A file of the user's differs from what it was when the sweep was planned."""


@dataclass(frozen=True)
class StageType:
    """A kind of stage: the module whose ``run`` builds it, and the types of its spec and of its execution settings."""

    module: str
    spec: type
    execution: type | None = None


STAGE_TYPES = {
    "world": StageType("train.world.generate", WorldSpec),
    "tokenizer": StageType("train.tokenizer", TokenizerSpec),
    "tokens": StageType("train.tokens", TokensSpec),
    "train": StageType("train.loop", TrainSpec, TrainRun),
    "answer": StageType("eval.stages.answer", AnswerSpec, EvalRun),
    "score": StageType("eval.stages.score", ScoreSpec, JudgeRun),
    "rows": StageType("eval.stages.hub_rows", HubRows),
    "overlap": StageType("eval.stages.overlap", OverlapSpec),
}

MODEL_KINDS = ("train", "answer")
"""Kinds that always run a model."""

RETIRED = {"train": ("key", "sweep", "tags", "tracker")}
"""Execution settings that sweeps saved by earlier versions hold, and that no stage needs any more."""

STAMPS = "stamps.json"
"""In the folder of a stage that is being built: the `stamp` of each of the user's files when its building began."""


@dataclass(frozen=True)
class Job:
    """A stage with everything a worker process needs to build it; sent to it as JSON.

    ``seconds`` is an estimate of its duration, ``gib`` of the memory of a rank (0: none is known), ``device_seconds``
    of its time on all its devices, which no measured time changes (None: as ``seconds``). ``execution`` holds the
    settings that do not change the result, for the kinds that have any.
    """

    stage: Stage
    execution: TrainRun | EvalRun | JudgeRun | None
    store: Path
    seconds: float
    gib: float = 0.0
    device_seconds: float | None = None

    @property
    def ranks(self) -> int:
        """Number of processes that build the stage together."""
        return self.execution.engine.ranks if isinstance(self.execution, TrainRun) else 1

    @property
    def packs(self) -> bool:
        """Whether the stage is a training that puts several samples into one row."""
        return isinstance(self.execution, TrainRun) and self.execution.engine.pack

    @property
    def runs_model(self) -> bool:
        """True for a stage that runs a model, on a GPU where there is one; of the scores, those with a local judge."""
        return self.stage.kind in MODEL_KINDS or "judge" in self.stage.inputs

    @property
    def replies(self) -> Path | None:
        """The folder in which the replies of a score's judges are kept; None for any other stage."""
        return self.store / self.execution.cache / "replies" if isinstance(self.execution, JudgeRun) else None

    @property
    def title(self) -> str:
        """The stage's name in messages."""
        return f"{self.stage.kind} {self.execution.title}" if isinstance(self.execution, TrainRun) else self.stage.name

    def to_json(self) -> dict[str, Any]:
        """Plain values that `from_json` turns back into the job."""
        inputs = {
            name: {"path": str(node.path), "digest": node.digest, "stamp": node.stamp}
            if isinstance(node, File)
            else {"kind": node.kind, "key": node.key}
            for name, node in self.stage.inputs.items()
        }
        return {
            "store": str(self.store), "kind": self.stage.kind, "key": self.stage.key, "spec": plain(self.stage.spec),
            "inputs": inputs, "how": plain(self.execution), "seconds": self.seconds, "gib": self.gib,
            "device_seconds": self.device_seconds,
        }  # fmt: skip

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Job:
        """The job that `to_json` wrote. Raises a ValueError when this version of the code gives it another key."""
        stage_type = STAGE_TYPES[value["kind"]]
        inputs: dict[str, Stage | StageRef | File] = {
            name: File(Path(node["path"]), node["digest"], node.get("stamp", ""))
            if "path" in node
            else StageRef(node["kind"], node["key"])
            for name, node in value["inputs"].items()
        }
        stage = Stage(value["kind"], restore(stage_type.spec, value["spec"]), inputs)
        if stage.key != value["key"]:
            raise ValueError(
                f"stage {value['kind']}-{value['key']} was planned by another version of the code; "
                f"this version plans {stage.name}"
            )
        settings = value["how"]
        execution: Any = None
        if stage_type.execution and settings is not None:
            kept = {name: item for name, item in settings.items() if name not in RETIRED.get(value["kind"], ())}
            execution = restore(stage_type.execution, kept)
        own = value.get("gib", 0.0), value.get("device_seconds")  # a sweep saved by an older release has neither
        return Job(stage, execution, Path(value["store"]), value["seconds"], *own)


def build_stage(job: Job, owner: str, rank: int = 0) -> int:
    """Build the job's stage in this process; return its exit status: 0 done, 75 try again, 1 failed.

    ``rank`` numbers the processes of a job from 0. Rank 0 claims the stage and publishes it; the others work in its
    folder.
    """
    store = Store(job.store)
    try:
        if store.has(job.stage):
            return 0
        if rank:
            _run(job, store, _wait_for(store.partial(job.stage, owner)))
            return 0
        with store.build(job.stage, owner) as out:
            if not store.has(job.stage):
                _run_and_record(job, store, out)
        return 0
    except Busy as problem:
        print(problem, file=sys.stderr)
        return TRY_AGAIN
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 1
    except (InputChanged, Damaged) as problem:  # one sentence for the user; a traceback would add nothing
        print(problem, file=sys.stderr)
        _record_failure(store, job.stage, problem)
        return 1
    except BaseException as problem:
        traceback.print_exc()
        _record_failure(store, job.stage, problem, _memory_hint(job, problem))
        return 1


def _run_and_record(job: Job, store: Store, out: Path) -> None:
    began = time.time()
    _clear_if_files_were_touched(job.stage, out)
    try:
        try:
            _run(job, store, out)
        finally:
            check_files(job.stage)  # also after a failure: a file that was edited meanwhile may be its cause
    except InputChanged:
        remove(out)  # some of it may come from other content than the key names
        out.mkdir()
        raise
    (out / STAMPS).unlink(missing_ok=True)
    write_json(out / "record.json", _record(job, began))


def _clear_if_files_were_touched(stage: Stage, out: Path) -> None:
    """Remove what a killed attempt left in ``out`` if a file of the user's has been touched since that attempt began.

    The attempt may have read it while it was edited, even if it is now as it was planned.
    """
    files = {name: node.path for name, node in stage.inputs.items() if isinstance(node, File)}
    stamps = {name: stamp(path) if path.exists() else "missing" for name, path in files.items()}
    left = out / STAMPS
    if left.exists() and json.loads(left.read_bytes()) != stamps:
        print(f"{stage.name}: a file that it reads was touched after an attempt that was killed; it begins anew")
        remove(out)
        out.mkdir()
    if stamps:
        write_json(left, stamps)


def _run(job: Job, store: Store, out: Path) -> None:
    check_files(job.stage)
    inputs = {}
    for name, node in job.stage.inputs.items():
        inputs[name] = node.path if isinstance(node, File) else store.path(node)
        if not isinstance(node, File):
            store.verify(inputs[name])
    with importing():
        run = importlib.import_module(STAGE_TYPES[job.stage.kind].module).run
    if job.execution is None:
        run(job.stage.spec, inputs, out)
    elif isinstance(job.execution, JudgeRun):
        run(job.stage.spec, inputs, out, replace(job.execution, cache=str(store.root / job.execution.cache)))
    else:
        run(job.stage.spec, inputs, out, job.execution)


def check_files(stage: Stage) -> None:
    """Raise `InputChanged` when a file of the user's that the stage reads is not what it was when it was planned."""
    for node in stage.inputs.values():
        if not isinstance(node, File) or (node.stamp and node.path.exists() and stamp(node.path) == node.stamp):
            continue
        present = cached_digest(node.path) if node.path.exists() else "missing"
        if present != node.digest:
            raise InputChanged(
                f"{node.path} has changed since the sweep was planned: its digest was {node.digest} and is {present} "
                "now; run the sweep's command again to plan with the file as it is"
            )


def _wait_for(folder: Path, seconds: float = 120.0) -> Path:
    deadline = time.monotonic() + seconds
    while not folder.exists():
        if time.monotonic() > deadline:
            raise Busy(f"{folder.name}: rank 0 has not claimed the stage after {seconds:.0f} s")
        time.sleep(0.05)
    return folder


def _record(job: Job, began: float) -> dict[str, Any]:
    """What record.json keeps of one build: when, on which machine, with which code and libraries, from which files."""
    files = {name: node for name, node in job.stage.inputs.items() if isinstance(node, File)}
    return {
        "began": round(began, 3), "seconds": round(time.time() - began, 3), "host": socket.gethostname(),
        "code": snapshot.digest(), "how": plain(job.execution), **machine(),
        "files": {name: str(node.path) for name, node in files.items()},
        "digests": {name: node.digest for name, node in files.items()},
    }  # fmt: skip


def _memory_hint(job: Job, problem: BaseException) -> str:
    """For a process that ran out of memory: the plan's estimate, and what to change; '' for any other problem."""
    text = f"{type(problem).__name__}: {problem}"
    where = "GPU" if "OutOfMemoryError" in text or "CUDA out of memory" in text else "host"
    if where == "host" and not isinstance(problem, MemoryError) and "t allocate memory" not in text:
        return ""
    estimate = f" ({memory_estimate(job)})" if job.gib else ""
    return f"out of memory on the {where}{estimate}; {less_memory(job)}: "


def memory_estimate(job: Job) -> str:
    """What the plan says of a stage's memory."""
    each = f" for each of {job.ranks} ranks" if job.ranks > 1 else ""
    return f"the plan's estimate is {job.gib:.3g} GiB{each}"


def less_memory(job: Job) -> str:
    """What makes a stage need less memory."""
    if job.stage.kind == "answer":
        return "lower suite.eval_batch_size"
    return "lower engine.micro_tokens, or raise engine.ranks"


def _record_failure(store: Store, stage: Stage, problem: BaseException, hint: str = "") -> None:
    path = store.failure(stage)
    path.parent.mkdir(parents=True, exist_ok=True)
    attempts = json.loads(path.read_bytes())["attempts"] if path.exists() else 0
    error = f"{hint}{type(problem).__name__}: {problem}"
    write_json(path, {"error": error, "attempts": attempts + 1, "log": str(store.log(stage))})
