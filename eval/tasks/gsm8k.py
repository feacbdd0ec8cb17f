"""Grade-school word problems (GSM8K, Cobbe et al. 2021, arXiv:2110.14168): is the final number right?

``accuracy`` reads the final number in any wording, see `final_number`. ``strict`` accepts only the form used in
training, a number right after the first ``####``; ``format_rate`` is the share of answers in that form. Numbers are
compared by value.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from eval.items.jsonl import Row, field, read
from eval.items.metrics import Metric, present, rate
from eval.spec.answers import AS_IS, Reading
from eval.tasks import lmeval_rules
from eval.tasks.benchmark import Benchmark
from eval.tasks.final_number import final_number
from eval.tasks.numbers import CURRENCY, PART_BEHIND, numbers, written
from eval.tasks.signs import plain_signs

STRICT = re.compile(rf"####[ \t]*([-\u2212]?[{CURRENCY}]?[0-9][0-9,]*(?:\.[0-9]+)?)")
GOES_ON = re.compile(
    rf"[eE][-+]?[0-9]|(?: [0-9]{{1,2}})?/[0-9]| ?[x×*] ?10(?:\^|\*\*)|{PART_BEHIND.pattern}"
)  # 1e3, 2 1/2, 5×10^3, 2√3
TURNS = (("user", "question"), ("assistant", "answer"))
STOPS = ("Question:", "</s>", "<|im_end|>")  # a model that continues a plain text goes on with a question of its own


def items(path: Path, reading: Reading = AS_IS) -> list[Row]:
    """The problems; ``id`` is the row number from 0. Raises ValueError for a row without ``#### NUMBER``."""
    problems = []
    for number, row in enumerate(read(path, dict(reading.fields))):
        answer = field(path, number, row, "answer", str)
        if strict(answer) is None:
            raise ValueError(f"{path}: item {number}, field 'answer' holds no number after '####'")
        problems.append({"id": str(number), "question": field(path, number, row, "question", str), "answer": answer})
    return problems


def messages(item: Row) -> list[dict[str, str]]:
    """The question, after the worked examples in ``item["shots"]`` as earlier turns."""
    examples = [(role, one[part]) for one in item.get("shots", ()) for role, part in TURNS]
    return [{"role": role, "content": text} for role, text in [*examples, ("user", item["question"])]]


def completion(item: Row) -> list[dict[str, str]]:
    """The same as one text to continue, in the words of lm-eval's task gsm8k."""
    examples = [f"Question: {one['question']}\nAnswer: {one['answer']}\n\n" for one in item.get("shots", ())]
    return [{"role": "text", "content": "".join(examples) + f"Question: {item['question']}\nAnswer:"}]


def score(item: Row, text: str, status: str = "") -> Row:
    """``correct``, ``strict``, ``formatted``, both numbers as text, and the verdicts by lm-eval's rules."""
    gold, formatted = strict(item["answer"]), strict(text)
    extracted = final_number(text, item.get("question", ""))
    assert gold is not None  # checked by `items`
    return {
        "correct": extracted is not None and extracted == gold,
        "strict": formatted is not None and formatted == gold,
        "formatted": formatted is not None,
        "parsed": extracted is not None,
        "extracted": None if extracted is None else written(extracted),
        "gold": written(gold),
        **lmeval_rules.verdicts(item["answer"], text),
    }


def metrics(scores: Sequence[Row]) -> list[Metric]:
    """``accuracy``, ``strict`` and ``format_rate``, each a share of answers."""
    return present(
        rate("accuracy", scores, "correct"), rate("strict", scores, "strict"), rate("format_rate", scores, "formatted")
    )


def strict(text: str) -> Fraction | None:
    """The number right after the first ``####``; None without one."""
    match = STRICT.search(text := plain_signs(text))
    alone = match and not GOES_ON.match(text, match.end())
    number = next(numbers(match.group(1)), None) if match and alone else None
    return number.value if number else None


CHAT = Benchmark(
    items=items, messages=messages, score=score, metrics=metrics, parts=("question", "answer"), examples=items
)
FORMS = {"chat": CHAT, "completion": replace(CHAT, messages=completion, stops=STOPS)}
