"""Stage ``world``: training files, test files and corpus of the embedded world, in the formats of real benchmarks."""

from __future__ import annotations

import itertools
import json
from collections.abc import Hashable, Iterator, Mapping
from pathlib import Path
from random import Random

from common.rows import write_jsonl
from train.spec import WorldSpec
from train.world import code, corpus, general, math
from train.world.facts import FACTS, Fact
from train.world.skills import LongTail, distinct


def run(spec: WorldSpec, inputs: Mapping[str, Path], out: Path) -> None:
    """Write math.jsonl, code.json, general.json, test/{math,code,general}.jsonl and corpus.jsonl into ``out``.

    The files depend on ``spec`` alone, byte for byte. No training row and no corpus document contains a test item.
    Raises a ValueError if the spec asks for more rows than the world has.
    """
    (out / "test").mkdir(exist_ok=True)
    problems = write_math(spec, out)
    test_prompts = problems | write_code(spec, out) | write_general(spec, out, problems)
    documents = draw_documents(Random(f"{spec.seed}/corpus"), spec.corpus, excluded=test_prompts)
    write_jsonl(out / "corpus.jsonl", ({"text": text} for text in documents))
    rng = Random(f"{spec.seed}/dialogues")
    rows = (corpus.draw_dialogue(rng) for _ in range(spec.dialogues))
    write_jsonl(out / "dialogues.jsonl", rows)


def write_math(spec: WorldSpec, out: Path) -> set[str]:
    """Write training and test files of word problems; return the questions of the test items."""
    rng = Random(f"{spec.seed}/math")
    problems = list(
        distinct(lambda: math.draw_problem(rng), lambda item: item.question, spec.test + spec.math, seen=set())
    )
    test, train = problems[: spec.test], problems[spec.test :]
    write_jsonl(out / "test" / "math.jsonl", (problem.row() for problem in test))
    write_jsonl(out / "math.jsonl", (problem.row() for problem in train))
    return {problem.question for problem in test}


def write_code(spec: WorldSpec, out: Path) -> set[str]:
    """Write training and test files of functions; return the prompts of the test items."""
    rng = Random(f"{spec.seed}/code")
    # One set for both draws, so that no training function is a test item in another wording.
    seen: set[Hashable] = set()
    test = list(distinct(lambda: code.draw_tested_function(rng), lambda item: item[0].key, spec.test, seen=seen))
    train = list(distinct(lambda: code.draw_function(rng), lambda item: item.key, spec.code, seen=seen))
    rows = [code.test_row(function, number, cases) for number, (function, cases) in enumerate(test)]
    write_jsonl(out / "test" / "code.jsonl", rows)
    write_list(out / "code.json", [code.training_row(function, rng) for function in train])
    return {function.prompt for function, _ in test}


def write_general(spec: WorldSpec, out: Path, excluded: set[str]) -> set[str]:
    """Write training and test files of instructions; return the prompts of the test items."""
    rng = Random(f"{spec.seed}/general")
    every = LongTail(FACTS, exponent=0.0)
    covered = LongTail(general.covered_facts(FACTS, rng), exponent=0.0)

    def draw(facts: LongTail[Fact], count: int, barred: set[str]) -> list[general.Instruction]:
        instructions = (general.draw_instruction(rng, facts) for _ in itertools.count())
        allowed = (one for one in instructions if barred.isdisjoint(one.prompts))
        return list(distinct(lambda: next(allowed), lambda item: item.prompt, count, seen=set()))

    test = draw(every, spec.test, excluded)
    train = draw(covered, spec.general, excluded | {item.prompt for item in test})
    write_jsonl(out / "test" / "general.jsonl", (item.test_row(key) for key, item in enumerate(test)))
    write_list(out / "general.json", [item.training_row() for item in train])
    return {item.prompt for item in test}


def draw_documents(rng: Random, count: int, *, excluded: set[str]) -> Iterator[str]:
    """Yield the texts of ``count`` documents, none that holds an exercise whose prompt is in ``excluded``."""
    drawn = 0
    while drawn < count:
        document = corpus.draw_document(rng)
        if excluded.isdisjoint(document.exercises):
            drawn += 1
            yield document.text


def write_list(path: Path, rows: list[dict[str, str]]) -> None:
    """Write a JSON list with one row a line."""
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
