"""Comparisons by hand: which order a reply belongs to, what a pair comes to, and the rates over pairs."""

from __future__ import annotations

import pytest

from eval.judge.grade import GradedAnswer
from eval.judge.pairs import _records, _score, metrics
from eval.judge.panel import Judgment
from eval.judge.replies import Reply


def answer() -> GradedAnswer:
    item = {"id": "q", "category": "math", "turns": ["?"], "references": []}
    return GradedAnswer({"id": "q/1", "text": "!"}, item, 1, ("!",))


def judged(*choices: str | None) -> list[Judgment[str]]:
    return [Judgment(Reply(f"[[{choice}]]", 1, 1), None, choice) for choice in choices]


def test_replies_come_in_both_orders_repeat_by_repeat():
    rows = list(_records(answer(), judged("A", "B", "C", "A")))
    assert [(row["repeat"], row["ours"], row["choice"]) for row in rows] == [
        (0, "A", "A"), (0, "B", "B"), (1, "A", "C"), (1, "B", "A")
    ]  # fmt: skip


def test_a_pair_is_won_where_both_orders_say_so_and_repeats_are_averaged():
    row = _score(answer(), judged("A", "B", "A", "A", "B", "A", "A", None))
    assert row["outcomes"] == [1.0, 0.5, 0.0, None]
    assert row["outcome"] == pytest.approx(0.5)
    assert row["choices"] == [("A", "B"), ("A", "A"), ("B", "A"), ("A", None)]
    assert _score(answer(), judged("A", None))["outcome"] is None


def test_rates_are_over_what_could_be_read():
    rows = [
        _score(answer(), judged(*choices)) for choices in (("A", "B"), ("B", "A", "C", "C"), ("A", "A"), ("A", None))
    ]
    rows = [row | {"item": str(number)} for number, row in enumerate(rows)]
    found = {metric.metric: metric.value for metric in metrics(rows)}
    assert found == pytest.approx({
        "win_share": (1 + 0.25 + 0.5) / 3, "win_rate": 1 / 3, "tie_rate": (0.5 + 1) / 3, "loss_rate": 0.5 / 3,
        "agreed_rate": (1 + 1 + 0) / 3, "unparsed_rate": 1 / 4,
    })  # fmt: skip
