"""A Hugging Face model folder, judged by its files alone: what it lacks, and how many weights it holds."""

from __future__ import annotations

import json
import math
from functools import lru_cache
from pathlib import Path
from typing import Any

WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""Weights in one file; in several, a file of this name with .index.json lists them."""

TOKENIZERS = (
    "tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "sentencepiece.bpe.model",
    "tekken.json", "*.tiktoken",
)  # fmt: skip
"""Files of which a tokenizer folder has at least one."""

HEADS = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")
"""Endings of the architectures in config.json that predict a next token."""

LENGTHS = ("max_position_embeddings", "n_positions")
"""Names of the number of positions in config.json."""

BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}
"""Bytes of a weight by the ``dtype`` of config.json."""


def check(folder: Path, where: str, *, weights: bool = True) -> None:
    """Raise a ValueError that names ``where`` the folder comes from unless `problems` finds none."""
    if found := problems(folder, weights=weights):
        raise ValueError(f"{where}: " + "; ".join(found))


def problems(folder: Path, *, weights: bool = True) -> list[str]:
    """What the folder lacks of a causal language model and its tokenizer, each with a remedy; without ``weights``, of
    the tokenizer alone."""
    lacking = [*_of_config(folder), *_of_weights(folder)] if weights else []
    return lacking + _of_tokenizer(folder)


def _of_tokenizer(folder: Path) -> list[str]:
    if any(file.stat().st_size for pattern in TOKENIZERS for file in folder.glob(pattern)):
        return []
    return ["no tokenizer (tokenizer.json or tokenizer.model); copy the tokenizer's files of its base model there"]


def _of_config(folder: Path) -> list[str]:
    config = _read(folder / "config.json")
    if not config.get("model_type"):
        return ["no config.json that names a model_type; copy it from the place that the weights come from"]
    heads = config.get("architectures") or []
    if config.get("is_encoder_decoder") or (heads and not any(head.endswith(HEADS) for head in heads)):
        return [
            f"config.json says {', '.join(heads) or config['model_type']}, which is no causal language model; "
            "give a model whose architecture ends in ForCausalLM"
        ]
    return []


def _of_weights(folder: Path) -> list[str]:
    files = weight_files(folder)
    if not files:
        return ["no weights (model.safetensors or pytorch_model.bin, or their .index.json); copy them there"]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        return [f"{len(missing)} of {len(files)} weight files are missing, {missing[0]} first; download them again"]
    broken = [file.name for file in files if file.suffix == ".safetensors" and not _is_whole(file)]
    if broken:
        return [f"{broken[0]} is cut short or only points to the weights (Git LFS); download it again"]
    return []


def weight_files(folder: Path) -> list[Path]:
    """The files of the weights, present or not, of the first form in `WEIGHTS` that the folder has."""
    for name in WEIGHTS:
        if (folder / name).is_file():
            return [folder / name]
        listed = _read(folder / f"{name}.index.json").get("weight_map")
        if isinstance(listed, dict) and listed:
            return [folder / file for file in sorted(set(listed.values()))]
    return []


@lru_cache(maxsize=256)
def parameters(folder: Path) -> int | None:
    """Number of weights: those in the headers of safetensors files, else estimated from size; None without files."""
    files = [file for file in weight_files(folder) if file.is_file()]
    if not files:
        return None
    if all(file.suffix == ".safetensors" for file in files):
        shapes: list[list[int]] = [entry["shape"] for file in files for entry in _tensors(file).values()]
        return sum(math.prod(shape) for shape in shapes)
    config = _read(folder / "config.json")
    dtype = str(config.get("dtype") or config.get("torch_dtype") or "float16")
    return sum(file.stat().st_size for file in files) // BYTES.get(dtype, 2)


def max_length(folder: Path) -> int | None:
    """Positions that the model knows, as config.json says; None where it does not."""
    config = _read(folder / "config.json")
    return next((int(config[name]) for name in LENGTHS if isinstance(config.get(name), int)), None)


def _is_whole(file: Path) -> bool:
    """Whether a safetensors file is as long as its header says."""
    tensors = _tensors(file)
    end = max((entry["data_offsets"][1] for entry in tensors.values()), default=0)
    return bool(tensors) and file.stat().st_size == end + _header_bytes(file)


def _header_bytes(file: Path) -> int:
    with file.open("rb") as stream:
        return 8 + int.from_bytes(stream.read(8), "little")


def _tensors(file: Path) -> dict[str, dict[str, Any]]:
    """The entries of a safetensors header by tensor; none where the file has no such header.

    The format: https://github.com/huggingface/safetensors#format
    """
    length = _header_bytes(file)
    if length > file.stat().st_size:
        return {}
    with file.open("rb") as stream:
        stream.seek(8)
        text = stream.read(length - 8)
    try:
        return {name: entry for name, entry in json.loads(text).items() if name != "__metadata__"}
    except (ValueError, AttributeError):
        return {}


def _read(file: Path) -> dict[str, Any]:
    """The object in a JSON file; an empty one where there is none."""
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
