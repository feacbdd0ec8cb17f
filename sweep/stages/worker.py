"""Run one stage in a worker process: the only place that knows which function makes which kind."""

from __future__ import annotations

import importlib
import json
import os
import platform
import socket
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from common.json_file import write_json
from eval.spec.answers import AnswerSpec, EvalRun, HubRows
from eval.spec.judge import JudgeRun
from eval.spec.scores import OverlapSpec, ScoreSpec
from sweep.stages.stage import File, Stage, StageRef, plain, restore
from sweep.stages.store import Busy, Store
from train.spec import TokenizerSpec, TokensSpec, TrainRun, TrainSpec, WorldSpec

AGAIN = 75
"""Exit status of a stage that was stopped or found busy, and is to be tried again (EX_TEMPFAIL)."""


@dataclass(frozen=True)
class StageType:
    """How a kind is made: the module whose ``run`` makes it, and the types of its spec and of its ``how``."""

    module: str
    spec: type
    execution: type | None = None


WORK = {
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

LIBRARIES = ("torch", "transformers", "numpy", "deepspeed")
"""Their versions go into every record."""


@dataclass(frozen=True)
class Job:
    """A stage with all that a worker needs to run it; ``seconds`` is an estimate. Travels as plain JSON."""

    stage: Stage
    execution: TrainRun | EvalRun | JudgeRun | None
    store: Path
    seconds: float

    @property
    def ranks(self) -> int:
        """Processes that work on the stage together."""
        return self.execution.engine.ranks if isinstance(self.execution, TrainRun) else 1

    @property
    def runs_model(self) -> bool:
        """True for a stage that runs a model, on a GPU where there is one: a score does so when its judge is local."""
        return self.stage.kind in MODEL_KINDS or "judge" in self.stage.inputs

    @property
    def title(self) -> str:
        """What a person calls the stage."""
        return f"{self.stage.kind} {self.execution.title}" if isinstance(self.execution, TrainRun) else self.stage.name

    def to_json(self) -> dict[str, Any]:
        inputs = {
            name: {"path": str(node.path), "digest": node.digest}
            if isinstance(node, File)
            else {"kind": node.kind, "key": node.key}
            for name, node in self.stage.inputs.items()
        }
        return {
            "store": str(self.store), "kind": self.stage.kind, "key": self.stage.key, "spec": plain(self.stage.spec),
            "inputs": inputs, "how": plain(self.execution), "seconds": self.seconds,
        }  # fmt: skip

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Job:
        work = WORK[value["kind"]]
        inputs: dict[str, Stage | StageRef | File] = {
            name: File(Path(node["path"]), node["digest"]) if "path" in node else StageRef(node["kind"], node["key"])
            for name, node in value["inputs"].items()
        }
        stage = Stage(value["kind"], restore(work.spec, value["spec"]), inputs)
        if stage.key != value["key"]:
            raise ValueError(
                f"stage {value['kind']}-{value['key']} was planned by another version of the code, "
                f"which would now make {stage.name}; run the sweep's command again"
            )
        execution = restore(work.execution, value["how"]) if work.execution and value["how"] is not None else None
        return Job(stage, execution, Path(value["store"]), value["seconds"])


def perform(job: Job, owner: str) -> int:
    """Build the job's stage in this process; return its exit status (0 done, 75 try again, 1 failed).

    Ranks above 0 of a job of several processes work in the folder that rank 0 claims and publishes.
    """
    store = Store(job.store)
    try:
        if store.has(job.stage):
            return 0
        if int(os.environ.get("RANK", "0")):
            _run(job, _wait_for(store.partial(job.stage, owner)))
            return 0
        with store.build(job.stage, owner) as out:
            if store.has(job.stage):
                return 0
            began = time.time()
            _run(job, out)
            write_json(out / "record.json", _record(job, began))
        return 0
    except Busy as held:
        print(held, file=sys.stderr)
        return AGAIN
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 1
    except BaseException as problem:
        traceback.print_exc()
        _fail(store, job.stage, problem)
        return 1


def _run(job: Job, out: Path) -> None:
    work = WORK[job.stage.kind]
    store = Store(job.store)
    inputs = {
        name: node.path if isinstance(node, File) else store.root / node.kind / node.key
        for name, node in job.stage.inputs.items()
    }
    run = importlib.import_module(work.module).run
    if job.execution is None:
        run(job.stage.spec, inputs, out)
    elif isinstance(job.execution, JudgeRun):
        run(job.stage.spec, inputs, out, replace(job.execution, cache=str(store.root / job.execution.cache)))
    else:
        run(job.stage.spec, inputs, out, job.execution)


def _wait_for(folder: Path, seconds: float = 120.0) -> Path:
    deadline = time.monotonic() + seconds
    while not folder.exists():
        if time.monotonic() > deadline:
            raise Busy(f"{folder.name}: rank 0 has not claimed the stage after {seconds:.0f} s")
        time.sleep(0.05)
    return folder


def _record(job: Job, began: float) -> dict[str, Any]:
    versions = {}
    for library in LIBRARIES:
        if library in sys.modules:
            versions[library] = metadata.version(library)
    return {
        "began": round(began, 3), "seconds": round(time.time() - began, 3), "host": socket.gethostname(),
        "python": platform.python_version(), "versions": versions, "how": plain(job.execution),
        "files": {name: str(node.path) for name, node in job.stage.inputs.items() if isinstance(node, File)},
    }  # fmt: skip


def _fail(store: Store, stage: Stage, problem: BaseException) -> None:
    failure = store.failure(stage)
    failure.parent.mkdir(parents=True, exist_ok=True)
    attempts = json.loads(failure.read_bytes())["attempts"] if failure.exists() else 0
    error = f"{type(problem).__name__}: {problem}"
    write_json(failure, {"error": error, "attempts": attempts + 1, "log": str(store.log(stage))})
