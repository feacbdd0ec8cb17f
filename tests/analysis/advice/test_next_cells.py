"""The cells to run next: lines that run, costs that are told, and more narrowing for them than by chance."""

import json
import re
import shlex
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.advice.advise import advise, surrogates_of
from analysis.advice.commands import command, overrides
from analysis.advice.distance import OWN
from analysis.advice.next_cells import NextCell, _words, choices
from analysis.advice.text import next_result, run_line, trial_line
from analysis.data.study import Study, read_study
from analysis.format import fraction
from tests.analysis.tables import FULL, Simulation, data_amount, mixed_table
from tests.conftest import HANG_SECONDS

ROOT = Path(__file__).resolve().parents[3]


def test_labels_and_settings_are_read_back_as_overrides():
    row = {"cell": "strategy=dmt,amount={math:1,code:2},seed=0", "settings": "model=micro_s '+x={a: 1, b: 2}' ~y"}
    words = overrides(row)
    assert words == {
        "model": "micro_s", "+x": "{a: 1, b: 2}", "~y": "", "strategy": "dmt", "amount": "{math:1,code:2}", "seed": "0"
    }  # fmt: skip
    assert command({**words, "seed": ["0", "1"]}) == (
        "python -m sweep -m model=micro_s '+x={a: 1, b: 2}' '~y' strategy=dmt 'amount={math:1,code:2}' seed=0,1"
    )
    assert overrides({"cell": "run 7"}) is None
    assert overrides({"cell": "default", "settings": "strategy=dmt"}) == {"strategy": "dmt"}


def test_overrides_of_the_table_come_before_texts():
    row = {"cell": "ability=math", "settings": "model=micro_s", "overrides": '["strategy=single", "x=a, b", "~y"]'}
    assert overrides(row) == {"strategy": "single", "x": "a, b", "~y": ""}
    assert overrides({**row, "overrides": ""}) == {"model": "micro_s", "ability": "math"}
    for text in ("strategy=single", "[1]", "{}"):
        with pytest.raises(ValueError, match="column 'overrides' holds"):
            overrides({"overrides": text})


def test_lines_are_made_of_the_overrides_of_the_cells():
    frame = hours(swept().frame())
    labels = frame["cell"].where(frame["strategy"] != "base", "strategy=single,ability=math,fraction=0")
    listed = [json.dumps(["model=micro_s", "rounding=ceil", *label.split(",")]) for label in labels]
    study = Study(frame.drop(columns="settings").assign(cell="a cell", overrides=listed))
    lines = [c.line for c in choices(study, "math")]
    assert all(line.startswith("python -m sweep model=micro_s sample_rounding=ceil strategy=") for line in lines)
    assert any("ability=math fraction=1/256 seed=1 name=next" in line for line in lines)
    assert run_line(advise(study, 3000, {}), study).startswith("python -m sweep model=micro_s sample_rounding=ceil ")


def swept(seed=4):
    """A table as a sweep writes it: cells labelled by their overrides, settings, hours."""
    simulation = Simulation(seed)
    settings = {"settings": "rounding=ceil replay=1/16"}
    simulation.cell("strategy=single,ability=math,fraction=0", "base", (), 0.0, **settings)
    for share in ("1/256", "1/64", "1/16", "1/4"):
        fraction = float(Fraction(share))
        for ability in FULL:
            label = f"strategy=single,ability={ability},fraction={share}"
            simulation.cell(label, "single", (ability,), fraction, **settings)
        label = f"strategy=multitask,ability=math,fraction={share}"
        simulation.cell(label, "multitask", tuple(FULL), fraction, **settings)
        label = f"strategy=dmt,ability=math,fraction={share}"
        simulation.cell(label, "dmt", tuple(FULL), fraction, replay=1 / 16, **settings)
    return simulation


def hours(frame):
    return frame.assign(hours=0.001 + 1e-6 * frame["total_samples"])


