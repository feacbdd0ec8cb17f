"""The cards of the report say what the verdicts say, and no more."""

from dataclasses import replace

import pandas as pd
import pytest

from analysis.data.study import Study
from analysis.report.cards import cards, headline
from analysis.report.drawings import draw_all
from analysis.report.results import analyse
from analysis.report.tables import overview
from analysis.verdicts.scaling import finding_words
from analysis.verdicts.wording import with_interval
from tests.analysis.tables import data_amount, mixed_table

FRAMES = {"alone": data_amount(), "mixed": mixed_table(), "few items": data_amount().assign(n_items=8)}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES.keys())
def test_the_first_card_has_the_finding_and_interval_of_its_verdicts(frame, tmp_path):
    results = analyse(Study(frame), 0.02, None)
    gains, stops, mixing, strategy, _ = cards(results, draw_all(results, tmp_path))
    verdicts = headline(results.findings.verdicts)
    scaling = {v.about: v for v in verdicts if v.question == "scaling"}
    said = [line for line in gains.answers if " per doubling." in line]
    assert len(said) >= 3
    for line in said:
        (verdict,) = (v for v in scaling.values() if line.startswith(f"{v.about} {finding_words(v)}: "))
        assert with_interval(verdict) in line
        assert ("still improves" in line) == (verdict.finding == "up"), line
        assert verdict.sentence.startswith(f"{verdict.about} {finding_words(verdict)}"), "card and section say the same"
    plateaus = [f"{v.sentence.partition(': ')[0]}." for v in scaling.values() if v.finding == "equal" or v.edge]
    assert [line for line in stops.answers if line in plateaus] == plateaus[:5]
    if not any(v.question == "synergy" for v in verdicts):
        assert mixing.answers[0].startswith("Not measured") and strategy.answers[0].startswith("Not compared")
    if frame is FRAMES["few items"]:
        assert any(v.finding == "undecided" and not v.withdrawn_among for v in scaling.values())


def test_the_card_of_strategies_has_their_notes_alone(tmp_path):
    results = analyse(Study(mixed_table()), 0.02, None)
    notes = results.findings.strategy_notes
    assert all("the chance that no other strategy is at least as good" in note for note in notes)
    assert set(notes) < set(results.findings.notes)
    other = ("runs of dmt, replay 1/4 are unlike those of multitask", *results.findings.notes)
    more = replace(results, findings=replace(results.findings, notes=other))
    (card,) = [card for card in cards(more, draw_all(more, tmp_path)) if card.question == "Which strategy?"]
    assert card.answers[: len(notes[:2])] == list(notes[:2]) and other[0] not in card.answers


def test_the_overview_has_a_row_for_each_untrained_model():
    small = data_amount().assign(model="small", params=1e6)
    large = small.assign(model="large", params=4e6, value=small["value"] * 0.9)
    table = overview(analyse(Study(pd.concat([small, large], ignore_index=True)), 0.02, None).fits)
    first, second, third = table.rows[:3]
    assert [first[:2], second[:2]] == [("untrained", "large"), ("untrained", "small")]
    assert first[2:] != second[2:] and "-" not in (*first, *second)
    assert third[0] == "1/256"
    (alone,) = [row for row in overview(analyse(Study(small), 0.02, None).fits).rows if row[0] == "untrained"]
    assert alone[1:] == second[2:]
