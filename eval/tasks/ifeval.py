"""Instructions that a program can check (IFEval, Zhou et al. 2023, arXiv:2311.07911): does the answer follow each?

The strict rule checks the answer as it is. The loose rule accepts the best of eight variants: without the first line,
the last line, both or neither, and each with or without asterisks. ``accuracy`` requires all instructions of a prompt
by the strict rule; the instruction-level metrics pool the instructions of all prompts. Nothing is drawn at random: the
language detector is seeded, and an instruction that lacks an argument is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from eval.items.jsonl import Row, field, read
from eval.items.metrics import Metric, present, rate, ratio
from eval.spec.answers import AS_IS, Reading
from eval.tasks.benchmark import Benchmark
from eval.tasks.instructions import ARGUMENTS, INSTRUCTIONS, patterns


def items(path: Path, reading: Reading = AS_IS) -> list[Row]:
    """The prompts with their instructions; ``id`` is the key.

    Raises ValueError for an instruction that is unknown or lacks an argument. (The published checker draws missing
    arguments at random.)
    """
    prompts = []
    for number, row in enumerate(read(path, dict(reading.fields))):
        kinds = field(path, number, row, "instruction_id_list", list)
        arguments = field(path, number, row, "kwargs", list)
        for kind in kinds:
            if kind not in INSTRUCTIONS:
                raise ValueError(
                    f"{path}: item {number}: instruction {kind!r} is unknown; choose one of: {', '.join(INSTRUCTIONS)}"
                )
        if len(kinds) != len(arguments):
            raise ValueError(f"{path}: item {number}: {len(kinds)} instructions but {len(arguments)} kwargs")
        # Some copies of the data pad with nulls. Only those are dropped, since a zero is an argument.
        arguments = [{name: value for name, value in one.items() if value is not None} for one in arguments]
        for kind, own in zip(kinds, arguments, strict=True):
            if missing := [name for name in ARGUMENTS.get(kind, ()) if name not in own]:
                raise ValueError(f"{path}: item {number}: instruction {kind!r} lacks {', '.join(missing)}")
            _check_patterns(f"{path}: item {number}: instruction {kind!r}", patterns(kind, own))
        prompt = field(path, number, row, "prompt", str)
        prompts.append({"id": str(row.get("key", number)), "prompt": prompt, "kinds": kinds, "arguments": arguments})
    return prompts


def _check_patterns(where: str, expressions: Sequence[str]) -> None:
    for expression in expressions:
        try:
            re.compile(expression)
        except re.error as error:
            raise ValueError(f"{where}: the pattern {expression!r} is no regular expression: {error}") from None


def messages(item: Row) -> list[dict[str, str]]:
    """The prompt alone."""
    return [{"role": "user", "content": item["prompt"]}]


def score(item: Row, text: str, status: str = "") -> Row:
    """``correct`` and ``loose`` for the prompt, and by both rules whether each instruction is followed."""
    instructions = list(zip(item["kinds"], item["arguments"], strict=True))
    strict = [_follows(kind, arguments, [text]) for kind, arguments in instructions]
    loose = [_follows(kind, arguments, _variants(text)) for kind, arguments in instructions]
    return {
        "correct": all(strict),
        "loose": all(loose),
        "instructions": item["kinds"],
        "followed": strict,
        "followed_loose": loose,
    }


def metrics(scores: Sequence[Row]) -> list[Metric]:
    """``accuracy`` (prompt level, strict), ``prompt_loose``, ``instruction_strict`` and ``instruction_loose``."""
    return present(
        rate("accuracy", scores, "correct"),
        rate("prompt_loose", scores, "loose"),
        _pooled("instruction_strict", [row["followed"] for row in scores]),
        _pooled("instruction_loose", [row["followed_loose"] for row in scores]),
    )


def _pooled(name: str, verdicts: Sequence[Sequence[bool]]) -> Metric | None:
    """The share of followed instructions of all prompts, with a standard error clustered by prompt."""
    return ratio(name, [sum(row) for row in verdicts], [len(row) for row in verdicts])


def _follows(kind: str, arguments: Row, variants: Sequence[str]) -> bool:
    """Whether any variant follows the instruction; an empty one never does."""
    return any(variant.strip() != "" and INSTRUCTIONS[kind](variant, arguments) for variant in variants)


def _variants(text: str) -> list[str]:
    """The eight variants of the loose rule."""
    # Chat models often frame an answer with a first and a last line.
    lines = text.split("\n")
    cuts = [text, *("\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1]))]
    return cuts + [cut.replace("*", "") for cut in cuts]


FORMS = {
    "chat": Benchmark(items=items, messages=messages, score=score, metrics=metrics, parts=("prompt", "")),
}
