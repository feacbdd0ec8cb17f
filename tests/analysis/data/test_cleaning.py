"""Columns, rows and standard errors that say nothing of a table's design are left out, and named."""

import io

import numpy as np
import pandas as pd
import pytest

from analysis.__main__ import main
from analysis.data.study import Study, read_study

AMOUNTS = (64, 256, 1024, 4096)
ROWS = """
,ability,task,metric,value,n_items,seed,samples
0,math,t,accuracy,0.155,400,0,64
1,math,t,accuracy,0.165,400,1,64
2,math,t,accuracy,0.31,400,0,256
3,math,t,accuracy,0.33,400,1,256
4,math,t,accuracy,0.50,400,0,1024
5,math,t,accuracy,0.52,400,1,1024
6,math,t,accuracy,0.62,400,0,4096
7,math,t,accuracy,0.65,400,1,4096
"""


def study(tmp_path, index=False, **columns):
    frame = pd.read_csv(io.StringIO(ROWS), index_col=0).assign(**columns)
    frame.to_csv(tmp_path / "t.csv", index=index)
    return read_study([tmp_path / "t.csv"])


def curve(study: Study):
    """The axis, and the number of amounts and of runs of the only series."""
    (measure,) = study.measures
    (series,) = measure.series
    return measure.axis, len(set(series.amount)), len(series.value)


NOISE = np.random.default_rng(0).normal(3, 1, 8)
NO_FACTORS = {
    "run_id": [f"x{i}" for i in range(8)],
    "timestamp": range(1700, 1708),
    "final_train_loss": NOISE,
    "train/loss": [2.5, 2.5, 2.1, 2.1, 1.9, 1.8, 1.7, 1.7],
    "runtime_s": NOISE * 100,
    "gpu_hours": NOISE / 10,
    "checkpoint": [f"ckpt/{i}" for i in range(8)],
    "grad_norm": NOISE,
}


def test_the_index_that_pandas_writes_is_no_axis(tmp_path):
    table = study(tmp_path, index=True)
    assert curve(table) == ("samples", 4, 8)
    assert table.remarks == ("column 'Unnamed: 0' is no factor: it numbers the rows",)


@pytest.mark.parametrize("name", NO_FACTORS)
def test_a_column_that_describes_a_run_is_neither_axis_nor_factor(tmp_path, name):
    table = study(tmp_path, **{name: NO_FACTORS[name]})
    assert curve(table) == ("samples", 4, 8)
    assert [f"column {name!r} is no factor" in remark for remark in table.remarks] == [True]


@pytest.mark.parametrize(
    ("name", "values"),
    [("lr", [1e-4, 2e-4] * 4), ("data_version", ["v1", "v2"] * 4), ("loss_function", ["focal", "plain"] * 4)],
)
def test_a_factor_of_the_user_stays_one(tmp_path, name, values):
    table = study(tmp_path, **{name: values})
    assert table.remarks == ()
    assert len(table.measures[0].series) == 2


def test_an_unknown_amount_is_the_axis_where_no_dose_varies(tmp_path):
    table = study(tmp_path, samples=100, tokens_seen=[1e3, 2e3, 4e3, 8e3, 1e4, 2e4, 4e4, 8e4])
    assert curve(table) == ("tokens_seen", 8, 8)


def test_a_row_that_is_written_twice_counts_once(tmp_path):
    once = study(tmp_path)
    pd.concat([once.table, once.table.iloc[:3]]).to_csv(tmp_path / "twice.csv", index=False)
    twice = read_study([tmp_path / "twice.csv"])
    pd.testing.assert_frame_equal(twice.table, once.table)
    assert twice.remarks == ("3 rows repeat an earlier row and are counted once",)


@pytest.mark.parametrize(
    ("stderr", "why"), [(0.0, "0 for a share between 0 and 1"), (0.06, "at most 0.025 is possible")]
)
def test_a_standard_error_that_no_share_can_have_gives_way_to_the_items(tmp_path, stderr, why):
    table = study(tmp_path, stderr=stderr)
    assert table.table["stderr"].isna().all()
    assert table.remarks == (
        f"8 standard errors cannot be, such as {stderr:g} for t accuracy 0.155 ({why}); "
        "their number of items is used instead",
    )


def test_possible_standard_errors_stay(tmp_path):
    # Of 400 items: 0 is right for a share of 0 or 1, and .5 / sqrt(399) is the largest of any share.
    values, errors = [0.0, 1.0, *[0.5] * 6], [0.0, 0.0, *[0.5 / np.sqrt(399)] * 6]
    table = study(tmp_path, value=values, stderr=errors)
    assert table.remarks == ()
    assert table.table["stderr"].tolist() == errors


def test_items_find_their_row_by_a_column_that_is_no_factor(tmp_path):
    runs = pd.DataFrame({"ability": "math", "task": "t", "metric": "accuracy", "run": list("abcd")})
    right = [1, 2, 3, 4]
    runs.assign(value=np.array(right) / 4, n_items=4, samples=[8, 16, 32, 64]).to_csv(tmp_path / "t.csv", index=False)
    items = [
        {"task": "t", "run": run, "item": i, "value": float(i < count)}
        for run, count in zip("abcd", right, strict=True)
        for i in range(4)
    ]
    pd.DataFrame(items).to_csv(tmp_path / "items.csv", index=False)
    (measure,) = read_study([tmp_path / "t.csv"], [tmp_path / "items.csv"]).measures
    assert measure.axis == "samples"
    values, _ = measure.item_values(measure.trained)
    assert values.sum(axis=1).tolist() == right


def test_the_report_says_what_the_columns_are(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    study(tmp_path, run_id=NO_FACTORS["run_id"], lr=[1e-4, 2e-4] * 4)
    assert main(["table=t.csv", "out=out"]) == 0
    assert "note: column 'run_id' is no factor: it names or dates a run\n" in capsys.readouterr().out
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Axis of the curves: samples." in page
    assert "Factors: lr." in page
    assert "Column &#x27;run_id&#x27; is no factor: it names or dates a run." in page
