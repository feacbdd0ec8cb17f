"""The cells to run next: lines that run, costs that are told, and more narrowing for them than by chance."""

import json
import shlex
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from analysis.advice.advise import advise
from analysis.advice.commands import command, overrides
from analysis.advice.next_cells import choices
from analysis.advice.text import run_line, trial_line
from analysis.data.study import Study
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
    found = advise(study, 3000, {})
    assert "1 cell: 1 distinct" in planned(run_line(found, study), tmp_path)
    trial = planned(trial_line(found, study), tmp_path)
    assert "cells: " in trial
    assert "0 excluded" in trial


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
    assert [c.worth for c in found] == sorted((c.worth for c in found), reverse=True)
    widest = max(found, key=lambda c: c.before - c.after)
    assert "ability=general" not in widest.line
    assert "ability=code" not in widest.line
    assert "seed=" in found[0].line


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
