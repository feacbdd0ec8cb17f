"""Runs of one strategy that scatter more than those of another are named, and equal ones are not."""

import numpy as np
import pandas as pd

from analysis.advice.text import advice_result
from analysis.data.study import Study
from analysis.verdicts.all_verdicts import findings
from analysis.verdicts.spread import unlike_spreads


def table(rng, spreads, metric="accuracy", seeds=4):
    """Each strategy at three amounts, with that standard deviation between runs."""
    rows = [
        {"strategy": name, "samples": n, "total_samples": 3 * n, "seed": str(seed),
         "value": 0.5 * np.exp(rng.normal(0, spread)) if metric == "loss" else 0.5 + rng.normal(0, spread)}
        for name, spread in spreads.items() for n in (100, 400, 1600) for seed in range(seeds)
    ]  # fmt: skip
    return Study(pd.DataFrame(rows).assign(ability="math", task="t", metric=metric))


def test_the_strategy_whose_runs_scatter_more_is_named():
    study = table(np.random.default_rng(0), {"multitask": 0.005, "sequential": 0.06, "dmt": 0.02})
    (line,) = unlike_spreads(study.measures[0])
    assert line.startswith("math accuracy: runs of sequential scatter ") and "those of multitask" in line
    assert "points at a share of one half); intervals pool both" in line
    assert line in findings(study).notes
    assert len(unlike_spreads(table(np.random.default_rng(0), {"a": 0.01, "b": 0.1}, "loss").measures[0])) == 1


def test_equal_scatter_and_single_runs_are_not_remarked_upon():
    rng = np.random.default_rng(1)
    alike = {"multitask": 0.02, "sequential": 0.02, "dmt": 0.02}
    assert sum(len(unlike_spreads(table(rng, alike).measures[0])) for _ in range(200)) <= 6
    assert unlike_spreads(table(rng, {"a": 0.01, "b": 0.5}, seeds=1).measures[0]) == []
    assert unlike_spreads(table(rng, {"a": 0.01}).measures[0]) == []


def mixed(rng, spreads, amounts=(100, 400, 1600), seeds=3):
    """Multitask training on half of each and on math alone, each with that standard deviation between runs."""
    shares = {"half of each": (0.5, 0.5), "math": (1.0, 0.0)}
    rows = [
        {"strategy": "multitask", "seed": str(seed), "samples": n * shares[name][0], "total_samples": n,
         "samples_math": n * shares[name][0], "samples_code": n * shares[name][1], "value": 0.5 + rng.normal(0, spread)}
        for name, spread in spreads.items() for n in amounts for seed in range(seeds)
    ]  # fmt: skip
    return Study(pd.DataFrame(rows).assign(ability="math", task="t", metric="accuracy", n_items=300))


def test_the_mixture_whose_runs_scatter_more_is_named_whatever_the_amount(tmp_path):
    study = mixed(np.random.default_rng(0), {"half of each": 0.1, "math": 0.005})
    (line,) = unlike_spreads(study.measures[0])
    assert line.startswith("math accuracy: runs of 50 % math + 50 % code scatter ") and "those of 100 % math" in line
    study.table.to_csv(tmp_path / "t.csv", index=False)
    assert line in advice_result([tmp_path / "t.csv"], 1000, {}, 0).record["notes"]
    rng = np.random.default_rng(1)
    alike = [mixed(rng, {"half of each": 0.02, "math": 0.02}) for _ in range(200)]
    assert sum(len(unlike_spreads(study.measures[0])) for study in alike) <= 6


def test_losses_of_0_are_left_out_of_spreads():
    study = table(np.random.default_rng(0), {"a": 0.01, "b": 0.1}, "loss")
    (line,) = unlike_spreads(study.measures[0])
    zero = study.table.iloc[:2].assign(value=0.0)
    assert unlike_spreads(Study(pd.concat([study.table, zero], ignore_index=True)).measures[0]) == [line]
    assert unlike_spreads(Study(study.table.assign(value=0.0)).measures[0]) == []
