"""Which verdicts a table gives, and undecided where it cannot tell."""

import pytest

from analysis.data.study import Study
from analysis.verdicts.all_verdicts import findings
from tests.analysis.tables import FULL, data_amount


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
