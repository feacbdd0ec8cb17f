"""Verdicts: right by hand, right at the promised rate, and undecided where the table cannot tell."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from analysis.data.study import Study
from analysis.report.verdict_tables import verdict_tables
from analysis.verdicts.all_verdicts import findings
from analysis.verdicts.ratio import amount_or_ratio
from analysis.verdicts.scaling import scaling
from analysis.verdicts.size import sizes
from analysis.verdicts.synergy import MixingEffects, crossing, crossing_text, mixing_effects, synergies
from analysis.verdicts.verdict import as_a_family, holm, judge
from analysis.verdicts.wording import qualification
from tests.analysis.tables import FULL, data_amount, only
from tests.analysis.verdicts.arms import ACCURACY, SAMPLES, arms_of, rows


def test_findings_follow_from_interval_and_margin():
    assert judge("", "", 0.05, 0.01**2, np.inf, 0.02, ACCURACY).finding == "up"
    assert judge("", "", -0.05, 0.01**2, np.inf, 0.02, ACCURACY).finding == "down"
    assert judge("", "", 0.005, 0.005**2, np.inf, 0.02, ACCURACY).finding == "equal"
    assert judge("", "", 0.01, 0.03**2, np.inf, 0.02, ACCURACY).finding == "undecided"
    few = judge("", "", 0.05, 0.02**2, 2.0, 0.02, ACCURACY)
    assert few.finding == "undecided"  # 0.05 is 2.5 standard errors, but t with 2 degrees of freedom asks for 4.3
    assert (few.high - few.effect) / 0.02 == pytest.approx(4.303, abs=1e-3)


def test_power_and_detectable_effect_agree():
    verdict = judge("", "", 0.0, 0.01**2, np.inf, 0.02, ACCURACY)
    assert verdict.power == pytest.approx(0.516, abs=1e-3)  # the normal, two standard errors against 1.96
    assert verdict.detectable == pytest.approx((1.95996 + 0.84162) * 0.01, rel=1e-4)
    assert judge("", "", 0.0, 0.01**2, np.inf, verdict.detectable, ACCURACY).power == pytest.approx(0.8, abs=1e-3)


def test_without_noise_known_nothing_is_decided():
    verdict = judge("", "", 0.5, float("nan"), 0.0, 0.02, ACCURACY)
    assert verdict.finding == "undecided"
    assert np.isnan([verdict.low, verdict.power]).all()


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, float("nan")])[:3] == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]


def test_noise_of_arms_is_that_of_items_and_runs():
    table = rows([100, 200], [0.5, 0.5], np.random.default_rng(0), seeds=1)
    single = arms_of(table)
    near = (table["value"] * 300 + 1) / 302
    # Without a second seed: runs scatter by a point at one half, .01**2 / (.25 / 300) of the items' variance.
    assert single.table["variance"].to_numpy() == pytest.approx((1.12 * near * (1 - near) / 300).to_numpy())
    assert single.dof == pytest.approx(2 * (1.12 / 0.12) ** 2)
    assert single.noise == "assumed"
    noisy = pd.DataFrame({"samples": [1, 1, 2, 2], "value": [1.0, 1.2, 0.5, 0.6], "seed": list("0101")})
    loss = arms_of(noisy.assign(ability="math", task="t", metric="loss"))
    logs = -np.log([1.0, 1.2, 0.5, 0.6])
    pooled = (np.var(logs[:2], ddof=1) + np.var(logs[2:], ddof=1)) / 2
    assert loss.table["variance"].to_numpy() == pytest.approx([pooled / 2] * 2)
    assert loss.dof == 2
    assert loss.table["mean"].to_numpy() == pytest.approx([logs[:2].mean(), logs[2:].mean()])
    once = noisy.iloc[::2].assign(ability="math", task="t", metric="loss", stderr=[0.02, 0.03])
    assert arms_of(once).table["variance"].to_numpy() == pytest.approx([0.02**2, 0.06**2])  # relative errors
    assert np.isinf(arms_of(once).dof)


def from_bases(spread: float, bases: int = 3, seeds: int = 5) -> pd.DataFrame:
    """Losses at two amounts: each base lies ``spread`` from the next, the seeds on one base hardly differ."""
    cells = [(n, base, seed) for n in (100, 200) for base in range(bases) for seed in range(seeds)]
    table = pd.DataFrame(cells, columns=["samples", "base_seed", "seed"])
    value = np.exp(-table["samples"] / 1000 - spread * table["base_seed"] - 1e-3 * table["seed"])
    table = table.astype({"base_seed": str, "seed": str})
    return table.assign(value=value, ability="math", task="t", metric="loss")


def test_runs_from_one_base_are_not_independent():
    """Five seeds on each of three bases tell as much of the bases' difference as one seed on each does."""
    many, few = from_bases(0.2), from_bases(0.2, seeds=1)
    assert arms_of(many).table["runs"].tolist() == [3, 3]
    assert arms_of(many).dof == arms_of(few).dof == 4
    seeds = arms_of(many).table["variance"].to_numpy()
    assert seeds == pytest.approx(arms_of(few).table["variance"].to_numpy(), rel=1e-3)
    assert seeds == pytest.approx([0.04 / 3] * 2, rel=1e-3)
    one_base = arms_of(many[many["base_seed"] == "0"])
    assert one_base.table["runs"].tolist() == [5, 5]
    (series,) = only(many).series
    assert set(series.seed) == {"0", "1", "2"} and len(series.amount) == 30


