"""Frozen dataclasses from plain values: all mistakes of a value at once, of types as of ranges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from common.options import option, parse
from common.restore import refuse, restore


@dataclass(frozen=True)
class Part:
    name: str
    size: int = 1
    most: int = 9

    def __post_init__(self) -> None:
        refuse(self._problems())

    def _problems(self) -> Iterator[str]:
        if not self.name:
            yield "name= is empty"
        if self.size < 1:
            yield f"size={self.size} must be at least 1"
        if self.size > self.most:
            yield f"size={self.size} is above most={self.most}"


@dataclass(frozen=True)
class Whole:
    title: str
    parts: dict[str, Part]
    share: float = 0.5
    marks: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        refuse(self._problems())

    def _problems(self) -> Iterator[str]:
        if not self.parts:
            yield "parts={}: give it one"
        if not 0 <= self.share <= 1:
            yield f"share={self.share} must be from 0 to 1"


def whole_number(hint: object, value: object) -> object:
    if hint is int and not isinstance(value, int):
        raise ValueError(f"{value!r} is not a whole number")
    return value


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        # A wrong type beside a value out of range, in one table, in the table around it, and in one beside it.
        ({"parts": {"a": {"name": "a", "most": "x", "size": 0}}}, ["parts.a.most: 'x' is", "parts.a.size=0 must"]),
        ({"parts": {"a": {"name": "a", "size": "x"}}, "share": 2}, ["parts.a.size: 'x' is", "share=2 must"]),
        ({"parts": {"a": {"name": "a", "size": "x"}, "b": {"name": "", "size": 0}}, "marks": ["y"]},
         ["marks.0: 'y' is", "parts.a.size: 'x' is", "parts.b.name= is empty", "parts.b.size=0 must"]),
        # Missing and unknown fields too.
        ({"parts": {"a": {"size": 0}}}, ["parts.a.size=0 must", "parts.a: Part needs name"]),
        ({"parts": {"a": {"name": "a", "color": 1, "size": 0}}}, ["parts.a.size=0 must", "parts.a: Part has no color"]),
        ({"share": 2}, ["share=2 must", "Whole needs parts"]),
        # What depends on a value that is not known is not told: 10 may well be at most what was meant.
        ({"parts": {"a": {"name": "a", "most": "x", "size": 10}}}, ["parts.a.most: 'x' is"]),
        ({"parts": {"a": {"name": "a", "mosst": 10, "size": 10}}}, ["parts.a: Part has no mosst"]),
        ({"parts": {"a": 5}}, ["parts.a: 5 is not a table"]),
    ],
)  # fmt: skip
def test_wrong_types_and_values_out_of_range_are_told_together(value: dict[str, object], lines: list[str]):
    with pytest.raises(ValueError) as refused:
        restore(Whole, {"title": "t", **value}, whole_number)
    told = str(refused.value).removeprefix(f"{len(lines)} problems\n  ").split("\n  ")
    assert len(told) == len(lines)
    for line, begins in zip(sorted(told), sorted(lines), strict=True):
        assert line.startswith(begins)


@dataclass(frozen=True)
class Words:
    name: str = option("the name")
    number: int = option("how many", 1)
    most: int = option("at most", 9)
    share: float = option("which share", 0.5)

    def __post_init__(self) -> None:
        refuse(self._problems())

    def _problems(self) -> Iterator[str]:
        if self.number > self.most:
            yield f"number={self.number} is above most={self.most}"
        if not 0 <= self.share <= 1:
            yield f"share={self.share} must be from 0 to 1"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["name=a", "number=x", "share=2"], ["number=x is not a whole number", "share=2.0 must"]),
        (["number=x", "share=2"], ["name= missing", "number=x is not a whole number", "share=2.0 must"]),
        (["name=a", "size=3", "share=2"], ["'size=3': 'size' is not an option", "share=2.0 must"]),
        (["name=a", "number=10", "mots=20"], ["'mots=20': 'mots' is not an option"]),
        (["name=a", "number=10", "most=x"], ["most=x is not a whole number"]),
        (["name=a", "number=10", "most"], ["'most' has no value"]),
    ],
)
def test_words_of_a_command_too(words: list[str], told: list[str]):
    with pytest.raises(ValueError) as refused:
        parse(Words, words)
    lines = str(refused.value).removeprefix(f"{len(told)} problems\n  ").split("\n  ")
    assert len(lines) == len(told)
    for line, begins in zip(lines, told, strict=True):
        assert line.startswith(begins)
