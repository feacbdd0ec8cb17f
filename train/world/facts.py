"""Facts in the corpus on which the micro models are pretrained, and the sentences that state or ask for them."""

from __future__ import annotations

from dataclasses import dataclass

CAPITALS = """France Paris, Spain Madrid, Italy Rome, Norway Oslo, Egypt Cairo, Japan Tokyo, Peru Lima, Cuba Havana,
Greece Athens, Austria Vienna, Ireland Dublin, Kenya Nairobi, China Beijing, Russia Moscow"""
OPPOSITES = """hot cold, big small, fast slow, day night, wet dry, old young, hard soft, rich poor, light dark,
early late, full empty, happy sad, strong weak, clean dirty"""
YOUNG = """cat kitten, dog puppy, cow calf, horse foal, sheep lamb, goat kid, pig piglet, lion cub, duck duckling,
frog tadpole, swan cygnet, deer fawn"""
COLOURS = """snow white, grass green, coal black, blood red, gold yellow, wood brown, sky blue, ash grey,
rose pink, plum purple"""


@dataclass(frozen=True)
class Fact:
    """One fact. ``relation`` is a key of `STATEMENTS` and `QUESTIONS`; ``subject`` and ``value`` are single words."""

    relation: str
    subject: str
    value: str

    @property
    def statement(self) -> str:
        """The sentence that answers a question about the fact."""
        return STATEMENTS[self.relation][0].format(subject=self.subject, value=self.value)


STATEMENTS = {
    "capital": (
        "The capital of {subject} is {value}.",
        "{value} is the capital of {subject}.",
        "{subject} is ruled from {value}.",
    ),
    "opposite": (
        "The opposite of {subject} is {value}.",
        "If it is not {subject} then it is {value}.",
        "We say {subject} or {value}.",
    ),
    "young": (
        "The young of the {subject} is the {value}.",
        "A little {subject} is called a {value}.",
        "The {value} grows into the {subject}.",
    ),
    "colour": (
        "The colour of {subject} is {value}.",
        "We know that {subject} looks {value}.",
        "Like {subject} it is {value}.",
    ),
}
QUESTIONS = {
    "capital": (
        "What is the capital of {subject}?",
        "Name the capital of {subject}.",
        "Which city is the capital of {subject}?",
    ),
    "opposite": (
        "What is the opposite of {subject}?",
        "Name the opposite of {subject}.",
        "Which word is the reverse of {subject}?",
    ),
    "young": (
        "What is the young of the {subject}?",
        "Name the young of the {subject}.",
        "What is a little {subject} called?",
    ),
    "colour": ("What is the colour of {subject}?", "Name the colour of {subject}.", "How does {subject} look?"),
}


def read_pairs(relation: str, text: str) -> list[Fact]:
    """The facts of a text in the form ``subject value, subject value``."""
    return [Fact(relation, *pair.split()) for pair in text.replace("\n", " ").split(",")]


FACTS = (
    read_pairs("capital", CAPITALS)
    + read_pairs("opposite", OPPOSITES)
    + read_pairs("young", YOUNG)
    + read_pairs("colour", COLOURS)
)
