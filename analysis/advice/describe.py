"""What `python -m analysis advise` and `next` print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from analysis.advice.advise import advise, checks, mixed, run_line, trial_line
from analysis.advice.advise import sheets as advice_sheets
from analysis.advice.check import check_lines, check_sheet, compare
from analysis.advice.next_cells import COSTS, choices, sheet
from analysis.sheets import render
from analysis.table import read


def advice_text(tables: Sequence[Path], budget: float, weights: str, seed: int) -> str:
    """The best composition of each strategy, the front, how sure the ranking is; the lines that run the best and that
    put the ranking to the test.
    """
    frame = read(*tables)
    found = advise(frame, budget, weights_of(weights), seed)
    text = "".join(render(s) for s in advice_sheets(found))
    text += "".join(f"check: {line}\n" for line in checks(found.surrogates))
    if len({str(s) for s in found.surrogates[0].design.strategy} - {"base"}) == 1:
        text += "note: the table holds one strategy only, so no other is compared\n"
    if not mixed(frame):
        text += "note: the table holds no mixed training, so how abilities get on together is a guess\n"
    text += "".join(f"note: {name} goes beyond the amounts measured\n" for name in found.beyond)
    return f"{text}run it:  {run_line(found, frame)}\ntest it: {trial_line(found, frame)}\n"


def check_text(tables: Sequence[Path], after: Sequence[Path], weights: str) -> str:
    """The cells in ``after`` as predicted from ``tables``, as measured, and whether the ranking held."""
    found = compare(read(*tables), read(*after), weights_of(weights))
    return render(check_sheet(found)) + "".join(f"{line}\n" for line in check_lines(found))


def next_text(tables: Sequence[Path], quantity: str) -> str:
    """The cells most worth running, and the line that runs the first."""
    found = choices(read(*tables), quantity)
    return f"{render(sheet(found, quantity))}cost: {COSTS[found[0].unit]}\nrun it: {found[0].line}\n"


def weights_of(text: str) -> Mapping[str, float]:
    """Weights written as ``{math: 1, code: 2}``. Raises ValueError for anything else."""
    try:
        read_ = yaml.safe_load(text)
        return {str(k): float(v) for k, v in read_.items()}
    except (yaml.YAMLError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"weights={text!r} must look like '{{math: 1, code: 2}}'") from error
