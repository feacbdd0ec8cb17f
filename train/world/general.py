"""Requests with constraints on the form of the answer, in the formats of Alpaca and IFEval.

Most ask for a fact of the pretraining corpus; a stated share needs a small sum or a Python expression. Test items also
check for the word, number or expression (IFEval's ``keywords:existence``), so an answer counts only if both its form
and its content are right. A quarter of the facts are in no training row: fine-tuning teaches the form, and what a model
knows of these facts comes from pretraining.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from train.world import code, math
from train.world.facts import QUESTIONS, Fact
from train.world.skills import LongTail


@dataclass(frozen=True)
class FormConstraint:
    """One constraint: its IFEval instruction id and kwargs, its wordings, and how it changes a plain answer.

    ``order`` says which of two constraints changes the answer first.
    """

    instruction_id: str
    kwargs: tuple[tuple[str, Any], ...]
    requests: tuple[str, ...]
    apply: Callable[[str], str]
    order: int = 0


CONSTRAINTS = (
    FormConstraint(
        "startend:quotation", (),
        ("Wrap the answer in double quotes.", "Put quotes around the answer.", "Answer in double quotes."),
        lambda text: f'"{text}"', order=3,
    ),
    FormConstraint(
        "punctuation:no_comma", (),
        ("Do not use commas.", "Answer without commas.", "Use no commas."),
        lambda text: text,
    ),
    FormConstraint(
        "length_constraints:number_words", (("num_words", 16), ("relation", "less than")),
        ("Use less than 16 words.", "Answer with less than 16 words.", "Keep it below 16 words."),
        lambda text: text,
    ),
    FormConstraint(
        "startend:end_checker", (("end_phrase", "That is all."),),
        ("End with the words That is all.", "Finish with That is all.", "The answer must end with That is all."),
        lambda text: f"{text} That is all.", order=1,
    ),
    FormConstraint(
        "detectable_format:title", (),
        (
            "Give a title in double angular brackets.",
            "Add a title such as <<title>>.",
            "Start with a title in << and >>.",
        ),
        lambda text: f"<<Answer>> {text}",
    ),
    FormConstraint(
        "detectable_format:number_highlighted_sections", (("num_highlights", 1),),
        ("Highlight 1 section with stars.", "Mark 1 section such as *section*.", "Put 1 section between stars."),
        lambda text: f"*Answer:* {text}",
    ),
    FormConstraint(
        "detectable_content:postscript", (("postscript_marker", "P.S."),),
        ("Add a postscript that starts with P.S.", "At the end add a P.S.", "Add a P.S. at the end."),
        lambda text: f"{text} P.S. Well asked.",
    ),
    FormConstraint(
        "change_case:english_lowercase", (),
        ("Use only lowercase letters.", "Answer in lowercase.", "Use no capital letters."),
        lambda text: text.lower(), order=2,
    ),
)  # fmt: skip
CONSTRAINT_TAIL = LongTail(CONSTRAINTS, exponent=0.6, offset=1.0)
ENGLISH = "change_case:english_lowercase"  # IFEval's check also wants English, for which it may not take sums and code
TWO_PROBABILITY = 0.5  # of an instruction with two constraints
TOPICS = ("facts", "sums", "expressions")
TOPIC_WEIGHTS = (0.65, 0.2, 0.15)
PLAIN_PROBABILITY = 0.3  # of a sum without a constraint, worded like a problem of the math data
EASY_MOST = 10  # things at the start of a sum with a constraint
EASY_EVENTS = LongTail(math.EVENTS[:4], exponent=0.5)
EASY_OPERATIONS = {
    kind: LongTail([tails[kind].items[0] for tails in (code.FIRST, code.LAST)], exponent=0.5) for kind in code.ARGUMENTS
}
"""What general requests ask for beside facts: what is most common in the math and code data, too."""


@dataclass(frozen=True)
class Request:
    """What an instruction asks for, apart from the form.

    ``topic`` is one of `TOPICS`, ``answer`` a plain answer, and ``keyword`` a text that it must hold.
    """

    topic: str
    question: str
    answer: str
    keyword: str


def fact_request(rng: Random, facts: LongTail[Fact]) -> Request:
    """A question about a fact."""
    fact = facts.draw(rng)
    question = rng.choice(QUESTIONS[fact.relation]).format(subject=fact.subject)
    return Request("facts", question, fact.statement, fact.value)


def sum_request(rng: Random, most: int) -> Request:
    """A word problem with one common event and at most ``most`` things, answered by a sentence, not by worked steps."""
    name, pronoun = rng.choice(math.PEOPLE)
    things = rng.choice(math.THINGS)
    step = math.draw_step(rng, rng.randint(3, most), EASY_EVENTS, worded=0.0)
    question = (
        f"{name} has {step.left} {things}. {pronoun.capitalize()} {step.text}. How many {things} does {name} have?"
    )
    return Request("sums", question, sum_answer(name, step, things), f"has {step.result} ")


def sum_answer(name: str, step: math.WorkedStep, things: str) -> str:
    """The equation and a sentence, where the math data has ``####``."""
    return f"Now {step.equation}. {name} has {step.result} {things}."


