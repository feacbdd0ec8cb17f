"""Overrides as words: of labels, of strategies with and without replay, and what all cells have in common."""

import pandas as pd
import pytest

from analysis.advice.commands import common, parts, strategy_words
from analysis.data.study import Study


def study(**columns):
    frame = pd.DataFrame(columns)
    return Study(frame.assign(ability="math", task="t", metric="accuracy", value=0.5))


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("a=1,b=2", ["a=1", "b=2"]),
        ("a={x:1,y:2},b=[1,2],c=(1,2)", ["a={x:1,y:2}", "b=[1,2]", "c=(1,2)"]),
        ("a={x:{y:1,z:2},w:3},b=1", ["a={x:{y:1,z:2},w:3}", "b=1"]),
        ("a=1", ["a=1"]),
    ],
)
def test_labels_are_split_at_commas_outside_of_brackets(label, words):
    assert parts(label) == words


def test_a_strategy_comes_with_its_own_replay():
    table = study(strategy=["mine", "dmt", "multitask"], replay=[1 / 4, 1 / 16, None])
    assert strategy_words(table, "dmt") == {"strategy": "dmt", "replay": "1/16"}
    assert strategy_words(table, "mine replay 1/2") == {"strategy": "mine", "replay": "1/2"}
    assert strategy_words(table, "multitask") == {"strategy": "multitask"}
    assert strategy_words(study(strategy=["dmt"]), "dmt") == {"strategy": "dmt"}


def test_what_cells_have_in_common_is_all_but_their_composition():
    listed = '["model=micro_s", "amount.math=1/4", "strategy=dmt", "seed=1", "recipe.epochs=2"]'
    assert common(study(overrides=[listed])) == {"model": "micro_s", "recipe.epochs": "2"}
    assert common(study(strategy=["dmt"])) == {}
