"""Two versions of a table: effects that are there are found, and no others; cells are matched by design."""

import json

import numpy as np
import pandas as pd
import pytest

from analysis.report.comparison import comparison_record
from analysis.verdicts.versions import ALL, compare
from tests.analysis.running import run
from tests.analysis.tables import data_amount


def written(frame: pd.DataFrame, path):
    frame.to_csv(path, index=False)
    return path


def with_gain(frame: pd.DataFrame, ability: str, gain: float) -> pd.DataFrame:
    raised = (frame["ability"] == ability) & (frame["metric"] == "accuracy")
    return frame.assign(value=frame["value"].where(~raised, (frame["value"] + gain).clip(0, 1)))


def pooled(tmp_path, before: pd.DataFrame, after: pd.DataFrame) -> dict[str, str]:
    found = compare((written(before, tmp_path / "a.csv"), written(after, tmp_path / "b.csv")), [], 0.02)
    return {v.about: v.finding for v in found.verdicts if v.about.endswith(ALL)}


def test_a_gain_is_found_where_it_is_and_nowhere_else(tmp_path):
    frame = data_amount()
    findings = pooled(tmp_path, frame, with_gain(frame, "math", 0.1))
    assert findings[f"math accuracy, {ALL}"] == "up"
    assert all(finding in ("equal", "undecided") for about, finding in findings.items() if "math accuracy" not in about)
    findings = pooled(tmp_path, with_gain(frame, "math", 0.1), frame)
    assert findings[f"math accuracy, {ALL}"] == "down"


def test_two_runs_of_one_design_seldom_differ(tmp_path):
    wrong = [
        finding
        for seed in range(0, 40, 2)
        for finding in pooled(tmp_path, data_amount(seed), data_amount(seed + 1)).values()
        if finding in ("up", "down")
    ]
    assert len(wrong) <= 3


def test_cells_are_matched_by_fraction_where_the_sources_have_grown(tmp_path):
    before = data_amount()
    after = before.assign(**{name: 2 * before[name] for name in before if "samples" in str(name)}, data="grown")
    before, after = before.assign(data="small"), after[~np.isclose(after["fraction"], 1)]
    paths = written(before, tmp_path / "small.csv"), written(after, tmp_path / "grown.csv")
    found = compare(paths, [], 0.02)
    assert (
        found.differs == {"data": ("small", "grown")} and "fraction" in found.design and "samples" not in found.design
    )
    assert found.alone["before"] > 0 and found.alone["after"] == 0
    text = run("compare", f"table={paths[0]},{paths[1]}", cwd=tmp_path)
    assert "data: small in small, grown in grown" in text and "measured designs of small have no like" in text
    read = json.loads(run("compare", f"table={paths[0]},{paths[1]}", "json=true", cwd=tmp_path))
    assert read == {"version": 1} | json.loads(json.dumps(comparison_record(found)))


def test_tables_without_a_like_and_wrong_numbers_of_tables_are_refused(tmp_path):
    frame = data_amount()
    other = frame.assign(trained_on="law", ability="law", task="bar")
    paths = written(frame, tmp_path / "a.csv"), written(other, tmp_path / "b.csv")
    with pytest.raises(ValueError, match=r"no cell of .*b.csv has its like in .*a.csv"):
        compare(paths, [], 0.02)
    for words in (["sweep=one"], ["sweep=a,a"], ["table=a.csv,b.csv", "sweep=a,b"], []):
        assert "give two sweeps or two tables" in run("compare", *words, cwd=tmp_path, code=2)


def test_cells_of_unlike_amounts_are_never_compared(tmp_path):
    frame = data_amount()
    frame = frame[(frame["ability"] == "math") & frame["trained_on"].isin(["math", "base"])]
    small, large = frame[frame["fraction"] <= 1 / 16], frame[(frame["fraction"] == 0) | (frame["fraction"] > 1 / 16)]
    paths = written(small, tmp_path / "small.csv"), written(large, tmp_path / "large.csv")
    with pytest.raises(ValueError, match=r"no amount in common \(.*fraction 1/256, .* against 1/4, 1"):
        compare(paths, [], 0.02)


def test_cells_are_matched_by_samples_where_no_fraction_is_shared(tmp_path):
    before = data_amount()
    after = before.assign(fraction=before["fraction"] / 3)
    found = compare((written(before, tmp_path / "a.csv"), written(after, tmp_path / "b.csv")), [], 0.02)
    assert "samples" in found.design and "fraction" in found.differs
    assert all(old == new for old, new in found.values)
    labels = [v.about for v in found.verdicts if v.about.startswith("math accuracy")]
    assert any("samples=2,048" in label for label in labels), labels


def test_a_model_is_named_once_and_factors_that_differ_are_listed_by_size(tmp_path):
    frame = data_amount()
    small, large = frame.assign(model="small", params=7e9), frame.assign(model="large", params=1.3e10)
    both = pd.concat([small, large])
    before, after = both.assign(epochs=10.0), pd.concat([both.assign(epochs=2.0), both.assign(epochs=3.0)])
    found = compare((written(before, tmp_path / "a.csv"), written(after, tmp_path / "b.csv")), [], 0.02)
    assert found.differs["epochs"] == ("10", "2, 3")
    assert any("model=large" in v.about for v in found.verdicts)
    assert not any("params" in v.about for v in found.verdicts)
