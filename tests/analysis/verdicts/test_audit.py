"""Audits of a table: what cannot be, what contradicts itself, and what is missing."""

import numpy as np
import pandas as pd
import pytest

from analysis.data.study import Study
from analysis.verdicts.all_verdicts import findings
from analysis.verdicts.audit import audit, impossible, renamed
from tests.analysis.tables import FULL, Simulation, data_amount, mixed_table
from tests.analysis.verdicts.arms import rows


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


def shares(values, items, **columns):
    frame = pd.DataFrame(
        {"value": values, "n_items": items, "seed": "0", "samples": 100.0 * 2 ** np.arange(len(values))}
    )
    return frame.assign(ability="code", task="humaneval", metric="accuracy", **columns)


def test_values_that_were_cut_off_are_told_from_rounded_ones():
    right = np.array([10, 29, 44, 81, 127])
    rounded = np.round(right / 164, 4)
    assert impossible(Study(shares(rounded, 164))) == []
    cut = np.floor(right / 164 * 1e4) / 1e4
    lines = impossible(Study(shares(np.where(right == 10, cut, rounded), 164)))
    assert lines == ["code, humaneval: 0.0609 is 10 of 164 items (0.060976) cut off, not rounded"]


def test_values_of_another_number_of_items_name_it():
    right = np.array([210, 413, 655, 802, 1001])
    lines = impossible(Study(shares(right / 1320, 1319)))
    assert lines == ["code, humaneval: 5 of 5 values cannot be shares of 1319 items, and all can be of 1,320"]
    lines = impossible(Study(shares([210 / 1319, 413 / 1320, 655 / 1319], 1319)))
    assert lines == ["code, humaneval: 0.312879 cannot be a share of 1319 items (it could be one of 1,320)"]
    (line,) = impossible(Study(shares([82 / 164, (31 + 33 + 36) / 3 / 164], 164)))
    assert line.endswith("cannot be a share of 164 items (it could be the mean of 3 runs)")


def two_names(strategy, value, **columns):
    amounts = {"samples_math": 100.0, "samples_code": 300.0}
    return pd.DataFrame([{
        "ability": "math", "task": "t", "metric": "accuracy", "value": value, "seed": "0", "samples": 100.0,
        "total_samples": 400.0, "strategy": strategy, **amounts, **columns,
    }])  # fmt: skip


def test_one_design_under_two_names_is_named_once():
    first, again = (
        two_names("multitask", 0.3, ratio_arm="general_full"),
        two_names("multitask", 0.3, ratio_arm="special"),
    )
    (line,) = renamed(Study(pd.concat([first, again])))
    start = "math, t, accuracy: the same data under two names, (multitask, general_full) and (multitask, special), "
    assert line == f"{start}counts twice"
    (line,) = renamed(Study(pd.concat([first, again.assign(value=0.35)])))
    assert line.endswith("gave 0.3 and 0.35")
    assert renamed(Study(pd.concat([first, again]).assign(settings="x=1"))) == []  # a sweep shares the run
    assert renamed(Study(pd.concat([first, two_names("sequential", 0.3, ratio_arm="general_full")]))) == []
    assert renamed(Study(pd.concat([first, again.assign(seed="1")]))) == []
    assert renamed(Study(pd.concat([first, again.assign(samples_code=200.0, total_samples=300.0)]))) == []


def test_strategies_of_one_ability_alone_are_one_design():
    alone = {"samples": 100.0, "total_samples": 100.0, "samples_code": 0.0}
    both = pd.concat([two_names(name, 0.3, **alone) for name in ("single", "multitask")])
    assert len(renamed(Study(both))) == 1
    assert len(renamed(Study(both.drop(columns=["samples_math", "samples_code"])))) == 1


def test_replay_that_turns_is_audited_and_one_that_does_not_is_not():
    rng, k = np.random.default_rng(0), [0.0, 0.25, 0.5, 1.0]
    parts = {"math": [0.5, 0.3, 0.5, 0.6], "code": [0.3, 0.35, 0.4, 0.45]}
    design = {"items": 2000, "replay": k, "total_samples": 2000, "strategy": "dmt"}
    frame = pd.concat([rows(np.full(4, 1000), p, rng, **design).assign(ability=name) for name, p in parts.items()])
    turned = [line for line in findings(Study(frame)).audits if "changes direction" in line]
    assert len(turned) == 1
    assert turned[0].startswith("math accuracy: replay changes direction by more than the noise: ")
    assert " at 0, " in turned[0]


def test_simulated_sweeps_have_nothing_to_audit():
    for seed in range(3):
        assert audit(Study(data_amount(seed))) == []
        assert audit(Study(mixed_table(seed))) == []
