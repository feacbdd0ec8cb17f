"""A tokenizer, two tokenised sources, and specs of stages that train in a second."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import train.tokenizer
import train.tokens
from train.spec import (
    Architecture,
    EngineConfig,
    Portion,
    Recipe,
    TextFile,
    TokenizerSpec,
    TokensSpec,
    TrainRun,
    TrainSpec,
)

NAMES = ("Ann", "Ben", "Cem", "Dia", "Eli")
THINGS = ("apples", "red pens", "old books", "sacks of very fine flour")


def problems(count: int) -> list[dict[str, str]]:
    """Sums about things, of several lengths, all different."""
    rows = []
    for number in range(count):
        name, thing, a, b = NAMES[number % 5], THINGS[number % 4], number, 3 * number + 1
        rows.append(
            {
                "question": f"{name} has {a} {thing} and buys {b} more. How many?",
                "answer": f"{name} has {a} + {b} = {a + b}.\n#### {a + b}",
            }
        )
    return rows


def chats(count: int) -> list[dict[str, Any]]:
    """Conversations of two or four turns."""
    rows = []
    for number in range(count):
        turns = [("human", f"Say {number} in a nice way."), ("gpt", f"A nice {number}."), ("human", "Again."),
                 ("gpt", f"Once more: {number}, as you wish.")]  # fmt: skip
        rows.append({"conversations": [{"from": a, "value": b} for a, b in turns[: 2 + 2 * (number % 2)]]})
    return rows


def write_lines(path: Path, rows: Iterable[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def make_tokenizer(folder: Path, template: str = "micro", vocabulary: int = 400) -> Path:
    data = folder / "data"
    out = folder / "out"
    data.mkdir()
    out.mkdir()
    write_lines(data / "math.jsonl", problems(60))
    write_lines(data / "chat.jsonl", chats(20))
    files = (
        TextFile("corpus.all", "math.jsonl", "gsm8k", ()),
        TextFile("corpus.all", "chat.jsonl", "sharegpt", ()),
    )
    train.tokenizer.run(TokenizerSpec(vocabulary, template, files), {"corpus.all": data}, out)
    return out


def tokens_spec(**changes: Any) -> TokensSpec:
    usual: dict[str, Any] = {
        "format": "gsm8k", "file": "", "fields": (), "tokenizer_hub": None,
        "template": "micro", "system": "", "supervise": "assistant", "max_length": 128, "held_out": 0, "part": "train",
        "on_bad_row": "error", "on_long": "error",
    }  # fmt: skip
    return TokensSpec(**(usual | changes))


def make_sources(folder: Path, tokenizer: Path) -> dict[str, Path]:
    """Tokens folders ``sums`` (40 samples) and ``talk`` (24), and the tokenizer, as the inputs of a training stage."""
    sources = {"sums": ("gsm8k", problems(40)), "talk": ("sharegpt", chats(24))}
    inputs = {"tokenizer": tokenizer}
    for name, (layout, rows) in sources.items():
        out = folder / name
        out.mkdir()
        data = write_lines(folder / f"{name}.jsonl", rows)
        train.tokens.run(tokens_spec(format=layout), {"data": data, "tokenizer": tokenizer}, out)
        inputs[name] = out
    return inputs


ARCHITECTURE = Architecture(32, 64, 2, 2, 1, 128, 10000.0)
PORTIONS = (Portion("math", ("sums",), 32), Portion("general", ("talk",), 20))


def recipe(**changes: Any) -> Recipe:
    usual: dict[str, Any] = {
        "epochs": None, "steps": 8, "batch_samples": 8, "batch_tokens": None, "learning_rate": 3e-3,
        "schedule": "cosine", "warmup": 0.1, "decay": 0.0, "weight_decay": 0.01, "beta1": 0.9, "beta2": 0.99,
        "epsilon": 1e-8, "clip_norm": 1.0, "precision": "fp32",
    }  # fmt: skip
    return Recipe(**(usual | changes))


def train_spec(portions: tuple[Portion, ...] = PORTIONS, **changes: Any) -> TrainSpec:
    return TrainSpec(None, ARCHITECTURE, portions, recipe(**changes), seed=1)


def engine(**changes: Any) -> EngineConfig:
    usual: dict[str, Any] = {
        "name": "torch", "zero_stage": 0, "offload": "none", "ranks": 1, "micro_tokens": 512, "pack": False,
        "activation_checkpointing": False, "checkpoint_steps": 1000,
    }  # fmt: skip
    return EngineConfig(**(usual | changes))


def execution(**changes: Any) -> TrainRun:
    return TrainRun("title", engine(**changes))


def metrics(out: Path) -> list[Mapping[str, float]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


def outputs(out: Path) -> dict[str, bytes]:
    """The content of every file of a finished stage except timings.json."""
    files = [path for path in sorted(out.rglob("*")) if path.is_file() and path.name != "timings.json"]
    return {str(path.relative_to(out)): path.read_bytes() for path in files}
