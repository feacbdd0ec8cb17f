"""Strategies, amounts and grids speak of whatever abilities the data has."""

from fractions import Fraction

import pytest

from sweep.cli.multirun import cells, plan_all
from sweep.config.amount import Amount
from sweep.config.compose import as_merge
from sweep.config.strategy import Strategy
from tests.conftest import ROOT
from tests.sweep.composing import cell, composer, config, hydra, plan

GEO = "+data.sources.maps={ability: geo, format: gsm8k, world: math.jsonl, held_out_rows: 256}"
GEO_TASK = "+suite.tasks.geo_loss={ability: geo, task: loss}"
CHAT = ["data.sources.general.ability=chat", "~suite.tasks.general_loss", "~suite.tasks.ifeval"]
QUARTER = Fraction(1, 4)
GRIDS = sorted(path.stem for path in (ROOT / "conf" / "grid").glob("*.yaml"))


def expanded(stages, abilities=("math", "geo", "code", "chat"), general="chat", selected="code"):
    amounts = [{word: Amount.parse(text) for word, text in stage.items()} for stage in stages]
    return Strategy("mine", amounts).expanded(abilities, general, selected)


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        ([{"selected": "1/2"}], [{"code": Fraction(1, 2)}]),
        ([{"all": "1"}], [{"math": 1, "geo": 1, "code": 1, "chat": 1}]),
        ([{"each": "1"}], [{"code": 1}, {"geo": 1}, {"math": 1}, {"chat": 1}]),
        ([{"general": "1", "specialised": "1/4"}], [{"chat": 1, "math": QUARTER, "geo": QUARTER, "code": QUARTER}]),
        ([{"math": "1/8", "specialised": "1"}], [{"math": Fraction(1, 8), "geo": 1, "code": 1}]),
        ([{"specialised": "1", "math": "1/4"}, {"chat": "1"}], [{"math": QUARTER, "geo": 1, "code": 1}, {"chat": 1}]),
    ],
)  # fmt: skip
def test_words_stand_for_the_abilities_of_the_data(stages, expected):
    assert expanded(stages) == expected


def test_each_stands_alone():
    with pytest.raises(ValueError, match="stage 1: each stands for several stages; write nothing beside it"):
        expanded([{"each": "1", "math": "1"}])


def swept(*words: str) -> list[tuple[str, dict[str, int]]]:
    """Strategy and samples of every cell of a sweep, in order."""
    with hydra():
        fast, master = composer(*(word for word in words if word.startswith("+grid=")))
        params = dict(master.hydra.sweeper.params or {})
        overrides = [*map(as_merge, words), "dry_run=true"]
        made = plan_all(cells(params, overrides, fast.config_loader), fast.config_loader, master)
    return [(made_cell.cell.strategy.name, made_cell.samples) for made_cell in made.cells]


@pytest.mark.parametrize("grid", GRIDS)
def test_a_fourth_ability_is_part_of_every_grid(grid: str):
    three = swept(f"+grid={grid}")
    four = swept(f"+grid={grid}", GEO, GEO_TASK)
    assert {ability for _, samples in three for ability in samples} == {"math", "code", "general"}
    assert {ability for _, samples in four for ability in samples} == {"math", "code", "general", "geo"}
    for strategy, samples in four:
        if strategy in ("multitask", "sequential", "mixed_sequential") and "math" in samples:
            assert abs(samples["geo"] - samples["math"]) <= 1  # the same rows; totals are rounded


def test_abilities_come_in_turn_before_what_is_given_after_them():
    words = ["-m", "strategy=single", "ability=each", "fraction=1/4,1"]
    assert [samples for _, samples in swept(*words[1:])] == [
        {"math": 640}, {"math": 2560}, {"code": 640}, {"code": 2560}, {"general": 1536}, {"general": 6144},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "samples"),
    [
        (["amount.geo=1/2"], {"math": 2560, "code": 2560, "general": 6144, "geo": 1280}),
        (["amount.specialised=100"], {"math": 100, "code": 100, "general": 6144, "geo": 100}),
        (["amount.specialised=100", "amount.geo=7"], {"math": 100, "code": 100, "general": 6144, "geo": 7}),
        (["amount.general=0", "data.general=geo", *CHAT], {"math": 2560, "code": 2560, "chat": 6144}),
    ],
)
def test_amounts_by_ability_come_before_those_of_a_group(words: list[str], samples: dict[str, int]):
    made = plan(cell("strategy=multitask", as_merge(GEO), *words))
    assert made.cells[0].samples == samples


def test_an_amount_of_any_ability_is_set_without_composing_anew():
    with hydra():
        fast, _ = composer()
        made = [fast._from_template([f"amount.code={n}", "strategy=multitask"]) for n in (7, 8)]
    assert [one and one.amount_of("code").text for one in made] == ["7", "8"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["ability=each"], "ability=each stands for each ability of the data in turn; add -m to the command"),
        (["data.sources.math.ability=all"], "data.sources.math.ability=all: .* give the ability another name"),
        (["data.sources.math.ability=general", "data.general=code"], "data.sources.math.ability=general: "),
        (
            ["strategy=dmt", "data.general=law", *CHAT],
            "stage 2: data=micro has no source of the general ability, 'law'",
        ),
        (
            ["amount.maht=1/4"],
            "amount.maht=1/4: data=micro has no source of 'maht', only of math, code, general",
        ),
        (["strategy=multitask", "ability=maht"], "ability=maht: data=micro has no source of 'maht'"),
    ],
)
def test_words_that_stand_for_nothing_are_refused(words: list[str], message: str):
    with pytest.raises(ValueError, match=message):
        cell(*words)


def test_the_first_ability_of_the_data_is_selected():
    assert cell("strategy=single").ability == "math"
    assert config("data=local").ability == "math"
