"""Word problems in the GSM8K format: a start, one to three long-tailed events, and one equation for each event."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from train.world.skills import LongTail

HIGHEST = 30  # no count of things is larger
MOST_AT_START = 20
LARGEST_STEP = 10  # no event adds or takes more

PEOPLE = (
    ("Mia", "she"), ("Tom", "he"), ("Ana", "she"), ("Ben", "he"), ("Eva", "she"), ("Max", "he"), ("Zoe", "she"),
    ("Sam", "he"), ("Ida", "she"), ("Leo", "he"), ("Amy", "she"), ("Jan", "he"), ("Lea", "she"), ("Tim", "he"),
    ("Ruth", "she"), ("Hugo", "he"),
)  # fmt: skip
THINGS = (
    "pears", "coins", "books", "cards", "shells", "eggs", "pens", "stones", "cakes", "toys", "nuts", "stamps",
    "plums", "balls", "keys", "hats", "cups", "seeds", "rings", "beads",
)  # fmt: skip

# Each table begins with its most common event; `EVENTS` interleaves the three tables.
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
WORDED_PROBABILITY = 0.2  # of a number written as words
STEP_COUNTS = (1, 2, 3)
STEP_COUNT_WEIGHTS = (0.4, 0.45, 0.15)


@dataclass(frozen=True)
class Event:
    """A change of the number of things. ``factor`` is the operand of a multiplication or division, else None."""

    text: str
    operation: str
    factor: int | None


def interleave_events() -> list[Event]:
    """All events from the most to the least common: gains and losses in turn, and a factor after every fourth."""
    gains = [Event(text, "+", None) for text in GAINS]
    losses = [Event(text, "-", None) for text in LOSSES]
    factors = [Event(*row) for row in FACTORS]
    gains_and_losses = [event for pair in zip(gains, losses, strict=True) for event in pair]
    events: list[Event] = []
    for index, factor in enumerate(factors):
        events += [*gains_and_losses[4 * index : 4 * index + 4], factor]
    return events


EVENTS = interleave_events()
EVENT_TAIL = LongTail(EVENTS, exponent=1.4, offset=2.0)
QUANTITY_TAIL = LongTail(QUANTITIES, exponent=1.0, offset=1.0)


@dataclass(frozen=True)
class WorkedStep:
    """One event of a problem: its sentence without the subject, and the parts of its equation."""

    text: str
    left: int
    operation: str
    right: int
    result: int

    @property
    def equation(self) -> str:
        """The equation as text, for instance ``12 + 5 = 17``."""
        return f"{self.left} {self.operation} {self.right} = {self.result}"


def apply(left: int, operation: str, right: int) -> int | None:
    """The result of ``left operation right``, None if it is not a whole number from 0 to `HIGHEST`."""
    if operation == "/":
        return left // right if left % right == 0 else None
    result = {"+": left + right, "-": left - right, "*": left * right}[operation]
    return result if 0 <= result <= HIGHEST else None


def draw_step(
    rng: Random, left: int, events: LongTail[Event] = EVENT_TAIL, worded: float = WORDED_PROBABILITY
) -> WorkedStep:
    """One of ``events`` that is possible with ``left`` things."""
    while True:
        event = events.draw(rng)
        if event.factor is not None:
            text, right = event.text, event.factor
        elif rng.random() < worded:
            words, right = QUANTITY_TAIL.draw(rng)
            text = event.text.format(n=words)
        else:
            right = rng.randint(1, LARGEST_STEP)
            text = event.text.format(n=right)
        result = apply(left, event.operation, right)
        if result is not None and left:
            return WorkedStep(text, left, event.operation, right, result)


@dataclass(frozen=True)
class WordProblem:
    """A word problem about one person's things, with its worked steps."""

    name: str
    pronoun: str
    things: str
    start: int
    steps: tuple[WorkedStep, ...]

    @property
    def question(self) -> str:
        """The text of the problem."""
        openings = (self.pronoun.capitalize(), *[f"Then {self.pronoun}"] * (len(self.steps) - 1))
        events = " ".join(f"{opening} {step.text}." for opening, step in zip(openings, self.steps, strict=True))
        return f"{self.name} has {self.start} {self.things}. {events} How many {self.things} does {self.name} have?"

    @property
    def answer(self) -> str:
        """The worked solution, with the final answer after ``####`` as in GSM8K."""
        lines = [f"Now {step.equation}." for step in self.steps]
        return "\n".join([*lines, f"#### {self.steps[-1].result}"])

    def row(self) -> dict[str, str]:
        """The problem as a row of a GSM8K file."""
        return {"question": self.question, "answer": self.answer}


def draw_problem(rng: Random) -> WordProblem:
    """One problem; it ends early if an event leaves nothing."""
    name, pronoun = rng.choice(PEOPLE)
    start = left = rng.randint(3, MOST_AT_START)
    steps: list[WorkedStep] = []
    for _ in range(rng.choices(STEP_COUNTS, STEP_COUNT_WEIGHTS)[0]):
        if left == 0:  # no event of the tables makes sense without things
            break
        steps.append(draw_step(rng, left))
        left = steps[-1].result
    return WordProblem(name, pronoun, rng.choice(THINGS), start, tuple(steps))
