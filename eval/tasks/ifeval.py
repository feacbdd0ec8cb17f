"""Instructions that a program can check (IFEval): does the answer follow each of them?

Strict judges the answer as it is; loose takes the best of eight forms: with the first line, the last line, both or none
removed, and each with or without asterisks. ``accuracy`` asks for all instructions of a prompt (strict); the
instruction-level numbers pool them. Nothing is drawn at random: the detector of languages is seeded, and an instruction
that lacks an argument is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from eval.items.jsonl import Row, field, read
from eval.items.metrics import Metric, present, rate, ratio
from eval.spec.answers import AS_IS, Reading
from eval.tasks.instructions import ARGUMENTS, INSTRUCTIONS


def items(path: Path, reading: Reading = AS_IS) -> list[Row]:
    """The prompts with their instructions; ``id`` is the key.

    An instruction that is not known or lacks an argument is a ValueError: nothing is ever drawn in its place.
    """
    found = []
    for number, row in enumerate(read(path, dict(reading.fields))):
        kinds = field(path, number, row, "instruction_id_list", list)
        arguments = field(path, number, row, "kwargs", list)
        for kind in kinds:
            if kind not in INSTRUCTIONS:
                raise ValueError(
                    f"{path}: item {number}: instruction {kind!r} is unknown; known: {', '.join(INSTRUCTIONS)}"
                )
        if len(kinds) != len(arguments):
            raise ValueError(f"{path}: item {number}: {len(kinds)} instructions but {len(arguments)} kwargs")
        # Only null padding is dropped: a zero is an argument.
        given = [{name: value for name, value in one.items() if value is not None} for one in arguments]
        for kind, one in zip(kinds, given, strict=True):
            if missing := [name for name in ARGUMENTS.get(kind, ()) if name not in one]:
                raise ValueError(f"{path}: item {number}: instruction {kind!r} lacks {', '.join(missing)}")
        prompt = field(path, number, row, "prompt", str)
        found.append({"id": str(row.get("key", number)), "prompt": prompt, "kinds": kinds, "arguments": given})
    return found


def messages(item: Row) -> list[dict[str, str]]:
    """The prompt, and nothing else."""
    return [{"role": "user", "content": item["prompt"]}]


def score(item: Row, text: str, status: str = "") -> Row:
    """``correct`` and ``loose`` for the prompt, and both per instruction."""
    strict = [_follows(kind, given, [text]) for kind, given in zip(item["kinds"], item["arguments"], strict=True)]
    loose = [_follows(kind, given, _forms(text)) for kind, given in zip(item["kinds"], item["arguments"], strict=True)]
    return {
        "correct": all(strict),
        "loose": all(loose),
        "instructions": item["kinds"],
        "followed": strict,
        "followed_loose": loose,
    }


def metrics(scores: Sequence[Row]) -> list[Metric]:
    """``accuracy`` (prompt level, strict), ``prompt_loose``, ``instruction_strict``, ``instruction_loose``."""
    return present(
        rate("accuracy", scores, "correct"),
        rate("prompt_loose", scores, "loose"),
        _pooled("instruction_strict", [row["followed"] for row in scores]),
        _pooled("instruction_loose", [row["followed_loose"] for row in scores]),
    )


def _pooled(name: str, verdicts: Sequence[Sequence[bool]]) -> Metric | None:
    """The share of followed instructions over all prompts, clustered by prompt."""
    return ratio(name, [sum(row) for row in verdicts], [len(row) for row in verdicts])


def _follows(kind: str, given: Row, forms: Sequence[str]) -> bool:
    """Whether any form follows the instruction; an empty form never does."""
    return any(form.strip() != "" and INSTRUCTIONS[kind](form, given) for form in forms)


def _forms(text: str) -> list[str]:
    """The eight forms of the loose rule."""
    lines = text.split("\n")
    cuts = [text, *("\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1]))]
    return cuts + [cut.replace("*", "") for cut in cuts]
