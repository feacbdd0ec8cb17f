"""Other abilities count each apart where that predicts mixtures better; the worst mixture is a control."""

import numpy as np
import pytest
from scipy.special import expit

from analysis.advice.advise import advise, surrogates_of
from analysis.advice.check import compare
from analysis.advice.distance import OTHER, OWN
from analysis.advice.surrogate import ONE_SUM
from analysis.advice.text import advice_result, check_result, checks
from analysis.data.study import Study, read_study
from tests.analysis.mixtures import ABILITIES, CROSS, errors, held_out, mixtures, read, table, truth
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def study():
    rng = np.random.default_rng(0)
    return Study(table([*mixtures(rng, 30)], CROSS, rng))


def test_abilities_that_help_and_hurt_another_count_each_apart(study):
    models = {model.ability: model for model in surrogates_of(study)}
    assert models["math"].others == ("code", "general") and models["math"].error < 0.6 * models["math"].instead
    new = [*mixtures(np.random.default_rng(1), 40)]
    apart, together = (errors(m, new, CROSS) for m in (models.values(), surrogates_of(study, one_sum=True)))
    assert apart["math"] < 0.6 * together["math"]


def test_of_both_ways_the_one_with_the_smaller_error_on_held_out_mixtures_is_used():
    rng = np.random.default_rng(3)
    alike = {(other, own): 0.4 for own in ABILITIES for other in ABILITIES if other != own}
    taken = [m for _ in range(3) for m in surrogates_of(Study(table([*mixtures(rng, 16)], alike, rng)))]
    assert all(model.error <= model.instead for model in taken)
    assert {len(model.others) for model in taken} == {1, 2}, "neither way is always better"


def test_with_one_other_ability_or_without_its_amounts_there_is_no_choice(study):
    bare = study.table.drop(columns=[f"samples_{name}" for name in ABILITIES])
    for frame in (
        bare,
        study.table.assign(samples_general=0.0, total_samples=lambda t: t["samples_math"] + t["samples_code"]),
    ):
        models = surrogates_of(Study(frame[frame["ability"] != "general"]))
        assert all(model.others == ONE_SUM and np.isnan(model.instead) for model in models)
        assert "it would be" not in " ".join(checks(models))


def test_the_output_says_which_way_was_used_and_what_the_errors_are(study, tmp_path):
    study.table.to_csv(tmp_path / "t.csv", index=False)
    answer = advice_result([tmp_path / "t.csv"], 3000, {}, 0)
    (math, *_) = surrogates_of(study)
    said = f"root mean square error {math.error:.3g} (logits) with the data of each other ability apart; "
    said += f"it would be {math.instead:.3g} with other abilities' data in one sum"
    assert said in " ".join(answer.text.split())
    model = answer.record["models"][0]
    assert model["others"] == "each apart" and (model["error"], model["error_otherwise"]) == (math.error, math.instead)


def test_the_worst_mixture_costs_the_same_and_has_the_same_strategy(study):
    advice = advise(study, 3000, {})
    totals = advice.samples.sum(axis=1)
    assert totals[advice.worst] == pytest.approx(totals[0]) == pytest.approx(3000)
    means = advice.total.mean(axis=0)
    rivals = np.flatnonzero(totals >= 0.97 * totals[0])
    assert means[advice.worst] < means[0] - 0.1 and means[advice.worst] <= means[rivals].min() + 0.01
    best, worst = (
        np.mean([expit(truth(a, dict(zip(ABILITIES, mix, strict=True)), CROSS)) for a in ABILITIES])
        for mix in (advice.samples[0], advice.samples[advice.worst])
    )
    assert best > worst + 0.1, "and so it is"


def test_the_control_is_printed_recorded_and_run(study, tmp_path):
    study.table.to_csv(tmp_path / "t.csv", index=False)
    answer = advice_result([tmp_path / "t.csv"], 3000, {}, 0)
    worst, text = answer.record["worst"], " ".join(answer.text.split())
    mix = " + ".join(f"{worst['samples'][name]:,.0f}" for name in ABILITIES)
    assert f"control: {mix} samples (math + code + general) are predicted to be the worst mixture" in text
    gap = worst["below_best"]
    assert f"{100 * gap['value']:.1f} points below the best ({100 * gap['low']:.1f} to {100 * gap['high']:.1f})" in text
    amounts = ",".join(f"{name}:{round(n)}" for name, n in worst["samples"].items())
    assert f"{{{amounts}}}" in answer.record["test"] and amounts not in answer.record["run"]


