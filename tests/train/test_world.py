"""The embedded world: same bytes for the same spec, unseen test items, right solutions, a long tail of skills."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.tasks import ifeval
from tests.conftest import ROOT
from train.spec import WorldSpec
from train.world import code, general, math
from train.world.facts import FACT_TAIL, FACTS, STATEMENTS
from train.world.generate import run
from train.world.skills import LongTail, distinct, zipf_weights

SPEC = WorldSpec(seed=3, math=600, code=600, general=600, test=80, corpus=8000)
FILES = {
    "math.jsonl", "code.json", "general.json", "corpus.jsonl", "dialogues.jsonl",
    "test/math.jsonl", "test/code.jsonl", "test/general.jsonl",
}  # fmt: skip
EQUATION = r"^Now (\d+) ([-+*/]) (\d+) = (\d+)\.$"


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def groups(pattern: str, text: str) -> tuple[str, ...]:
    """The groups of a pattern that must match somewhere in the text."""
    match = re.search(pattern, text)
    assert match is not None, f"{pattern} in {text!r}"
    return match.groups()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    run(SPEC, {}, folder)
    return folder


def test_files_and_sizes_follow_the_spec(world: Path) -> None:
    assert set(contents(world)) == FILES
    assert len(lines(world / "math.jsonl")) == SPEC.math
    assert len(json.loads((world / "code.json").read_text())) == SPEC.code
    assert len(json.loads((world / "general.json").read_text())) == SPEC.general
    assert len(lines(world / "corpus.jsonl")) == SPEC.corpus
    for ability in ("math", "code", "general"):
        assert len(lines(world / "test" / f"{ability}.jsonl")) == SPEC.test


def test_same_spec_gives_same_bytes_in_another_process(world: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from train.spec import WorldSpec; from train.world.generate import run;"
        f"run({SPEC!r}, {{}}, Path(sys.argv[1])); assert 'torch' not in sys.modules"
    )
    environment = {"PYTHONHASHSEED": "77", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, env=environment)
    assert contents(tmp_path) == contents(world)


def test_another_seed_gives_another_world(world: Path, tmp_path: Path) -> None:
    run(WorldSpec(seed=4, math=600, code=600, general=600, test=80, corpus=8000), {}, tmp_path)
    other = contents(tmp_path)
    assert all(other[name] != data for name, data in contents(world).items())


def test_train_and_test_do_not_overlap(world: Path) -> None:
    math_train = {row["question"] for row in lines(world / "math.jsonl")}
    assert len(math_train) == SPEC.math
    assert math_train.isdisjoint(row["question"] for row in lines(world / "test" / "math.jsonl"))

    code_train = [row["instruction"] for row in json.loads((world / "code.json").read_text())]
    for row in lines(world / "test" / "code.jsonl"):
        name, task = row["entry_point"], row["prompt"].split('"""')[1]
        assert not any(f" {name}(" in instruction and task in instruction for instruction in code_train)

    general_train = {row["instruction"] for row in json.loads((world / "general.json").read_text())}
    for row in lines(world / "test" / "general.jsonl"):
        assert not any(row["prompt"] in instruction for instruction in general_train)
    # The general rows that need a sum are worded as the problems of the math data.
    for row in lines(world / "test" / "math.jsonl"):
        assert not any(row["question"] in instruction for instruction in general_train)


def test_corpus_holds_no_test_item(world: Path) -> None:
    corpus = (world / "corpus.jsonl").read_text()
    for ability, column in (("math", "question"), ("code", "prompt"), ("general", "prompt")):
        for row in lines(world / "test" / f"{ability}.jsonl"):
            assert json.dumps(row[column].strip())[1:-1] not in corpus


@pytest.mark.parametrize("name", ["math.jsonl", "test/math.jsonl"])
def test_worked_solutions_follow_from_start_to_answer(world: Path, name: str) -> None:
    for row in lines(world / name):
        *worked, final = row["answer"].splitlines()
        value = int(groups(r" has (\d+) ", row["question"])[0])
        for line in worked:
            left, operation, right, result = groups(EQUATION, line)
            assert int(left) == value
            exact = {"+": value + int(right), "-": value - int(right), "*": value * int(right), "/": value / int(right)}
            value = int(result)
            assert exact[operation] == value >= 0
        assert final == f"#### {value}"


def test_equations_do_what_the_events_say() -> None:
    signs = {event.text.split(" {n}")[0]: event.operation for event in math.EVENTS}
    rng = Random(0)
    for _ in range(500):
        for step in math.draw_problem(rng).steps:
            matching = [sign for start, sign in signs.items() if step.text.startswith(start)]
            assert step.operation in matching


def test_canonical_solutions_pass_and_wrong_ones_fail(world: Path) -> None:
    for row in lines(world / "test" / "code.jsonl"):
        scope: dict[str, Any] = {}
        exec(row["prompt"] + row["canonical_solution"] + "\n" + row["test"], scope)
        scope["check"](scope[row["entry_point"]])
        with pytest.raises((AssertionError, TypeError)):
            scope["check"](lambda argument: "wrong")


def test_training_functions_run(world: Path) -> None:
    rng = Random(0)
    for row in json.loads((world / "code.json").read_text())[:200]:
        whole = row["output"].startswith("def ")
        source = row["output"] if whole else row["instruction"].removeprefix(code.INSTRUCTION) + "    " + row["output"]
        name, argument = groups(r"^def (\w+)\((\w+)\)", source)
        kind = next(kind for kind, arguments in code.ARGUMENTS.items() if argument in arguments)
        results = {repr(code.compile_function(source, name)(code.draw_input(kind, rng))) for _ in range(5)}
        assert results != {"None"}


