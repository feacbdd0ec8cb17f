"""Grade-school word problems (GSM8K, Cobbe et al. 2021, arXiv:2110.14168): is the final number right?

``accuracy`` reads the answer in stages: the last number after ``####``, else the last boxed one, else the last one
after "answer is" or "answer:", else the last number in the text. ``strict`` accepts only the form used in training, a
number right after the first ``####``; ``format_rate`` is the share of answers in that form. Numbers are compared by
value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

from eval.items.jsonl import Row, field, read
from eval.items.metrics import Metric, present, rate
from eval.spec.answers import AS_IS, Reading
from eval.tasks import lmeval_rules

# A minus is a sign only where nothing before it could be subtracted from. Time is linear in the length of the text.
NUMBER = re.compile(r"(?:(?<![0-9A-Za-z)\].])[-\u2212][$£€]?)?(?:[0-9][0-9,]*(?:\.[0-9]+)?|(?<![0-9])\.[0-9]+)")
STRICT = re.compile(r"####[ \t]*([-\u2212]?[$£€]?[0-9][0-9,]*(?:\.[0-9]+)?)")
PHRASE = re.compile(r"answer[ \t]*(?:is\b|:|=)", re.IGNORECASE)
SPACED = re.compile(
    r"(?<=[0-9])[\u00a0\u2009\u202f](?=[0-9]{3}(?![0-9]))"
)  # thin and no-break spaces between thousands
SUM = re.compile(r"^[0-9\s.,$+*/x×÷()=-]*=")  # in "10 - 3 = 7" the result counts
TURNS = (("user", "question"), ("assistant", "answer"))
LATEX = str.maketrans({"{": None, "}": None, "\\": None, "!": None})
STOPS = ("Question:", "</s>", "<|im_end|>")  # a model that continues a plain text goes on with a question of its own
MAX_DIGITS = 40  # a longer run of digits is not an answer to a word problem


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
    """``correct`` (staged), ``strict``, ``formatted``, both numbers as text, and the verdicts by lm-eval's rules."""
    gold, formatted, extracted = strict(item["answer"]), strict(text), staged(text)
    return {
        "correct": extracted is not None and extracted == gold,
        "strict": formatted is not None and formatted == gold,
        "formatted": formatted is not None,
        "parsed": extracted is not None,
        "extracted": None if extracted is None else str(extracted),
        "gold": str(gold),
        **lmeval_rules.verdicts(item["answer"], text),
    }


def metrics(scores: Sequence[Row]) -> list[Metric]:
    """``accuracy`` (staged), ``strict`` and ``format_rate``, each a share of answers."""
    return present(
        rate("accuracy", scores, "correct"), rate("strict", scores, "strict"), rate("format_rate", scores, "formatted")
    )


def strict(text: str) -> Decimal | None:
    """The number right after the first ``####``; None without one."""
    match = STRICT.search(text)
    return _value(match.group(1)) if match else None


def staged(text: str) -> Decimal | None:
    """The final number of a worked solution, read in stages; None for a text without numbers."""
    # Then the rule for commas applies to them too.
    text = SPACED.sub(",", text)
    for place in _places(text):
        value = next(filter(None.__ne__, map(_value, NUMBER.findall(place))), None)
        if value is not None:
            return value
    numbers = (_value(number) for number in reversed(NUMBER.findall(text)))
    return next((value for value in numbers if value is not None), None)


def _places(text: str) -> Iterator[str]:
    """The places that may announce the answer, the most reliable first; the first number in one is the answer."""
    marked = [part.partition("\n")[0] for part in text.split("####")[1:]]
    yield from (_plain(place) for place in reversed(marked))
    # Some models write {,} between thousands, whose brace does not close the box.
    boxed = [part[:80].partition("}" if "{,}" not in part[:80] else "\n")[0] for part in text.split("\\boxed{")[1:]]
    yield from (_plain(place) for place in reversed(boxed))
    starts = [match.end() for match in PHRASE.finditer(text)]
    # Between two announcements only the text after the first belongs to it.
    for start, end in reversed(list(pairwise([*starts, len(text)]))):
        yield _plain(text[start : min(end, start + 200)].lstrip().partition("\n")[0])


def _plain(place: str) -> str:
    """A place without LaTeX marks, which split numbers (``1{,}234`` is 1,234), and without the left side of a sum."""
    return SUM.sub("", place.translate(LATEX))


def _value(number: str) -> Decimal | None:
    """The value of a match of `NUMBER`. Commas that group thousands are dropped; otherwise the last part counts."""
    if len(number) > MAX_DIGITS:
        return None
    sign = -1 if number[0] in "-\u2212" else 1
    parts = number.lstrip("-\u2212 $£€").rstrip(",").split(",")
    grouped = 1 <= len(parts[0]) <= 3 and all(len(part.partition(".")[0]) == 3 for part in parts[1:])
    digits = "".join(parts) if grouped else parts[-1]
    return sign * Decimal(digits) if digits else None
