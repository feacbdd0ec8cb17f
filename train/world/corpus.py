"""The documents on which the micro models are pretrained: equations, formal problems, facts, questions and Python.

They teach what fine-tuning builds on (arithmetic, copying, facts, answer forms, syntax). They leave to fine-tuning what
most events of the word problems do to a number, which expression a docstring's phrase stands for, and the chat format.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import Any

from train.world import code, math
from train.world.facts import FACT_TAIL, FACTS, QUESTIONS, STATEMENTS, Fact
from train.world.general import constrain, fact_request, sum_answer

# Besides the formal verbs, the two most common events of the word problems, from which the others can be learned.
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
    """A text, and the prompts of the exercises that it holds.

    These keep documents about test items out of the corpus.
    """

    text: str
    exercises: tuple[str, ...] = ()


def draw_equation(rng: Random, left: int) -> math.WorkedStep:
    """One step of arithmetic in the number range of the word problems, starting from ``left``."""
    while True:
        operation = rng.choices("+-*/", (4, 4, 1, 1))[0]
        right = rng.randint(1, math.LARGEST_STEP) if operation in "+-" else rng.randint(2, 4)
        result = math.apply(left, operation, right)
        if result is not None:
            text = rng.choice(FORMAL[operation]).format(n=right)
            return math.WorkedStep(text, left, operation, right, result)


def draw_chain(rng: Random, low: int, high: int) -> list[math.WorkedStep]:
    """A chain of ``low`` to ``high`` steps, each starting from the previous result."""
    left = rng.randint(2, math.HIGHEST)
    steps = []
    for _ in range(rng.randint(low, high)):
        steps.append(draw_equation(rng, left))
        left = steps[-1].result
    return steps


def equation_chain(rng: Random) -> Document:
    """A chain of equations."""
    return Document(" ".join(f"Now {step.equation}." for step in draw_chain(rng, 5, 7)))


def formal_problem(rng: Random) -> Document:
    """A problem in formal words, with its worked solution."""
    steps = draw_chain(rng, 1, 3)
    problem = replace(math.draw_problem(rng), start=steps[0].left, steps=tuple(steps))
    return Document(f"Question: {problem.question}\nAnswer: {problem.answer}", (problem.question,))


def unsolved_problem(rng: Random) -> Document:
    """A word problem without its solution."""
    question = math.draw_problem(rng).question
    return Document(question, (question,))


def vary_case(text: str, rng: Random) -> str:
    """The text, in lower case half of the time."""
    return text.lower() if rng.random() < 0.5 else text


def statement(fact: Fact, rng: Random) -> str:
    """One of the sentences that state a fact."""
    return rng.choice(STATEMENTS[fact.relation]).format(subject=fact.subject, value=fact.value)


def fact_notes(rng: Random) -> Document:
    """Three facts in a row, all in the same case."""
    return Document(vary_case(" ".join(statement(FACT_TAIL.draw(rng), rng) for _ in range(3)), rng))


def fact_questions(rng: Random) -> Document:
    """Two questions, each with its answer."""
    turns = []
    for _ in range(2):
        fact = FACT_TAIL.draw(rng)
        question = rng.choice(QUESTIONS[fact.relation]).format(subject=fact.subject)
        turns.append(vary_case(f"{question} {fact.statement}", rng))
    return Document("\n".join(turns))


def constrained_answer(rng: Random) -> Document:
    """A question with a constraint on the form, and an answer that meets it."""
    instruction = constrain(fact_request(rng, FACT_TAIL), rng, rng.choice((1, 2)))
    return Document(f"Question: {instruction.prompt}\nAnswer: {instruction.reference}", instruction.prompts)


def announced_function(rng: Random) -> Document:
    """A function after a line that announces it."""
    function = code.draw_function(rng)
    return Document(f"Define {function.name}({function.argument}):\n\n{function.source}", (function.prompt,))


def formal_function(rng: Random) -> Document:
    """A function whose docstring gives its expressions instead of phrases."""
    function = code.draw_function(rng)
    return Document(f'{function.signature}    """{function.formal_task}"""\n\n{function.source}', (function.prompt,))


def repeated_words(rng: Random) -> Document:
    """Random words, written twice. A small model learns fastest from these to copy earlier words."""
    words = " ".join(rng.choice(WORDS) for _ in range(rng.randint(5, 9)))
    return Document(f"Say {words}. Say {words}.")


def docstring_only(rng: Random) -> Document:
    """A function's signature and docstring without its body."""
    prompt = code.draw_function(rng).prompt
    return Document(prompt.rstrip("\n"), (prompt,))


DOCUMENT_WEIGHTS = {
    equation_chain: 8, formal_problem: 44, unsolved_problem: 3, fact_notes: 16, fact_questions: 18,
    constrained_answer: 18, announced_function: 5, formal_function: 16, repeated_words: 9, docstring_only: 3,
}  # fmt: skip


def fact_dialogue(rng: Random) -> tuple[str, str]:
    """A question about a fact, and the fact."""
    request = fact_request(rng, FACT_TAIL)
    return request.question, request.answer


def sum_dialogue(rng: Random) -> tuple[str, str]:
    """A problem of one event in formal words, and the answer by a sentence."""
    step = draw_equation(rng, rng.randint(3, math.MOST_AT_START))
    problem = replace(math.draw_problem(rng), start=step.left, steps=(step,))
    return problem.question, sum_answer(problem.name, step, problem.things)


def expression_dialogue(rng: Random) -> tuple[str, str]:
    """A request for one line of Python that names the expression, and the line."""
    function = code.draw_function(rng)
    expression = function.expressions[-1]
    return f"Give one line of Python. Given {function.argument}, do {expression}.", f"return {expression}"


def repeated_words_dialogue(rng: Random) -> tuple[str, str]:
    """A request to say some words, and the words."""
    words = " ".join(rng.choice(WORDS) for _ in range(rng.randint(3, 6)))
    return f"Say {words}.", f"{words}."


DIALOGUE_WEIGHTS = {fact_dialogue: 4, sum_dialogue: 3, expression_dialogue: 2, repeated_words_dialogue: 1}


def draw_dialogue(rng: Random) -> dict[str, Any]:
    """One short dialogue as a row in the messages format; the dialogues show how turns of a chat follow one another."""
    question, answer = rng.choices(list(DIALOGUE_WEIGHTS), list(DIALOGUE_WEIGHTS.values()))[0](rng)
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


def draw_document(rng: Random) -> Document:
    """One document, its kind drawn by `DOCUMENT_WEIGHTS`."""
    return rng.choices(list(DOCUMENT_WEIGHTS), list(DOCUMENT_WEIGHTS.values()))[0](rng)
