"""The world stage: training files, test files and corpus of the embedded world, in the formats of real benchmarks."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

from train.spec import WorldSpec
from train.world import code, corpus, general, math
from train.world.skills import distinct


def run(spec: WorldSpec, inputs: Mapping[str, Path], out: Path) -> None:
    """Write math.jsonl, code.json, general.json, test/{math,code,general}.jsonl and corpus.jsonl into ``out``.

    The files depend on ``spec`` alone, byte for byte. No training row and no document of the corpus holds a test item.
    Raises ValueError where more rows are asked for than the world has.
    """
    (out / "test").mkdir(exist_ok=True)
    hidden = write_math(spec, out) | write_code(spec, out) | write_general(spec, out)
    documents = draw_documents(Random(f"{spec.seed}/corpus"), spec.corpus, hidden=hidden)
    write_lines(out / "corpus.jsonl", ({"text": text} for text in documents))


def write_math(spec: WorldSpec, out: Path) -> set[str]:
    """Write the word problems and return the questions of the test items."""
    rng = Random(f"{spec.seed}/math")
    problems = list(
        distinct(lambda: math.draw_problem(rng), lambda item: item.question, spec.test + spec.math, seen=set())
    )
    test, train = problems[: spec.test], problems[spec.test :]
    write_lines(out / "test" / "math.jsonl", (problem.row() for problem in test))
    write_lines(out / "math.jsonl", (problem.row() for problem in train))
    return {problem.question for problem in test}


def write_code(spec: WorldSpec, out: Path) -> set[str]:
    """Write the functions and return the prompts of the test items."""
    rng = Random(f"{spec.seed}/code")
    seen: set[Hashable] = set()
    test = list(distinct(lambda: code.draw_tested(rng), lambda item: item[0].key, spec.test, seen=seen))
    train = list(distinct(lambda: code.draw_function(rng), lambda item: item.key, spec.code, seen=seen))
    rows = [code.test_row(function, number, checks) for number, (function, checks) in enumerate(test)]
    write_lines(out / "test" / "code.jsonl", rows)
    write_list(out / "code.json", [code.training_row(function, rng) for function in train])
    return {function.prompt for function, _ in test}


def write_general(spec: WorldSpec, out: Path) -> set[str]:
    """Write the instructions and return the prompts of the test items."""
    rng = Random(f"{spec.seed}/general")
    items = list(
        distinct(lambda: general.draw_instruction(rng), lambda item: item.prompt, spec.test + spec.general, seen=set())
    )
    test, train = items[: spec.test], items[spec.test :]
    write_lines(out / "test" / "general.jsonl", (item.test_row(key) for key, item in enumerate(test)))
    write_list(out / "general.json", [item.training_row() for item in train])
    return {item.prompt for item in test}


def draw_documents(rng: Random, count: int, *, hidden: set[str]) -> Iterator[str]:
    """``count`` documents, none of which draws on an exercise whose prompt is in ``hidden``."""
    drawn = 0
    while drawn < count:
        document = corpus.draw_document(rng)
        if document.exercise not in hidden:
            drawn += 1
            yield document.text


def write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write JSON lines."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def write_list(path: Path, rows: list[dict[str, str]]) -> None:
    """Write one JSON list, a row a line."""
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