def test_without_another_mixture_of_that_cost_there_is_no_control(study, tmp_path):
    study.table.to_csv(tmp_path / "t.csv", index=False)
    mixture = {"math": 0.3, "code": 0.3, "general": 0.4}
    answer = advice_result([tmp_path / "t.csv"], 3000, {}, 0, mixture, 1e-6)
    assert "worst" not in answer.record and "control:" not in answer.text


def test_a_test_in_which_best_and_worst_do_not_differ_is_said_to_speak_against_the_advice(study, tmp_path):
    study.table.to_csv(tmp_path / "t.csv", index=False)
    new = [{"math": 1500.0, "code": 1200.0, "general": 300.0}, {"math": 2900.0, "code": 0.0, "general": 100.0}]
    for name, values in (("as", {}), ("flat", {"value": 0.4})):
        table(new, CROSS).assign(**values).to_csv(tmp_path / f"{name}.csv", index=False)
    held, flat = (
        " ".join(check_result([tmp_path / "t.csv"], [tmp_path / f"{name}.csv"], {}).text.split())
        for name in ("as", "flat")
    )
    assert "control: from the cell predicted worst to the one predicted best, predicted +" in held
    assert "do not trust" not in held
    assert "measured +0.0; that is no clear gain, so do not trust predictions from this table" in flat


def test_a_table_without_amounts_by_ability_is_not_checked_against_a_model_that_needs_them(study):
    new = table([*mixtures(np.random.default_rng(2), 3)], CROSS)
    with pytest.raises(ValueError, match="lacks columns such as samples_code, by which math is predicted"):
        compare(study, Study(new.drop(columns=[f"samples_{name}" for name in ABILITIES])), {})


def test_public_mixtures_of_seventeen_sources_are_ranked_better_with_each_source_apart():
    train, test = (read(ROOT / "tests" / "data" / "mixtures", part) for part in ("train", "test"))
    rank, error, inside = held_out(train, test)
    old_rank, old_error, _ = held_out(train, test, one_sum=True)
    assert rank > 0.98 > old_rank + 0.1 and error < 0.5 * old_error
    assert 0.9 <= inside <= 0.99


def test_thirteen_abilities_have_no_more_compositions_than_five():
    frame = read(ROOT / "tests" / "data" / "mixtures", "train")
    advice = advise(Study(frame[frame.groupby("ability").cumcount() < 24]), 1000, {})
    assert advice.samples.shape[1] == 13 and advice.samples[0].sum() == pytest.approx(1000)
    assert set(np.unique(advice.samples % 200)) == {0.0}, "fifths of the budget: 13 abilities have 8,568 of them"


def test_what_other_data_do_to_an_untaught_ability_says_little_of_a_mixture():
    """The demo's table has single abilities only: a mixture with as much data of each comes out near the same cells."""
    study = read_study([ROOT / "docs" / "results" / "data_amount.csv"])
    table = study.trained
    for model in surrogates_of(study):
        quarter = table[(table["fraction_text"] == "1/4") & (table["ability"] == model.ability)]
        (alone,) = quarter.loc[(quarter["trained_on"] == model.ability) & (quarter["metric"] == "accuracy"), "value"]
        amounts = {"math": np.array([640.0]), "code": np.array([640.0]), "general": np.array([1536.0])}
        amounts |= {OWN: amounts[model.ability], OTHER: sum(amounts.values()) - amounts[model.ability]}
        mean, covariance = model.predict(model.inputs(amounts, np.array(["multitask"])))
        reach = 1.96 * np.sqrt(covariance[0, 0])
        assert abs(float(model.shown(mean)[0]) - alone) < 0.2, model.ability
        assert model.shown(mean - reach)[0] < alone < model.shown(mean + reach)[0]