def test_models_without_a_base_seed_keep_their_runs():
    hub = from_bases(0.0, bases=1).assign(base_seed="", model="hub")
    arms = arms_of(pd.concat([from_bases(0.2).assign(model="micro"), hub], ignore_index=True))
    assert dict(zip(arms.table["model"], arms.table["runs"], strict=True)) == {"micro": 3, "hub": 5}


def test_a_rising_curve_is_not_called_a_plateau_and_a_plateau_rises_rarely():
    rng = np.random.default_rng(1)
    rising = 0.3 + 0.01 * np.log2(SAMPLES)  # one point per doubling: as large as the margin
    flat = np.array([0.2, 0.45, 0.6, 0.6, 0.6])
    wrong = {"rising": 0, "flat": 0}
    for _ in range(100):
        wrong["rising"] += scaling(arms_of(rows(SAMPLES, rising, rng, items=80)), "", 0.02).finding == "equal"
        wrong["flat"] += scaling(arms_of(rows(SAMPLES, flat, rng, items=80)), "", 0.02).finding in ("up", "down")
    assert wrong["rising"] <= 9  # 5 of 100 expected at most
    assert wrong["flat"] <= 9


def test_a_plateau_is_found_and_where_it_starts():
    rng = np.random.default_rng(2)
    x = 4 ** np.arange(2, 9)
    found = arms_of(rows(x, [0.1, 0.3, 0.6, 0.8, 0.8, 0.8, 0.8], rng, items=20_000))
    verdict = scaling(found, "", 0.02)
    assert verdict.finding == "equal"
    assert "from 1,024 to 65,536 samples" in verdict.sentence
    rise = scaling(arms_of(rows(x, np.linspace(0.1, 0.8, 7), rng, items=20_000)), "", 0.02)
    assert rise.finding == "up"
    assert rise.effect == pytest.approx(0.7 / 12, abs=0.003)
    assert scaling(arms_of(rows(x[:3], [0.1, 0.2, 0.3], rng)), "", 0.02) is None


@pytest.mark.parametrize(
    ("chance", "edge", "said"),
    [
        ([0.01] * 5, "floor", "stays at its worst value, where no effect can show,"),
        ([0.2, 0.6, 0.985, 0.985, 0.985], "ceiling", "has reached its best value"),
        ([0.2, 0.45, 0.6, 0.6, 0.6], "", "has reached a plateau"),
        ([0.0, 0.0, 0.01, 0.12, 0.24], "", "still improves"),
    ],
)
def test_floor_and_ceiling_are_no_plateau(chance, edge, said):
    verdict = scaling(arms_of(rows(SAMPLES, chance, np.random.default_rng(0), items=20_000)), "", 0.02)
    assert verdict.edge == edge
    assert f"math accuracy {said} from" in verdict.sentence
    shown = verdict_tables([verdict])[0].rows[0][-1]
    assert shown == (edge or {"equal": "plateau", "up": "improving"}[verdict.finding])


def test_a_larger_model_is_compared_at_equal_data():
    rng = np.random.default_rng(3)
    small = rows(SAMPLES, np.linspace(0.2, 0.5, 5), rng, items=2000).assign(params=1e6, model="s")
    large = rows(SAMPLES[1:], np.linspace(0.3, 0.6, 5)[1:], rng, items=2000).assign(params=1e7, model="l")
    (verdict,) = sizes(arms_of(pd.concat([small, large])), 0.02)
    assert verdict.finding == "up"
    assert verdict.low < 0.1 < verdict.high
    assert "4 designs" in verdict.sentence


