"""What stays of a sweep's models once all that was planned over them is scored."""

from __future__ import annotations

from collections.abc import Collection

from sweep.stages.stage import Stage

KEEP = ("all", "last", "scores")
"""Values of the config's ``keep``: all models, the last one of each cell, or the scores alone."""


def goes(stage: Stage, keep: str, last: Collection[str]) -> bool:
    """Whether the model of a training stage goes once it is scored; ``last`` has the keys of the cells' last stages.

    Base models stay: further sweeps start from them.
    """
    return stage.spec.architecture is None and (keep == "scores" or (keep == "last" and stage.key not in last))
