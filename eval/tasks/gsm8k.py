"""Grade-school word problems (GSM8K), with or without worked examples: is the final number right?

Three numbers belong together. ``strict`` takes only the trained form, a number right after the first ``####``.
``accuracy`` is staged: the last ``####`` number, else the last boxed one, else the last after "answer is" or "answer:",
else the last number at all. ``format_rate`` is the share of texts that hold the trained form. Numbers are compared as
numbers.
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

# A sign counts only where nothing stands before it that could be subtracted from. Linear in the length of the text.
NUMBER = re.compile(r"(?:(?<![0-9A-Za-z)\].])[-\u2212][$£€]?)?(?:[0-9][0-9,]*(?:\.[0-9]+)?|(?<![0-9])\.[0-9]+)")
STRICT = re.compile(r"####[ \t]*([-\u2212]?[$£€]?[0-9][0-9,]*(?:\.[0-9]+)?)")
PHRASE = re.compile(r"answer[ \t]*(?:is\b|:|=)", re.IGNORECASE)
SPACED = re.compile(r"(?<=[0-9])[\u00a0\u2009\u202f](?=[0-9]{3}(?![0-9]))")  # typographers' thousands
SUM = re.compile(r"^[0-9\s.,$+*/x×÷()=-]*=")  # "10 - 3 = 7": the result counts
TURNS = (("user", "question"), ("assistant", "answer"))
LATEX = str.maketrans({"{": None, "}": None, "\\": None, "!": None})
STOPS = ("Question:", "</s>", "<|im_end|>")  # a model that goes on with a plain text asks itself the next question
LONGEST = 40  # a longer run of digits is no answer to a word problem


def items(path: Path, reading: Reading = AS_IS) -> list[Row]:
    """The problems; ``id`` is the row number from 0."""
    rows = read(path, dict(reading.fields))
    found = []
    for number, row in enumerate(rows):
        answer = field(path, number, row, "answer", str)
        if strict(answer) is None:
            raise ValueError(f"{path}: item {number}, field 'answer' holds no number after '####'")
        found.append({"id": str(number), "question": field(path, number, row, "question", str), "answer": answer})
    return found


def messages(item: Row) -> list[dict[str, str]]:
    """The question, after the worked examples in ``item["shots"]``, if any, as earlier turns."""
    told = [(role, one[part]) for one in item.get("shots", ()) for role, part in TURNS]
    return [{"role": role, "content": text} for role, text in [*told, ("user", item["question"])]]


def continued(item: Row) -> list[dict[str, str]]:
    """The same as one text to go on with, in the words of lm-eval's task gsm8k."""
    told = [f"Question: {one['question']}\nAnswer: {one['answer']}\n\n" for one in item.get("shots", ())]
    return [{"role": "text", "content": "".join(told) + f"Question: {item['question']}\nAnswer:"}]


def score(item: Row, text: str, status: str = "") -> Row:
    """``correct`` (staged), ``strict``, ``formatted``, the two numbers as text or None, and lm-eval's verdicts."""
    gold, first, found = strict(item["answer"]), strict(text), staged(text)
    return {
        "correct": found is not None and found == gold,
        "strict": first is not None and first == gold,
        "formatted": first is not None,
        "parsed": found is not None,
        "extracted": None if found is None else str(found),
        "gold": str(gold),
        **lmeval_rules.verdicts(item["answer"], text),
    }


def metrics(scores: Sequence[Row]) -> list[Metric]:
    """Shares of items: ``accuracy`` (staged), ``strict``, ``format_rate``."""
    return present(
        rate("accuracy", scores, "correct"), rate("strict", scores, "strict"), rate("format_rate", scores, "formatted")
    )


def strict(text: str) -> Decimal | None:
    """The number right after the first ``####``, or None."""
    match = STRICT.search(text)
    return _value(match.group(1)) if match else None


def staged(text: str) -> Decimal | None:
    """The final answer of a worked solution, or None when it holds no number."""
    text = SPACED.sub(",", text)
    for place in _places(text):
        value = next(filter(None.__ne__, map(_value, NUMBER.findall(place))), None)
        if value is not None:
            return value
    numbers = (_value(found) for found in reversed(NUMBER.findall(text)))
    return next((value for value in numbers if value is not None), None)


def _places(text: str) -> Iterator[str]:
    """Where the answer is announced, most telling first: the first number in any of these places is the answer."""
    marked = [part.partition("\n")[0] for part in text.split("####")[1:]]
    yield from (_plain(place) for place in reversed(marked))
    boxed = [part[:80].partition("}" if "{,}" not in part[:80] else "\n")[0] for part in text.split("\\boxed{")[1:]]
    yield from (_plain(place) for place in reversed(boxed))
    starts = [match.end() for match in PHRASE.finditer(text)]
    for start, end in reversed(list(pairwise([*starts, len(text)]))):
        yield _plain(text[start : min(end, start + 200)].lstrip().partition("\n")[0])


def _plain(place: str) -> str:
    """Without the marks of LaTeX, which split numbers (``1{,}234`` is 1,234), and from a worked sum only its result."""
    return SUM.sub("", place.translate(LATEX))


def _value(found: str) -> Decimal | None:
    """The number meant by a match: commas are dropped where they group thousands, otherwise the last part counts."""
    if len(found) > LONGEST:
        return None
    sign = -1 if found[0] in "-\u2212" else 1
    parts = found.lstrip("-\u2212 $£€").rstrip(",").split(",")
    grouped = 1 <= len(parts[0]) <= 3 and all(len(part.partition(".")[0]) == 3 for part in parts[1:])
    digits = "".join(parts) if grouped else parts[-1]
    return sign * Decimal(digits) if digits else None
