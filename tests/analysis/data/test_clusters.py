"""Items that belong together count as one where they are compared and where curves are fitted."""

import numpy as np
import pandas as pd
import pytest

from analysis.data.items import read_items
from analysis.data.study import Study
from analysis.fitting.series_fits import fit_series
from analysis.verdicts.arms import arm_means
from analysis.verdicts.contrast import contrast

NAMES = {"ability": "math", "task": "t", "metric": "accuracy"}


def measure_of(tmp_path, rows, items, cluster=True):
    path = tmp_path / "items.csv"
    (items if cluster else items.drop(columns="cluster")).assign(**NAMES).to_csv(path, index=False)
    (measure,) = Study(pd.DataFrame(rows).assign(**NAMES), read_items(path)).measures
    return measure


def test_a_cluster_is_one_item_with_the_weight_of_all_and_its_error_is_that_over_clusters(tmp_path):
    """Clusters of 2, 2 and 1 right of 2, 4 and 2, around 5/8: off by .75, -.5 and -.25 items of 8."""
    items = pd.DataFrame({"cell": "a", "item": range(8), "cluster": list("xxyyyy") + [np.nan] * 2,
                          "value": [1, 1, 1, 1, 0, 0, 1, 0.0]})  # fmt: skip
    measure = measure_of(tmp_path, [{"cell": "a", "samples": 8, "value": 5 / 8, "n_items": 8}], items)
    value, weight = measure.item_values(measure.rows)
    assert sorted(zip(value[0], weight[0], strict=True)) == [(0, 1), (0.5, 4), (1, 1), (1, 2)]
    squares = (2 * 3 / 8) ** 2 + (4 * 1 / 8) ** 2 + (3 / 8) ** 2 + (5 / 8) ** 2
    assert measure.rows["stderr"].tolist() == pytest.approx([np.sqrt(squares * 4 / 3) / 8])


def test_copies_of_an_item_in_one_cluster_say_no_more_than_it_does(tmp_path):
    rng, amounts = np.random.default_rng(0), 64 * 4.0 ** np.arange(5)
    right = {f"c{i}": rng.random(80) < 0.15 + 0.15 * i for i in range(5)}
    rows = [{"cell": c, "samples": a, "value": r.mean()} for (c, r), a in zip(right.items(), amounts, strict=True)]
    once = pd.concat([pd.DataFrame({"cell": c, "item": range(80), "cluster": range(80), "value": r * 1.0})
                      for c, r in right.items()])  # fmt: skip
    often = pd.concat([once.assign(item=once["item"] + 80 * k) for k in range(6)])
    alone = measure_of(tmp_path, [row | {"n_items": 80} for row in rows], once)
    copied = measure_of(tmp_path, [row | {"n_items": 480} for row in rows], often)
    naive = measure_of(tmp_path, [row | {"n_items": 480} for row in rows], often, cluster=False)
    fits = [fit_series(measure)[0] for measure in (alone, copied, naive)]
    widths = [np.median(fit.at_levels.high - fit.at_levels.low) for fit in fits[:2]]
    assert widths[1] == pytest.approx(widths[0], rel=0.05)
    reach = [fit.levels[2].high - fit.levels[2].low for fit in fits]
    assert reach[1] == pytest.approx(reach[0], rel=0.05)
    assert reach[2] < 0.5 * reach[0]
    verdicts = [contrast("", "", arm_means(measure), {0: -1.0, 1: 1.0}, 0.02) for measure in (alone, copied, naive)]
    spans = [verdict.high - verdict.low for verdict in verdicts]
    assert spans[1] == pytest.approx(spans[0])
    assert spans[2] < 0.7 * spans[0]
