"""Strategies compared in pairs, the Pareto front, and replay."""

import re

import numpy as np
import pandas as pd
import pytest

from analysis.data.study import Study
from analysis.figures.render import picture
from analysis.figures.strategies import pareto_figures
from analysis.report.verdict_tables import verdict_tables
from analysis.verdicts.all_verdicts import findings
from analysis.verdicts.audit import undetectable
from analysis.verdicts.replay import best_k, by_replay, replays
from analysis.verdicts.strategy import against_alone, against_the_best, compare, front, pairs, pareto
from analysis.verdicts.verdict import as_a_family
from tests.analysis.verdicts.arms import arms_of, rows


def strategies(chances, rng, items=1000):
    """Arms of each ability, from ``chances[strategy] = (math, code)``; "single" is each ability alone."""
    found = []
    for i, ability in enumerate(("math", "code")):
        parts = [
            rows([1000], [p[i]], rng, items=items, strategy=name).assign(
                total_samples=1000 if name == "single" else 2000, trained_on=ability if name == "single" else "both"
            )
            for name, p in chances.items()
        ]
        found.append(arms_of(pd.concat(parts).assign(ability=ability)))
    return found


def test_strategies_are_compared_in_pairs_and_against_training_alone():
    rng = np.random.default_rng(7)
    chances = {"single": (0.6, 0.6), "mixed": (0.6, 0.6), "sequential": (0.2, 0.62)}
    compared = compare(strategies(chances, rng, items=20_000))
    assert compared is not None
    assert compared.strategies == ("mixed", "sequential")
    math, code = pairs(compared, 0.02)
    assert (math.finding, code.finding == "down") == ("down", False)
    by = {v.about: v.finding for v in against_alone(compared, 0.02)}
    assert by["math accuracy, sequential against math alone"] == "down"
    assert by["math accuracy, mixed against math alone"] == "equal"
    assert pareto(compared)[0] > 0.9


def test_a_sentence_an_ability_says_who_is_behind_the_best():
    """Whichever way round a pair was compared; the closest first; who is near is named, and not called behind."""
    rng = np.random.default_rng(3)
    chances = {"single": (0.6, 0.6), "a": (0.3, 0.5), "b": (0.599, 0.5), "c": (0.6, 0.5), "d": (0.1, 0.5)}
    compared = compare(strategies(chances, rng, items=20_000))
    math, code = against_the_best(compared, as_a_family(pairs(compared, 0.02)))
    best = max("bc", key=lambda name: compared.mean[0][compared.strategies.index(name)])
    other = {"b": "c", "c": "b"}[best]
    found = re.fullmatch(
        rf"math accuracy: {best} is highest; clearly behind: a (\S+) \((\S+) to (\S+)\) points, d (\S+) \(.*\) points; "
        rf"not clearly: {other}\.",
        math,
    )
    assert found, math
    effect, low, high, last = map(float, found.groups())
    assert low < effect < high < 0
    assert (effect, last) == pytest.approx((-30, -50), abs=2)
    highest = compared.strategies[int(np.argmax(compared.mean[1]))]
    assert code == f"code accuracy: no strategy is clearly behind {highest}."
    assert against_the_best(compared, []) == []


def test_equal_strategies_differ_as_rarely_as_holm_promises():
    rng = np.random.default_rng(8)
    false = 0
    for _ in range(40):
        compared = compare(strategies({name: (0.5, 0.3) for name in "abcd"}, rng, items=100))
        false += any(v.finding in ("up", "down") for v in as_a_family(pairs(compared, 0.02)))
    assert false <= 6  # 2 of 40 expected at most


