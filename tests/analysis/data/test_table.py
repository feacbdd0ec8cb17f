"""The long table: what is read, and the one error a wrong table gets."""

import numpy as np
import pandas as pd
import pytest

from analysis.data.reading import read
from analysis.data.table import binomial_rows, check

GOOD = pd.DataFrame(
    {
        "ability": ["math", "code"],
        "task": ["gsm8k", "humaneval"],
        "metric": ["accuracy", "accuracy"],
        "value": [0.5, 0.25],
        "n_items": [300, 164],
        "seed": [0, 1],
        "samples": [100, 200],
        "arm": ["a", "b"],
    }
)


def write(frame, path):
    frame.to_csv(path, index=False) if path.suffix == ".csv" else frame.to_parquet(path)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_csv_and_parquet_say_the_same(tmp_path, suffix):
    table = read(write(GOOD, tmp_path / f"t{suffix}"))
    assert table["value"].tolist() == [0.5, 0.25]
    assert table["seed"].tolist() == ["0", "1"]
    assert table["arm"].tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"value": [0.5, "n/a?"]}, r"column 'value', row 2: 'n/a\?' is not a number"),
        ({"value": [0.5, None]}, "column 'value', row 2 is empty; leave such rows out"),
        ({"value": [0.5, 41.0]}, "column 'value', row 2: 41.0 is not a share.*divide percentages by 100"),
        ({"value": [0.5, float("inf")]}, "column 'value', row 2: .*infinite"),
        ({"n_items": [300, 0]}, "column 'n_items', row 2: .*0.* is below 1"),
        ({"samples": [-5, 1]}, "column 'samples', row 1: .*-5.* is below 0"),
        ({"ability": ["math", None]}, "column 'ability', row 2 is missing"),
        ({"value": ["NA", ""]}, r"column 'value', row 1 \(and 1 more\) is empty"),
    ],
)
def test_a_wrong_value_is_named_with_column_row_and_remedy(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        read(write(GOOD.assign(**change), tmp_path / "t.csv"))


def test_an_absent_column_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"column 'metric' is absent .*add it, or rename"):
        read(write(GOOD.drop(columns="metric"), tmp_path / "t.csv"))


def test_an_empty_table_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no rows"):
        read(write(GOOD[:0], tmp_path / "t.csv"))


def test_the_table_of_a_sweep_without_scores_says_where_to_look(tmp_path):
    folder = tmp_path / "store" / "sweeps" / "mine"
    folder.mkdir(parents=True)
    empty = GOOD[:0].assign(settings="", overrides="")
    with pytest.raises(
        ValueError, match=f"has a score yet; python -m sweep ls name=mine store={tmp_path / 'store'} says"
    ):
        read(write(empty, folder / "table.csv"))


def test_a_file_that_is_no_table_is_refused(tmp_path):
    broken = tmp_path / "t.parquet"
    broken.write_bytes(b"not parquet at all")
    with pytest.raises(ValueError, match="cannot be read as parquet"):
        read(broken)
    with pytest.raises(ValueError, match=r"ends in '\.xlsx'; save it as \.csv"):
        read(write(GOOD, tmp_path / "t.csv").rename(tmp_path / "t.xlsx"))
    with pytest.raises(FileNotFoundError, match="there is no table"):
        read(tmp_path / "absent.csv")


def test_shares_of_right_and_wrong_items_are_told_from_ratings():
    frame = pd.DataFrame({"value": [0.375, 0.375, 0.5, 0.5, 0.0], "n_items": [8.0] * 5})
    errors = [np.sqrt(0.375 * 0.625 / 8), np.sqrt(0.375 * 0.625 / 7), 0.05, np.nan, 0.0]
    assert binomial_rows(frame.assign(stderr=errors)).tolist() == [True, True, False, True, True]
    assert binomial_rows(frame).all()


@pytest.mark.parametrize(
    ("times", "binomial"),
    [(0.6, False), (0.9, False), (0.985, False), (0.995, True), (1.005, True), (1.1, False), (1.4, False)],
)
def test_errors_that_are_not_the_binomial_one_are_of_other_values(times, binomial):
    """The variance may be off by 2 % (and by 1 / (n - 1), as some tools divide by n - 1): its root by 1 %."""
    frame = pd.DataFrame({"value": [0.375], "n_items": [2000.0], "stderr": times * np.sqrt(0.375 * 0.625 / 2000)})
    assert binomial_rows(frame).tolist() == [binomial]


def test_columns_of_other_versions_get_their_names_here():
    frame = pd.DataFrame({"ability": ["a"], "task": ["t"], "metric": ["accuracy"], "value": [0.5], "arm": ["x"]})
    assert "arm" in check(frame, "own")
    swept = check(frame.assign(settings="seed=1", train_samples=[3]), "sweep")
    assert swept["ratio_arm"].tolist() == ["x"] and swept["samples"].tolist() == [3.0]
    assert "arm" not in swept and "train_samples" not in swept


@pytest.mark.parametrize("name", ["sample", "Samples", "n_item", "total_sample"])
def test_a_misspelt_column_is_refused(name):
    known = {"sample": "samples", "Samples": "samples", "n_item": "n_items"}
    frame = pd.DataFrame({"ability": "math", "task": "t", "metric": "accuracy", "value": [0.5], name: [1]})
    with pytest.raises(
        ValueError, match=f"column {name!r} is unknown; did you mean {known.get(name, 'total_samples')!r}"
    ):
        check(frame, "here")


def test_a_factor_with_a_similar_name_is_not_a_misspelling():
    frame = pd.DataFrame({"ability": "math", "task": "t", "metric": "accuracy", "value": [0.5], "sampler": ["top-p"]})
    assert check(frame, "here")["sampler"].tolist() == ["top-p"]
    # With the column there, its neighbour is a factor of the user.
    assert "sample" in check(frame.assign(samples=1, sample=2), "here")


def test_names_are_stripped_and_differ_in_more_than_case():
    frame = pd.DataFrame({"ability": ["math", "math ", " math"], "task": "t", "metric": "accuracy", "value": 0.5})
    assert set(check(frame, "here")["ability"]) == {"math"}
    with pytest.raises(ValueError, match="column 'ability', row 2: 'Math' and 'math' differ in upper and lower case"):
        check(frame.assign(ability=["math", "Math", "code"]), "here")
