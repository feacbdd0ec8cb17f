"""How often the intervals of the parameters of every law cover the truth."""

from __future__ import annotations

from analysis import LAWS, fit
from analysis.fitting.curve import Curve
from tests.analysis.laws.simulated import TRUE, simulate

DRAWS = 100


def recovery() -> str:
    """Coverage of the 95 % intervals of every law's parameters, in 100 draws of the points of `simulate`.

    Parameters that a fit warns about are counted separately.
    """
    return ", ".join(_recovered(law) for law in TRUE)


def _recovered(law: str) -> str:
    inside = total = warned = 0
    for seed in range(DRAWS):
        points, objective = simulate(law, seed)
        curve = fit(points, law, objective)
        for p in curve.problem.space.free:
            if _warned_about(curve, p.name):
                warned += 1
                continue
            low, high = curve.interval(p.name)
            inside += low <= TRUE[law][LAWS[law].names.index(p.name)] <= high
            total += 1
    return f"{law} {100 * inside / max(total, 1):.1f} % of {total} ({warned} warned)"


def _warned_about(curve: Curve, name: str) -> bool:
    """Whether a warning of the curve is about this parameter."""
    p = curve.law.parameters[curve.law.names.index(name)]
    about = any(code.endswith(f":{name}") for code in curve.warnings)
    return about or (p.role == "floor" and "floor_not_identified" in curve.warnings)
