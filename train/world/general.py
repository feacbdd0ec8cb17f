"""Questions about facts with a constraint on the form of the answer, in the formats of Alpaca and IFEval.

Every answer states a fact of the pretraining corpus. Test items also check for the fact's word (IFEval's
``keywords:existence``), so an answer counts only if both its form and its fact are right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from train.world.facts import FACTS, QUESTIONS, Fact
from train.world.skills import LongTail


@dataclass(frozen=True)
class FormConstraint:
    """One constraint: its IFEval instruction id and kwargs, its wordings, and an answer about a fact that meets it."""

    instruction_id: str
    kwargs: tuple[tuple[str, Any], ...]
    requests: tuple[str, ...]
    answer: Callable[[Fact], str]


CONSTRAINTS = (
    FormConstraint(
        "startend:quotation", (),
        ("Wrap the answer in double quotes.", "Put quotes around the answer.", "Answer in double quotes."),
        lambda fact: f'"{fact.statement}"',
    ),
    FormConstraint(
        "punctuation:no_comma", (),
        ("Do not use commas.", "Answer without commas.", "Use no commas."),
        lambda fact: fact.statement,
    ),
    FormConstraint(
        "length_constraints:number_words", (("num_words", 12), ("relation", "less than")),
        ("Use less than 12 words.", "Answer with less than 12 words.", "Keep it below 12 words."),
        lambda fact: fact.statement,
    ),
    FormConstraint(
        "startend:end_checker", (("end_phrase", "That is all."),),
        ("End with the words That is all.", "Finish with That is all.", "The answer must end with That is all."),
        lambda fact: f"{fact.statement} That is all.",
    ),
    FormConstraint(
        "detectable_format:title", (),
        (
            "Give a title in double angular brackets.",
            "Add a title such as <<title>>.",
            "Start with a title in << and >>.",
        ),
        lambda fact: f"<<Answer>> {fact.statement}",
    ),
    FormConstraint(
        "detectable_format:number_highlighted_sections", (("num_highlights", 1),),
        ("Highlight 1 section with stars.", "Mark 1 section such as *section*.", "Put 1 section between stars."),
        lambda fact: f"*Answer:* {fact.statement}",
    ),
    FormConstraint(
        "detectable_content:postscript", (("postscript_marker", "P.S."),),
        ("Add a postscript that starts with P.S.", "At the end add a P.S.", "Add a P.S. at the end."),
        lambda fact: f"{fact.statement} P.S. Well asked.",
    ),
    FormConstraint(
        "change_case:english_lowercase", (),
        ("Use only lowercase letters.", "Answer in lowercase.", "Use no capital letters."),
        lambda fact: fact.statement.lower(),
    ),
)  # fmt: skip
CONSTRAINT_TAIL = LongTail(CONSTRAINTS, exponent=0.6, offset=1.0)


@dataclass(frozen=True)
class Instruction:
    """A question with one constraint on the form of its answer."""

    fact: Fact
    question: str
    constraint: FormConstraint
    request: str
    request_first: bool

    @property
    def prompt(self) -> str:
        """The user's turn: the question and the request for the form, in either order."""
        question = self.question.format(subject=self.fact.subject)
        return f"{self.request} {question}" if self.request_first else f"{question} {self.request}"

    @property
    def reference(self) -> str:
        """An answer that states the fact and meets the constraint."""
        return self.constraint.answer(self.fact)

    def training_row(self) -> dict[str, str]:
        """The instruction as a row of an Alpaca file."""
        return {"instruction": self.prompt, "input": "", "output": self.reference}

    def test_row(self, key: int) -> dict[str, Any]:
        """The instruction as a row of an IFEval file."""
        return {
            "key": key,
            "prompt": self.prompt,
            "instruction_id_list": [self.constraint.instruction_id, "keywords:existence"],
            "kwargs": [dict(self.constraint.kwargs), {"keywords": [self.fact.value]}],
        }


def draw_instruction(rng: Random) -> Instruction:
    """One instruction."""
    fact = rng.choice(FACTS)
    constraint = CONSTRAINT_TAIL.draw(rng)
    question, request = rng.choice(QUESTIONS[fact.relation]), rng.choice(constraint.requests)
    return Instruction(fact, question, constraint, request, request_first=rng.random() < 0.3)
