"""Figures: each that a table supports and none that it does not, the same bytes, honest axes."""

import re

import numpy as np
import pandas as pd
import pytest

from analysis.__main__ import main
from analysis.data.study import Study
from analysis.figures.checks import check_figures
from analysis.figures.curves import curves_figure
from analysis.figures.mixtures import mixture_figures
from analysis.figures.render import picture
from analysis.fitting.series_fits import fit_series
from analysis.report.tables import further_table, law_table
from tests.analysis.tables import FULL, Simulation, only

MIXTURES = [(i, j, 4 - i - j) for i in range(5) for j in range(5 - i)]


def mixed():
    """Fifteen mixtures of three abilities at two totals."""
    simulation = Simulation(3)
    for total in (512, 4096):
        for parts in MIXTURES:
            simulation.cell(f"{total}{parts}", "multitask", tuple(FULL), 1.0)
            counts = dict(zip(FULL, (total * p / 4 for p in parts), strict=True))
            for row in simulation.rows[-9:]:
                row |= {"samples": counts[row["ability"]], "total_samples": total, "fraction": np.nan}
                row |= {f"samples_{a}": n for a, n in counts.items()}
    return pd.DataFrame(simulation.rows)


def doubled(seed=0):
    """One ability alone at eleven amounts."""
    simulation = Simulation(seed)
    for i in range(11):
        simulation.cell(f"c{i}", "single", ("math",), 2.0**-i)
    frame = simulation.frame()
    return frame[frame["ability"] == "math"]


def test_mixtures_have_a_surface_and_a_triangle_a_measure():
    study = Study(mixed())
    figures, absent = mixture_figures(study)
    kinds = ("surface", "triangle")
    assert {figure.name for figure in figures} == {f"{kind}-{m.name}" for kind in kinds for m in study.measures}
    assert absent == []
    triangle = next(figure for figure in figures if figure.name.startswith("triangle"))
    assert sum(row["row"] == "point" for row in triangle.rows) == 2 * len(MIXTURES)
    text = picture(triangle).svg
    assert all(f">only {ability}<" in text for ability in FULL)


def test_a_table_without_mixtures_gives_sentences_instead():
    figures, absent = mixture_figures(Study(doubled()))
    assert figures == []
    assert [line.split(" over ")[0].split(":")[0] for line in absent] == [
        "No surface of accuracy", "No triangle of accuracy", "No surface of loss", "No triangle of loss",
    ]  # fmt: skip
    assert "no columns samples" in mixture_figures(Study(doubled().drop(columns="total_samples")))[1][0]


def test_curves_with_amounts_to_spare_have_all_checks():
    for measure in Study(doubled()).measures:
        found = fit_series(measure)
        names = {f"{measure.name}-{kind}" for kind in ("rollout", "residual", "profile")}
        figures = check_figures(measure, found)
        assert {figure.name for figure in figures} == names
        for figure in figures:
            assert picture(figure).svg == picture(figure).svg


def test_a_series_without_a_curve_has_no_checks():
    (measure, _) = Study(doubled().head(6)).measures
    assert check_figures(measure, fit_series(measure)) == []


def test_the_law_table_has_the_rolling_error_first_and_aicc_second():
    loss = only(doubled(), metric="loss")
    found = fit_series(loss)
    sheet = law_table(found)
    assert sheet.header[1:] == ("error, relative", "ahead, log ranges", "AICc weight", "weight")
    curve = found[0].curve
    assert [row[0] for row in sheet.rows] == [*(c.law.name for c in curve.curves), "average"]
    assert [float(row[1]) for row in sheet.rows[:-1]] == pytest.approx(np.sqrt(curve.rolling_origin.errors), rel=1e-2)
    assert curve.aicc_weights().sum() == pytest.approx(1.0)
    origin = curve.rolling_origin.origins[0]
    assert float(sheet.rows[0][2]) == pytest.approx(np.log(8192 / origin) / np.log(origin / 8), abs=0.01)


def test_further_metrics_are_rows():
    frame = doubled()
    clean = frame[frame["metric"] == "accuracy"].assign(metric="accuracy_clean", n_items=280)
    sheet = further_table(Study(pd.concat([frame, clean], ignore_index=True)))
    assert sheet.header[:5] == ("ability", "task", "metric", "items", "1/1024")
    rows = {row[2]: row for row in sheet.rows}
    assert rows["accuracy_clean (%)"][3] == "280"
    last = clean.loc[clean["fraction"] == 1.0, "value"].item()
    assert float(rows["accuracy_clean (%)"][-1]) == pytest.approx(100 * last, abs=0.05)
    assert further_table(Study(frame[frame["metric"] != "format_rate"])) is None


def test_a_figure_of_many_series_keeps_the_height_of_its_axes():
    def drawn(series):
        amounts = np.array([64, 256, 1024, 4096])
        rows = pd.concat(
            pd.DataFrame({
                "ability": "math", "task": "t", "metric": "accuracy", "value": 0.1 + 0.1 * np.arange(4) + i / 100,
                "n_items": 400, "samples": amounts, "model": f"a model with a long name, number {i}",
            })
            for i in range(series)
        )  # fmt: skip
        (measure,) = Study(rows).measures
        assert len(fit_series(measure)) == series
        return picture(curves_figure(measure, fit_series(measure)))

    few, many = drawn(15), drawn(30)
    assert few.vega["height"] == many.vega["height"]
    heights = [float(re.search(r' height="([0-9.]+)"', one.svg)[1]) for one in (few, many)]
    assert heights[1] - heights[0] > 15 * 10, "a row of the legend a series"
    assert few.width == many.width


def test_a_long_name_still_makes_file_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = pd.DataFrame({"ability": ["a" * 300] * 4 + ["a" * 299] * 4, "task": "t", "metric": "accuracy"})
    rows.assign(value=[0.1, 0.3, 0.4, 0.6] * 2, n_items=400, samples=[8, 16, 32, 64] * 2).to_csv("t.csv", index=False)
    assert main(["table=t.csv", "out=out"]) == 0
    assert len({file.name for file in (tmp_path / "out" / "figures").glob("aaa*-residual.svg")}) == 2


def test_further_metrics_are_those_of_models_trained_on_the_ability():
    """The cell with the most data in all was trained on code, and says nothing about math."""
    rows = pd.DataFrame({
        "ability": "math", "task": "gsm8k", "metric": ["accuracy", "accuracy_clean"] * 3,
        "value": [0.5, 0.48, 0.977, 0.972, 0.0, 0.0], "n_items": 256, "strategy": "single",
        "samples": [100, 100, 200, 200, 0, 0], "total_samples": [100, 100, 200, 200, 999, 999],
        "fraction": [0.5, 0.5, 1.0, 1.0, 1.0, 1.0],
    })  # fmt: skip
    assert further_table(Study(rows)).rows == (("math", "gsm8k", "accuracy_clean (%)", "256", "48.0", "97.2"),)
    several = rows.assign(strategy=["dmt"] * 2 + ["multitask"] * 4)
    assert further_table(Study(several)).rows == (("math", "gsm8k", "accuracy_clean (%)", "256", "48.0", "97.2"),)