def mixture(rng, delta, items=3000):
    """Alone and mixed, with a benefit of mixing that falls by ``delta`` per factor of 4 from 2 ``delta`` on."""
    alone = np.linspace(0.3, 0.6, 5)
    mixed = alone + delta * (2 - np.arange(5) * 1.0)
    first = rows(SAMPLES, alone, rng, items=items, strategy="single", trained_on="math")
    second = rows(SAMPLES, mixed, rng, items=items, strategy="multitask", trained_on="math+code")
    return pd.concat([first, second.assign(total_samples=2 * second["samples"])])


def test_help_at_little_data_and_harm_at_much_are_found_with_their_crossing():
    found = arms_of(mixture(np.random.default_rng(4), 0.04))
    first, last, trend = synergies(found, 0.02)
    assert (first.finding, last.finding, trend.finding) == ("up", "down", "down")
    (effects,) = mixing_effects(found)
    at, low, high = crossing(effects)
    assert low < 9 < high  # 512 samples
    assert low < at < high
    assert "they cross at about" in trend.sentence


def test_crossings_cover_the_truth_at_the_nominal_rate():
    rng = np.random.default_rng(5)
    inside = 0
    for _ in range(80):
        found = arms_of(mixture(rng, 0.03, items=400))
        _, low, high = crossing(mixing_effects(found)[0])
        inside += low <= 9 <= high
    assert inside >= 71  # of 80; 76 expected


def test_several_crossings_ties_and_none_are_said():
    def text(delta):
        logs = np.arange(float(len(delta)))
        return crossing_text(
            MixingEffects("mixed", logs, np.array(delta), np.diag(np.full(len(delta), 1e-4)), np.inf, ())
        )

    assert "cross 3 times" in text([0.1, -0.1, 0.1, -0.1])
    assert "no crossing within the amounts" in text([0.1, 0.2, 0.1])
    assert "1 tie" in text([0.1, 0.0, -0.1])
    assert "the sign changes 2 times, which noise could explain" in text([0.01, -0.01, 0.1])


def test_no_crossing_is_placed_outside_the_amounts_measured():
    # The sign of the slope is just certain, so that one end of Fieller's interval lies beyond 2**1024 samples.
    logs, delta = np.arange(6.0, 12.0), np.array([0.02, 0.014, 0.01, -0.01, -0.015, -0.019])
    line = np.polyfit(logs, delta, 1)[0]
    for variance in np.geomspace(1e-5, 1e-3, 200):
        effects = MixingEffects("mixed", logs, delta, np.diag(np.full(6, variance)), np.inf, ())
        _, low, high = crossing(effects)
        text = crossing_text(effects)
        assert ("(below 64 to" in text) == (low < 6)
        assert ("to beyond 2,048)" in text) == (high > 11)
    assert line < 0


def test_ratios_that_only_rounding_moves_explain_nothing():
    own = np.array([14, 56, 224, 896, 3584, 7168])
    table = rows(own, np.linspace(0.1, 0.9, 6), np.random.default_rng(0)).assign(strategy="multitask")
    other = np.repeat(np.round(own * 1.2143), 3)
    assert amount_or_ratio(arms_of(table.assign(total_samples=table["samples"] + other))) is None


def test_amount_and_ratio_share_what_they_cause():
    rng = np.random.default_rng(6)
    own, other = (grid.ravel() for grid in np.meshgrid(SAMPLES, SAMPLES))

    def shares(weight_amount, weight_ratio):
        chance = 1 / (1 + np.exp(1.5 - weight_amount * np.log(own / 512) - weight_ratio * np.log(own / other)))
        table = rows(own, chance, rng, items=4000).assign(strategy="multitask")
        return amount_or_ratio(arms_of(table.assign(total_samples=np.repeat(own + other, 3))))

    amount, ratio, both, rest = shares(0.4, 0.0).value
    assert amount > 0.7  # own amount also moves the ratio, so ratio keeps a share of what they have in common
    assert amount + ratio + both + rest == pytest.approx(1.0)
    assert shares(0.4, 0.0).partial[1][0] < 0.02
    assert shares(0.0, 0.3).partial[0][0] < 0.02
    assert shares(0.0, 0.3).value[1] > 0.7
    one = arms_of(rows(SAMPLES, SAMPLES / 1e4, rng).assign(strategy="multitask"))
    assert amount_or_ratio(one) is None