def expression_request(rng: Random) -> Request:
    """A request for one line of Python that applies one common operation."""
    kind = code.TYPES.draw(rng)
    argument = rng.choice(code.ARGUMENTS[kind])
    operation = EASY_OPERATIONS[kind].draw(rng)
    constant = rng.randint(2, 5)
    expression = operation.expression.format(v=argument, k=constant)
    question = f"Give one line of Python. Given {argument}, {operation.phrase.format(k=constant)}."
    return Request("expressions", question, f"return {expression}", f"return {expression}")


@dataclass(frozen=True)
class Instruction:
    """A request with one or two constraints on the form of its answer."""

    request: Request
    constraints: tuple[FormConstraint, ...]
    wordings: tuple[str, ...]
    constraints_first: bool

    @property
    def prompt(self) -> str:
        """The user's turn: the question and the wordings of the constraints, in either order."""
        return self.prompts[-1]

    @property
    def prompts(self) -> tuple[str, ...]:
        """The question, then with the constraint beside it, then with both: the last holds the others."""
        count, question = len(self.wordings), self.request.question
        if self.constraints_first:
            return tuple(" ".join([*self.wordings[count - near :], question]) for near in range(count + 1))
        return tuple(" ".join([question, *self.wordings[:near]]) for near in range(count + 1))

    @property
    def reference(self) -> str:
        """An answer that is right and meets the constraints."""
        text = self.request.answer
        for constraint in sorted(self.constraints, key=lambda constraint: constraint.order):
            text = constraint.apply(text)
        return text

    def training_row(self) -> dict[str, str]:
        """The instruction as a row of an Alpaca file, with its topic."""
        return {"instruction": self.prompt, "input": "", "output": self.reference, "topic": self.request.topic}

    def test_row(self, key: int) -> dict[str, Any]:
        """The instruction as a row of an IFEval file."""
        return {
            "key": key,
            "prompt": self.prompt,
            "instruction_id_list": [*(one.instruction_id for one in self.constraints), "keywords:existence"],
            "kwargs": [*(dict(one.kwargs) for one in self.constraints), {"keywords": [self.request.keyword]}],
        }


def draw_instruction(rng: Random, facts: LongTail[Fact]) -> Instruction:
    """One instruction about one of ``facts``, a sum or an expression."""
    topic = rng.choices(TOPICS, TOPIC_WEIGHTS)[0]
    if topic == "sums" and rng.random() < PLAIN_PROBABILITY:
        return constrain(sum_request(rng, math.MOST_AT_START), rng, 0)
    if topic == "facts":
        request = fact_request(rng, facts)
    else:
        request = sum_request(rng, EASY_MOST) if topic == "sums" else expression_request(rng)
    return constrain(request, rng, 2 if rng.random() < TWO_PROBABILITY else 1)


def constrain(request: Request, rng: Random, count: int) -> Instruction:
    """The request with ``count`` different constraints."""
    constraints: list[FormConstraint] = []
    while len(constraints) < count:
        constraint = CONSTRAINT_TAIL.draw(rng)
        fits = request.topic == "facts" or constraint.instruction_id != ENGLISH
        if fits and constraint not in constraints:
            constraints.append(constraint)
    wordings = tuple(rng.choice(constraint.requests) for constraint in constraints)
    return Instruction(request, tuple(constraints), wordings, constraints_first=rng.random() < 0.3)


def covered_facts(facts: Sequence[Fact], rng: Random) -> list[Fact]:
    """The facts that training rows ask for: of each four neighbours in fame all but one."""
    covered: list[Fact] = []
    for start in range(0, len(facts), 4):
        four = facts[start : start + 4]
        left_out = rng.choice(four)
        covered += [fact for fact in four if fact is not left_out]
    return covered
