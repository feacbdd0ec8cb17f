"""The long table as one object: what is analysed, and what the table says of its cells."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from analysis.data.metric import metric_named
from analysis.data.study import Study, read_study
from tests.analysis.tables import FULL, TASKS, Simulation, data_amount


def exact(*texts):
    """Each ability at fractions written as these texts."""
    simulation = Simulation()
    simulation.cell("base", "base", (), 0.0, fraction_text="0")
    for text in texts:
        for ability in FULL:
            simulation.cell(f"{ability}-{text}", "single", (ability,), float(Fraction(text)), fraction_text=text)
    return simulation.frame()


def test_a_study_analyses_accuracy_and_loss_and_keeps_the_rest():
    study = Study(data_amount())
    assert study.abilities == tuple(FULL)
    assert [(m.ability, m.task, m.metric.name) for m in study.measures] == [
        *((ability, TASKS[ability], "accuracy") for ability in FULL),
        *((ability, f"{ability}_loss", "loss") for ability in FULL),
    ]
    assert set(study.further["metric"]) == {"format_rate"}
    assert study.primary == metric_named("accuracy")
    assert len(study.trained) == 15 * 9
    assert {"model", "strategy", "trained_on", "samples", "fraction", "samples_math"} <= set(study.factors)
    assert not {"ability", "value", "seed", "cell", "n_items"} & set(study.factors)


def test_an_ability_without_accuracy_and_loss_is_analysed_by_all_its_metrics():
    frame = data_amount()
    other = (frame["ability"] == "math") & (frame["metric"] != "format_rate")
    study = Study(frame[~other])
    assert [m.metric.name for m in study.measures if m.ability == "math"] == ["format_rate"]


def test_a_measure_knows_its_base_and_its_series():
    frame = data_amount()
    (measure, *_) = Study(frame).measures
    bare = frame[(frame["strategy"] == "base") & (frame["ability"] == "math") & (frame["metric"] == "accuracy")]
    assert measure.base == {"micro_s": bare["value"].item()}
    assert len(measure.rows) == 16
    assert len(measure.trained) == 15
    assert [len(series.amount) for series in measure.series] == [5]
    assert (measure.name, measure.title) == ("math-gsm8k-accuracy", "math: accuracy on gsm8k")


def test_fractions_keep_their_text_where_the_table_has_it():
    study = Study(exact("3/1000", "2/37", "1"))
    assert [study.fraction_text(value) for value in (3 / 1000, 2 / 37, 1.0)] == ["3/1000", "2/37", "1"]
    assert study.fraction_text(1 / 64) == "1/64"
    assert Study(data_amount()).fraction_text(3 / 1000) == "0.003"
    assert "fraction_text" not in study.factors
    assert [m.axis for m in study.measures] == ["samples"] * 6


def test_a_cell_of_two_sweeps_is_one_measurement(tmp_path):
    first = exact("1/4", "1").assign(sweep="a", overrides='["seed=0"]')
    second = exact("1/4", "1").assign(sweep="b", overrides='["seed=0", "name=b"]')
    second["fraction_text"] = second["fraction_text"].replace("1/4", "0.25")
    for name, frame in (("a", first), ("b", second)):
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    study = read_study([tmp_path / "a.csv", tmp_path / "b.csv"])
    assert len(study.table) == len(first)
    assert study.fraction_text(0.25) == "1/4"


@pytest.mark.parametrize("column", ["kind", "better"])
def test_columns_about_the_metric_are_no_factors(column):
    words = {"kind": "share", "better": "higher"}
    frame = data_amount()
    rows = frame[frame["metric"] == "accuracy"].assign(**{column: words[column]})
    rows = pd.concat([rows, frame[frame["metric"] == "loss"].assign(**{column: ""})])
    assert column not in Study(rows).factors
    assert Study(rows).metrics["accuracy"] == metric_named("accuracy")


def sequence(tmp_path, *, whole=True):
    """A strategy of two stages, measured after each, and one of a single stage; with items."""
    rows, items = [], []
    for cell, strategy, stages in (("a", "sequential", 2), ("b", "multitask", 1)):
        for after in range(1, stages + 1):
            names = {"cell": cell, "after_stage": after, "ability": "math", "task": "gsm8k", "metric": "accuracy"}
            right = [1] * (2 * after) + [0] * (10 - 2 * after)
            rows.append({**names, "last_stage": stages, "strategy": strategy, "value": sum(right) / 10, "n_items": 10})
            items += [{**names, "item": f"i{n}", "value": value} for n, value in enumerate(right)]
    table = pd.DataFrame(rows)
    table = table if whole else table[table["after_stage"] < table["last_stage"]]
    table.to_csv(tmp_path / "t.csv", index=False)
    pd.DataFrame(items).to_parquet(tmp_path / "i.parquet", index=False)
    return tmp_path / "t.csv", tmp_path / "i.parquet"


def test_finished_models_alone_are_analysed(tmp_path):
    table, items = sequence(tmp_path)
    study = read_study([table], [items])
    assert study.table[["cell", "after_stage", "value"]].to_numpy().tolist() == [["a", 2.0, 0.4], ["b", 1.0, 0.2]]
    assert len(study.every_stage) == 3
    assert study.factors == ["strategy"]
    (measure,) = study.measures
    values, _ = measure.item_values(measure.rows)
    assert values.sum(axis=1).tolist() == [4, 2]


def test_a_table_without_a_finished_model_is_refused(tmp_path):
    with pytest.raises(ValueError, match="earlier stage of its strategy; run the sweep to its end"):
        read_study([sequence(tmp_path, whole=False)[0]])


def test_items_pair_with_rows_of_tables_that_do_not_know_stages(tmp_path):
    table, items = sequence(tmp_path)
    old = {"cell": "old", "ability": "math", "task": "gsm8k", "metric": "accuracy"}
    pd.DataFrame([{**old, "strategy": "dmt", "value": 0.5, "n_items": 2}]).to_csv(tmp_path / "old.csv", index=False)
    pd.DataFrame([{**old, "item": f"i{n}", "value": n} for n in (0, 1)]).to_parquet(tmp_path / "old.parquet")
    study = read_study([table, tmp_path / "old.csv"], [items, tmp_path / "old.parquet"])
    (measure,) = study.measures
    values, _ = measure.item_values(measure.rows)
    assert np.nansum(values, axis=1).tolist() == [4, 2, 1]
