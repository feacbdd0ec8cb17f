"""How often intervals hold the truth: of the parameters of every law."""

from __future__ import annotations

from analysis import LAWS, fit
from analysis.fitting.curve import Curve
from tests.analysis.laws.simulated import TRUE, simulate

DRAWS = 100


def recovery() -> str:
    """95 % intervals of the parameters of every law: 8 amounts x 3 seeds (a break: 16; several amounts: a grid), 1 %
    noise or 2,000 items. Parameters that a fit warns about are counted apart.
    """
    return ", ".join(_recovered(law) for law in TRUE)


def _recovered(law: str) -> str:
    inside = total = warned = 0
    for seed in range(DRAWS):
        points, objective = simulate(law, seed)
        curve = fit(points, law, objective)
        for p in curve.problem.space.free:
            if doubted(curve, p.name):
                warned += 1
                continue
            low, high = curve.interval(p.name)
            inside += low <= TRUE[law][LAWS[law].names.index(p.name)] <= high
            total += 1
    return f"{law} {100 * inside / max(total, 1):.1f} % of {total} ({warned} warned)"


def doubted(curve: Curve, name: str) -> bool:
    """Whether a warning of the curve is about this parameter."""
    p = curve.law.parameters[curve.law.names.index(name)]
    about = any(code.endswith(f":{name}") for code in curve.warnings)
    return about or (p.role == "floor" and "floor_not_identified" in curve.warnings)
