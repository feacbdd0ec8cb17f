"""Advice: what it predicts comes true in simulated sweeps, and what it asks for narrows what it says."""

import numpy as np
import pytest

from analysis.advice.advise import advise, source_size, surrogates_of
from analysis.advice.check import compare
from analysis.advice.next_cells import choices
from analysis.advice.surrogate import surrogate
from analysis.advice.text import advice_result, check_result, checks, next_result, run_line, trial_line
from analysis.data.study import Study
from analysis.verdicts.arms import arm_means
from tests.analysis.tables import FULL, KNEES, Simulation, data_amount, mixed_table, only


def truth(ability, samples):
    """The chance of a right answer in the simulation."""
    return 0.85 / (1 + (samples / KNEES[ability]) ** -0.7)


@pytest.fixture(scope="module")
def table():
    return Study(mixed_table())


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
        found = advise(Study(mixed_table(seed)), 6000, {})
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


def test_the_best_is_expected_to_fall_short_the_least(advice):
    lacking = advice.shortfall()
    assert (lacking >= 0).all()
    assert lacking[0] < 0.03  # of the whole scale
    assert lacking[0] == pytest.approx(lacking.min(), abs=0.005)
    assert lacking.max() > 2 * lacking[0]


def test_sources_bound_the_amounts(table, advice):
    assert [source_size(table, a) for a in FULL] == pytest.approx(list(FULL.values()))
    for i, ability in enumerate(advice.abilities):
        assert advice.samples[:, i].max() <= FULL[ability] + 1e-6


def test_sources_are_not_measured_where_more_than_the_fraction_decides(table):
    assert source_size(Study(table.table.assign(settings="arm=constant_total total=768")), "math") == np.inf
    assert source_size(Study(table.table.assign(settings="rounding=ceil")), "math") == pytest.approx(FULL["math"])


def test_overrides_say_what_decides_on_the_samples(table):
    by_total = table.table.assign(overrides='["total=768", "strategy=multitask"]')
    assert source_size(Study(by_total), "math") == np.inf
    by_fraction = table.table.assign(overrides='["fraction=1/4", "name=total"]', settings="total=768")
    assert source_size(Study(by_fraction), "math") == pytest.approx(FULL["math"])


def test_arms_are_predicted_from_the_others(table):
    models = surrogates_of(table)
    for model in models:
        gap, standard = model.left_out()
        assert np.mean(np.abs(standard) < 1.96) >= 0.85
        assert len(gap) == len(model.solved)
    assert len(checks(models)) == 3


def test_leaving_out_is_what_it_says(table):
    measure = only(table.table, "math", "accuracy")
    rest = arm_means(measure, measure.rows)
    whole = surrogate(rest)
    position = int(np.flatnonzero(rest.table["strategy"] == "sequential")[0])
    value = rest.table["mean"].to_numpy()
    kernel_noise = whole.factor @ whole.factor.T
    amounts = rest.table[["samples", "total_samples"]].to_numpy()
    keep = (amounts != amounts[position]).any(axis=1)
    assert (~keep).sum() == 2, "multitask training on the same amounts is left out with it"
    logit = np.log(np.clip(value, 0.004, 0.996) / (1 - np.clip(value, 0.004, 0.996)))
    scaled = (logit - whole.centre) / whole.scale
    solved = np.linalg.solve(kernel_noise[np.ix_(keep, keep)], scaled[keep])
    predicted = whole.centre + whole.scale * kernel_noise[position, keep] @ solved
    assert whole.left_out()[0][position] == pytest.approx(predicted - logit[position])


def test_the_line_to_run_names_the_composition(table, advice):
    line = run_line(advice, table)
    assert line.startswith(f"python -m sweep name=advised strategy={advice.strategy[0]} fraction=1 'amount={{math:")
    assert f"{{math:{round(advice.samples[0, advice.abilities.index('math')])}," in line
    trial = trial_line(advice, table)
    assert trial.startswith("python -m sweep -m name=advised strategy=multitask,sequential fraction=1 'amount={")
    assert trial.endswith("seed=0,1")


def test_what_was_advised_is_compared_with_what_came_of_it(table):
    after = Simulation(9)
    after.cell("seen", "multitask", tuple(FULL), 1 / 16)  # a design that the advice rests on
    for share in (1 / 32, 1 / 8, 1 / 2):
        for strategy in ("multitask", "sequential"):
            after.cell(f"{strategy} {share}", strategy, tuple(FULL), share)
    found = compare(table, Study(after.frame()), {})
    assert len(found.cells) == 6
    assert found.inside.mean() > 0.8
    predicted, measured, error = found.totals()
    assert np.corrcoef(predicted, measured)[0, 1] > 0.95
    assert (error > 0.005).all()
    with pytest.raises(ValueError, match="check= holds no new cell"):
        compare(table, table, {})