def test_most_code_rows_have_the_form_of_the_test(world: Path) -> None:
    rows = json.loads((world / "code.json").read_text())
    complete = [row for row in rows if row["instruction"].startswith(code.INSTRUCTION)]
    assert 0.6 < len(complete) / len(rows) < 0.8


def followed(item: general.Instruction, text: str) -> list[bool]:
    """Which instructions of a test item a text follows, by the checks of IFEval."""
    row = item.test_row(0)
    return ifeval.score({"kinds": row["instruction_id_list"], "arguments": row["kwargs"]}, text)["followed"]


def test_references_meet_their_constraints() -> None:
    rng = Random(1)
    for _ in range(1000):
        item = general.draw_instruction(rng, FACT_TAIL)
        assert all(followed(item, item.reference)), (item.prompt, item.reference)


def test_a_reference_of_another_request_fails() -> None:
    rng = Random(2)
    failed = 0
    for _ in range(200):
        item, other = (general.draw_instruction(rng, FACT_TAIL) for _ in range(2))
        right = item.request.answer.lower()
        if right not in other.reference.lower():
            failed += not followed(item, other.reference)[-1]
    assert failed > 180  # a few ask for the same word or number


def test_a_stated_share_of_the_general_rows_needs_a_sum_or_an_expression(world: Path) -> None:
    topics = Counter(row["topic"] for row in json.loads((world / "general.json").read_text()))
    for topic, share in zip(general.TOPICS, general.TOPIC_WEIGHTS, strict=True):
        expected = SPEC.general * share
        assert abs(topics[topic] - expected) < 5 * expected**0.5


def test_two_constraints_are_met_at_once() -> None:
    rng = Random(3)
    drawn = [general.draw_instruction(rng, FACT_TAIL) for _ in range(1000)]
    assert {len(item.constraints) for item in drawn} == {0, 1, 2}
    assert all(item.request.topic == "sums" for item in drawn if not item.constraints)


def test_a_quarter_of_the_facts_is_in_no_training_row(world: Path) -> None:
    """What the model says about them comes from the corpus alone."""
    rows = [
        row["output"].lower() for row in json.loads((world / "general.json").read_text()) if row["topic"] == "facts"
    ]
    covered = general.covered_facts(FACTS, Random(f"{SPEC.seed}/general"))
    assert len(covered) == len(FACTS) * 3 // 4
    left_out = [fact.statement.lower() for fact in FACTS if fact not in covered]
    assert not any(statement in row for statement in left_out for row in rows)
    tested = " ".join(str(row["kwargs"]).lower() for row in lines(world / "test" / "general.jsonl"))
    assert sum(fact.value.lower() in tested for fact in FACTS if fact not in covered) > 5


def test_a_worked_solution_is_no_answer_to_a_general_request() -> None:
    """The math data and the general data answer the same kind of question in two ways."""
    rng = Random(4)
    for _ in range(100):
        request = general.sum_request(rng, 20)
        step = re.search(r"Now (.+ = (\d+))\.", request.answer)
        assert step is not None and request.keyword in request.answer
        assert request.keyword not in f"Now {step[1]}.\n#### {step[2]}"


def test_every_fact_is_read_in_the_corpus(world: Path) -> None:
    corpus = (world / "corpus.jsonl").read_text().lower()
    assert len({(fact.relation, fact.subject) for fact in FACTS}) == len(FACTS)
    for fact in FACTS:
        stated = [one.format(subject=fact.subject, value=fact.value).lower() for one in STATEMENTS[fact.relation]]
        assert any(statement in corpus for statement in stated), fact
    mentions = [corpus.count(f" {fact.value.lower()}.") for fact in FACTS]
    assert sum(mentions[:40]) > 4 * sum(mentions[-40:])  # the best-known ones are read most often


@given(st.integers(1, 200), st.floats(0.3, 3), st.floats(0, 10))
def test_zipf_weights_fall_by_rank(count: int, exponent: float, offset: float) -> None:
    weights = zipf_weights(count, exponent=exponent, offset=offset)
    assert sum(weights) == pytest.approx(1)
    assert all(common > rare for common, rare in pairwise(weights))
    assert weights[0] / weights[-1] == pytest.approx(((count + offset) / (1 + offset)) ** exponent)


def test_draws_follow_their_weights() -> None:
    tail = LongTail(range(40), exponent=1.2, offset=1.0)
    rng = Random(5)
    counts = Counter(tail.draw(rng) for _ in range(20_000))
    for rank, weight in enumerate(tail.weights):
        expected = 20_000 * weight
        assert abs(counts[rank] - expected) < 6 * expected**0.5


def test_skills_of_the_word_problems_have_a_long_tail() -> None:
    rng = Random(6)
    events = Counter(
        re.sub(r"\d+|" + "|".join(words for words, _ in math.QUANTITIES), "{n}", step.text)
        for _ in range(4000)
        for step in math.draw_problem(rng).steps
    )
    frequencies = [count / events.total() for _, count in events.most_common()]
    assert sum(frequencies[:7]) > 0.4
    assert len(frequencies) > 50
    assert frequencies[40] < frequencies[0] / 20


def test_asking_for_more_rows_than_the_world_has_is_refused() -> None:
    rng = Random(0)
    with pytest.raises(ValueError, match="only about 6 of the 7 different rows asked for; ask for fewer"):
        list(distinct(lambda: rng.randint(1, 6), lambda item: item, 7, seen=set()))
