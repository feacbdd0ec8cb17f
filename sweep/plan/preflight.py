"""Checks before any work starts: libraries, files, hub repositories and judges that the plan needs."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from typing import Any

from common import model_folder
from common.extras import require
from common.hub import MODEL_FILES, TOKENIZER_FILES, cached, download
from sweep.plan import judge_cost
from sweep.plan.plan import Plan
from sweep.stages.extras import extras
from sweep.stages.stage import Stage
from sweep.stages.store import Store
from train.spec import Hub

FILES = {"model": MODEL_FILES, "tokenizer": TOKENIZER_FILES, "data set": None}
"""Which files of a repository the stages read, by its kind; None: all."""

SECONDS = 5.0
"""How long to wait for the hub to answer."""


def check_plan(plan: Plan) -> None:
    """Raise a ValueError that lists every library, file, hub repository and judge that missing stages cannot reach."""
    store = plan.store
    require("this sweep", plan.tracker.extras)
    stages = [(stage, plan.execution[stage.key]) for stage in plan.stages]
    check_stages(stages, plan.absent, store, judge_cost.problems(plan, store))


def check_stages(
    stages: Iterable[tuple[Stage, Any]], absent: Iterable[str], store: Store, problems: Iterable[str] = ()
) -> None:
    """Raise a ValueError that lists every library, file and hub repository that missing stages cannot reach.

    ``stages`` holds each stage with its execution settings, ``absent`` the files that are known to be missing as
    KEY=PATH; ``problems`` are listed too.
    """
    executions = dict(stages)
    missing = [(stage, executions[stage]) for stage in store.lacking(executions).values()]
    require("this sweep", extras(missing))
    lines = [f"{place}: no such file; get it, or give its path" for place in absent] + list(problems)
    uncached = [f"{name}: {why}" for name, why in _uncached(stage for stage, _ in missing).items()]
    if uncached and (why := unreachable()):
        lines += [*uncached, why]
    if lines:
        raise ValueError("\n  ".join(["the plan needs what cannot be reached from here:", *lines]))


def _repositories(stage: Stage) -> list[tuple[str, Hub, str]]:
    """The hub repositories that the stage reads: "model", "tokenizer" or "data set", and of this the file ('': all)."""
    spec = stage.spec
    match stage.kind:
        case "tokens":
            return [("tokenizer", spec.tokenizer_hub, "")] if spec.tokenizer_hub else []
        case "train":
            return [("model", spec.hub, "")] if spec.hub else []
        case "rows":
            return [("data set", Hub(spec.repo, spec.revision), spec.file)]
        case "answer":
            return [("model", Hub(spec.model_repo, spec.model_revision or "main"), "")] if spec.model_repo else []
    return []


def _uncached(stages: Iterable[Stage]) -> dict[str, str]:
    """What the hub's cache on this machine lacks of the repositories that the stages read, by repository."""
    lacking: dict[str, str] = {}
    for kind, hub, file in dict.fromkeys(repository for stage in stages for repository in _repositories(stage)):
        folder = cached(hub.repo, hub.revision, kind="dataset" if kind == "data set" else "model")
        parts = model_folder.problems(folder, weights=kind == "model") if folder and kind != "data set" else []
        if folder is not None and file and not (folder / file).is_file():
            parts.append("no such file")
        if folder is None or parts:
            lacking[_named(kind, hub, file)] = (
                f"in the local hub cache, but with {'; '.join(parts)}" if parts else "not in the local hub cache"
            )
    return lacking


def fetch_all(stages: Iterable[Stage], say: Callable[[str], None]) -> int:
    """Download every hub repository that the stages read and this machine's cache lacks; return how many.

    Raises a ValueError that names a repository and why it cannot be had.
    """
    listed = list(stages)
    lacking = _uncached(listed)
    todo = [
        one for one in dict.fromkeys(r for stage in listed for r in _repositories(stage)) if _named(*one) in lacking
    ]
    for kind, hub, file in todo:
        say(f"fetching {_named(kind, hub, file)}")
        patterns = [file] if file else FILES[kind]
        download(hub.repo, hub.revision, patterns, kind="dataset" if kind == "data set" else "model")
    return len({hub for _, hub, _ in todo})


def _named(kind: str, hub: Hub, file: str) -> str:
    return f"{kind} {hub.repo}, revision {hub.revision}" + (f", file {file}" if file else "")


def unreachable() -> str:
    """Why the hub cannot be reached and what to do about it; empty when it can."""
    remedy = (
        "fill the cache on a machine with a network, or give model.path, data.sources.NAME.path and "
        "suite.tasks.NAME.path of local copies"
    )
    if os.environ.get("HF_HUB_OFFLINE", "0").lower() in ("1", "true", "yes", "on"):
        return f"HF_HUB_OFFLINE is set: {remedy}"
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    try:
        urllib.request.urlopen(urllib.request.Request(endpoint, method="HEAD"), timeout=SECONDS).close()
    except urllib.error.HTTPError:
        return ""  # it answers
    except (OSError, ValueError) as problem:
        return f"{endpoint} cannot be reached ({getattr(problem, 'reason', problem)}): {remedy}"
    return ""
