"""Training strategies, written in words that hold for the abilities of any data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from sweep.config.amount import Amount

SELECTED, ALL, EACH, SPECIALISED, GENERAL = "selected", "all", "each", "specialised", "general"

WORDS = {
    SELECTED: "the ability that ability= names",
    ALL: "every ability of the data",
    EACH: "each ability of the data in turn",
    SPECIALISED: "every ability of the data but the general one",
    GENERAL: "the ability that data.general names",
}
"""Words of a strategy, and what they stand for. No ability may have such a name, but that the general one may be
called general."""


@dataclass(frozen=True)
class Strategy:
    """Training stages in order. A stage maps abilities, or `WORDS`, to the fraction of each one's amount.

    A stage with the word ``each`` stands for one stage for each ability: the specialised ones in alphabetical order,
    then the general one. ``interpolated`` names the config keys that the stages read, such as ``replay``. It is no key
    of the config.
    """

    name: str
    stages: list[dict[str, Amount]]
    interpolated: tuple[str, ...] = field(default=(), metadata={"derived": True})

    def __post_init__(self) -> None:
        for number, stage in enumerate(self.stages):
            if EACH in stage and len(stage) > 1:
                raise ValueError(
                    f"strategy.stages, stage {number + 1}: {EACH} stands for several stages; write nothing beside it"
                )

    @property
    def outline(self) -> list[dict[str, str]]:
        """The stages as they are written; where their amounts read other keys of the config, without amounts."""
        amounts = not self.interpolated
        return [{word: n.text if amounts else "" for word, n in sorted(stage.items())} for stage in self.stages]

    def expanded(self, abilities: Sequence[str], general: str, selected: str) -> list[dict[str, Fraction]]:
        """The stages with the words replaced by the ``abilities`` of the data; an ability's own number comes first."""
        specialised = [ability for ability in abilities if ability != general]
        meaning = {SELECTED: [selected], ALL: abilities, SPECIALISED: specialised, GENERAL: [general]}
        in_turn = [*sorted(specialised), *(ability for ability in abilities if ability == general)]
        stages = []
        for stage in self.stages:
            if EACH in stage:
                stages += [{ability: stage[EACH].value} for ability in in_turn]
                continue
            numbers = {ability: n.value for word, n in stage.items() for ability in meaning.get(word, [word])}
            own = {ability: number.value for ability, number in stage.items() if ability in numbers}
            stages.append(numbers | own)
        return stages


class Moment(NamedTuple):
    """When a cell's model is measured: after a fine-tuning stage (from 1; 0: the base), or after the share
    ``checkpoint`` of that stage's steps.
    """

    stage: int
    checkpoint: str = ""

    @property
    def after_stage(self) -> float:
        """The number of stages behind the model; 1.25 stands for a quarter of the second one."""
        return self.stage - 1 + float(Fraction(self.checkpoint)) if self.checkpoint else self.stage

    @property
    def text(self) -> str:
        """``stage 2`` or ``stage 2 at 1/4``."""
        return f"stage {self.stage}" + (f" at {self.checkpoint}" if self.checkpoint else "")
