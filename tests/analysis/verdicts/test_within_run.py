"""What checkpoints tell of the ends of runs, on runs whose ends are known."""

import numpy as np
import pandas as pd
import pytest

from analysis.data.study import Study
from analysis.data.table import finished
from analysis.figures.render import picture
from analysis.figures.within_run import MOST_RUNS, within_run_figure
from analysis.report.results import analyse
from analysis.report.within_run_tables import within_run_tables
from analysis.verdicts.within_run import early_looks, expected_ends, runs_of, stand_ins

SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)


def score(samples):
    return 0.9 / (1 + (samples / 900) ** -0.7)


def table(
    amounts=(512, 2048, 8192), seeds=(0, 1, 2), late=0.0, rng=None, ended=lambda amount, seed: True, metric="accuracy"
):
    """Runs over these amounts, measured at `SHARES`; the end of each lies ``late`` above the curve of checkpoints."""
    rows = []
    for amount in amounts:
        for seed in seeds:
            for share in SHARES:
                if share == 1 and not ended(amount, seed):
                    continue
                value = score(amount * share) + late * (share == 1)
                value = rng.binomial(400, value) / 400 if rng is not None else value
                value = 3 - 2 * value if metric == "loss" else value
                seen = amount * share
                rows.append(
                    {"ability": "math", "task": "gsm8k", "metric": metric, "value": value, "n_items": 400,
                     "stderr": 0.01, "sweep": "s", "cell": f"{amount}-{seed}", "seed": str(seed), "strategy": "single",
                     "model": "m", "after_stage": share, "last_stage": 1.0, "samples": seen, "total_samples": seen,
                     "samples_math": seen, "presentations": seen, "fraction": amount / 8192}
                )  # fmt: skip
    return pd.DataFrame(rows)


def study_of(frame):
    return Study(finished(frame), every_stage=frame)


def looks_of(study):
    (measure,) = study.measures
    runs = runs_of(study, measure)
    return measure, runs, early_looks(measure, runs)


def test_what_is_still_to_come_is_the_mean_over_runs():
    _, runs, looks = looks_of(study_of(table(late=0.05)))
    assert len(runs) == 9
    assert [look.share for look in looks] == [1 / 16, 1 / 8, 1 / 4, 1 / 2]
    for look in looks:
        gains = np.array([score(n) + 0.05 - score(n * look.share) for n in (512, 2048, 8192) for _ in range(3)])
        assert look.runs == 9
        assert look.gain == pytest.approx(gains.mean())
        half = 2.306004 * gains.std(ddof=1) / 3  # Student's t with 8 degrees of freedom
        assert (look.low, look.high) == pytest.approx((gains.mean() - half, gains.mean() + half), rel=1e-5)
        others = np.abs(gains - (gains.sum() - gains) / 8)
        assert look.by_others == pytest.approx(others.mean())
        assert look.rank == pytest.approx(1.0)  # ties among seeds are the same at both times


def test_a_curve_through_checkpoints_finds_an_end_that_lies_on_it_and_misses_a_late_gain():
    """Three checkpoints are there from a quarter of the steps on."""
    for late in (0.0, 0.08):
        _, _, looks = looks_of(study_of(table(late=late)))
        assert [look.predicted for look in looks] == [0, 0, 9, 9]
        assert np.isnan(looks[0].by_curve)
        assert looks[3].by_curve == pytest.approx(late, abs=0.015)


def test_intervals_of_curves_hold_the_ends_of_noisy_runs():
    rng = np.random.default_rng(5)
    _, _, looks = looks_of(study_of(table(amounts=(2048, 4096, 8192), seeds=range(12), rng=rng)))
    assert looks[3].runs == 36
    assert looks[3].predicted == 20  # those with the most samples
    assert looks[3].inside >= 17


def test_the_end_of_a_run_that_goes_on_is_expected_where_it_will_be():
    for late in (0.0, 0.08):
        frame = table(late=late, ended=lambda amount, seed: (amount, seed) != (8192, 2))
        measure, runs, looks = looks_of(study_of(frame))
        (one,) = expected_ends(measure, runs, looks)
        assert (one.cell, one.share, one.now) == ("8192-2", 0.5, pytest.approx(score(4096)))
        assert ("finished runs" in one.way) == (late > 0)
        assert one.low <= score(8192) + late <= one.high
        assert one.value == pytest.approx(score(8192) + late, abs=0.03)


