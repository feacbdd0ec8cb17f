"""The cells of a sweep: those that Hydra's basic sweeper makes of the same words."""

import pytest
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from sweep.cli.multirun import cells
from tests.sweep.composing import composer, hydra


@pytest.mark.parametrize(
    "words",
    [
        ["seed=0,1", "fraction=1/4,1"],
        ["seed=range(0,6,2)", "+x=choice(a,b)"],
        ["model.name='a, b'", 'model.name="c=d",e'],
        ["amount={math:1/4},{code: 0.5}", "++y=[1,'2',{a: null}]"],
        ["strategy=glob(*sequential)", "recipe@model.pretrain=micro,paper"],
        ["seed=1,2", "fraction=1", "seed=3"],
    ],
)
def test_cells_are_those_of_the_basic_sweeper(words: list[str]):
    with hydra():
        loader = composer()[0].config_loader
        parsed = OverridesParser.create(config_loader=loader).parse_overrides(["ability=math,code", *words])
        (stock,) = BasicSweeper.split_arguments(parsed, None)
        assert cells({"ability": "math,code"}, words, loader) == stock


def test_a_deletion_stays_without_a_value():
    with hydra():
        loader = composer()[0].config_loader
        assert cells({}, ["~tracker", "~seed=1"], loader) == [["~tracker", "~seed=1"]]


def test_an_interval_is_refused():
    with hydra(), pytest.raises(HydraException, match=r"fraction=interval\(0,1\).*fraction=A,B"):
        cells({}, ["fraction=interval(0,1)"], composer()[0].config_loader)
