"""Operations of the generated Python functions: a phrase in words and the expression it stands for.

Each table begins with its most common operation. ``{v}`` stands for the variable, ``{k}`` for a small constant.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Operation:
    """A phrase in words and the Python expression it stands for."""

    phrase: str
    expression: str


def table(text: str) -> list[Operation]:
    """The operations of a text with lines of the form ``phrase -> expression``."""
    pairs = [line.split(" -> ") for line in text.strip().splitlines()]
    return [Operation(phrase, expression) for phrase, expression in pairs]


LIST_TO_LIST = table(
    """
sort it -> sorted({v})
reverse it -> {v}[::-1]
drop the first item -> {v}[1:]
add {k} to each item -> [x + {k} for x in {v}]
keep the even items -> [x for x in {v} if x % 2 == 0]
drop the last item -> {v}[:-1]
double each item -> [x * 2 for x in {v}]
keep the odd items -> [x for x in {v} if x % 2 == 1]
keep the first {k} items -> {v}[:{k}]
square each item -> [x * x for x in {v}]
keep items above {k} -> [x for x in {v} if x > {k}]
keep the last {k} items -> {v}[-{k}:]
negate each item -> [-x for x in {v}]
append {k} -> {v} + [{k}]
keep every second item -> {v}[::2]
drop items equal to {k} -> [x for x in {v} if x != {k}]
sort it from high to low -> sorted({v}, reverse=True)
repeat it -> {v} + {v}
put {k} in front -> [{k}] + {v}
keep items below {k} -> [x for x in {v} if x < {k}]
drop both ends -> {v}[1:-1]
halve each item -> [x // 2 for x in {v}]
mirror it -> {v} + {v}[::-1]
remove duplicates -> list(dict.fromkeys({v}))
rotate it -> {v}[1:] + {v}[:1]
keep multiples of {k} -> [x for x in {v} if x % {k} == 0]
"""
)
LIST_TO_NUMBER = table(
    """
return the sum -> sum({v})
return the length -> len({v})
return the largest -> max({v})
return the first item -> {v}[0]
return the smallest -> min({v})
return the last item -> {v}[-1]
count the {k}s -> {v}.count({k})
count the even items -> sum(x % 2 == 0 for x in {v})
return the range -> max({v}) - min({v})
count items above {k} -> sum(x > {k} for x in {v})
return the sum of squares -> sum(x * x for x in {v})
return the middle item -> {v}[len({v}) // 2]
count distinct items -> len(set({v}))
return the floored mean -> sum({v}) // len({v})
return the position of the largest -> {v}.index(max({v}))
return the runner up -> sorted({v})[-2]
"""
)
NUMBER = table(
    """
add {k} -> {v} + {k}
double it -> {v} * 2
subtract {k} -> {v} - {k}
multiply by {k} -> {v} * {k}
square it -> {v} * {v}
negate it -> -{v}
take the absolute value -> abs({v})
take the remainder by {k} -> {v} % {k}
halve it -> {v} // 2
raise it to at least {k} -> max({v}, {k})
take its last digit -> abs({v}) % 10
subtract it from {k} -> {k} - {v}
limit it to {k} -> min({v}, {k})
cube it -> {v} ** 3
divide by {k} -> {v} // {k}
count its digits -> len(str(abs({v})))
add its square -> {v} + {v} * {v}
sum its digits -> sum(int(d) for d in str(abs({v})))
"""
)
STRING_TO_STRING = table(
    """
make it upper case -> {v}.upper()
reverse it -> {v}[::-1]
drop the first letter -> {v}[1:]
make it lower case -> {v}.lower()
repeat it {k} times -> {v} * {k}
keep the first {k} letters -> {v}[:{k}]
drop the last letter -> {v}[:-1]
remove the spaces -> {v}.replace(" ", "")
add a bang -> {v} + "!"
capitalise it -> {v}.capitalize()
keep the last {k} letters -> {v}[-{k}:]
swap the case -> {v}.swapcase()
sort the letters -> "".join(sorted({v}))
keep every second letter -> {v}[::2]
put a hash in front -> "#" + {v}
join it with dashes -> "-".join({v})
"""
)
STRING_TO_NUMBER = table(
    """
return the length -> len({v})
count the vowels -> sum(c in "aeiou" for c in {v})
count the spaces -> {v}.count(" ")
count the words -> len({v}.split())
count distinct letters -> len(set({v}))
find the first space -> {v}.find(" ")
count the capitals -> sum(c.isupper() for c in {v})
"""
)
