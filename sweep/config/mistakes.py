"""Errors of Hydra and OmegaConf in one line: what is wrong, where, and what was probably meant."""

from __future__ import annotations

import dataclasses
import re

from omegaconf.errors import ConfigAttributeError, ConfigKeyError

from common.options import near
from common.wording import closest
from eval.spec.tasks import Task
from sweep.config.cell import Cell, Source
from sweep.config.schema import names

ENTRIES = {"data.sources": Source, "data.corpus": Source, "suite.tasks": Task}
"""What the entries of tables are whose names are the user's own."""

ENTRY = re.compile(rf"({'|'.join(map(re.escape, ENTRIES))})\.[^.]+\.([^.]+)")

OPEN = re.compile(r"data\.(?:sources|corpus)\.[^.]+\.(?:columns|only)\.[^.]+")
"""Keys of tables to which a user may add any."""


def meant(key: str) -> str:
    """The key of a cell that was probably meant, or all keys of the branch; "" where there are none."""
    if entry := ENTRY.fullmatch(key):
        own = [part.name for part in dataclasses.fields(ENTRIES[entry[1]])]
        return near(entry[2], own) or f"; it has {', '.join(own)}"
    if OPEN.fullmatch(key):
        return f"; to add it, write +{key}=VALUE"
    known, branch = names(Cell), key.rpartition(".")[0]
    close = closest(key, known)
    beside = [name.rpartition(".")[2] for name in known if branch and name.rpartition(".")[0] == branch]
    if beside and (not close or close[0] == branch):
        return f"; {branch} has {', '.join(beside)}"
    return f"; did you mean {close[0]}?" if close else ""


def explain(problem: BaseException) -> str:
    """A Hydra or OmegaConf error in one line: what is wrong, and the name that was probably meant."""
    chain = [problem]
    while chain[-1].__cause__ is not None:
        chain.append(chain[-1].__cause__)
    for part in chain:
        if isinstance(part, ConfigKeyError | ConfigAttributeError) and part.full_key:
            return f"{part.full_key} is not in the config{meant(part.full_key)}"
        if isinstance(part, AttributeError) and (branch := re.search(r"full_key: (\S+)", str(part))):
            return f"{branch[1]} is null, so nothing can be merged into it; set its keys one by one: {branch[1]}.KEY=…"
        if inside := IN_FILE.search(str(part)):
            return _in_file(*inside.groups())
    lines = [line.strip() for part in chain for line in str(part).splitlines()]
    text = "; ".join(line for line in dict.fromkeys(lines) if line and not line.startswith(NOISE))
    if absent := re.search(r"Could not find '(.+)/([^/']+)'; Available options in '.+?':; (.+)", text):
        group, name, known = absent[1], absent[2], absent[3].split("; ")
        return f"{group}={name}: there is none of that name{near(name, known)}; choose one of: {', '.join(known)}"
    if typed := re.search(r"Error merging override (.+); Value .* could not be converted to (\w+)", text):
        return f"{typed[1]} is not {KINDS.get(typed[2], typed[2])}"
    if single := re.search(r"Error merging override ([^=]+)=(.+); .* is not a ListConfig, list or tuple", text):
        return f"{single[1]}={single[2]} is no list; write {single[1]}=[{single[2]}]"
    if swept := re.search(r"Sweeping over Hydra's configuration is not supported : '(hydra\.launcher\.[\w.]+)=", text):
        return (
            f"{swept[1]} has one text for all cells; let it read the cell, such as "
            f"{swept[1]}='${{model.resources.OWN}}' a value of your own in conf/model/NAME.yaml, and sweep the model"
        )
    return text


def _in_file(file: str, problem: str, key: str) -> str:
    """What is wrong in a file of a group, with the key where OmegaConf tells it."""
    if problem.startswith("Key '") and key:
        return f"{file}.yaml: {key} is not in the config{meant(key)}"
    if typed := re.match(r"Value (.+) of type '.+' could not be converted to (\w+)", problem):
        return f"{file}.yaml: {key}={typed[1]} is not {KINDS.get(typed[2], typed[2])}"
    if problem == "Cannot merge DictConfig with ListConfig":
        problem = "keys stand where a list belongs; begin each of its items with a dash"
    return f"{file}.yaml: {f'{key}: ' if key else ''}{problem}"


IN_FILE = re.compile(r"In '([^']+)': \w+ raised while composing config:\n(.*?)\n\s+full_key: *(\S*)", re.DOTALL)
"""How Hydra tells of a mistake in a file: its name, the mistake and the key."""

KINDS = {"Integer": "a whole number", "Float": "a number", "Boolean": "true or false"}
"""What a type of OmegaConf is called in an error."""

NOISE = ("full_key:", "object_type=", "reference_type=", "provider=", "Config search path", "Set the environment")
"""Beginnings of lines in the errors of OmegaConf and Hydra that mean nothing to a user."""
