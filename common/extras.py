"""Libraries that come with an extra of dosage-llm, and the sentence for a command that lacks one."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

MODELS = ("torch", "transformers", "jinja2", "datasets", "huggingface_hub")

EXTRAS = {
    "train": (*MODELS, "tokenizers", "safetensors"),
    "eval": (*MODELS, "langdetect"),
    "math": ("math_verify",),
    "slurm": ("submitit",),
    "wandb": ("wandb", "wandb_workspaces"),
    "gpu": ("deepspeed",),
    "sharded": ("accelerate",),
    "vllm": ("vllm",),
}
"""The libraries of each extra of pyproject.toml, by the names they are imported by."""


def require(user: str, extras: Iterable[str], otherwise: str = "") -> None:
    """Raise a ValueError where libraries of ``extras`` are missing: who needs them, and the command that installs them.

    ``otherwise`` says what to do without them.
    """
    lacking = {extra: [name for name in EXTRAS[extra] if find_spec(name) is None] for extra in extras}
    names = dict.fromkeys(name for absent in lacking.values() for name in absent)
    if names:
        chosen = ",".join(extra for extra, absent in lacking.items() if absent)
        absent = f"{', '.join(names)}, which {'is' if len(names) == 1 else 'are'} not installed"
        raise ValueError(f"{user} needs {absent}: pip install 'dosage-llm[{chosen}]'{otherwise}")
