"""Short programs: every published solution passes when judged from outside, and no stub does."""

from __future__ import annotations

import json

import pytest

from eval.sandbox.client import Sandbox
from eval.sandbox.programs import Limits
from eval.tasks import mbpp
from tests.conftest import PUBLIC_DATA

ROW = {
    "task_id": 1, "text": "Double it.",
    "code": "def helper(x):\n    return x\ndef double(x):\n    return 2 * helper(x)",
    "test_list": ["assert double(2) == 4", "assert double([1]) == [1, 1]"], "test_setup_code": "",
}  # fmt: skip
RIGHT = ["def double(x):\n    return x + x", "Sure:\n```python\ndef double(x):\n    return x + x\n```\nDone.",
         "```\nimport math\n```\n```\nimport operator\ndef double(x):\n    return operator.add(x, x)\n```"]  # fmt: skip
WRONG = ["", "def double(x):\n    return 4", "def other(x):\n    return 2 * x", "assert True", "raise SystemExit(0)",
         "class E:\n    def __eq__(self, o): return True\ndef double(x):\n    return E()"]  # fmt: skip


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(Limits(3, 1 << 30)) as running:
        yield running


def made(tmp_path, *rows):
    path = tmp_path / "mbpp.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return mbpp.items(path)


def test_answers_are_found_and_judged(tmp_path, sandbox):
    (item,) = made(tmp_path, ROW)
    assert item["entry_point"] == "double" and item["id"] == "1"
    assert "assert double(2) == 4" in mbpp.messages(item)[0]["content"]
    assert [sandbox.run(mbpp.program(item, text)).status for text in RIGHT] == ["passed"] * len(RIGHT)
    assert "passed" not in [sandbox.run(mbpp.program(item, text)).status for text in WRONG]


def test_of_the_full_file_the_test_split_counts(tmp_path):
    full = [ROW | {"task_id": number} for number in range(1, 975)]
    assert [item["id"] for item in made(tmp_path, *full)] == [str(number) for number in range(11, 511)]
    assert [item["id"] for item in made(tmp_path, *full[:-1])] == [str(number) for number in range(1, 974)]
    assert [item["id"] for item in mbpp.examples(tmp_path / "mbpp.jsonl")] == ["2", "3", "4"]


def test_tests_of_nothing_are_refused(tmp_path):
    with pytest.raises(ValueError, match="item 0: its tests call no function"):
        made(tmp_path, ROW | {"test_list": ["assert True"]})


def test_published_solutions_pass_and_stubs_fail(public_data, sandbox):
    path = public_data / "code" / "mbpp.jsonl"
    solutions = {str(row["task_id"]): row["code"] for row in map(json.loads, path.read_text().splitlines())}
    items = mbpp.items(path)
    whole = public_data != PUBLIC_DATA["cut"]
    assert (len(items), items[0]["id"]) == ((500, "11") if whole else (31, "2"))
    some = items[::10] if whole else items
    assert [
        item["id"] for item in some if sandbox.run(mbpp.program(item, solutions[item["id"]])).status != "passed"
    ] == []
    stubs = [f"def {item['entry_point']}(*given):\n    return None\n" for item in some]
    passed = [
        item["id"]
        for item, stub in zip(some, stubs, strict=True)
        if sandbox.run(mbpp.program(item, stub)).status == "passed"
    ]
    assert passed == []


def test_further_tests_are_run_and_not_shown(tmp_path, sandbox):
    (item,) = made(tmp_path, ROW | {"test": "assert double(7) == 14\n"})
    assert "double(7)" not in mbpp.messages(item)[0]["content"]
    memorised = "def double(x):\n    return {2: 4}.get(x) if isinstance(x, int) else x + x"
    verdicts = [sandbox.run(mbpp.program(item, text)).status for text in (RIGHT[0], memorised)]
    assert verdicts == ["passed", "failed"]
