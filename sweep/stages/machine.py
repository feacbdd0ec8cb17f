"""What the last digits of a stage's results depend on besides its key: processor or GPU, and library versions."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

LIBRARIES = ("torch", "transformers", "tokenizers", "numpy", "deepspeed", "vllm")
"""Libraries whose versions a record keeps, where the stage has imported them."""

Record = Mapping[str, Any]


def machine() -> dict[str, Any]:
    """The part of record.json on the machine of this process; call it after the stage has run.

    ``instructions`` is the instruction set of torch's kernels for the processor, None for a stage without torch;
    ``gpu`` is None for a stage that used none.
    """
    torch = sys.modules.get("torch")  # importing it takes seconds, and most kinds of stages need none
    on_gpu = torch is not None and (
        torch.cuda.is_initialized() or ("vllm" in sys.modules and torch.cuda.is_available())
    )
    return {
        "processor": _processor(),
        "instructions": torch.backends.cpu.get_cpu_capability() if torch else None,
        "threads": torch.get_num_threads() if torch else None,
        "gpu": torch.cuda.get_device_name() if torch and on_gpu else None,
        "python": platform.python_version(),
        "versions": {library: metadata.version(library) for library in LIBRARIES if library in sys.modules},
    }


def _processor() -> str:
    """The processor's name as its maker gives it, else the architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(filter(None, names), platform.machine())


def facts(record: Record) -> dict[str, Any]:
    """What a record says of its machine, by name; empty for one written before records said it."""
    if "processor" not in record:
        return {}
    on_processor = {
        "processor": record["processor"],
        "instruction set": record["instructions"],
        "threads": record["threads"],
    }
    device = {"GPU": record["gpu"]} if record["gpu"] else on_processor
    return {**device, "Python": record["python"], **record["versions"]}


def text(record: Record) -> str | None:
    """The machine in short, for a table: ``AMD EPYC, AVX2, torch 2.13.0``; None where the record does not say it."""
    known = facts(record)
    device = [known[name] for name in ("GPU", "processor", "instruction set") if name in known]
    return ", ".join([*device, f"torch {known['torch'].partition('+')[0]}"]) if "torch" in known else None