def test_runs_that_go_on_are_expected_from_their_curves_where_none_has_ended():
    """Of this measure: the table must have a finished model."""
    whole = table(ended=lambda amount, seed: False)
    other = table().assign(ability="code", task="humaneval", cell="other")
    frame = pd.concat([whole, other], ignore_index=True)
    study = study_of(frame)
    results = analyse(study, 0.02, None)
    assert not [look for look in results.on_the_way[0] if look.measure.ability == "math"]
    assert [measure.ability for measure in study.measures] == ["code"]  # math has no finished model, so no measure


def test_a_checkpoint_stands_for_a_finished_run_unless_the_end_of_a_schedule_adds_something():
    amounts = (512, 1024, 2048, 4096, 8192)
    (same,) = stand_ins(study_of(table(amounts)), 0.02)
    assert same.finding == "equal"
    assert same.effect == pytest.approx(0.0, abs=1e-12)
    (better,) = stand_ins(study_of(table(amounts, late=0.06)), 0.02)
    assert (better.finding, better.effect) == ("up", pytest.approx(0.06))
    # 512 is no longer run than any; of 1024 one checkpoint has its like, of 2048 two, then three and four.
    assert "(30 pairs, 12 longer runs)" in better.sentence
    assert "a finished run is better than a checkpoint of a longer run after as many samples" in better.sentence


def test_checkpoints_are_compared_with_finished_runs_of_the_same_design_alone():
    amounts = (512, 1024, 2048)
    frame = table(amounts)
    other = frame[frame["after_stage"] == 1].assign(strategy="other", cell="o" + frame["cell"], value=0.0)
    mixed = pd.concat([frame, other], ignore_index=True)
    (verdict,) = stand_ins(study_of(mixed), 0.02)
    assert verdict.effect == pytest.approx(0.0, abs=1e-12)
    (single,) = stand_ins(study_of(table((512, 8192), seeds=(0,))), 0.02)
    assert single.finding == "undecided" and np.isnan(single.low)


def test_two_longer_runs_say_nothing_of_chance():
    (verdict,) = stand_ins(study_of(table((512, 8192), seeds=(0, 1), late=0.06)), 0.02)
    assert verdict.effect == pytest.approx(0.06)
    assert np.isnan(verdict.low) and "noise unknown" in verdict.sentence


def test_a_checkpoint_at_the_very_end_is_none():
    frame = table(seeds=(0,))
    early = frame["after_stage"] < 1
    last = frame["presentations"].where(~((frame["cell"] == "512-0") & early), 512)  # a stage of one step
    _, runs, looks = looks_of(study_of(frame.assign(presentations=last)))
    assert [run.cell for run in runs] == ["2048-0", "8192-0"]
    assert looks[0].runs == 2


def test_losses_are_told_as_losses():
    frame = table(late=0.05, metric="loss")
    measure, runs, looks = looks_of(study_of(frame))
    assert looks[0].gain > 0
    (sheet,) = within_run_tables(looks, expected_ends(measure, runs, looks))
    assert sheet.rows[0][0] == "math loss, %"


def test_tables_and_figure_tell_all_of_it():
    frame = table(amounts=(512, 1024, 2048, 8192), late=0.08, ended=lambda amount, seed: (amount, seed) != (8192, 2))
    results = analyse(study_of(frame), 0.02, None)
    ends, going_on = within_run_tables(*results.on_the_way)
    assert ends.rows[0][:3] == ("math accuracy, points", "1/16", "11")
    assert ends.rows[0][5:7] == ("-", "-") and ends.rows[3][6].endswith("of 11")
    assert going_on.rows[0][:3] == ("8192-2", "1/2", "math accuracy")
    record = results.verdicts_record()["within_runs"]
    assert record["expected"][0]["cell"] == "8192-2"
    assert "by_curve" not in record["looks"][0] and record["looks"][3]["predicted"] == 11
    ((measure, runs),) = results.runs
    figure = within_run_figure(measure, runs)
    shown = {row["run"] for row in figure.rows}
    assert len(shown) == MOST_RUNS and {"512-0", "8192-2"} <= shown
    assert sum(row["row"] == "end" for row in figure.rows) == MOST_RUNS - 1
    assert "samples seen" in picture(figure).svg


def test_nothing_is_told_without_checkpoints():
    frame = table()
    for plain in (frame[frame["after_stage"] == 1], frame.drop(columns="presentations"), frame.drop(columns="cell")):
        results = analyse(study_of(plain.reset_index(drop=True)), 0.02, None)
        assert results.on_the_way == ([], []) and results.runs == ()
        assert not [verdict for verdict in results.findings.verdicts if verdict.question == "checkpoint"]
    bare = analyse(Study(finished(frame)), 0.02, None)
    assert within_run_tables(*bare.on_the_way) == []
