"""Load a suite from its YAML file without Hydra."""

from __future__ import annotations

import contextlib
import math
import os
from pathlib import Path
from typing import Any

from common.options import KINDS
from common.renames import current_tree
from common.restore import restore
from common.rows import NOT_UTF8
from common.start import conf_folder
from eval.spec.tasks import Suite

SUITES = conf_folder() / "suite"


def load(name: str, data: str | None) -> Suite:
    """The suite of that name in `SUITES`, or in the YAML file ``name``. ``data`` replaces $DOSAGE_DATA.

    Raises ValueError for an unknown name, for a file that is not a suite, and for all mistakes in one at once.
    """
    from omegaconf import OmegaConf  # imported here because run-code works without it
    from omegaconf.errors import InterpolationResolutionError, OmegaConfBaseException
    from yaml import YAMLError

    from eval.commands.written import read

    path = Path(name) if name.endswith((".yaml", ".yml")) else SUITES / f"{name}.yaml"
    if not path.is_file():
        names = ", ".join(sorted(file.stem for file in SUITES.glob("*.yaml")))
        raise ValueError(f"suite={name} is unknown; choose one of: {names}, or give a YAML file")
    if data is not None:
        os.environ["DOSAGE_DATA"] = data  # suites refer to it as ${oc.env:DOSAGE_DATA}
    try:
        tree = read(path)
        values: Any = OmegaConf.to_container(OmegaConf.create(tree), resolve=True) if isinstance(tree, dict) else tree
        values = current_tree(values, ("suite",)) if isinstance(values, dict) else values
    except UnicodeDecodeError:
        raise ValueError(f"{path}: {NOT_UTF8}") from None
    except InterpolationResolutionError as error:  # its other lines name classes of OmegaConf
        raise ValueError(f"{path}: {error.full_key}: {str(error).splitlines()[0]}; set it") from None
    except (OmegaConfBaseException, YAMLError, OSError) as error:
        raise ValueError(f"{path} is not a suite: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise ValueError(f"{path} is not a suite: it needs tasks, such as tasks: {{NAME: {{ability: math, …}}}}")
    try:
        return restore(Suite, {"name": path.stem, **values}, _typed)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _typed(hint: Any, value: Any) -> Any:
    """A value of the file as a field of that type holds it: a text as it was written, all else as a sweep types it.

    Raises ValueError for a value that is not of the type.
    """
    from omegaconf import BooleanNode, FloatNode, IntegerNode, StringNode
    from omegaconf.errors import ValidationError

    from eval.commands.written import meant

    value = meant(value) if isinstance(value, str) and hint is not str else value
    nodes: dict[Any, Any] = {bool: BooleanNode, int: IntegerNode, float: FloatNode, str: StringNode}
    with contextlib.suppress(ValidationError):
        typed = nodes[hint](value, is_optional=False)._value()
        if hint is not float or math.isfinite(typed):
            return typed
    raise ValueError(f"{value!r} is not {KINDS[hint]}")
