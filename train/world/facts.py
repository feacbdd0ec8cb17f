"""Facts in the corpus on which the micro models are pretrained, and the sentences that state or ask for them."""

from __future__ import annotations

from dataclasses import dataclass

from train.world.skills import LongTail

# Each list begins with its best-known fact; the corpus mentions the first ones often and the last ones rarely.
CAPITALS = """France Paris, Spain Madrid, Italy Rome, Japan Tokyo, China Beijing, Russia Moscow, Egypt Cairo,
Greece Athens, Norway Oslo, Ireland Dublin, Austria Vienna, Poland Warsaw, Sweden Stockholm, Cuba Havana, Peru Lima,
Kenya Nairobi, Turkey Ankara, Iran Tehran, Iraq Baghdad, Canada Ottawa, Portugal Lisbon, Finland Helsinki,
Hungary Budapest, Denmark Copenhagen, Belgium Brussels, Chile Santiago, Vietnam Hanoi, Nepal Kathmandu,
Ukraine Kyiv, Romania Bucharest, Bulgaria Sofia, Serbia Belgrade, Croatia Zagreb, Iceland Reykjavik, Syria Damascus,
Jordan Amman, Lebanon Beirut, Libya Tripoli, Sudan Khartoum, Ghana Accra, Mali Bamako, Niger Niamey, Angola Luanda,
Zambia Lusaka, Uganda Kampala, Rwanda Kigali, Senegal Dakar, Somalia Mogadishu, Latvia Riga, Estonia Tallinn,
Lithuania Vilnius, Belarus Minsk, Armenia Yerevan, Georgia Tbilisi, Mongolia Ulaanbaatar, Laos Vientiane,
Bahrain Manama, Qatar Doha, Oman Muscat, Yemen Sanaa, Bolivia Sucre, Uruguay Montevideo, Ecuador Quito,
Jamaica Kingston, Honduras Tegucigalpa, Nicaragua Managua, Fiji Suva, Malta Valletta, Cyprus Nicosia,
Albania Tirana"""
OPPOSITES = """hot cold, big small, fast slow, day night, wet dry, old young, hard soft, rich poor, light dark,
early late, full empty, happy sad, strong weak, clean dirty, high low, open shut, left right, near far, thick thin,
loud quiet, sweet sour, war peace, love hate, win lose, push pull, rise fall, wide narrow, deep shallow,
sharp blunt, smooth rough, brave timid, cheap dear, tight loose, proud humble, guilty innocent, ancient modern,
victory defeat, arrive depart, accept refuse, create destroy, attack defend, expand shrink, permit forbid,
reveal conceal, generous stingy, fertile barren, praise blame, scarce plentiful, transparent opaque,
vertical horizontal"""
YOUNG = """cat kitten, dog puppy, cow calf, horse foal, sheep lamb, goat kid, pig piglet, lion cub, duck duckling,
frog tadpole, swan cygnet, deer fawn, goose gosling, hen chick, owl owlet, eagle eaglet, kangaroo joey, hare leveret,
eel elver, pigeon squab"""
COLOURS = """snow white, grass green, coal black, blood red, gold yellow, wood brown, sky blue, ash grey,
rose pink, plum purple, cherry crimson, wine maroon, sand beige, sea turquoise, brick russet, flame orange,
ivory cream, lilac mauve, rust copper, indigo violet"""


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


TABLES = [
    read_pairs("capital", CAPITALS), read_pairs("opposite", OPPOSITES), read_pairs("young", YOUNG),
    read_pairs("colour", COLOURS),
]  # fmt: skip
# From the best known to the least known, whatever the length of a relation's list.
FACTS = [
    fact
    for _, _, fact in sorted(
        ((rank + 0.5) / len(table), number, fact)
        for number, table in enumerate(TABLES)
        for rank, fact in enumerate(table)
    )
]
FACT_TAIL = LongTail(FACTS, exponent=1.0, offset=4.0)
