"""What is wrong with the launcher's settings, by the keys that the user wrote."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from common.options import near
from sweep.launch.gres import gpus_in

AT_LEAST = {
    "timeout_min": 1, "nodes": 1, "tasks_per_node": 1, "cpus_per_task": 1, "cpus_per_gpu": 1, "gpus_per_task": 1,
    "array_parallelism": 1, "gpus_per_node": 0, "signal_delay_s": 0, "max_num_timeout": 0,
}  # fmt: skip
"""Settings that are whole numbers, and the smallest that each may be."""

TEXTS = (
    "submitit_folder", "name", "mem_per_gpu", "mem_per_cpu", "partition", "qos", "account", "comment", "constraint",
    "exclude", "gres",
)  # fmt: skip
SWITCHES = ("stderr_to_stdout", "wait")
LISTS = ("setup", "srun_args")

PROCESSORS = ("cpus_per_task", "cpus_per_gpu")
MEMORY = ("mem_gb", "mem_per_cpu", "mem_per_gpu")
"""Settings of which sbatch takes one at most."""

OF_TRAINING = ("nodes", "tasks_per_node")
OF_GPUS = ("gpus_per_node", "gpus_per_task", "cpus_per_gpu", "mem_per_gpu", "gres")
"""Settings of trainings alone, and of parts that run a model."""

GPU_OPTIONS = ("gpus", "gpus-per-node", "gpus-per-task", "gpus-per-socket", "gres")
"""Options of sbatch in ``additional_parameters`` with which a user asks for GPUs."""

OPTIONS = {
    "time": "timeout_min", "nodes": "nodes", "ntasks-per-node": "tasks_per_node", "cpus-per-task": "cpus_per_task",
    "partition": "partition", "signal": "signal_delay_s", "comment": "comment", "job-name": "name",
    "output": "submitit_folder", "error": "submitit_folder", "array": "array_parallelism",
    "ntasks": "", "dependency": "", "requeue": "", "no-requeue": "", "kill-on-invalid-dep": "", "open-mode": "",
}  # fmt: skip
"""Options of sbatch that ``additional_parameters`` cannot have, and the settings with which they are chosen, if any."""

OF_THE_WHOLE = ("submitit_folder", "wait", "planned")
"""Settings that no part has for itself."""


def problems(values: Mapping[str, Any], place: str) -> Iterator[str]:
    """What is wrong with settings that the config holds under the key ``place``, a sentence each; null is none."""
    given = {name: value for name, value in values.items() if value is not None}
    for name, value in given.items():
        if wanted := _wanted(name, value):
            yield f"{place}.{name}={value!r} must be {wanted}"
    more = given.get("additional_parameters")
    for option in more if isinstance(more, Mapping) else ():
        if (setting := OPTIONS.get(str(option).replace("_", "-"))) is not None:
            remedy = f"give {place}.{setting}" if setting else "leave it out"
            yield f"{place}.additional_parameters.{option}: the command sets this option itself; {remedy}"
    for names in (PROCESSORS, MEMORY, ("gpus_per_node", "gres")):
        both = [name for name in names if name in given and not (name == "gres" and gpus_in(str(given[name])) is None)]
        if len(both) > 1:
            told = " and ".join(f"{place}.{name}={given[name]}" for name in both)
            yield f"{told} exclude each other; leave one out"


def problems_of_part(part: str, values: Mapping[str, Any], known: Collection[str]) -> Iterator[str]:
    """What is wrong with the section of a part; ``known`` holds every setting."""
    place = f"hydra.launcher.{part}"
    own = [name for name in known if name not in OF_THE_WHOLE]
    for name, value in values.items():
        if name not in own:
            yield f"{place}.{name} is no setting of a part{near(name, own)}"
        elif value is not None and part != "train" and name in OF_TRAINING:
            yield f"{place}.{name}={value}: only a training runs as several tasks; leave it out"
        elif value is not None and part in ("score", "data") and name in OF_GPUS:
            yield f"{place}.{name}={value}: this part never uses a GPU; leave it out"
    yield from problems({name: value for name, value in values.items() if name in own}, place)


def says_gpus(values: Mapping[str, Any]) -> bool:
    """Whether settings, or a section of them, say how many GPUs a job gets; they may say 0."""
    counts = (values.get("gpus_per_node"), values.get("gpus_per_task"), gpus_in(values.get("gres")))
    more = values.get("additional_parameters") or {}
    return any(count is not None for count in counts) or any(one.replace("_", "-") in GPU_OPTIONS for one in more)


def _wanted(name: str, value: Any) -> str:
    """What the setting must be; '' where the value is that."""
    if name in AT_LEAST:
        right = isinstance(value, int) and not isinstance(value, bool) and value >= AT_LEAST[name]
        return "" if right else f"a whole number {'above 0' if AT_LEAST[name] else 'from 0 on'}"
    if name == "mem_gb":
        right = isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
        return "" if right else "a number of GiB a node, or 0 for all that a node has"
    if name in SWITCHES:
        return "" if isinstance(value, bool) else "true or false"
    if name in LISTS:
        right = isinstance(value, list) and all(isinstance(word, str) for word in value)
        return "" if right else "a list of texts, such as [a, b]"
    if name == "additional_parameters":
        return "" if isinstance(value, Mapping) else "options of sbatch with their values, such as {nice: 10}"
    return "" if name not in TEXTS or isinstance(value, str) else "a text"
