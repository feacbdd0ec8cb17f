"""Audits of a table: what cannot be, what contradicts itself, and what is missing."""

import pandas as pd
import pytest

from analysis.data.study import Study
from analysis.verdicts.audit import audit, impossible
from tests.analysis.tables import FULL, Simulation, data_amount


def test_audits_name_what_cannot_be():
    frame = data_amount()
    assert audit(Study(frame)) == []
    bad = frame.copy()
    accuracy = bad.index[bad["metric"] == "accuracy"]
    bad.loc[accuracy[3], "value"] = 0.12345678
    assert any("0.123457 cannot be a share of 300 items" in line for line in audit(Study(bad)))
    rounded = frame.assign(value=frame["value"].where(frame["metric"] != "accuracy", frame["value"].round(3)))
    assert audit(Study(rounded)) == []
    twice = pd.concat([frame, frame.iloc[[-1]].assign(value=0.5)])
    assert any("the same design and seed gave" in line for line in audit(Study(twice)))


def test_an_impossible_share_names_the_items_it_could_be_of():
    frame = data_amount()
    first = frame.index[frame["metric"] == "accuracy"][0]
    (line,) = impossible(Study(frame.assign(value=frame["value"].where(frame.index != first, 57 / 164))))
    assert line.endswith("cannot be a share of 300 items (it could be one of 164)")


@pytest.mark.parametrize(
    ("share", "possible"),
    [
        (0.437, True),  # 131 of 300 is .43667
        (0.435, False),  # 130 and 131 of 300 are .43333 and .43667, more than .0005 away
        (0.4333, True),
        (0.4334, False),  # .00007 from 130 of 300
        (0.43, True),  # 129 of 300
    ],
)
def test_a_share_is_possible_within_half_of_its_last_digit(share, possible):
    table = pd.DataFrame({"ability": ["math"], "task": "t", "metric": "accuracy", "value": share, "n_items": 300})
    assert (impossible(Study(table)) == []) == possible


def test_missing_cells_are_named():
    simulation = Simulation(3)
    for model in ("s", "l"):
        for fraction in (1 / 16, 1 / 4, 1.0):
            if (model, fraction) != ("l", 1 / 4):
                simulation.cell(f"{model}-{fraction}", "single", ("math",), fraction, model=model)
    assert audit(Study(simulation.frame())) == ["missing cell: model l, fraction 0.25"]


def test_a_replay_is_missed_only_of_the_strategy_that_has_it():
    simulation = Simulation(3)
    for model in ("s", "l"):
        simulation.cell(f"{model}-mixed", "multitask", tuple(FULL), 1.0, model=model)
        for replay in (0.0, 1 / 4):
            if (model, replay) != ("l", 1 / 4):
                simulation.cell(f"{model}-{replay}", "dmt", tuple(FULL), 1.0, model=model, replay=replay)
    expected = "missing cell: model l, training dmt replay 1/4 of math+code+general"
    assert audit(Study(simulation.frame())) == [expected]


def test_replays_without_a_strategy_are_missed():
    simulation = Simulation(3)
    for model in ("s", "l"):
        for replay in (0.0, 1 / 4, None):
            if (model, replay) != ("l", 1 / 4):
                simulation.cell(f"{model}-{replay}", "dmt", tuple(FULL), 1.0, model=model, replay=replay)
    frame = simulation.frame().drop(columns=["strategy", "trained_on"])
    assert audit(Study(frame)) == ["missing cell: model l, replay 0.25"]


def test_alone_and_mixed_lack_no_cells():
    simulation = Simulation(3)
    for fraction in (1 / 16, 1.0):
        for ability in FULL:
            simulation.cell(f"{ability}-{fraction}", "single", (ability,), fraction)
        simulation.cell(f"mixed-{fraction}", "multitask", tuple(FULL), fraction)
    assert audit(Study(simulation.frame())) == []
