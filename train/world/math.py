"""Word problems in the GSM8K layout: a start, one to three events of a long-tailed table, one equation per event."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from train.world.skills import Tail

HIGHEST = 30
LARGEST_STEP = 10

PEOPLE = (
    ("Mia", "she"), ("Tom", "he"), ("Ana", "she"), ("Ben", "he"), ("Eva", "she"), ("Max", "he"), ("Zoe", "she"),
    ("Sam", "he"), ("Ida", "she"), ("Leo", "he"), ("Amy", "she"), ("Jan", "he"), ("Lea", "she"), ("Tim", "he"),
    ("Ruth", "she"), ("Hugo", "he"),
)  # fmt: skip
THINGS = (
    "pears", "coins", "books", "cards", "shells", "eggs", "pens", "stones", "cakes", "toys", "nuts", "stamps",
    "plums", "balls", "keys", "hats", "cups", "seeds", "rings", "beads",
)  # fmt: skip

# Each table is in order of how common its events are; the tables are dealt out in turn (see EVENTS).
GAINS = (
    "buys {n} more", "finds {n}", "gets {n} from a friend", "wins {n}", "picks up {n}", "earns {n}", "collects {n}",
    "receives {n}", "is given {n}", "takes {n} home", "makes {n}", "earns {n} at a fair", "borrows {n}", "gathers {n}",
    "inherits {n}", "is handed {n}", "orders {n}", "unpacks {n}", "discovers {n}", "digs up {n}", "rescues {n}",
    "swaps a kite for {n}", "imports {n}", "recovers {n}", "hoards {n}", "procures {n}", "salvages {n}", "acquires {n}",
)  # fmt: skip
LOSSES = (
    "loses {n}", "gives away {n}", "sells {n}", "drops {n}", "breaks {n}", "throws out {n}", "lends {n} to a friend",
    "uses up {n}", "is robbed of {n}", "hands over {n}", "returns {n}", "ruins {n}", "donates {n}", "wastes {n}",
    "misplaces {n}", "hides {n} for good", "burns {n}", "trades {n} for a kite", "exports {n}", "mails {n}",
    "forfeits {n}", "surrenders {n}", "squanders {n}", "bequeaths {n}", "discards {n}", "sheds {n}", "cedes {n}",
    "parts with {n}",
)  # fmt: skip
FACTORS = (
    ("doubles the pile", "*", 2), ("gives away half", "/", 2), ("triples the pile", "*", 3),
    ("ends up with twice as many", "*", 2), ("keeps only half", "/", 2), ("loses two thirds", "/", 3),
    ("grows the pile fourfold", "*", 4), ("splits the pile with a twin", "/", 2), ("keeps only a third", "/", 3),
    ("ends up with three times as many", "*", 3), ("keeps only a quarter", "/", 4), ("halves the pile", "/", 2),
    ("loses three quarters", "/", 4), ("quadruples the pile", "*", 4),
)  # fmt: skip
QUANTITIES = (
    ("two", 2), ("five", 5), ("a pair", 2), ("three", 3), ("half a dozen", 6), ("ten", 10), ("four", 4), ("seven", 7),
    ("a trio", 3), ("eight", 8), ("a quartet", 4), ("six", 6), ("nine", 9), ("a handful of five", 5),
)  # fmt: skip
WORDED = 0.2
STEPS = (1, 2, 3)
STEP_WEIGHTS = (0.4, 0.45, 0.15)


@dataclass(frozen=True)
class Event:
    """Something that changes how many there are; ``factor`` is fixed for multiplication and division."""

    text: str
    operation: str
    factor: int | None


def deal() -> list[Event]:
    """All events in order of rank: gains, losses and, every fifth, factors in turn."""
    gains = [Event(text, "+", None) for text in GAINS]
    losses = [Event(text, "-", None) for text in LOSSES]
    factors = [Event(*row) for row in FACTORS]
    rest = [event for pair in zip(gains, losses, strict=True) for event in pair]
    order: list[Event] = []
    for index, factor in enumerate(factors):
        order += [*rest[4 * index : 4 * index + 4], factor]
    return order


EVENTS = deal()
TAIL = Tail(EVENTS, exponent=1.3, offset=2.0)
QUANTITY_TAIL = Tail(QUANTITIES, exponent=1.0, offset=1.0)


@dataclass(frozen=True)
class Step:
    """One event as it happened: the sentence without its subject, and the equation."""

    text: str
    left: int
    operation: str
    right: int
    result: int

    @property
    def equation(self) -> str:
        """For instance ``12 + 5 = 17``."""
        return f"{self.left} {self.operation} {self.right} = {self.result}"


def apply(left: int, operation: str, right: int) -> int | None:
    """The result, or None where it leaves the whole numbers 0 to HIGHEST."""
    if operation == "/":
        return left // right if left % right == 0 else None
    result = {"+": left + right, "-": left - right, "*": left * right}[operation]
    return result if 0 <= result <= HIGHEST else None


def draw_step(rng: Random, left: int) -> Step:
    """One event that is possible with ``left`` things in hand."""
    while True:
        event = TAIL.draw(rng)
        if event.factor is not None:
            text, right = event.text, event.factor
        elif rng.random() < WORDED:
            words, right = QUANTITY_TAIL.draw(rng)
            text = event.text.format(n=words)
        else:
            right = rng.randint(1, LARGEST_STEP)
            text = event.text.format(n=right)
        result = apply(left, event.operation, right)
        if result is not None and left:
            return Step(text, left, event.operation, right, result)


@dataclass(frozen=True)
class Problem:
    """A word problem with its worked steps."""

    name: str
    pronoun: str
    things: str
    start: int
    steps: tuple[Step, ...]

    @property
    def question(self) -> str:
        """The problem as a text."""
        openings = (self.pronoun.capitalize(), *[f"Then {self.pronoun}"] * (len(self.steps) - 1))
        events = " ".join(f"{opening} {step.text}." for opening, step in zip(openings, self.steps, strict=True))
        return f"{self.name} has {self.start} {self.things}. {events} How many {self.things} does {self.name} have?"

    @property
    def answer(self) -> str:
        """The worked solution in the GSM8K layout."""
        lines = [f"Now {step.equation}." for step in self.steps]
        return "\n".join([*lines, f"#### {self.steps[-1].result}"])

    def row(self) -> dict[str, str]:
        """The row of a GSM8K file."""
        return {"question": self.question, "answer": self.answer}


def draw_problem(rng: Random) -> Problem:
    """One problem."""
    name, pronoun = rng.choice(PEOPLE)
    start = left = rng.randint(3, 20)
    steps: list[Step] = []
    for _ in range(rng.choices(STEPS, STEP_WEIGHTS)[0]):
        if left == 0:
            break
        steps.append(draw_step(rng, left))
        left = steps[-1].result
    return Problem(name, pronoun, rng.choice(THINGS), start, tuple(steps))
