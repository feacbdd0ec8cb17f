r"""Competition mathematics (MATH, Hendrycks et al. 2021, arXiv:2103.03874): is the final expression the right one?

Items have ``problem`` and ``solution`` with the answer in its last box, or ``answer`` itself. An answer is read where
it is boxed or announced, and compared as mathematics, so that 0.5 is \frac{1}{2} and (x+1)^2 is x^2+2x+1, by the
library math-verify. The completion form is that of Minerva (Lewkowycz et al. 2022, arXiv:2206.14858).
"""

from __future__ import annotations

import re
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

from common.extras import require
from eval.items.jsonl import Row, field, read
from eval.spec.answers import AS_IS, Reading
from eval.tasks import matching
from eval.tasks.benchmark import Benchmark, Messages
from eval.tasks.final_number import braced
from eval.tasks.run_on import without_run_on
from eval.tasks.signs import HALVES, RAISED, plain_signs

ASK = "\n\nReason step by step, and put the final answer in \\boxed{}."
STOPS = ("Problem:",)
COMMANDS = re.compile(r"\\(?:text|begin|end)\{[^{}]*\}|\\[a-zA-Z]+")
BARE = re.compile(r"(?<![\\a-zA-Z])(?:sin|cos|tan|log|ln|exp|pi)(?![a-zA-Z])")  # the library reads pi as p times i
ROOT = re.compile(r"(?<![\\a-zA-Z])sqrt\(([^()]*)\)")
# The star of a product has a factor on both sides, or a space on both.
EMPHASIS = re.compile(r"(?<![^\s,(])\*+(?=\S)|(?<=\S)\*+(?![^\s,.:)])")
WORDS = re.compile(r"[^\W\d_]{2}")
UNESCAPED = re.compile(r"(?<!\\)%")
MARKS = ("$", "\\(", "\\[", "\\fbox")
NAMES = ("markup", "case", "articles")
ROOTED = re.compile(r"√ ?(\d+|[A-Za-z]|\([^()]*\))")
RAISED_ALL = re.compile(rf"[{''.join(RAISED)}]+")
SCIENTIFIC = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)[eE]([-+]?\d{1,2})(?![\w.]\d|\w)")
SECONDS = 5  # for reading an answer and for comparing it; sympy may not end


def items(path: Path, reading: Reading = AS_IS) -> list[Row]:
    """The problems; ``id`` is ``unique_id`` or ``id``, else the row number. ValueError for one without an answer."""
    require("task math", ["math"])
    problems = []
    for number, row in enumerate(read(path, dict(reading.fields))):
        solution = row.get("solution", "")
        boxed = [braced(part) for part in str(solution).split("\\boxed{")[1:]]
        answer = field(path, number, row, "answer", (str, int, float)) if "answer" in row or not boxed else boxed[-1]
        problem = field(path, number, row, "problem", str)
        name = str(row.get("unique_id", row.get("id", number)))
        shown = solution or f"\\boxed{{{answer}}}"
        problems.append({"id": name, "problem": problem, "answer": str(answer), "solution": shown})
    return problems


def messages(item: Row) -> Messages:
    """The problem, after the worked examples in ``item["shots"]`` as earlier turns."""
    shown: Messages = []
    for one in item.get("shots", ()):
        shown += [_turn("user", one["problem"] + ASK), _turn("assistant", one["solution"])]
    return [*shown, _turn("user", item["problem"] + ASK)]


def _turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def completion(item: Row) -> Messages:
    """The same as one text to continue."""
    examples = [f"Problem:\n{one['problem']}\n\nSolution: {one['solution']}\n\n" for one in item.get("shots", ())]
    return [{"role": "text", "content": "".join(examples) + f"Problem:\n{item['problem']}\n\nSolution:"}]


def score(item: Row, text: str, status: str = "") -> Row:
    """``correct`` when the final expression equals the right one."""
    from math_verify import verify  # slow to import

    text = without_run_on(text)
    boxes = text.split("\\boxed{")[:0:-1]
    place = braced(boxes[0]) if boxes else _announced(text)  # the library would take the first of several boxes
    # As formulas, for the library reads no percentage inside a box.
    gold, answer = _parsed(f"${item['answer']}$"), _parsed(f"${place}$" if place else text)
    right = bool(answer) and verify(gold, answer, timeout_seconds=_limit())
    extracted = str(answer[-1]) if answer else None
    if not right and "\\text" in item["answer"]:  # a name, which nobody sets as mathematics
        name = matching.plain(next(matching.stated(text)), NAMES)
        if name == matching.plain(item["answer"], NAMES):
            right, extracted = True, name
    return {"correct": right, "parsed": extracted is not None, "extracted": extracted, "gold": item["answer"]}


def _announced(text: str) -> str:
    """What is announced as the answer, where it is an expression that is not set as mathematics.

    The library would not see it; all else is left to the library.
    """
    place, *others = matching.stated(text)
    expression = EMPHASIS.sub("", place.replace("`", "").strip(" .:")).strip(" .:").replace("**", "^")
    is_set = any(mark in expression.replace("\\$", "") for mark in MARKS)
    expression = BARE.sub(r"\\\g<0>", ROOT.sub(r"\\sqrt{\1}", UNESCAPED.sub(r"\\%", expression)))
    return expression if others and not is_set and not WORDS.search(COMMANDS.sub("", expression)) else ""


def _as_latex(text: str) -> str:
    """A text whose signs beyond ASCII the library reads: 2√3, x², ½, and digits of other scripts; and 1e3."""
    text = ROOTED.sub(r"\\sqrt{\1}", text)
    text = RAISED_ALL.sub(lambda match: f"^{{{''.join(RAISED[sign] for sign in match.group())}}}", text)
    for sign, (above, _, below) in ((sign, half.partition("/")) for sign, half in HALVES.items()):
        text = text.replace(sign, f"\\frac{{{above}}}{{{below}}}")
    return SCIENTIFIC.sub(r"\1\\times 10^{\2}", plain_signs(text))


def _parsed(text: str) -> list[Any]:
    """The final expression of a text, and the text that it was read from; empty without one."""
    from math_verify import parse

    found: list[Any] = parse(_as_latex(text), parsing_timeout=_limit())
    return found


def _limit() -> int | None:
    # The library keeps time with a signal, which only the first thread may set.
    return SECONDS if threading.current_thread() is threading.main_thread() else None


CHAT = Benchmark(
    items=items, messages=messages, score=score, metrics=matching.metrics, parts=("problem", "solution"), examples=items
)
FORMS = {"chat": CHAT, "completion": replace(CHAT, messages=completion, stops=STOPS)}
