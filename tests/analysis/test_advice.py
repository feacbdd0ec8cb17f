"""Advice: what it predicts comes true in simulated sweeps, and what it asks for narrows what it says."""

import numpy as np
import pytest
from tables import FRACTIONS, FULL, KNEES, Simulation, data_amount

from analysis.advice.advise import advise, checks, override, source_size, surrogates_of
from analysis.advice.describe import advice_text, next_text, weights_of
from analysis.advice.next_cells import choices
from analysis.advice.surrogate import surrogate
from analysis.verdicts.arms import arms


def mixed_table(seed=4):
    """Each ability alone, all together at once, and all in sequence, at five fractions."""
    simulation = Simulation(seed)
    simulation.cell("base", "base", (), 0.0)
    for fraction in FRACTIONS:
        for ability in FULL:
            simulation.cell(f"{ability}-{fraction}", "single", (ability,), fraction)
        simulation.cell(f"mixed-{fraction}", "multitask", tuple(FULL), fraction)
        simulation.cell(f"sequence-{fraction}", "sequential", tuple(FULL), fraction)
    return simulation.frame()


def truth(ability, samples):
    """The chance of a right answer in the simulation."""
    return 0.85 / (1 + (samples / KNEES[ability]) ** -0.7)


@pytest.fixture(scope="module")
def table():
    return mixed_table()


@pytest.fixture(scope="module")
def advice(table):
    return advise(table, 6000, {})


def test_the_best_composition_spends_the_budget_and_its_prediction_comes_true(advice):
    assert advice.samples[0].sum() == pytest.approx(6000)
    for i, ability in enumerate(advice.abilities):
        low, high = np.quantile(advice.draws[:, 0, i], [0.005, 0.995])
        assert low < truth(ability, advice.samples[0, i]) < high
    chosen = np.mean([truth(a, n) for a, n in zip(advice.abilities, advice.samples[0], strict=True)])
    grid = [(m, c, 6000 - m - c) for m in range(0, 6001, 375) for c in range(0, 6001 - m, 375)]
    best = max(
        np.mean([truth(a, n) if n else 0.03 for a, n in zip(FULL, mix, strict=True)])
        for mix in grid
        if all(n <= FULL[a] for a, n in zip(FULL, mix, strict=True))
    )
    assert chosen > best - 0.03


def test_intervals_of_predictions_hold_the_truth_at_about_the_nominal_rate():
    inside = total = 0
    for seed in range(2):
        found = advise(mixed_table(seed), 6000, {})
        for k in range(0, len(found.strategy), 10):
            for i, ability in enumerate(found.abilities):
                if found.samples[k, i] >= 100:
                    low, high = np.quantile(found.draws[:, k, i], [0.025, 0.975])
                    inside += low < truth(ability, found.samples[k, i]) < high
                    total += 1
    assert inside / total > 0.85


def test_weights_move_the_composition(table, advice):
    only = advise(table, 6000, {"general": 1.0})
    which = advice.abilities.index("general")
    assert only.samples[0, which] == pytest.approx(FULL["general"])  # the whole source
    assert only.samples[0, which] > advice.samples[0, which]


def test_chances_add_up_and_equal_strategies_share_them(advice):
    chance = advice.chance()
    assert chance.sum() == pytest.approx(1.0)
    for name in ("multitask", "sequential"):
        assert 0.1 < chance[advice.strategy == name].sum() < 0.9


def test_sources_bound_the_amounts(table, advice):
    assert [source_size(table, a) for a in FULL] == pytest.approx(list(FULL.values()))
    for i, ability in enumerate(advice.abilities):
        assert advice.samples[:, i].max() <= FULL[ability] + 1e-6


def test_arms_are_predicted_from_the_others(table):
    models = surrogates_of(table)
    for model in models:
        gap, standard = model.left_out()
        assert np.mean(np.abs(standard) < 1.96) >= 0.85
        assert len(gap) == len(model.solved)
    assert len(checks(models)) == 3


def test_leaving_out_is_what_it_says(table):
    part = table[(table["ability"] == "math") & (table["metric"] == "accuracy")]
    whole = surrogate(arms(part))
    position = 5
    rest = arms(part)
    value = rest.table["mean"].to_numpy()
    kernel_noise = whole.factor @ whole.factor.T
    keep = np.arange(len(value)) != position
    logit = np.log(np.clip(value, 0.004, 0.996) / (1 - np.clip(value, 0.004, 0.996)))
    scaled = (logit - whole.centre) / whole.scale
    solved = np.linalg.solve(kernel_noise[np.ix_(keep, keep)], scaled[keep])
    predicted = whole.centre + whole.scale * kernel_noise[position, keep] @ solved
    assert whole.left_out()[0][position] == pytest.approx(predicted - logit[position])


def test_the_line_to_run_names_the_composition(advice):
    line = override(advice)
    assert line.startswith(f"python -m sweep strategy={advice.strategy[0]} fraction=1 amount.")
    assert f"amount.math={round(advice.samples[0, advice.abilities.index('math')])}" in line


def test_next_cells_narrow_what_they_say(table):
    found = choices(table, "math@4096")
    assert all(0 <= c.after <= c.before for c in found)
    assert [c.worth for c in found] == sorted((c.worth for c in found), reverse=True)
    widest = max(found, key=lambda c: c.before - c.after)
    assert "ability=general" not in widest.line
    assert "ability=code" not in widest.line
    first = found[0].line
    assert first.startswith("strategy=")
    assert "seed=" in first


def test_cells_half_way_between_amounts_are_candidates():
    lines = {c.line for c in choices(data_amount(), "math")}
    assert "strategy=single ability=math fraction=1/8 seed=0" in lines
    assert "strategy=single ability=math fraction=1/4 seed=1" in lines


def test_the_commands_print_tables_checks_and_lines(table, tmp_path):
    path = tmp_path / "t.csv"
    table.to_csv(path, index=False)
    text = advice_text([path], 6000, "{math: 1, code: 1, general: 1}", 0)
    assert "predicted Pareto front" in text
    assert "run it: python -m sweep strategy=" in text
    assert text.count("check: ") == 3
    assert "run it: python -m sweep strategy=" in next_text([path], "code")


def test_what_cannot_be_advised_is_said(table):
    with pytest.raises(ValueError, match="budget=3 must be at least"):
        advise(table, 3, {})
    with pytest.raises(ValueError, match="weights name ability 'maths'"):
        advise(table, 6000, {"maths": 1})
    with pytest.raises(ValueError, match="one above 0"):
        advise(table, 6000, {"math": 0})
    with pytest.raises(ValueError, match="ability 'maths' is not in the table"):
        choices(table, "maths")
    with pytest.raises(ValueError, match="no number of samples"):
        choices(table, "math@many")
    with pytest.raises(ValueError, match="too few designs"):
        surrogates_of(table[table["cell"] == "base"])
    with pytest.raises(ValueError, match="2 sizes of model"):
        surrogates_of(table.assign(params=[1e6, 2e6] * (len(table) // 2) + [1e6] * (len(table) % 2)))
    with pytest.raises(ValueError, match="must look like"):
        weights_of("math")