def test_what_strategy_and_size_explain_is_taken_out_of_amount_and_ratio():
    rng = np.random.default_rng(6)
    own, other = (grid.ravel() for grid in np.meshgrid(SAMPLES, SAMPLES))
    parts = []
    for params, shift in ((1e6, 0.0), (1e7, 1.5)):
        chance = 1 / (1 + np.exp(1.5 - shift - 0.3 * np.log(own / 512)))
        table = rows(own, chance, rng, items=4000).assign(strategy="multitask", params=params)
        parts.append(table.assign(total_samples=np.repeat(own + other, 3)))
    parts.append(parts[0].assign(strategy="dmt", replay=1 / 16))  # others have no replay at all
    shares = amount_or_ratio(arms_of(pd.concat(parts)))
    assert shares.value[3] < 0.05  # nothing is left that amount does not explain, as size is no part of the whole
    assert shares.low[0] <= shares.value[0] <= shares.high[0]
    assert shares.sentence.startswith("math accuracy: given the ratio, own amount (32 to 8,192 samples) explains 50 %")


def test_a_table_gives_the_verdicts_its_design_can_answer():
    found = findings(Study(data_amount()))
    assert {v.question for v in found.verdicts} == {"scaling"}
    assert [v.about for v in found.verdicts if v.metric.kind == "share"] == [f"{ability} accuracy" for ability in FULL]
    assert all(v.sentence.endswith(".") for v in found.verdicts)
    with pytest.raises(ValueError, match="margin=2"):
        findings(Study(data_amount()), margin=2)
    with pytest.raises(ValueError, match="weights name ability 'maths'; the table has math, code, general"):
        findings(Study(data_amount()), weights={"maths": 1.0})


@pytest.mark.parametrize("column", ["n_items", "strategy", "total_samples", "samples", "seed", "fraction", "params"])
def test_tables_without_a_column_say_what_they_can(column):
    """Without amounts there is nothing to say; without the number of items the noise of accuracies is unknown."""
    frame = data_amount()
    found = {v.about: v for v in findings(Study(frame.drop(columns=[column]))).verdicts}
    if column == "samples":
        assert found == {}
        return
    assert set(found) == {f"{ability} {metric}" for ability in FULL for metric in ("accuracy", "loss")}
    decided = {about for about, verdict in found.items() if verdict.finding == "up"}
    assert decided == {about for about in found if column != "n_items" or about.endswith("loss")}
    whole = {v.about: v for v in findings(Study(frame)).verdicts}
    losses = [f"{ability} loss" for ability in FULL]
    assert [found[about].effect for about in losses] == [whole[about].effect for about in losses]


def test_an_untrained_model_alone_has_no_verdicts():
    frame = data_amount()
    assert findings(Study(frame[frame["strategy"] == "base"])).verdicts == ()


@pytest.mark.parametrize(
    ("value", "edge", "metrics"), [(0.0, "floor", ["accuracy"]), (1.0, "ceiling", ["accuracy", "loss"])]
)
def test_constant_scores_have_verdicts_without_effect_and_losses_of_zero_none(value, edge, metrics):
    """A loss of 0 has no logarithm, so it is left out; a loss of 1 has one, of 0."""
    found = {v.about: v for v in findings(Study(data_amount().assign(value=value))).verdicts}
    assert set(found) == {f"{ability} {metric}" for ability in FULL for metric in metrics}
    assert [v.effect for v in found.values()] == [0.0] * len(found)
    shares = [found[f"{ability} accuracy"] for ability in FULL]
    assert [(v.finding, v.edge) for v in shares] == [("equal", edge)] * 3
    assert all(v.low == pytest.approx(-v.high) and v.high > 0 for v in found.values())


def test_runs_that_scatter_make_no_effects_without_a_second_seed():
    """Nothing differs between single and multitask, but runs scatter by 1.5 points: at most one report in ten errs."""
    rng = np.random.default_rng(3)
    samples, reports, false = 64 * 4.0 ** np.arange(5), 40, 0
    for _ in range(reports):
        parts = []
        for ability, (strategy, factor) in product(("math", "code", "general"), (("single", 1), ("multitask", 3))):
            chance = 1 / (1 + np.exp(2 - 0.45 * np.log2(samples / 64)))
            runs = chance + 2 * 0.015 * np.sqrt(chance * (1 - chance)) * rng.normal(size=5)
            value = rng.binomial(1319, runs) / 1319
            columns = {"ability": ability, "strategy": strategy, "value": value, "samples": samples}
            parts.append(pd.DataFrame(columns).assign(total_samples=factor * samples))
        table = pd.concat(parts).assign(task="t", metric="accuracy", n_items=1319, seed="0")
        found = findings(Study(table))
        false += any(v.finding in ("up", "down") for v in found.verdicts if v.question == "synergy")
        assert any("no two runs differ in seed alone" in note for note in found.notes)
    assert false <= reports / 10


