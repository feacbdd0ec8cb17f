"""How many samples a cell asks for: exact numbers from the config, whole numbers for the stages."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction

from sweep.config.amount import ALL
from sweep.config.cell import Cell


def amounts(cell: Cell, pools: Mapping[str, int]) -> list[dict[str, int]]:
    """Samples of each ability in each stage of ``cell``, given the number of samples in each ability's pool."""
    exact = [
        {ability: _exact(cell, ability, part, pools[ability]) for ability, part in stage.items()}
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
                    f"{count} samples of {ability} are asked for, its sources hold {pools[ability]}; "
                    "lower fraction or amount, or set allow_repeats=true"
                )
    return stages


def _exact(cell: Cell, ability: str, part: Fraction, pool: int) -> Fraction:
    amount = cell.amount.get(ability, ALL).value
    samples = amount if amount > 1 else amount * pool
    return cell.fraction.value * (part if part > 1 else part * samples)


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
            "raise fraction, amount or share, or set sample_rounding=ceil"
        )
    return count


def _apportion(stages: list[dict[str, Fraction]], total: int) -> list[dict[str, int]]:
    """Scale the numbers to a whole-number ``total``, the remainders going to the largest fractions."""
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
