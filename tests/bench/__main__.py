"""The measures of docs/benchmarks.md: ``python -m tests.bench [NAME …]``; without names, all of them in this order.

Times are wall times of whole processes on this machine, unless a measure says CPU. Things that are compared run in the
same call, one after the other.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from tests.bench import (
    calibration,
    curves,
    export,
    extrapolation,
    generation,
    gsm8k,
    judging,
    mixtures,
    page,
    planning,
    programs,
    recovery,
    stages,
    sweeps,
    tracking,
)

MEASURES: dict[str, Callable[[], str]] = {
    "demo": sweeps.demo,
    "again": sweeps.again,
    "light": sweeps.light,
    "overhead": stages.overhead,
    "reuse": sweeps.reuse,
    "planning": planning.planning,
    "composition": planning.composition,
    "kills": sweeps.kills,
    "mirror": tracking.mirror,
    "race": stages.race,
    "export": export.export,
    "sandbox": programs.sandbox,
    "judging": judging.judging,
    "generation": generation.generation,
    "gsm8k": gsm8k.gsm8k,
    "additive": curves.additive,
    "averages": curves.averages,
    "tables": curves.tables,
    "page": page.page,
    "search": curves.search,
    "flan": extrapolation.flan,
    "extrapolation": extrapolation.extrapolation,
    "families": extrapolation.families,
    "sizes": extrapolation.sizes,
    "two_steps": extrapolation.two_steps,
    "mixtures": mixtures.mixtures,
    "recovery": recovery.recovery,
    "coverage": calibration.coverage,
    "goals": calibration.goals,
    "equal_cost": calibration.equal_cost,
    "false_findings": calibration.false_findings,
}


def main(names: list[str]) -> None:
    """Run the measures and print one line each."""
    unknown = set(names) - set(MEASURES)
    if unknown:
        sys.exit(f"error: unknown measure {', '.join(sorted(unknown))}; known: {', '.join(MEASURES)}")
    for name in names or MEASURES:
        print(f"{name:<14} {MEASURES[name]()}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
