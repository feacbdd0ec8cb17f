"""Read the choices of a question, in any of the layouts in use, and which of them is right."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from typing import Any, NamedTuple

from eval.items.jsonl import Row
from eval.tasks.matching import plain
from eval.tasks.signs import narrow

LETTERS = string.ascii_uppercase
COLUMNS = ("A", "B", "C", "D", "E")
LISTED = re.compile(r"^[ \t]*[(\uff08]([A-Z\uff21-\uff3a])[)\uff09][ \t\u3000]*(.+?)[ \t]*$", re.MULTILINE)
DASHED = re.compile(r"^[ \t]*-[ \t]*(.+?)[ \t]*$", re.MULTILINE)
LABEL = re.compile(r"\([A-Z]\)")
FOLDED = ("case", "width")
GPQA = ("Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3")


class Choices(NamedTuple):
    """A question's prompt, the labels of its choices (none where they are shown without), their texts, and whether the
    prompt itself lists them."""

    prompt: str
    labels: list[str]
    texts: list[str]
    listed: bool


def choices_of(where: str, row: Row) -> Choices:
    """The choices of a row. Raises ValueError, which begins with ``where``, for none, one, too many or equal ones."""
    question: Any = row.get("prompt", row.get("question", row.get("input", row.get("Question"))))
    held = row.get("choices")
    if isinstance(question, dict):  # CommonsenseQA
        held = question.get("choices")
        question = question.get("stem")
    if not isinstance(question, str):
        raise ValueError(f"{where} has no text 'prompt'; it has: {', '.join(row)}")
    made = _held(where, question, held) if held is not None else _elsewhere(where, question, row)
    fewest = 1 if made.listed else 2  # one published item lists a single choice
    if not fewest <= len(made.texts) <= len(LETTERS):
        raise ValueError(f"{where} has {len(made.texts)} choices; a question needs from 2 to {len(LETTERS)}")
    folded = [plain(text, FOLDED) for text in made.texts]
    twice = [text for number, text in enumerate(made.texts) if folded[number] in folded[:number]]
    # Equal choices that a prompt lists under letters are told apart by them.
    if twice and not (made.listed and made.labels):
        raise ValueError(f"{where}: the choice {twice[0]!r} stands twice in {made.texts}; remove one")
    return made


def _held(where: str, prompt: str, held: object) -> Choices:
    """Choices from the field of that name: a list of texts, of objects, or an object of lists."""
    if isinstance(held, dict):
        texts, labels = held.get("text"), held.get("label")
        if not isinstance(texts, list) or not isinstance(labels, list) or len(texts) != len(labels):
            raise ValueError(f"{where}, field 'choices' needs the lists text and label, both of one length")
        held = [{"text": text, "label": label} for text, label in zip(texts, labels, strict=True)]
    if not isinstance(held, list):
        raise ValueError(f'{where}, field \'choices\': {held!r} is not a list, such as ["red", "blue"]')
    # Labels such as 1 to 4 are shown as letters, so that a number in an answer is never taken for one.
    return Choices(prompt, [*LETTERS[: len(held)]], _texts(where, held), False)


def _texts(where: str, choices: Sequence[Any]) -> list[str]:
    """The texts of choices, each a plain value or an object with a text. Raises ValueError for one without."""
    texts = [one.get("text") if isinstance(one, dict) else one for one in choices]
    if any(text is None or not str(text).strip() for text in texts):
        raise ValueError(f"{where}: one of its choices has no text: {texts}")
    return [str(text) for text in texts]


def _elsewhere(where: str, prompt: str, row: Row) -> Choices:
    """Choices from columns, or from the prompt itself."""
    held = [row[column] for column in COLUMNS if column in row]
    while held and held[-1] in (None, ""):  # questions with fewer choices than the table has columns
        held.pop()
    if held:
        texts = _texts(where, held)
        return Choices(prompt, [*LETTERS[: len(texts)]], texts, False)
    if GPQA[0] in row:
        texts = sorted(str(row[column]).strip() for column in GPQA)
        return Choices(prompt, [*LETTERS[: len(texts)]], texts, False)
    _, options, lines = prompt.rpartition("Options:")
    if options and (lettered := LISTED.findall(lines)):
        return Choices(prompt, [narrow(letter) for letter, _ in lettered], [text for _, text in lettered], True)
    if options and (dashed := DASHED.findall(lines)):
        return Choices(prompt, [], dashed, True)
    raise ValueError(f"{where} has no field 'choices', and its prompt lists none; it has: {', '.join(row)}")


def right_choice(where: str, row: Row, labels: Sequence[str], texts: Sequence[str]) -> int:
    """The number of the right choice. Raises ValueError for an answer that is none, or could be two of them."""
    answer = next((row[name] for name in ("answer", "answerKey", "target", GPQA[0]) if name in row), None)
    if isinstance(answer, list) and len(answer) == 1:
        answer = answer[0]
    if isinstance(answer, int) and not isinstance(answer, bool):
        if not 0 <= answer < len(texts):
            raise ValueError(f"{where}: answer {answer} is not an index of its choices, 0 to {len(texts) - 1}")
        return answer
    if not isinstance(answer, str):
        raise ValueError(f"{where}: answer {answer!r} is neither an index nor a text; it has: {', '.join(row)}")
    readings = _readings(answer, _own_labels(row), labels, texts)
    if len(readings) > 1:
        shown = " or ".join(repr(texts[number]) for number in sorted(readings))
        raise ValueError(f"{where}: answer {answer!r} may mean {shown}; write the index from 0, as a number")
    if not readings:
        raise ValueError(f"{where}: answer {answer!r} is not one of its choices {list(texts)}")
    return readings.pop()


def _readings(answer: str, own: Sequence[str], labels: Sequence[str], texts: Sequence[str]) -> set[int]:
    """The numbers of the choices that an answer may mean."""
    answer, own = narrow(answer), [*map(narrow, own)]
    if LABEL.fullmatch(answer.strip()) and answer.strip()[1] in labels:
        return {labels.index(answer.strip()[1])}
    label = answer.strip().strip("().").upper()
    readings = {number for number, text in enumerate(texts) if plain(text, FOLDED) == plain(answer, FOLDED)}
    if own:
        return readings | {number for number, one in enumerate(own) if one == answer.strip()}
    readings |= {number for number, one in enumerate(labels) if one == label}
    if label.isdecimal() and int(label) < len(texts):
        readings.add(int(label))
    return readings


def _own_labels(row: Row) -> list[str]:
    """The labels that a row itself gives its choices, such as ARC's."""
    question, held = row.get("question"), row.get("choices")
    if isinstance(question, dict):
        held = question.get("choices")
    if isinstance(held, dict):
        return [str(label) for label in held["label"]]
    if isinstance(held, list) and held and all(isinstance(one, dict) for one in held):
        return [str(one.get("label")) for one in held]
    return []