def test_the_commands_print_tables_checks_and_lines(table, tmp_path):
    path = tmp_path / "t.csv"
    table.table.to_csv(path, index=False)
    text = advice_result([path], 6000, {"math": 1, "code": 1, "general": 1}, 0).text
    assert "predicted Pareto front" in text
    assert "run it:  python -m sweep name=advised strategy=" in text
    assert text.count("check: ") == 3
    asked = next_result([path], "code").text
    assert "run it: python -m sweep strategy=" in asked
    assert (
        "cost: samples trained on plus items answered, as the table has none of the columns hours, flops and tokens"
        in asked
    )
    later = Simulation(9)
    later.cell("new", "multitask", tuple(FULL), 1 / 8)
    later.frame().to_csv(tmp_path / "after.csv", index=False)
    said = check_result([path], [tmp_path / "after.csv"], {}).text
    assert "1 cell predicted, then measured" in said and max(map(len, said.splitlines())) <= 80


def test_a_table_without_mixtures_is_said_to_guess(tmp_path):
    data_amount().to_csv(tmp_path / "t.csv", index=False)
    text = " ".join(advice_result([tmp_path / "t.csv"], 6000, {}, 0).text.split())
    assert "note: the table holds one strategy only" in text
    assert "note: the table holds no mixed training, so how abilities affect each other is a guess" in text


def rated(frame):
    """The same table with the accuracy of general as a judge's rating from 1 to 10, of the same share of its range."""
    general = (frame["ability"] == "general") & (frame["metric"] == "accuracy")
    share, items = frame["value"], frame["n_items"]
    return frame.assign(
        metric=frame["metric"].mask(general, "score"),
        value=share.mask(general, 1 + 9 * share),
        stderr=frame["stderr"].mask(general, 9 * np.sqrt((share * (1 - share)).clip(lower=1 / items) / items)),
    )


def test_an_ability_with_a_rating_is_advised_on_the_scale_of_its_range(table, advice):
    with_rating = advise(Study(rated(table.table)), 6000, {})
    assert with_rating.abilities == advice.abilities
    assert [s.metric.name for s in with_rating.surrogates] == ["accuracy", "accuracy", "score"]
    merit = {a.metric.name: a.draws[:, 0, 2].mean() for a in (advice, with_rating)}
    assert merit["share of each range"] == pytest.approx(merit["accuracy"], abs=0.02)
    assert np.abs(with_rating.samples[0] - advice.samples[0]).max() <= 2 * 6000 / 16


def test_each_ability_is_shown_in_its_own_unit(table, tmp_path):
    rated(table.table).to_csv(tmp_path / "t.csv", index=False)
    text = " ".join(advice_result([tmp_path / "t.csv"], 6000, {}, 0).text.split())
    assert "math accuracy in %; code accuracy in %; general score from 1 to 10" in text
    assert "left out" not in text


def test_abilities_without_a_share_or_rating_are_named(table, tmp_path):
    frame = table.table
    renamed = frame["metric"].where(frame["ability"] != "code", "bleu")
    frame[frame["metric"] == "accuracy"].assign(metric=renamed).to_csv(tmp_path / "t.csv", index=False)
    text = advice_result([tmp_path / "t.csv"], 6000, {}, 0).text
    assert "note: code is left out, as it has no share or rating" in text
    assert "math" in text and "general" in text and "code" not in text.partition("check:")[0]


def test_what_cannot_be_advised_is_said(table):
    frame = table.table
    with pytest.raises(ValueError, match="budget=3 must pay at least 16 samples"):
        advise(table, 3, {})
    with pytest.raises(ValueError, match="weights name ability 'maths'"):
        advise(table, 6000, {"maths": 1})
    with pytest.raises(ValueError, match="one above 0"):
        advise(table, 6000, {"math": 0})
    with pytest.raises(ValueError, match="ability 'maths' is not in the table"):
        choices(table, "maths")
    with pytest.raises(ValueError, match="not a number of samples"):
        choices(table, "math@many")
    with pytest.raises(
        ValueError,
        match="math accuracy: the table does not allow predictions: it was measured on 1 design, and it takes 4",
    ):
        surrogates_of(Study(frame[frame["cell"] == "base"]))
