"""Turn a long table into curves, intervals, figures and a report.

The names below are loaded on first use, so that `import analysis` and `python -m analysis --help` stay light.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.fitting.average import Average, fit_average
    from analysis.fitting.curve import Curve, fit
    from analysis.fitting.points import Points, judge_share
    from analysis.fitting.pool import Pooled, fit_pooled
    from analysis.fitting.uncertainty import Prediction
    from analysis.laws.catalogue import LAWS
    from analysis.laws.law import Law

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
    "LAWS": "analysis.laws.catalogue",
    "Law": "analysis.laws.law",
    "Points": "analysis.fitting.points",
    "judge_share": "analysis.fitting.points",
    "Pooled": "analysis.fitting.pool",
    "fit_pooled": "analysis.fitting.pool",
    "Curve": "analysis.fitting.curve",
    "fit": "analysis.fitting.curve",
    "Average": "analysis.fitting.average",
    "fit_average": "analysis.fitting.average",
    "Prediction": "analysis.fitting.uncertainty",
}


def __getattr__(name: str) -> object:
    """One of the public names, imported from its home; AttributeError for any other."""
    if name not in _HOMES:
        raise AttributeError(f"module 'analysis' has no attribute {name!r}; it offers {', '.join(sorted(_HOMES))}")
    return getattr(import_module(_HOMES[name]), name)
