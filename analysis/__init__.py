"""Turn a long table into curves, intervals, figures and a report.

The names below are loaded on first use, so that `import analysis` and `python -m analysis --help` stay light.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.average import Average, fit_average
    from analysis.curve import Curve, fit
    from analysis.law import Law
    from analysis.laws import LAWS
    from analysis.points import Points, judge_share
    from analysis.pool import Pooled, fit_pooled
    from analysis.uncertainty import Prediction

__all__ = [
    "LAWS",
    "Average",
    "Curve",
    "Law",
    "Points",
    "Pooled",
    "Prediction",
    "fit",
    "fit_average",
    "fit_pooled",
    "judge_share",
]

_HOMES = {
    "LAWS": "analysis.laws",
    "Law": "analysis.law",
    "Points": "analysis.points",
    "judge_share": "analysis.points",
    "Pooled": "analysis.pool",
    "fit_pooled": "analysis.pool",
    "Curve": "analysis.curve",
    "fit": "analysis.curve",
    "Average": "analysis.average",
    "fit_average": "analysis.average",
    "Prediction": "analysis.uncertainty",
}


def __getattr__(name: str) -> object:
    """One of the public names, imported from its home; AttributeError for any other."""
    if name not in _HOMES:
        raise AttributeError(f"module 'analysis' has no attribute {name!r}; it offers {', '.join(sorted(_HOMES))}")
    return getattr(import_module(_HOMES[name]), name)
