"""Arms with given means and variances."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.data.metric import metric_named
from analysis.verdicts.arms import ArmMeans


def arms_with(
    mean: Sequence[float],
    error: float | Sequence[float],
    *,
    dof: float = np.inf,
    ability: str = "math",
    **columns: object,
) -> ArmMeans:
    """Arms of accuracy with these means, their standard errors, and ``columns`` as factors; no items are known."""
    table = pd.DataFrame({"samples": 1000.0, "total_samples": 2000.0, **columns, "mean": mean, "runs": 1})
    table["variance"] = np.broadcast_to(np.asarray(error, float), len(table)) ** 2
    return ArmMeans(ability, "t", metric_named("accuracy"), table, dof)
