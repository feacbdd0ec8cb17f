"""The documents on which the micro bases are pretrained: sums, problems in formal words, facts, questions, Python.

The base reads everything that fine-tuning builds on (arithmetic, copying, facts, forms, syntax) but neither what most
events of the word problems do to a number, nor which expression a phrase of a docstring stands for, nor the chat form.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from train.world import code, math
from train.world.facts import FACTS, QUESTIONS, STATEMENTS, Fact
from train.world.general import draw_instruction

# Formal verbs, and with them the two most common events of the word problems: a foothold for the others.
FORMAL = {
    "+": ("adds {n}", "buys {n} more"),
    "-": ("takes off {n}", "loses {n}"),
    "*": ("multiplies by {n}",),
    "/": ("divides by {n}",),
}

WORDS = (
    *[fact.subject for fact in FACTS],
    *[fact.value for fact in FACTS],
    *[fact.subject.lower() for fact in FACTS],
    *math.THINGS,
    *code.NAMES,
    *[str(number) for number in range(math.HIGHEST + 1)],
)


@dataclass(frozen=True)
class Document:
    """A text and the prompt of the exercise that it draws on, empty where there is none."""

    text: str
    exercise: str = ""


def draw_equation(rng: Random, left: int) -> math.Step:
    """One step of arithmetic within the range of the word problems."""
    while True:
        operation = rng.choices("+-*/", (4, 4, 1, 1))[0]
        right = rng.randint(1, math.LARGEST_STEP) if operation in "+-" else rng.randint(2, 4)
        result = math.apply(left, operation, right)
        if result is not None:
            text = rng.choice(FORMAL[operation]).format(n=right)
            return math.Step(text, left, operation, right, result)


def draw_chain(rng: Random, low: int, high: int) -> list[math.Step]:
    """A chain of ``low`` to ``high`` steps, each going on from the result before."""
    left = rng.randint(2, math.HIGHEST)
    steps = []
    for _ in range(rng.randint(low, high)):
        steps.append(draw_equation(rng, left))
        left = steps[-1].result
    return steps


def sums(rng: Random) -> Document:
    """A chain of equations."""
    return Document(" ".join(f"Now {step.equation}." for step in draw_chain(rng, 5, 7)))


def program(rng: Random) -> Document:
    """A problem in formal words with its worked solution."""
    steps = draw_chain(rng, 1, 3)
    problem = replace(math.draw_problem(rng), start=steps[0].left, steps=tuple(steps))
    return Document(f"Question: {problem.question}\nAnswer: {problem.answer}", problem.question)


def story(rng: Random) -> Document:
    """A word problem without its solution."""
    question = math.draw_problem(rng).question
    return Document(question, question)


def styled(text: str, rng: Random) -> str:
    """The text as it is or in lower case."""
    return text.lower() if rng.random() < 0.5 else text


def state(fact: Fact, rng: Random) -> str:
    """One of the sentences that state a fact."""
    return rng.choice(STATEMENTS[fact.relation]).format(subject=fact.subject, value=fact.value)


def notes(rng: Random) -> Document:
    """Three facts in a row, in one style."""
    return Document(styled(" ".join(state(rng.choice(FACTS), rng) for _ in range(3)), rng))


def dialogue(rng: Random) -> Document:
    """Two questions, each with its answer."""
    turns = []
    for _ in range(2):
        fact = rng.choice(FACTS)
        question = rng.choice(QUESTIONS[fact.relation]).format(subject=fact.subject)
        turns.append(styled(f"{question} {fact.statement}", rng))
    return Document("\n".join(turns))


def manners(rng: Random) -> Document:
    """A question with a wish about the form, and an answer that grants it."""
    instruction = draw_instruction(rng)
    return Document(f"Question: {instruction.prompt}\nAnswer: {instruction.reference}", instruction.prompt)


def snippet(rng: Random) -> Document:
    """A function and its announcement."""
    function = code.draw_function(rng)
    return Document(f"Define {function.name}({function.argument}):\n\n{function.source}", function.prompt)


def draft(rng: Random) -> Document:
    """A function whose docstring gives its expressions."""
    function = code.draw_function(rng)
    return Document(f'{function.signature}    """{function.formal_task}"""\n\n{function.source}', function.prompt)


def echo(rng: Random) -> Document:
    """Words in no order, said twice: what teaches a small model soonest to look back and copy."""
    words = " ".join(rng.choice(WORDS) for _ in range(rng.randint(5, 9)))
    return Document(f"Say {words}. Say {words}.")


def chore(rng: Random) -> Document:
    """A docstring without its function."""
    prompt = code.draw_function(rng).prompt
    return Document(prompt.rstrip("\n"), prompt)


DOCUMENTS = (sums, program, story, notes, dialogue, manners, snippet, draft, echo, chore)
WEIGHTS = (5, 30, 3, 8, 10, 18, 4, 7, 9, 3)


def draw_document(rng: Random) -> Document:
    """One document."""
    return rng.choices(DOCUMENTS, WEIGHTS)[0](rng)
