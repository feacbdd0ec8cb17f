"""Instructions about known facts with constraints on the form, in the layouts of Alpaca and IFEval.

Every answer states a fact that the base has read. ``keywords:existence`` with the fact's word stands beside the
constraint of the prompt, so that an answer counts only if both the form and the fact are right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from train.world.facts import FACTS, QUESTIONS, Fact
from train.world.skills import Tail


@dataclass(frozen=True)
class Form:
    """One constraint: its IFEval id and kwargs, the ways to ask for it, and a text that meets it."""

    identifier: str
    kwargs: tuple[tuple[str, Any], ...]
    requests: tuple[str, ...]
    shape: Callable[[Fact], str]


FORMS = (
    Form(
        "startend:quotation", (),
        ("Wrap the answer in double quotes.", "Put quotes around the answer.", "Answer in double quotes."),
        lambda fact: f'"{fact.statement}"',
    ),
    Form(
        "punctuation:no_comma", (),
        ("Do not use commas.", "Answer without commas.", "Use no commas."),
        lambda fact: fact.statement,
    ),
    Form(
        "length_constraints:number_words", (("num_words", 12), ("relation", "less than")),
        ("Use less than 12 words.", "Answer with less than 12 words.", "Keep it below 12 words."),
        lambda fact: fact.statement,
    ),
    Form(
        "startend:end_checker", (("end_phrase", "That is all."),),
        ("End with the words That is all.", "Finish with That is all.", "The answer must end with That is all."),
        lambda fact: f"{fact.statement} That is all.",
    ),
    Form(
        "detectable_format:title", (),
        (
            "Give a title in double angular brackets.",
            "Add a title such as <<title>>.",
            "Start with a title in << and >>.",
        ),
        lambda fact: f"<<Answer>> {fact.statement}",
    ),
    Form(
        "detectable_format:number_highlighted_sections", (("num_highlights", 1),),
        ("Highlight 1 section with stars.", "Mark 1 section such as *section*.", "Put 1 section between stars."),
        lambda fact: f"*Answer:* {fact.statement}",
    ),
    Form(
        "detectable_content:postscript", (("postscript_marker", "P.S."),),
        ("Add a postscript that starts with P.S.", "At the end add a P.S.", "Add a P.S. at the end."),
        lambda fact: f"{fact.statement} P.S. Well asked.",
    ),
    Form(
        "change_case:english_lowercase", (),
        ("Use only lowercase letters.", "Answer in lowercase.", "Use no capital letters."),
        lambda fact: fact.statement.lower(),
    ),
)  # fmt: skip
FORM_TAIL = Tail(FORMS, exponent=0.6, offset=1.0)


@dataclass(frozen=True)
class Instruction:
    """A question with one constraint on the form of its answer."""

    fact: Fact
    wording: str
    form: Form
    request: str
    request_first: bool

    @property
    def prompt(self) -> str:
        """The user's turn."""
        question = self.wording.format(subject=self.fact.subject)
        return f"{self.request} {question}" if self.request_first else f"{question} {self.request}"

    @property
    def reference(self) -> str:
        """An answer that holds the fact and meets the constraint."""
        return self.form.shape(self.fact)

    def training_row(self) -> dict[str, str]:
        """The row of an Alpaca file."""
        return {"instruction": self.prompt, "input": "", "output": self.reference}

    def test_row(self, key: int) -> dict[str, Any]:
        """The row of an IFEval file."""
        return {
            "key": key,
            "prompt": self.prompt,
            "instruction_id_list": [self.form.identifier, "keywords:existence"],
            "kwargs": [dict(self.form.kwargs), {"keywords": [self.fact.value]}],
        }


def draw_instruction(rng: Random) -> Instruction:
    """One instruction."""
    fact = rng.choice(FACTS)
    form = FORM_TAIL.draw(rng)
    return Instruction(fact, rng.choice(QUESTIONS[fact.relation]), form, rng.choice(form.requests), rng.random() < 0.3)
