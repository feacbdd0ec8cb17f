"""Compare an answer with the accepted ones, as texts or as numbers."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Iterator, Sequence

from eval.items.jsonl import Row
from eval.items.metrics import Metric, present, rate
from eval.tasks.final_number import PHRASE, braced
from eval.tasks.numbers import FACTORIAL, PERCENT, SCALE, Number, only_number, same_number, written
from eval.tasks.run_on import without_run_on
from eval.tasks.signs import narrow

MARKUP = re.compile(
    r"\*\*|__|`|^[ \t]*(?:#{1,6}|>) +(?=[\w*])|\\(?:text|mathrm|textbf|boxed)\{([^{}]*)\}|\\?\$", re.MULTILINE
)
ARTICLES = re.compile(r"\b(?:a|an|the)\b", re.IGNORECASE)
QUOTED = re.compile('^["\'\u2018\u201c\u00ab\u300c\u300e]([^"\u201c\u201d]+)["\'\u2019\u201d\u00bb\u300d\u300f]$')
END = re.compile("(?<![.!])[.!\u3002\uff0e\uff01]$")
MAX_PLACE = 500


def plain(text: str, ignore: Sequence[str]) -> str:
    """A text without what does not count: white space, quotes around it, its last mark, and what ``ignore`` names."""
    text = unicodedata.normalize("NFC", text)
    if "markup" in ignore:
        text = MARKUP.sub(lambda match: match[1] or "", text)
    if "width" in ignore:
        text = narrow(text)
    if "accents" in ignore:
        text = "".join(sign for sign in unicodedata.normalize("NFD", text) if not unicodedata.combining(sign))
    if "punctuation" in ignore:
        text = "".join(" " if _is_punctuation(sign) else sign for sign in text)
    if "articles" in ignore:
        text = ARTICLES.sub(" ", text)
    text = QUOTED.sub(r"\1", _unended(" ".join(text.split())))
    text = _unended(text)
    return text.casefold() if "case" in ignore else text


def _is_punctuation(sign: str) -> bool:
    return sign in string.punctuation or unicodedata.category(sign).startswith("P")


def _unended(text: str) -> str:
    return text if FACTORIAL.search(text) else END.sub("", text)


def stated(text: str) -> Iterator[str]:
    """The places where an answer states its result, the most reliable first; the last is the whole text."""
    text = without_run_on(text)
    yield from (part.partition("\n")[0] for part in text.split("####")[:0:-1][:1])
    yield from (braced(part[:MAX_PLACE]) for part in text.split("\\boxed{")[:0:-1][:1])
    for match in [*PHRASE.finditer(text)][-1:]:
        yield text[match.end() : match.end() + MAX_PLACE].lstrip(" \t*_\n").partition("\n")[0]
    yield text


def numeric(item: Row) -> bool:
    """Whether the answers to an item are compared as numbers."""
    return item["compare"] == "number" or (item["compare"] == "auto" and all(map(only, item["answers"])))


def only(text: str) -> Number | None:
    """The number of a text that is nothing but a number, with or without currency, percent or a scale ("million")."""
    number = only_number(text)
    return number if number and not any(map(str.isalpha, SCALE.sub("", PERCENT.sub("", text)))) else None


def verdict(item: Row, places: Sequence[str]) -> Row:
    """``correct`` when one of the places holds an accepted answer, and nothing else."""
    if numeric(item):
        golds = [gold for gold in map(only_number, item["answers"]) if gold]
        read = next((number for number in map(only_number, places) if number), None)
        right = read is not None and any(same_number(read, gold) for gold in golds)
        extracted = None if read is None or read.value is None else written(read.value)
    else:
        accepted = {plain(one, item["ignore"]) for one in item["answers"]}
        texts = [text for place in places if (text := plain(place, item["ignore"]))]
        extracted = next((text for text in texts if text in accepted), texts[0] if texts else None)
        right = extracted in accepted
    return {"correct": right, "parsed": extracted is not None, "extracted": extracted, "gold": item["answers"]}


def metrics(scores: Sequence[Row]) -> list[Metric]:
    """``accuracy``, the share of right answers."""
    return present(rate("accuracy", scores, "correct"))
