"""Suites as the sweep has them, read from their YAML file without Hydra."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from common.conf_folder import conf_folder
from common.renames import current_tree
from eval.spec.judge import Judge, JudgeRun
from eval.spec.tasks import Suite, Task

JUDGES = {"judge": Judge, "judge_client": JudgeRun}
PLACE = conf_folder() / "suite"


def load(name: str, data: str | None) -> Suite:
    """The suite of that name, or in that file, with ``data`` as DOSAGE_DATA. ValueError for what is no suite."""
    from omegaconf import OmegaConf  # here, so that run-code needs nothing but Python itself
    from omegaconf.errors import OmegaConfBaseException

    path = Path(name) if name.endswith((".yaml", ".yml")) else PLACE / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(one.stem for one in PLACE.glob("*.yaml")))
        raise ValueError(f"suite={name} is unknown; choose one of: {known}, or give a YAML file")
    if data is not None:
        os.environ["DOSAGE_DATA"] = data
    try:
        made: Any = current_tree(OmegaConf.to_container(OmegaConf.load(path), resolve=True), ("suite",))
        tasks = {task: _known(f"task {task}", Task, given) for task, given in made["tasks"].items()}
        judges = {name: _known(name, kind, made[name]) for name, kind in JUDGES.items() if made.get(name)}
        return Suite(**{**made, "tasks": tasks, **judges})
    except (OmegaConfBaseException, TypeError, KeyError) as error:
        raise ValueError(f"{path} is no suite: {error}") from None


def _known(name: str, kind: type, given: Mapping[str, Any]) -> Any:
    known = [one.name for one in fields(kind)]
    if unknown := set(given) - set(known):
        raise ValueError(f"{name} has no {', '.join(sorted(unknown))}; it has {', '.join(known)}")
    return kind(**given)
