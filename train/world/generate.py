"""The world stage: training files, test files and corpus of the embedded world, in the formats of real benchmarks."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Iterator, Mapping
from itertools import islice
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
    hidden = [write(spec, out) for write in (write_math, write_code, write_general)]
    rng = Random(f"{spec.seed}/corpus")
    documents = draw_documents(rng, spec.corpus, hidden=set().union(*hidden))
    write_lines(out / "corpus.jsonl", ({"text": text} for text in documents))


def write_math(spec: WorldSpec, out: Path) -> set[str]:
    """Write the word problems and return the questions of the test items."""
    seen: set[Hashable] = set()
    rng = Random(f"{spec.seed}/math")
    problems = distinct(lambda: math.draw_problem(rng), lambda problem: problem.question, spec.test + spec.math, seen=seen)
    test = list(islice(problems, spec.test))
    write_lines(out / "test" / "math.jsonl", (problem.row() for problem in test))
    write_lines(out / "math.jsonl", (problem.row() for problem in problems))
    return {problem.question for problem in test}


def write_code(spec: WorldSpec, out: Path) -> set[str]:
    """Write the functions and return the prompts of the test items."""
    seen: set[Hashable] = set()
    rng = Random(f"{spec.seed}/code")
    test: list[code.Function] = []
    rows: list[dict[str, str]] = []
    for function in distinct(lambda: code.draw_function(rng), lambda function: function.key, 3 * spec.test, seen=seen):
        checks = code.cases(function, rng)
        if checks is not None and len(test) < spec.test:
            test.append(function)
            rows.append(code.test_row(function, len(rows), checks))
    write_lines(out / "test" / "code.jsonl", rows)
    functions = distinct(lambda: code.draw_function(rng), lambda function: function.key, spec.code, seen=seen)
    write_list(out / "code.json", [code.training_row(function, rng) for function in functions])
    return {function.prompt.strip() for function in test}


def write_general(spec: WorldSpec, out: Path) -> set[str]:
    """Write the instructions and return the prompts of the test items."""
    seen: set[Hashable] = set()
    rng = Random(f"{spec.seed}/general")
    instructions = distinct(lambda: general.draw_instruction(rng), lambda item: item.prompt, spec.test + spec.general, seen=seen)
    test = list(islice(instructions, spec.test))
    write_lines(out / "test" / "general.jsonl", (item.test_row(key) for key, item in enumerate(test)))
    write_list(out / "general.json", [item.training_row() for item in instructions])
    return {item.prompt for item in test}


def draw_documents(rng: Random, count: int, *, hidden: set[str]) -> Iterator[str]:
    """``count`` documents, none of which holds a text of ``hidden``."""
    drawn = 0
    while drawn < count:
        text = corpus.draw_document(rng)
        if text not in hidden:
            drawn += 1
            yield text


def write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write JSON lines."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def write_list(path: Path, rows: list[dict[str, str]]) -> None:
    """Write one JSON list, a row a line."""
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
