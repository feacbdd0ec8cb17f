"""Whatever form a right answer takes, its program is right; whatever form a wrong one takes, it is wrong."""

from __future__ import annotations

import textwrap

import pytest

from eval.sandbox.client import Sandbox
from eval.sandbox.programs import Limits
from eval.tasks import humaneval

ITEM = {
    "id": "one",
    "prompt": 'import math\n\ndef half(x):\n    return x // 2\n\ndef area(r, n):\n    """ Area of n circles. """\n',
    "entry_point": "area",
    "test": "def check(candidate):\n    assert abs(candidate(2, 4) - math.pi * half(4) * 8) < 1e-9\n",
}
BODY = "    total = 0\n    for _ in range(n):\n        total += math.pi * r * half(r) * 2\n    return total\n"
WHOLE = "def area(r, n):\n" + BODY
DRAFT = "def area(r, n):\n    return math.pi * r * n\n"
HELPER = "def circle(r):\n    return math.pi * r * half(r) * 2\n"
WITH_HELPER = "def area(r, n):\n    return sum(circle(r) for _ in range(n))\n"
NEEDS_IMPORT = (
    "def area(r, n):\n    return functools.reduce(lambda a, b: a + b, [math.pi * r * half(r) * 2 for _ in range(n)])\n"
)
RIGHT = {
    "body": BODY,
    "stripped body": BODY.strip(),
    "dedented body": textwrap.dedent(BODY),
    "body and talk": BODY + "\nThis adds up the areas.",
    "whole": WHOLE,
    "whole with prompt": ITEM["prompt"] + BODY,
    "fenced": "Sure!\n```python\n" + WHOLE + "```\nHope it helps.",
    "fence left open": "```\n" + WHOLE,
    "second fence": "Install:\n```\npip install x\n```\nthen\n```python\n" + WHOLE + "```",
    "talk around": "Here is the function:\n\n" + WHOLE + "\nIt adds up the areas, doesn't it?",
    "fenced body": "```python\n" + BODY + "```",
    "a space and body": " " + BODY,
    "a space and whole": " " + WHOLE,
    "own import": "from math import pi\n\n" + WHOLE,
    "windows lines": WHOLE.replace("\n", "\r\n"),
    "cut in the next function": WHOLE + "\ndef other(:\n    retu",
    "cut within the next function": WHOLE + "\ndef other(x):\n    return (\n        x",
    "indented in a list": "1. First:\n\n   ```python\n" + textwrap.indent(WHOLE, "   ") + "   ```\n\n2. Done.",
    "a wrong draft before": f"```python\n{DRAFT}```\nWait, that misses the factor. Corrected:\n```python\n{WHOLE}```",
    "a lambda": "area = lambda r, n: math.pi * half(r) * r * 2 * n",
    "reads input behind": f"{WHOLE}\nn = int(input())\nr = n + 1\nprint(area(r, n))",
    "reads input under a guard": f"{WHOLE}\nif __name__ == '__main__':\n    print(area(int(input()), 2))",
    "tags": f"[PYTHON]\n{WHOLE}[/PYTHON]",
    "tildes": f"So:\n~~~python\n{WHOLE}~~~\n",
    "four ticks": f"````python\n{WHOLE}````\n",
    "a helper in a block of its own": f"```python\n{HELPER}```\nand\n```python\n{WITH_HELPER}```\n",
    "the complete code in a third block": f"```python\n{HELPER}```\n```python\n{WITH_HELPER}```\nComplete:\n"
    f"```python\n{HELPER}\n{WITH_HELPER}```",
    "an import in the final version": f"```python\n{NEEDS_IMPORT}```\nThe final version:\n"
    f"```python\nimport functools\n{NEEDS_IMPORT}```",
    "a usage behind": f"```python\n{WHOLE}```\nUse it:\n```python\nprint(area(1, 2))\n```\n```\n12.5\n```",
    "a later block that lacks an import": f"```python\nimport functools\n{NEEDS_IMPORT}```\nShorter:\n"
    f"```python\n{NEEDS_IMPORT}```",
}
WRONG = [
    "",
    "    pass",
    "I do not know.",
    "```python\n```",
    "def other(r, n):\n    return 1\n",
    "(" * 5000,
    "-" * 19_000 + "1",
    f"def helper(x):\n    # to be done\n\n{WHOLE}",
    f"```python\ndef helper(x):\n    # to be done\n\n{WHOLE}```",
    WHOLE.replace("    return total", "    if n:\n        return total\n    else:\n"),
    WHOLE.replace("    return total", "    if n:\n        return total\n    else:\nThat is all."),
    WHOLE.replace("total = 0", "total = ("),
    f"```python\n{WHOLE}```\nNo, better:\n```python\n{DRAFT}```",
]


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(Limits(3, 1 << 30)) as running:
        yield running


@pytest.mark.parametrize("form", RIGHT)
def test_right_answers_pass_in_every_form(form, sandbox):
    program = humaneval.program(ITEM, RIGHT[form])
    assert sandbox.run(program).status == "passed", program


@pytest.mark.parametrize("text", WRONG)
def test_wrong_answers_fail(text, sandbox):
    assert sandbox.run(humaneval.program(ITEM, text)).status != "passed"


def test_a_prompt_that_defines_the_name_twice_keeps_the_first_definition(sandbox):
    """The function to complete is the last one; what stands before it belongs to the program, whatever its name."""
    prompt = "def area(r):\n    return r * r\n\nsquare = area\n\ndef area(r, n):\n    # n squares\n"
    item = {**ITEM, "prompt": prompt, "test": "def check(candidate):\n    assert candidate(3, 2) == 18\n"}
    for answer in ("def area(r, n):\n    return n * square(r)\n", "    return n * square(r)\n"):
        assert sandbox.run(humaneval.program(item, answer)).status == "passed"


def test_an_answer_of_many_broken_lines_is_still_judged():
    text = "def area(r, n):\n" + "    x = (\n" * 2000
    assert humaneval.candidate(ITEM, text).startswith("import math")


def test_score_keeps_status_and_candidate():
    assert humaneval.score(ITEM, BODY, "passed")["correct"]
    timeout = humaneval.score(ITEM, BODY, "timeout")
    assert not timeout["correct"] and timeout["extracted"].endswith("return total")
