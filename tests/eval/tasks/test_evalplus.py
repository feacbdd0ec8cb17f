"""HumanEval+ and MBPP+ as EvalPlus publishes them on the hub: tests as one text, with flaws that the reader mends."""

from __future__ import annotations

import json

import pytest

from eval.sandbox.client import MAX_CODE, Sandbox
from eval.sandbox.programs import Limits, Program
from eval.tasks import humaneval, mbpp

CLOSE = """import numpy as np

def is_floats(x) -> bool:
    return isinstance(x, float) or isinstance(x, (list, tuple)) and all(isinstance(i, float) for i in x)

def assertion(out, exp, atol):
    exact_match = out == exp
    if atol == 0 and is_floats(exp):
        atol = 1e-6
    if not exact_match and atol != 0:
        assert np.allclose(out, exp, rtol=1e-07, atol=atol)
    else:
        assert exact_match
"""
AS_SETS = """
def assertion(out, exp, atol):
    out = set(out)
    exp = set(exp)
    assert out == exp, f"out: {out}, exp: {exp}"
"""
NOT_NONE = """
def assertion(out, exp, atol):
    if isinstance(out, bool):
        exact_match = out == exp
    else:
        exact_match = exp == (out is not None)

"""
LOOP = """
inputs = {inputs}
results = {results}
for i, (inp, exp) in enumerate(zip(inputs, results)):
    assertion({name}(*inp), exp, 0)
"""
POLYNOMIAL = """import math

def _poly(xs: list, x: float):
    return sum([coeff * math.pow(x, i) for i, coeff in enumerate(xs)])


def check(candidate):
    inputs = [[[-1.0, 2.0]], [[-8.0, 0.0, 0.0, 1.0]]]
    results = [0.5, 2.0]
    for i, (inp, exp) in enumerate(zip(inputs, results)):
        assert _poly(*candidate(*inp), inp) <= 0.0001
"""


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(Limits(30, 1 << 30, ("numpy",))) as running:
        yield running


def statuses(sandbox, task, item, *texts):
    return [sandbox.run(task.program(item, text)).status for text in texts]


def mbpp_item(tmp_path, name, code, shown, test):
    row = {"task_id": 1, "prompt": "Do it.", "code": code, "source_file": "", "test_imports": ["import math"]}
    path = tmp_path / "mbppplus.jsonl"
    path.write_text(json.dumps({**row, "test_list": [shown], "test": test}) + "\n")
    (item,) = mbpp.items(path)
    assert item["entry_point"] == name and shown in mbpp.messages(item)[0]["content"]
    return item


def test_floats_have_a_tolerance_also_for_the_inputs_of_the_asserts_that_are_shown(tmp_path, sandbox):
    code = "def third(x):\n    return x / 3\n"
    test = CLOSE + LOOP.format(
        inputs="[[1.0], [2.0]]", results="[0.3333333333333333, 0.6666666666666666]", name="third"
    )
    item = mbpp_item(tmp_path, "third", code, "assert third(1.0) == 0.3333333333333333", test)
    close, far = "def third(x):\n    return x * 0.33333333333", "def third(x):\n    return x * 0.333"
    assert statuses(sandbox, mbpp, item, code, close, far) == ["passed", "passed", "failed"]


def test_where_no_order_is_asked_for_none_counts(tmp_path, sandbox):
    code = "def shared(a, b):\n    return tuple(set(a) & set(b))\n"
    test = AS_SETS + LOOP.format(inputs="[[(1, 2, 3), (2, 3)]]", results="[(2, 3)]", name="shared")
    item = mbpp_item(tmp_path, "shared", code, "assert shared((1, 2, 3), (2, 3)) == (2, 3)", test)
    other = "def shared(a, b):\n    return [x for x in reversed(a) if x in b]"
    assert statuses(sandbox, mbpp, item, code, other, "def shared(a, b):\n    return a") == [
        "passed",
        "passed",
        "failed",
    ]


def test_a_comparison_that_asserts_nothing_is_asserted(tmp_path, sandbox):
    code = "import re\ndef found(text):\n    return re.search('^ab', text)\n"
    test = NOT_NONE + LOOP.format(inputs="[['abc'], ['bc']]", results="[True, False]", name="found")
    item = mbpp_item(tmp_path, "found", code, "assert found('abc')", test)
    as_bool, never = "def found(text):\n    return text[:2] == 'ab'", "def found(text):\n    return None"
    assert statuses(sandbox, mbpp, item, code, as_bool, never) == ["passed", "passed", "failed"]


def test_a_root_of_the_polynomial_passes_and_other_values_fail(tmp_path, sandbox):
    path = tmp_path / "humanevalplus.jsonl"
    prompt = "def find_zero(xs: list):\n    '''A root.'''\n"
    row = {"task_id": "HumanEval/32", "prompt": prompt, "entry_point": "find_zero", "test": POLYNOMIAL}
    path.write_text(json.dumps(row) + "\n")
    (item,) = humaneval.items(path)
    right = "    return 0.5 if len(xs) == 2 else 2.0"
    wrong = ("    return 0.6 if len(xs) == 2 else 2.0", "    return -1e9", "    return [[1.0], 2.0]")
    assert statuses(sandbox, humaneval, item, right, *wrong) == ["passed", "failed", "failed", "failed"]


def test_tests_may_be_long_and_hold_long_numbers(sandbox):
    inputs = [[[number / 7] * 60, number] for number in range(1500)]
    test = CLOSE + LOOP.format(inputs=inputs, results=[sum(row) for row, _ in inputs], name="total")
    assert len(test) > MAX_CODE
    wrong_at_the_end = "def total(row, number):\n    return sum(row) + (number == 1499)\n"
    programs = [Program("def total(row, number):\n    return sum(row)\n", test), Program(wrong_at_the_end, test)]
    assert [sandbox.run(program).status for program in programs] == ["passed", "failed"]
    power = Program("def power(n):\n    return 10 ** n\n", f"assert power(5000) == 1{'0' * 5000}\n")
    assert sandbox.run(power).status == "passed"
    assert sandbox.run(Program("#" * (MAX_CODE + 1), "")).status == "refused"
