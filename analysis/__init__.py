"""Fit scaling laws to a long table of measurements, and report curves, intervals, verdicts and advice.

The names below are the library. They are loaded on first use: `import analysis` and `python -m analysis --help` would
otherwise wait for numpy and scipy.
"""

TYPE_CHECKING = False  # as of typing, whose import takes as long as that of all else before Ctrl-C is said in a word

if TYPE_CHECKING:
    from analysis.fitting.average import Average, fit_average
    from analysis.fitting.curve import Curve, fit
    from analysis.fitting.points import Points
    from analysis.fitting.uncertainty import Prediction
    from analysis.laws.catalogue import LAWS
    from analysis.laws.law import Law

__all__ = [
    "LAWS",
    "Average",
    "Curve",
    "Law",
    "Points",
    "Prediction",
    "fit",
    "fit_average",
]

_MODULES = {
    "LAWS": "analysis.laws.catalogue",
    "Law": "analysis.laws.law",
    "Points": "analysis.fitting.points",
    "Curve": "analysis.fitting.curve",
    "fit": "analysis.fitting.curve",
    "Average": "analysis.fitting.average",
    "fit_average": "analysis.fitting.average",
    "Prediction": "analysis.fitting.uncertainty",
}


def __getattr__(name: str) -> object:
    """A name of the library, imported from its module. Raises AttributeError for any other name."""
    if name not in _MODULES:
        raise AttributeError(f"module 'analysis' has no attribute {name!r}; it offers {', '.join(sorted(_MODULES))}")
    from importlib import import_module

    return getattr(import_module(_MODULES[name]), name)