def planned(line, store):
    """What the sweep says to a printed command."""
    words = shlex.split(line)[3:]
    command_ = [sys.executable, "-m", "sweep", *words, "dry_run=true", f"store={store}"]
    ended = subprocess.run(command_, cwd=ROOT, capture_output=True, text=True, timeout=HANG_SECONDS)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_printed_lines_are_sweeps_that_can_run(tmp_path):
    study = Study(hours(swept().frame()))
    first, *others = choices(study, "code@2000")
    assert first.line.startswith("python -m sweep sample_rounding=ceil replay=1/16 strategy=")
    assert "1 cell: 1 distinct" in planned(first.line, tmp_path)
    beyond = next(c for c in (first, *others) if "strategy=dmt ability=math fraction=1 " in c.cell)
    assert "1 cell: 1 distinct" in planned(beyond.line, tmp_path)
    found = advise(study, 2500, {})  # at most the 2,560 samples that the world has of an ability
    assert "1 cell: 1 distinct" in planned(run_line(found, study), tmp_path)
    trial = planned(trial_line(found, study), tmp_path)
    assert "cells: " in trial
    assert "0 excluded" in trial


def test_printed_lines_name_a_store_that_is_not_the_default(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DOSAGE_STORE", raising=False)
    for store in ("store", "my lab"):
        folder = Path(store, "sweeps", "tiny")
        folder.mkdir(parents=True)
        (folder / "sweep.json").touch()
        data_amount().to_csv(folder / "table.csv", index=False)
    named = {store: read_study([Path(store, "sweeps", "tiny", "table.csv")]) for store in ("store", "my lab")}
    for study, word in ((named["store"], ""), (named["my lab"], "'store=my lab'")):
        advice = advise(study, 3000, {})
        lines = [choices(study, "math")[0].line, run_line(advice, study), trial_line(advice, study)]
        assert all((word in line) if word else ("store=" not in line) for line in lines), lines


def test_costs_are_in_the_unit_that_the_table_has():
    frame = swept().frame()
    assert {c.unit for c in choices(Study(frame), "math")} == {""}
    timed = choices(Study(hours(frame)), "math")
    assert {c.unit for c in timed} == {"hours"}
    by = {c.cell: c.cost for c in timed}
    assert by["strategy=single ability=math fraction=1/16 seed=1"] == pytest.approx(0.001 + 1e-6 * 512)
    assert by["strategy=single ability=math fraction=1/8 seed=0"] == pytest.approx(0.001 + 1e-6 * 1024)
    assert by["strategy=single ability=math fraction=1 seed=0"] == pytest.approx(0.001 + 1e-6 * 8192)
    assert {c.unit for c in choices(Study(frame.assign(flops=1e9 * (1 + frame["total_samples"]))), "math")} == {"flops"}


def test_next_cells_narrow_what_they_say():
    found = choices(Study(mixed_table()), "math@4096")
    assert all(0 <= c.after <= c.before for c in found)
    widest = max(found, key=lambda c: c.before - c.after)
    assert "ability=general" not in widest.line
    assert "ability=code" not in widest.line
    assert "seed=" in found[0].line


def test_the_worth_of_a_cell_is_its_narrowing_per_cost():
    assert NextCell("", "", "", "hours", cost=4.0, before=0.3, after=0.1).worth == pytest.approx(0.05)


def test_cells_come_in_the_order_of_their_narrowing_per_cost():
    """At one hour each they come by what they leave; the one that leaves least goes back if it costs 10,000 hours."""
    frame = data_amount()
    equal = choices(Study(frame.assign(hours=1.0)), "math@4096")
    left = [cell.after for cell in equal]
    assert left == sorted(left) and left[0] < left[-1]
    best = equal[0].cell.split()[:2]  # ability and fraction
    dear = [
        f"ability={a} fraction={fraction(f)}".split() == best
        for a, f in zip(frame["trained_on"], frame["fraction"], strict=True)
    ]
    then = choices(Study(frame.assign(hours=np.where(dear, 10_000.0, 1.0))), "math@4096")
    assert {c.cell: c.after for c in then} == pytest.approx({c.cell: c.after for c in equal})
    assert equal[0].cell not in {cell.cell for cell in then[: len(then) // 2]}


def test_training_alone_names_its_ability_where_there_is_one():
    """Rows of tables without overrides: the ability is that of the data, which may be of several."""
    study = Study(data_amount())
    row = {"_label": "single", "ability": "math", "samples": 8, "total_samples": 20, "fraction": 0.25}
    assert _words({**row, "trained_on": "math"}, study) == {"strategy": "single", "ability": "math", "fraction": "1/4"}
    assert _words({**row, "trained_on": "math+code"}, study) == {"strategy": "single", "fraction": "1/4"}
    alone = {**row, "total_samples": 8}
    assert _words(alone, study) == {"strategy": "single", "ability": "math", "fraction": "1/4"}


def test_amounts_stand_for_a_fraction_where_the_table_has_none():
    frame = data_amount()
    study = Study(frame.drop(columns=["fraction", "fraction_text"], errors="ignore"))
    row = {"_label": "single", "ability": "math", "samples": 8, "total_samples": 8}
    single = {"strategy": "single", "ability": "math", "fraction": "1", "amount": "{math:8}"}
    assert _words(row, study) == single and _words({**row, "_label": "multitask"}, study) == single
    mixed = {**row, "_label": "multitask", "total_samples": 20}
    assert _words(mixed, study) is None, "nothing says what the other twelve samples are"
    parts = {"samples_math": 8, "samples_code": 12, "samples_general": 0}
    told = _words({**mixed, **parts}, Study(frame.assign(**parts)))
    assert told is not None and told["fraction"] == "1" and told["strategy"] == "multitask"
    assert set(told["amount"].strip("{}").split(",")) == {"math:8", "code:12", "general:0"}


def test_advised_commands_give_nothing_of_data_that_the_advice_gives_nothing_of():
    frame = mixed_table()
    frame = frame[frame["ability"] != "general"].assign(samples_law=5.0)
    study = Study(frame)
    advice = advise(study, 2000, {})
    for line in (run_line(advice, study), trial_line(advice, study)):
        assert "general" in line and line.count("law:0}") == line.count("{") > 0, line


def elsewhere(**columns):
    """A table of measurements from elsewhere: an amount in samples, and no cell, fraction or override."""
    rows = [
        {"ability": ability, "task": "t", "metric": metric, "value": low + step * k, "samples": 100 * 4**k,
         "total_samples": 100 * 4**k, "n_items": 500, "strategy": "single", **columns}
        for ability, metric, low, step in (("math", "accuracy", 0.2, 0.1), ("chat", "score", 4.0, 1.0))
        for k in range(5)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_commands_for_a_table_from_elsewhere_say_what_they_train_on_and_what_they_lack(tmp_path):
    path = tmp_path / "t.csv"
    elsewhere().to_csv(path, index=False)
    text = next_result([path], "math").text
    assert re.search(r"run it: python -m sweep strategy=single ability=math fraction=1 'amount=\{math:\d+\}'", text)
    assert "add data=, model=, recipe=" in text
    goal = next_result([path], "math=65%").text
    assert "run it:" in goal and "others, against" not in goal, "chat has no noise, and math needs none of it"


def test_what_a_table_lacks_is_named_for_the_ability_asked_for(tmp_path):
    path = tmp_path / "t.csv"
    frame = elsewhere()
    frame.to_csv(path, index=False)
    with pytest.raises(
        ValueError, match=r"chat score: .* its noise is unknown; add a column stderr, or runs with other"
    ):
        next_result([path], "chat")
    frame.drop(columns="total_samples").to_csv(path, index=False)
    with pytest.raises(
        ValueError, match=r"math accuracy: .* lacks the column total_samples, training samples of all abil"
    ):
        next_result([path], "math")
    for quantity, message in (("maths", "ability 'maths' is not in the table"), ("math@many", "is not a number of")):
        with pytest.raises(ValueError, match=message):
            next_result([path], quantity)


def test_a_further_run_is_noisier_than_the_mean_of_three():
    simulation = Simulation(2)
    for share in (1 / 256, 1 / 64, 1 / 16, 1 / 4):
        for seed in range(3):
            simulation.cell(f"ability=math,fraction={share:g}", "single", ("math",), share, seed=seed)
    study = Study(simulation.frame())
    (model,) = (m for m in surrogates_of(study) if m.ability == "math")
    both = model.inputs({OWN: np.array([4096.0, 512.0])}, np.array(["multitask"] * 2))
    (target, shared), (_, there) = model.predict(both)[1]
    one_run = 3 * np.median(model.noise) * model.scale**2  # the noise of the arms is that of means of three runs
    (again,) = (c for c in choices(study, "math@4096") if c.label == "512 samples")
    assert again.before == pytest.approx(np.sqrt(target))
    assert again.after == pytest.approx(np.sqrt(target - shared**2 / (there + one_run)))


def spent(seed, pick, budget=10_000.0):
    """The standard error of math at 4096 samples after cells for so much were run, each as ``pick`` chooses."""
    simulation, rng = swept(seed), np.random.default_rng(seed)
    while True:
        found = choices(Study(simulation.frame()), "math@4096")
        near = [c for c in found if c.cost <= budget]
        if not near:
            return found[0].before
        chosen = pick(near, rng)
        words = dict(word.split("=") for word in chosen.cell.split())
        trained = (words["ability"],) if words["strategy"] == "single" else tuple(FULL)
        replay = {"replay": 1 / 16} if words["strategy"] == "dmt" else {}
        label = ",".join(chosen.cell.split())
        share = float(Fraction(words["fraction"]))
        simulation.cell(label, words["strategy"], trained, share, seed=int(words["seed"]), **replay)
        budget -= chosen.cost


def test_cells_asked_for_narrow_more_for_their_cost_than_cells_at_random():
    asked = [spent(seed, lambda near, rng: near[0]) for seed in range(2)]
    random = [spent(seed, lambda near, rng: near[rng.integers(len(near))]) for seed in range(2)]
    assert np.mean(asked) < 0.9 * np.mean(random)


def test_cells_half_way_between_amounts_are_candidates():
    cells = {c.cell for c in choices(Study(data_amount()), "math")}
    assert "ability=math fraction=1/8 seed=0" in cells
    assert "ability=math fraction=1/4 seed=1" in cells


def test_the_curve_of_an_ability_is_narrowed_by_its_own_data():
    found = sorted(choices(Study(hours(data_amount())), "math"), key=lambda c: c.after)
    own = [not c.label.startswith("0 of") for c in found]
    assert not all(own)  # cells without data of it are candidates too
    assert any(own[:2])  # with 14 samples or fewer of another ability nearly the same is learnt


def test_a_goal_is_answered_with_samples_the_cost_to_others_and_a_cell(tmp_path):
    path = tmp_path / "t.csv"
    data_amount().to_csv(path, index=False)
    text = next_result([path], "math=60%").text
    alone = text[text.index("  others, against") :]
    assert "math accuracy: 60.0 % takes " in text
    assert "the next doubling, 8,200 to 16,000 samples of its data: +" in text
    assert "to know the amount within a factor of two, measure there with 1 seed: " in text
    assert "others, against no training: " in text
    assert "run it: python -m sweep " in text
    assert "math loss: 0.500 takes " in next_result([path], "math:loss=0.5").text
    sizes = pd.concat([data_amount(), data_amount(1).assign(model="large", params=1e7)])
    sizes.to_csv(path, index=False)
    text = next_result([path], "math=60%").text
    assert text.count("math accuracy") == 2
    assert "note: what follows is for large, the largest; the table also has micro_s (only='{model: micro_s}')" in text
    assert next_result([path], "math=60%", only={"model": "micro_s"}).text.endswith(alone)


@pytest.mark.parametrize(
    ("quantity", "says"),
    [
        ("math=90", "accuracy goes from 0 to 1, or 0% to 100%"),
        ("maths=90%", "ability 'maths' is not in the table; it has math, code, general"),
        ("math:rating=7", "math has no metric 'rating'; it has accuracy, loss"),
        ("math=much", "'much' is not a value"),
        ("math:loss=0", "a loss is above 0"),
    ],
)
def test_goals_that_cannot_be_are_refused(tmp_path, quantity, says):
    path = tmp_path / "t.csv"
    data_amount().to_csv(path, index=False)
    with pytest.raises(ValueError, match=says):
        next_result([path], quantity)
