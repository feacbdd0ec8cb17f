"""Print the peak memory of a small training in bytes, over that of the process before it, and its parameters."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import torch

from train.engine import TorchEngine
from train.model import TokenLoss, build
from train.ranks import ProcessGroup
from train.spec import Architecture, Recipe

SHAPE = Architecture(512, 1376, 6, 8, 8, 2048, 10000.0)
VOCABULARY, TOKENS = 8000, 512
STEPS, PASSES = 2, 2


def main(precision: str, checkpointing: bool) -> None:
    recipe = Recipe(
        epochs=1.0, steps=None, batch_samples=1, batch_tokens=None, learning_rate=1e-4, schedule="constant",
        warmup=0.0, decay=0.0, weight_decay=0.0, beta1=0.9, beta2=0.99, epsilon=1e-8, clip_norm=1.0,
        precision=precision,
    )  # fmt: skip
    first = torch.randn(64, 64, requires_grad=True)  # loads what the first step of any training loads
    (first @ first).sum().backward()
    torch.optim.AdamW([first], fused=True).step()
    before = status("VmRSS")
    model = build(SHAPE, vocabulary=VOCABULARY, seed=0).train()
    if checkpointing:
        model.gradient_checkpointing_enable()
    engine = TorchEngine(TokenLoss(model, autocast=precision == "bf16"), recipe, ProcessGroup(0, 1, 0))
    ids, places = torch.randint(0, VOCABULARY, (1, TOKENS)), torch.arange(TOKENS)
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far was that of the import
    for _ in range(STEPS):
        for number in range(PASSES):
            losses = engine.losses(ids, places[None], places, ids[0])
            engine.backward(losses.sum() / TOKENS, last=number == PASSES - 1)
        engine.update(1e-4)
    print(status("VmHWM") - before, sum(weight.numel() for weight in model.parameters()))


def status(name: str) -> int:
    """An entry of this process's status, in bytes."""
    found = re.search(rf"{name}:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] == "1")