def test_differences_below_the_detectable_are_flagged():
    rng = np.random.default_rng(11)
    few = {"single": (0.5, 0.5), "a": (0.5, 0.5), "b": (0.52, 0.5)}
    verdicts = pairs(compare(strategies(few, rng, items=100)), 0.02)
    (line,) = undetectable(verdicts)
    assert line.startswith("strategy: 2 of 2 effects below what the design detects with a chance of 80 %: math")
    assert all(row[4].endswith("> effect") for row in verdict_tables(verdicts)[0].rows)
    many = {"single": (0.5, 0.5), "a": (0.2, 0.2), "b": (0.8, 0.8)}
    assert undetectable(pairs(compare(strategies(many, rng)), 0.02)) == []


def test_the_front_by_hand():
    scores = np.array([[[0.5, 0.5], [0.6, 0.4], [0.4, 0.4], [0.5, 0.5]]])
    assert front(scores).tolist() == [[True, True, False, True]]


def test_replay_names_the_best_share_and_whether_it_moves_one_way():
    rng = np.random.default_rng(9)
    k = np.array([0.0, 1 / 64, 1 / 4, 1.0])
    math = rows(np.full(4, 1000), [0.2, 0.4, 0.6, 0.7], rng, items=5000, replay=k)
    general = rows(np.full(4, 1000), [0.6, 0.6, 0.6, 0.2], rng, items=5000, replay=k).assign(ability="general")
    (found,) = by_replay([arms_of(part.assign(total_samples=2000)) for part in (math, general)])
    first, little, second, none = replays(found, 0.02)
    assert (first.finding, second.finding) == ("up", "down")
    assert little.sentence.startswith("math accuracy gains from replay 0 to 1/64: ") and none.finding != "down"
    assert "moves one way" in first.sentence
    best, sure = best_k(found)
    assert best == 0.25
    assert sure > 0.95
    assert best_k(found, {"math": 1.0})[0] == 1.0
    table = pd.concat([math, general]).assign(total_samples=2000, strategy="dmt")
    notes = findings(Study(table), weights={"math": 7.0, "general": 1.0}).notes
    assert any(n.startswith("accuracy: replay 1 is best for weights math 7, general 1 (best with") for n in notes)


def test_each_strategy_with_replays_is_judged_by_itself():
    """Where more replay helps one strategy and harms another, their mean would say that it changes nothing."""
    rng = np.random.default_rng(9)
    k = np.array([0.0, 1.0])
    parts = [
        rows(np.full(2, 1000), chance, rng, items=5000, replay=k, total_samples=2000).assign(strategy=name)
        for name, chance in (("dmt", [0.2, 0.6]), ("mine", [0.6, 0.2]))
    ]
    means = by_replay([arms_of(pd.concat(parts, ignore_index=True))])
    verdicts = [verdict for one in means for verdict in replays(one, 0.02)]
    assert [verdict.finding for verdict in verdicts] == ["up", "down"]
    assert ["math accuracy, dmt gains" in v.sentence for v in verdicts] == [True, False]


def test_a_rating_and_an_accuracy_are_compared_together(tmp_path):
    cells = [("a", "math", 0.9), ("a", "general", 4.0), ("b", "math", 0.3), ("b", "general", 8.0)]
    frame = pd.DataFrame(cells, columns=["strategy", "ability", "value"])
    frame["metric"] = frame["ability"].map({"math": "accuracy", "general": "score"})
    frame["stderr"] = frame["ability"].map({"math": np.nan, "general": 0.2})
    found = findings(Study(frame.assign(task="t", n_items=400, samples=1000, total_samples=2000, seed="0")))
    ((compared, chances),) = found.strategies
    assert {metric.name for metric in compared.metrics} == {"accuracy", "score"}
    assert chances == pytest.approx((1.0, 1.0), abs=0.01)  # each is best in one of the two
    (note,) = [note for note in found.notes if "at least as good" in note]
    assert "the chance that no other strategy is at least as good in all of" in note
    effects = {v.metric.name: v for v in found.verdicts if v.question == "strategy"}
    assert (effects["accuracy"].finding, effects["score"].finding) == ("down", "up")
    assert "+4.00 (" in effects["score"].sentence
    assert all("</svg>" in picture(figure).svg for figure in pareto_figures(compared, chances))