def test_losses_without_a_second_seed_are_verdicts_on_these_runs():
    table = rows([100, 200, 400, 800], [0.5] * 4, np.random.default_rng(0), seeds=1)
    losses = table.assign(metric="loss", value=[1.0, 0.8, 0.7, 0.6], n_items=np.nan)
    (note,) = findings(Study(losses)).notes
    assert note == "loss: no two runs differ in seed alone; verdicts hold for these runs, not for new ones."


@pytest.mark.parametrize(
    ("columns", "holds"),
    [
        ({"seeds": 3}, "new runs from the same base"),
        ({"seeds": 3, "base_seed": ["0", "1", "2"] * 4}, "new base models"),
        ({"seeds": 1}, "new runs, if they scatter as usual"),
        ({"seeds": 1, "metric": "loss", "stderr": 0.01}, "these runs"),
        ({"seeds": 1, "n_items": np.nan}, "these runs"),
    ],
)
def test_every_verdict_says_what_it_holds_for(columns, holds):
    columns = dict(columns)
    chance = [0.2, 0.3, 0.4, 0.5] if columns.get("metric") != "loss" else [0.5, 0.4, 0.3, 0.2]
    table = rows([100, 200, 400, 800], chance, np.random.default_rng(0), seeds=columns.pop("seeds"))
    (verdict,) = findings(Study(table.assign(**columns))).verdicts
    assert verdict.sentence.endswith(f"; for {holds}.")
    (shown,) = verdict_tables([verdict])
    assert shown.title.endswith(f"; for {holds})")


def test_the_floor_is_how_far_two_runs_come_to_differ():
    rng = np.random.default_rng(0)
    table = rows([100, 200, 400, 800] * 2, [0.5] * 8, rng, items=400, seeds=6)
    spread = table["value"] + rng.normal(0, 0.02, len(table))
    arms = arms_of(table.assign(value=spread, n_items=np.nan))
    true = 1.96 * np.sqrt(2 * (0.25 / 400 + 0.02**2))
    assert arms.floor == pytest.approx(true, rel=0.25)
    (note,) = (note for note in findings(Study(table)).notes if "come to differ" in note)
    assert note.startswith("math accuracy: two runs that differ in seed alone come to differ by ")
    assert note.endswith(" points (95 %); verdicts hold for new runs from the same base.")
    assert np.isnan(arms_of(table[table["seed"] == "0"].drop_duplicates("samples")).floor)


def test_effects_are_adjusted_over_the_whole_report():
    clear = judge("scaling", "a", 0.10, 0.01**2, np.inf, 0.02, ACCURACY)
    fair = judge("synergy", "b", 0.025, 0.01**2, np.inf, 0.02, ACCURACY)  # p .012: clear alone, and among four
    weak = judge("size", "c", 0.021, 0.01**2, np.inf, 0.02, ACCURACY)  # p .036: clear alone only
    none = judge("size", "d", 0.0, 0.01**2, np.inf, 0.02, ACCURACY)
    family = as_a_family([clear, fair, weak, none])
    assert [v.finding for v in family] == ["up", "up", "undecided", none.finding]
    assert [v.withdrawn_among for v in family] == [0, 0, 4, 0]
    assert family[2].p == pytest.approx(2 * weak.p)  # the third of four
    assert "not significant among the 4 effects of this report" in qualification(family[2])
    assert (family[2].low, family[2].high) == (weak.low, weak.high)


@pytest.mark.parametrize(
    "shape",
    [
        lambda x, at: -0.02 * (x - at),
        lambda x, at: np.where(x < at + 1, -0.04 * (x - at), -0.04),  # a gain, then a constant loss
        lambda x, at: 0.08 * (np.exp(-(x - 6) / 3) - np.exp(-(at - 6) / 3)),
        lambda x, at: np.where(x < at - 1, 0.03, -0.03 * (x - at)),
    ],
    ids=["linear", "kinked", "curved", "flat, then falling"],
)
def test_crossings_of_any_shape_are_covered(shape):
    rng = np.random.default_rng(0)
    logs, inside, away = np.arange(6.0, 15.0, 2.0), 0, []
    for _ in range(300):
        truth = rng.uniform(8, 12)
        delta = shape(logs, truth) + rng.normal(0, 0.02, 5)
        at, low, high = crossing(MixingEffects("mixed", logs, delta, np.diag(np.full(5, 0.02**2)), np.inf, ()))
        inside += low <= truth <= high
        away.append(at - truth)
    assert inside >= 0.93 * 300
    assert abs(np.nanmedian(away)) < 0.5  # doublings
