"""The tables that show what is forgotten along the stages of a strategy."""

import pandas as pd

from analysis.data.metric import metric_named
from analysis.data.study import Study
from analysis.data.table import finished
from analysis.figures.render import picture
from analysis.report.stage_tables import stage_figures, stage_tables
from tests.analysis.tables import Simulation

ORDER = ("code", "math")


def staged() -> pd.DataFrame:
    """Code, then math: two seeds in full and one with half the data; and multitask, which has one stage."""
    simulation = Simulation()
    for cell, seed, fraction in (("a", 0, 1.0), ("b", 1, 1.0), ("half", 0, 0.5)):
        for after in (1, 2):
            names = {"after_stage": after, "last_stage": 2}
            simulation.cell(cell, "sequential", ORDER[:after], fraction, seed=seed, **names)
            right = {"code": 0.9 - 0.6 * (after - 1) + 0.02 * seed, "math": 0.1 + 0.5 * (after - 1), "general": 0.0}
            for row in simulation.rows[-9:]:
                row["value"] = right[row["ability"]] if row["metric"] == "accuracy" else row["value"]
    simulation.cell("m", "multitask", ORDER, 1.0, after_stage=1, last_stage=1)
    return simulation.frame()


def test_each_stage_has_a_row_with_the_mean_over_seeds_at_the_most_data():
    table = staged()
    (sheet,) = stage_tables(Study(finished(table), every_stage=table), [metric_named("accuracy")])
    assert sheet.header == ("strategy and stage", "trained on so far", "math", "code", "general")
    assert sheet.rows == (
        ("sequential, 1 of 2", "code", "10.0", "91.0", "0.0"),
        ("sequential, 2 of 2", "code + math", "60.0", "31.0", "0.0"),
    )


def test_the_figure_has_a_line_an_ability_over_the_stages():
    table = staged()
    (figure,) = stage_figures(Study(finished(table), every_stage=table), [metric_named("accuracy")])
    lines = {(row["series"], row["stage"]): row["value"] for row in figure.rows}
    assert lines == {
        ("math", 1.0): 10.0, ("code", 1.0): 91.0, ("general", 1.0): 0.0,
        ("math", 2.0): 60.0, ("code", 2.0): 31.0, ("general", 2.0): 0.0,
    }  # fmt: skip
    assert picture(figure).svg.count(">sequential<") == 1


def test_checkpoints_are_no_stages():
    table = staged()
    half = table[table["after_stage"] == 2].assign(after_stage=1.5, value=0.5)
    quarter = table[table["cell"] == "m"].assign(after_stage=0.25)
    both = pd.concat([table, half, quarter], ignore_index=True)
    expected, found = (
        stage_tables(Study(finished(frame), every_stage=frame), [metric_named("accuracy")]) for frame in (table, both)
    )
    assert found == expected


def test_no_table_without_earlier_stages():
    table = staged()
    last = finished(table)
    assert stage_tables(Study(last, every_stage=last), [metric_named("accuracy")]) == []
    assert stage_tables(Study(last), [metric_named("accuracy")]) == []
    bare = table.drop(columns=["after_stage", "last_stage"])
    assert stage_tables(Study(bare, every_stage=bare), [metric_named("accuracy")]) == []
