"""Load a suite from its YAML file without Hydra."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from common.renames import current_tree
from common.start import conf_folder
from eval.spec.judge import Judge, JudgeRun
from eval.spec.tasks import Suite, Task

JUDGE_SPECS = {"judge": Judge, "judge_client": JudgeRun}
PARTS = ("tasks", *JUDGE_SPECS)  # keys of a suite that hold tables of keys
SUITES = conf_folder() / "suite"


def load(name: str, data: str | None) -> Suite:
    """The suite of that name in `SUITES`, or in the YAML file ``name``. ``data`` replaces $DOSAGE_DATA.

    Raises ValueError for an unknown name, an unknown key, and a file that is not a suite.
    """
    from omegaconf import OmegaConf  # imported here because run-code works without it
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    path = Path(name) if name.endswith((".yaml", ".yml")) else SUITES / f"{name}.yaml"
    if not path.is_file():
        names = ", ".join(sorted(file.stem for file in SUITES.glob("*.yaml")))
        raise ValueError(f"suite={name} is unknown; choose one of: {names}, or give a YAML file")
    if data is not None:
        os.environ["DOSAGE_DATA"] = data  # suites refer to it as ${oc.env:DOSAGE_DATA}
    try:
        values: Any = current_tree(OmegaConf.to_container(OmegaConf.load(path), resolve=True), ("suite",))
    except (OmegaConfBaseException, YAMLError, OSError) as error:
        raise ValueError(f"{path} is not a suite: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict) or not isinstance(values.get("tasks", {}), dict):
        raise ValueError(f"{path} is not a suite: it needs tasks, such as tasks: {{NAME: {{ability: math, …}}}}")
    try:
        values = {"name": path.stem, **values}
        _check_keys("the suite", Suite, values)
        values |= _typed(Suite, {key: value for key, value in values.items() if key not in PARTS})
        values["tasks"] = {task: _made(f"task {task}", Task, own) for task, own in values["tasks"].items()}
        values |= {part: _made(part, kind, values[part]) for part, kind in JUDGE_SPECS.items() if values.get(part)}
        return Suite(**values)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None


def _made(name: str, kind: type, values: Mapping[str, Any]) -> Any:
    """The dataclass of these values. Raises ValueError that names it."""
    _check_keys(name, kind, values)
    try:
        return kind(**_typed(kind, values))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _typed(kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values in the types of the dataclass. Raises ValueError for the first that has another."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    typed: Any = OmegaConf.create()
    for key, value in values.items():
        try:
            merged: Any = OmegaConf.merge(OmegaConf.structured(kind), {key: value})
            typed[key] = merged[key]
        except OmegaConfBaseException as error:
            reason = str(error).partition("\n")[0]
            raise ValueError(f"{key}={value!r} does not fit: {reason}") from None
    plain: Any = OmegaConf.to_container(typed)
    return dict(plain)


def _check_keys(name: str, kind: type, values: Mapping[str, Any]) -> None:
    """Raise a ValueError for what a mapping lacks, and for what the dataclass has no field for."""
    if not isinstance(values, Mapping):
        raise ValueError(f"{name} is {values!r}, not a table of keys")
    names = [one.name for one in fields(kind)]
    if unknown := set(values) - set(names):
        raise ValueError(f"{name} has no {', '.join(sorted(map(str, unknown)))}; it has {', '.join(names)}")
    required = [one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING]
    if absent := [one for one in required if one not in values]:
        raise ValueError(f"{name} needs {', '.join(absent)}; give a value")
