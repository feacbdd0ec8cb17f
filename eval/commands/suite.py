"""Load a suite from its YAML file without Hydra."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from common.renames import current_tree
from common.start import conf_folder
from eval.spec.judge import Judge, JudgeRun
from eval.spec.tasks import Suite, Task

JUDGE_SPECS = {"judge": Judge, "judge_client": JudgeRun}
SUITES = conf_folder() / "suite"


def load(name: str, data: str | None) -> Suite:
    """The suite of that name in `SUITES`, or in the YAML file ``name``. ``data`` replaces $DOSAGE_DATA.

    Raises ValueError for an unknown name, an unknown key, and a file that is not a suite.
    """
    from omegaconf import OmegaConf  # imported here because run-code works without it
    from omegaconf.errors import OmegaConfBaseException

    path = Path(name) if name.endswith((".yaml", ".yml")) else SUITES / f"{name}.yaml"
    if not path.is_file():
        names = ", ".join(sorted(file.stem for file in SUITES.glob("*.yaml")))
        raise ValueError(f"suite={name} is unknown; choose one of: {names}, or give a YAML file")
    if data is not None:
        os.environ["DOSAGE_DATA"] = data  # suites refer to it as ${oc.env:DOSAGE_DATA}
    try:
        values: Any = current_tree(OmegaConf.to_container(OmegaConf.load(path), resolve=True), ("suite",))
        tasks = {task: _checked(f"task {task}", Task, own) for task, own in values["tasks"].items()}
        judge = {part: _checked(part, kind, values[part]) for part, kind in JUDGE_SPECS.items() if values.get(part)}
        return Suite(**{**values, "tasks": tasks, **judge})
    except (OmegaConfBaseException, TypeError, KeyError) as error:
        raise ValueError(f"{path} is not a suite: {error}") from None


def _checked(name: str, kind: type, values: Mapping[str, Any]) -> Any:
    names = [one.name for one in fields(kind)]
    if unknown := set(values) - set(names):
        raise ValueError(f"{name} has no {', '.join(sorted(unknown))}; it has {', '.join(names)}")
    return kind(**values)
