"""Advice is for one model and one value of every further factor, and says which."""

import re

import numpy as np
import pandas as pd
import pytest

from analysis.advice.advise import advise, worth
from analysis.advice.one_kind import one_kind
from analysis.advice.text import advice_result, check_result
from analysis.data.study import Study
from tests.analysis.tables import FULL, mixed_table


@pytest.fixture(scope="module")
def two_sizes():
    return pd.concat([mixed_table(), mixed_table(5).assign(model="micro_l", params=4e6)], ignore_index=True)


def test_of_several_models_the_largest_is_taken_unless_one_is_named(two_sizes):
    kind = one_kind(Study(two_sizes))
    assert kind.sentences == ("this is for micro_l, the largest; the table also has micro_s (only='{model: micro_s}')",)
    assert set(kind.study.table["model"]) == {"micro_l"}
    named = one_kind(Study(two_sizes), {"model": "micro_s"})
    assert (set(named.study.table["model"]), named.sentences) == ({"micro_s"}, ())
    by_size = one_kind(Study(two_sizes.drop(columns="model")), {"params": "400000"})
    assert set(by_size.study.table["params"]) == {4e5}


def test_a_further_factor_is_not_averaged_over(two_sizes):
    one = two_sizes[two_sizes["model"] == "micro_s"]
    frame = pd.concat([one.assign(data="all"), one[one["strategy"] != "sequential"].assign(data="filtered")])
    frame.loc[frame["strategy"] == "base", "data"] = ""  # untrained: on no data
    kind = one_kind(Study(frame.drop_duplicates(ignore_index=True)))
    assert kind.sentences == (
        "this is for data all, which most rows have; the table also has data filtered (only='{data: filtered}')",
    )
    assert set(kind.study.table["data"]) == {"all", ""}
    assert one_kind(Study(one)).sentences == ()


@pytest.mark.parametrize(
    ("only", "says"),
    [
        ({"model": "micro_m"}, "only= names model micro_m, which no row has; the table has micro_s, micro_l"),
        ({"modl": "micro_s"}, "only= names 'modl', .* it has several values of model"),
    ],
)
def test_what_the_table_does_not_hold_is_named(two_sizes, only, says):
    with pytest.raises(ValueError, match=says):
        one_kind(Study(two_sizes), only)


def test_advice_and_its_check_are_those_of_the_model_alone(two_sizes, tmp_path):
    both, small, after = (tmp_path / name for name in ("both.csv", "small.csv", "after.csv"))
    two_sizes.to_csv(both, index=False)
    two_sizes[two_sizes["model"] == "micro_s"].to_csv(small, index=False)
    assert (
        advice_result([both], 3000, {}, 0, only={"model": "micro_s"}).text == advice_result([small], 3000, {}, 0).text
    )
    amounts = {f"samples_{name}": 100 * i for i, name in enumerate(FULL, 1)}
    new = two_sizes[two_sizes["cell"] == "mixed-1.0"].assign(**amounts, total_samples=600)
    new.assign(samples=new["ability"].map(lambda name: amounts[f"samples_{name}"])).to_csv(after, index=False)
    assert "1 cell predicted, then measured" in check_result([both], [after], {}, only={"model": "micro_s"}).text


def test_repeats_are_capped_and_worth_less_than_fresh_samples():
    exist = np.array([1000.0, np.inf])
    assert worth(np.array([[1000.0, 5e6]]), exist).tolist() == [[1000.0, 5e6]]
    four = worth(np.array([[4000.0, 1.0]]), exist)[0, 0]
    assert four == pytest.approx(1000 * (1 + 15.4 * (1 - np.exp(-3 / 15.4))))
    study = Study(mixed_table())
    largest = {repeats: advise(study, 60_000, {"code": 1}, repeats=repeats).samples[:, 1].max() for repeats in (1, 2.5)}
    assert largest == {1: FULL["code"], 2.5: pytest.approx(2.5 * FULL["code"])}
    fewer = advise(study, 60_000, {}, repeats=2, have={"code": 500})
    assert fewer.samples[:, 1].max() == pytest.approx(1000)
    with pytest.raises(ValueError, match="must be at least 1"):
        advise(study, 3000, {}, repeats=0.5)
    with pytest.raises(ValueError, match="have names ability 'maths'"):
        advise(study, 3000, {}, have={"maths": 5})


def test_the_command_of_repeated_samples_allows_them(tmp_path):
    mixed_table().to_csv(tmp_path / "t.csv", index=False)
    text = advice_result(
        [tmp_path / "t.csv"], 3000, {"code": 1}, 0, repeats=4, have={"code": 500, "math": 9, "general": 9}
    ).text
    said = " ".join(text.split())
    assert re.search("the best composition shows each sample of (.*, )?code 4.0 times(, .*)?; repeats count less", said)
    assert "run it: python -m sweep allow_repeats=true name=advised" in said
    assert "allow_repeats" not in advice_result([tmp_path / "t.csv"], 3000, {}, 0).text
