"""Prompts for a judge: templates, built in or from a file in FastChat's format, and how they are filled."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from eval.items.jsonl import field, read

Messages = list[dict[str, str]]

# The names are those of FastChat's prompt files, and ``conversation`` and ``references`` of our own.
PLACE = re.compile(r"\{((?:question|answer|answer_a|answer_b|ref_answer)(?:_\d+)?|conversation(?:_a|_b)?|references)\}")

VERDICT = re.compile(r"\[\[([^\[\]]{1,40})\]\]")
FRAME = re.compile(r"<(/?(?:question|reference|answer|conversation)(?:_[ab])?)>", re.IGNORECASE)


@dataclass(frozen=True)
class Template:
    """A system turn and a user turn with places such as ``{question_1}``. The places tell what it can be used for."""

    name: str
    pairwise: bool
    system: str
    text: str

    @cached_property
    def places(self) -> frozenset[str]:
        return frozenset(PLACE.findall(self.system + self.text))

    @property
    def referenced(self) -> bool:
        return any(place.startswith("ref") for place in self.places)

    def shows(self, turns: int) -> bool:
        """Whether it shows a dialogue of exactly that many turns; ``{conversation}`` shows any number above 1."""
        if any(place.startswith("conversation") for place in self.places):
            return turns > 1
        numbers = [int(place.rpartition("_")[2]) for place in self.places if place[-1].isdigit()]
        return turns == max(numbers, default=1)


def load(path: Path | None) -> tuple[Template, ...]:
    """The templates in a file; without a file, the built-in ones.

    Its rows have ``name``, ``type`` (single or pairwise), ``system_prompt`` and ``prompt_template``. Raises ValueError
    that names the row and the field.
    """
    return tuple(_template(path, number, row) for number, row in enumerate(read(path))) if path else BUILT_IN


def _template(path: Path, number: int, row: Mapping[str, object]) -> Template:
    name, kind, system, text = (
        field(path, number, row, column, str) for column in ("name", "type", "system_prompt", "prompt_template")
    )
    if kind not in ("single", "pairwise"):
        raise ValueError(f"{path}: item {number}, field 'type': {kind!r} is unknown; write single or pairwise")
    return Template(name, kind == "pairwise", system, text)


def pick(templates: Sequence[Template], *, pairwise: bool, referenced: bool, turns: int) -> Template:
    """The template for a question. Raises ValueError when there is none, or more than one."""
    fit = [one for one in templates if one.pairwise == pairwise and one.referenced == referenced and one.shows(turns)]
    if len(fit) != 1:
        answers = "two answers" if pairwise else "one answer"
        case = f"{answers}, turn {turns}, with{'' if referenced else 'out'} reference"
        names = ", ".join(one.name for one in fit) or "none"
        raise ValueError(f"judge prompts for {case}: {names}; give exactly one, or no file to use the built-in ones")
    return fit[0]


def fill(
    template: Template, questions: Sequence[str], answers: Mapping[str, Sequence[str]], references: Sequence[str]
) -> Messages:
    """The messages for the judge.

    ``answers`` holds each answerer's answers by turn, the graded one last; the answerer is '' if there is one, else 'a'
    and 'b'. All places are filled at once, so text in a question or answer is never taken for a place, and what an
    answer says in the form of a verdict is written otherwise.
    """
    values = {"question": questions[0], **_numbered("question", questions), **_numbered("ref_answer", references)}
    values["references"] = _dialogue(questions, references, "Reference answer")
    for name, texts in answers.items():
        texts = [harmless(text) for text in texts]
        end = f"_{name}" if name else ""
        values |= {f"answer{end}": texts[0], **_numbered(f"answer{end}", texts)}
        values[f"conversation{end}"] = _dialogue(questions, texts, f"Assistant {name.upper()}".strip())
    system, text = (PLACE.sub(lambda match: values[match.group(1)], part) for part in (template.system, template.text))
    return [*([{"role": "system", "content": system}] if system.strip() else []), {"role": "user", "content": text}]


def harmless(answer: str) -> str:
    """An answer in which nothing can be taken for a verdict or for the end of the answer."""
    return FRAME.sub(r"&lt;\1&gt;", VERDICT.sub(r"[ [\1] ]", answer))


def _numbered(name: str, texts: Sequence[str]) -> dict[str, str]:
    return {f"{name}_{number}": text for number, text in enumerate(texts, start=1)}


def _dialogue(questions: Sequence[str], answers: Sequence[str], speaker: str) -> str:
    # Reference answers may cover fewer turns than there are questions.
    pairs = zip(questions, answers, strict=False)
    return "\n\n".join(f"User:\n{question}\n\n{speaker}:\n{answer}" for question, answer in pairs)


# Replies are stored under the text of their prompt: any change to these texts asks, and pays for, every one again.
GRADER = "You are a fair and careful examiner of the answers that AI assistants give."
QUALITY = (
    "Look at whether the answer does what was asked, whether it is correct, how thorough it is, and how clearly it is "
    "written. Length by itself earns nothing."
)
CORRECTNESS = (
    "Compare the answer with the reference answer, name its mistakes, and judge how correct and helpful it is."
)
RATE = (
    "Explain your judgement in a few sentences. Then end with the rating, a number from 1 (useless) to 10 (excellent) "
    "in double square brackets, like this: Rating: [[6]]"
)
CHOOSE = (
    "Neither the order of the two, nor their length, nor a name may sway you. Explain your judgement in a few "
    "sentences. Then end with [[A]] if assistant A did better, [[B]] if assistant B did, or [[C]] if neither did."
)
LAST = "Only the last answer counts; what comes before it is its context."


def _built_in(name: str, pairwise: bool, reference: bool, several: bool) -> Template:
    task = "Compare the answers of two AI assistants." if pairwise else "Rate the answer of an AI assistant."
    asks = [task, *([LAST] if several else []), CORRECTNESS if reference else QUALITY, CHOOSE if pairwise else RATE]
    question = [] if several else ["<question>\n{question}\n</question>"]
    references = ["<reference>\n{references}\n</reference>" if several else "<reference>\n{ref_answer_1}\n</reference>"]
    ends = ("_a", "_b") if pairwise else ("",)
    word = "conversation" if several else "answer"
    answers = [f"<{word}{end}>\n{{{word}{end}}}\n</{word}{end}>" for end in ends]
    return Template(
        name, pairwise, GRADER, "\n\n".join([" ".join(asks), *question, *(references if reference else []), *answers])
    )


BUILT_IN = tuple(
    _built_in(
        f"{'pair' if pairwise else 'single'}{'-reference' * reference}{'-turns' * several}",
        pairwise,
        reference,
        several,
    )
    for pairwise in (False, True)
    for reference in (False, True)
    for several in (False, True)
)
AGAIN = {
    False: "Your reply ends with no rating from 1 to 10 in double square brackets. Reply with it alone, as in [[6]].",
    True: "Your reply holds no verdict. Reply with the verdict alone: [[A]], [[B]] or [[C]].",
}
"""The request that follows a reply in which no verdict was found; True: two answers were compared."""
