"""How many samples each stage of a cell trains on: whole numbers from the exact ones of the config."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

from sweep.config.cell import Cell


def amounts(cell: Cell, pools: Mapping[str, int]) -> list[dict[str, int]]:
    """Samples of each ability in each stage of ``cell``; ``pools`` holds the samples that each ability's sources have.

    Raises a ValueError for an amount that rounds to nothing, and for one above the pool unless repeats are allowed.
    """
    exact = [
        {ability: _exact(cell, ability, in_stage, pools[ability]) for ability, in_stage in stage.items()}
        for stage in cell.stages
    ]
    if cell.total_samples is not None and cell.fraction.value:
        stages = _apportion(exact, cell.total_samples)
    else:
        stages = [{ability: _whole(cell, ability, number) for ability, number in stage.items()} for stage in exact]
    for stage in stages:
        for ability, count in stage.items():
            if count > pools[ability] and not cell.allow_repeats:
                raise ValueError(
                    f"the cell trains on {_shown(count)} samples of {ability}, but its sources hold {pools[ability]}; "
                    "lower fraction or amount, or set allow_repeats=true"
                )
    return stages


def _shown(count: int) -> str:
    return str(count) if count < 10**15 else f"{Decimal(count):.3g}"


def _exact(cell: Cell, ability: str, in_stage: Fraction, pool: int) -> Fraction:
    """Samples of one ability in one stage, whose number is ``in_stage``, before rounding."""
    amount = cell.amount_of(ability).value
    samples = amount if amount > 1 else amount * pool
    return cell.fraction.value * (in_stage if in_stage > 1 else in_stage * samples)


def _whole(cell: Cell, ability: str, number: Fraction) -> int:
    match cell.sample_rounding:
        case "floor":
            count = math.floor(number)
        case "ceil":
            count = math.ceil(number)
        case _:
            count = math.floor(number + Fraction(1, 2))
    if number > 0 and count == 0:
        raise ValueError(
            f"{float(number):.3g} samples of {ability} round to none; "
            "raise fraction, amount or the number in the stage, or set sample_rounding=ceil"
        )
    return count


def _apportion(stages: list[dict[str, Fraction]], total: int) -> list[dict[str, int]]:
    """Scale the numbers to whole ones that add up to ``total``, by the largest-remainder method."""
    flat = [(number, ability, value) for number, stage in enumerate(stages) for ability, value in stage.items()]
    whole = sum(value for _, _, value in flat)
    if not whole:
        raise ValueError(f"total_samples={total}: every amount is 0, so there is no proportion to keep")
    scaled = [value * total / whole for _, _, value in flat]
    counts = [math.floor(value) for value in scaled]
    by_remainder = sorted(range(len(flat)), key=lambda i: (counts[i] - scaled[i], i))
    for index in by_remainder[: total - sum(counts)]:
        counts[index] += 1
    result: list[dict[str, int]] = [{} for _ in stages]
    for (number, ability, _), count in zip(flat, counts, strict=True):
        result[number][ability] = count
    return result
