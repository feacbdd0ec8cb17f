"""The column ``overrides`` runs a cell again; ``exclude`` leaves out the cells that it means."""

import json
import re
from pathlib import Path

import pytest

from sweep.cli.multirun import cells, plan_all
from sweep.config.compose import as_merge, freeze
from sweep.config.overrides import at_cell, label_of, short_labels
from sweep.plan.plan import Plan
from sweep.results.saved_sweep import factors
from tests.conftest import sweep
from tests.sweep.composing import cell, composer, config, hydra, plan


def planned(*words: str, store: Path) -> Plan:
    with hydra():
        fast, master = composer(*(word for word in words if word.startswith("+grid=")))
        swept = cells({}, [*words, "dry_run=true", f"store={store}"], fast.config_loader)
        return plan_all(swept, fast.config_loader, master)


@pytest.mark.parametrize(
    "words",
    [
        ["strategy=dmt", "replay=0,1/256", "data.system='Be brief, please: {x}=\"y\"'"],
        ["strategy=multitask", "amount={math:1/4},{code:1/8}", "~suite.tasks.humaneval", "++amount.general=1/2"],
        ["ratio_arm=general_small,special_full", "ratio=1/4", "strategy=multitask", "name=x", "workers=3"],
        ["+grid=data_amount", "ability=math", "fraction=1/256,1", "strategy=single", "exclude=[{fraction: 1}]"],
    ],
)
def test_the_overrides_of_a_cell_run_it_again(words: list[str], tmp_path: Path):
    made = planned(*words, store=tmp_path)
    for one in made.cells:
        again = json.loads(factors(one)["overrides"])
        (alone,) = plan(cell(*again)).cells
        assert alone.key == one.key and again
        keys = {word.partition("=")[0].lstrip("+~") for word in again}
        assert not keys & {"name", "store", "workers", "dry_run", "replace", "exclude", "grid"}


def test_a_grid_that_sets_more_than_what_it_sweeps_stays_in_the_overrides(tmp_path: Path):
    (tmp_path / "conf" / "grid").mkdir(parents=True)
    (tmp_path / "conf" / "grid" / "mine.yaml").write_text("# @package _global_\namount: {math: 1/2}\n")
    with hydra():
        fast, master = composer(f"hydra.searchpath=[{tmp_path}/conf]", "+grid=mine")
        made = plan_all([["+grid=mine", f"seed={n}", "dry_run=true"] for n in (0, 1)], fast.config_loader, master)
    assert json.loads(factors(made.cells[0])["overrides"]) == ["+grid=mine", "seed=0"]


def test_fractions_keep_their_text(tmp_path: Path):
    made = planned("strategy=single", "fraction=1/256,0.25,1", "ratio=1/3", store=tmp_path)
    columns = [factors(one) for one in made.cells]
    assert [c["fraction_text"] for c in columns] == ["1/256", "0.25", "1"]
    assert [c["fraction"] for c in columns] == [1 / 256, 0.25, 1.0]


def own_strategy(folder: Path, share: str) -> str:
    """A strategy of one's own, whose second stage reads ``share``; the word that lets Hydra find it."""
    (folder / "conf" / "strategy").mkdir(parents=True)
    text = f'name: mine\nstages: [{{math: 1}}, {{general: 1, math: "{share}"}}]\n'
    (folder / "conf" / "strategy" / "mine.yaml").write_text(text)
    return f"hydra.searchpath=[{folder}/conf]"


@pytest.mark.parametrize(
    ("share", "swept", "column", "values"),
    [
        ("${replay}", "replay=1/4,1/16", "replay", [0.25, 0.0625]),
        ("${replay}", "seed=0,1", "replay", [1 / 16, 1 / 16]),
        ("${amount.code}", "amount.code=1/2,1/8", "amount.code", ["1/2", "1/8"]),
        ("${amount.code}", "amount={code:1/2},{code:1/8}", "amount.code", [0.5, 0.125]),
        ("${ratio}", "ratio=1/4,0.5", "ratio", ["1/4", "0.5"]),
        ("${ratio.tail}", "ratio={tail:1/4},{tail:1/8}", "ratio.tail", [0.25, 0.125]),
        ("1/4", "seed=0,1", "replay", [None, None]),
    ],
)
def test_what_a_strategy_reads_is_a_factor(share: str, swept: str, column: str, values: list, tmp_path: Path):
    path = own_strategy(tmp_path, share)
    with hydra():
        fast, master = composer(path)
        words = ["strategy=mine", swept, "dry_run=true"]
        made = plan_all(cells({}, words, fast.config_loader), fast.config_loader, master)
    assert [factors(one)[column] for one in made.cells] == values


def test_replay_is_empty_for_strategies_that_do_not_read_it(tmp_path: Path):
    made = planned("strategy=multitask,dmt", "replay=1/16", store=tmp_path)
    assert [factors(one)["replay"] for one in made.cells] == [None, 0.0625]


@pytest.mark.parametrize(
    ("rule", "left"),
    [
        ("{fraction: 0.25}", 3),
        ("{fraction: 1/4, seed: 1}", 5),
        ("{fraction: 1/4, ability: math}", 3),
        ("{model: micro_s, seed: 1}", 4),
        ("{suite.tasks.gsm8k.max_new_tokens: 48, seed: 0}", 4),
        ("{total_samples: null, seed: 0}", 4),
        ("{fraction: 2/8, seed: '1'}", 5),
        ("{recipe.learning_rate: 1.0e-3, seed: 0}", 4),
    ],
)
def test_exclude_leaves_out_the_cells_that_it_means(rule: str, left: int, tmp_path: Path):
    """The sweep has fraction 1/4 and 1/16 and seeds 0, 1 and 2; everything else is as in the config."""
    words = ["strategy=single", "fraction=1/4,1/16", "seed=0,1,2", f"exclude=[{rule}]"]
    assert len(planned(*words, store=tmp_path).cells) == left


def test_exclude_reads_swept_values_as_the_config_does(tmp_path: Path):
    words = ["strategy=multitask", "allow_repeats=true,false", "total_samples=null,4096", "ability='math'"]
    rule = "exclude=[{allow_repeats: true, total_samples: null, ability: math}]"
    assert len(planned(*words, rule, store=tmp_path).excluded) == 1


def test_exclude_may_name_what_only_some_cells_have(tmp_path: Path):
    made = planned("suite=micro,base", "exclude=[{suite.tasks.mbpp.shots: 3}]", store=tmp_path)
    assert (len(made.cells), len(made.excluded)) == (1, 1)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("{fractoin: 1/4}", "exclude: fractoin is not in the config; did you mean 'fraction'"),
        ("{ability: mth}", "exclude: no cell has ability=mth; the cells have math; did you mean 'math'?"),
        (
            "{fraction: 1/61, seed: 0}",
            "exclude: no cell has fraction=1/61; the cells have 1/4, 1/16; did you mean '1/16'?",
        ),
        ("{seed: 7}", "exclude: no cell has seed=7; the cells have 0, 1"),
        ("{model: micro_x}", "exclude: no cell has model=micro_x; the cells have micro_s; did you mean 'micro_s'?"),
        ("{ratio_arm: general_full}", "exclude: no cell has ratio_arm=general_full"),
        ("{replay: 1/2}, {seed: 1}", "exclude: no cell has replay=1/2; the cells have 1/16"),
        ("{suite.tasks.mbpp.shots: 3}", "exclude: suite.tasks.mbpp.shots is not in the config"),
    ],
)
def test_exclude_names_a_key_or_value_that_no_cell_has(rule: str, message: str, tmp_path: Path):
    words = ("fraction=1/4,1/16", "seed=0,1", "strategy=single", f"exclude=[{rule}]")
    with pytest.raises(ValueError, match=re.escape(message)):
        planned(*words, store=tmp_path)


def test_exclude_is_checked_without_a_sweep_too(store_path: Path):
    ended = sweep("exclude=[{ability: mth}]", "dry_run=true", store=store_path)
    assert (
        ended.returncode == 2
        and "exclude: no cell has ability=mth; the cells have math; did you mean 'math'?" in ended.stderr
    )


def test_a_label_does_not_depend_on_what_is_swept(tmp_path: Path):
    wide = planned("ability=math,code", "fraction=1/4,1", "recipe.epochs=2", "strategy=single", store=tmp_path)
    narrow = planned("strategy=single", "recipe.epochs=2,3", "fraction=1/4", "ability=math", store=tmp_path)
    (alone,) = planned("fraction=1/4", "recipe.epochs=2", "ability=math", "strategy=single", store=tmp_path).cells
    labels = [{cell.key: cell.label for cell in made.cells}[alone.key] for made in (wide, narrow)]
    assert labels == [alone.label] * 2 == ["strategy=single,ability=math,fraction=1/4,recipe.epochs=2"] * 2


def test_a_label_says_nothing_of_how_the_sweep_runs():
    words = ["seed=1", "engine=zero2", "engine.ranks=2", "tracker=wandb", "name=x", "store=y", "hydra/launcher=local",
             "+grid=mixture", "workers=2", "~suite.tasks.mbpp", "model=micro_m"]  # fmt: skip
    assert label_of(words) == "model=micro_m,seed=1,~suite.tasks.mbpp"
    assert label_of(["dry_run=true"]) == "default"


def test_what_all_labels_share_is_said_once():
    cells = [["seed=1", "fraction=1/4"], ["fraction=1/4"]]
    assert short_labels(cells) == ("fraction=1/4", ["seed=1", "default"])
    assert short_labels(cells[:1]) == ("", ["fraction=1/4,seed=1"])
    assert short_labels(["a", "b"]) == ("", ["a", "b"])  # labels alone, of a sweep that knows no overrides


def test_an_error_names_a_cell_by_what_tells_it_from_the_others():
    cells = [["seed=1", "data.max_length=64"], ["seed=2", "data.max_length=64"]]
    assert at_cell(cells, 1) == "cell seed=2: "
    assert at_cell(cells[:1], 0) == ""


SUMS = "{ability: math, format: gsm8k, path: FILE, held_out_rows: 1}"


@pytest.fixture
def sums(tmp_path: Path) -> Path:
    (tmp_path / "sums.jsonl").write_text('{"question": "1 + 1?", "answer": "#### 2"}\n' * 4)
    return tmp_path / "sums.jsonl"


def test_sources_and_tasks_are_added_and_removed_on_the_command_line(sums: Path, store_path: Path):
    words = [
        f"+data.sources.mine={SUMS.replace('FILE', str(sums))}", "~data.sources.math", "ability=math",
        "seed=0,1", "dry_run=true",
        "+suite.tasks.my-loss={ability: math, task: loss}", "+data.corpus.more.ability=corpus",
        "+data.corpus.more.format=text", f"+data.corpus.more.path={sums}", "+data.corpus.more.columns={text: question}",
    ]  # fmt: skip
    current = list(map(as_merge, words))
    with hydra():
        fast, master = composer()
        made = plan_all(cells({}, current, fast.config_loader), fast.config_loader, master)
    one, _ = made.cells
    assert list(one.cell.data.of("math")) == ["mine"] and one.samples == {"math": 3}
    assert list(one.cell.suite.tasks)[-1] == "my-loss"
    assert one.cell.data.corpus["more"].columns == {"text": "question"}
    assert freeze(config(*(word for word in current if not word.startswith("seed")))).data == one.cell.data
    for flags in ([], ["-m"]):
        ended = sweep(*flags, *(word for word in words if not word.startswith("seed")), store=store_path)
        assert ended.returncode == 0 and "math:3" in ended.stdout, ended.stderr


def test_an_added_source_can_be_swept(sums: Path):
    source = SUMS.replace("FILE", str(sums))
    words = [f"+data.sources.mine={source},{source.replace('math', 'code')}", "ability=math", "dry_run=true"]
    with hydra():
        fast, master = composer()
        made = plan_all(cells({}, list(map(as_merge, words)), fast.config_loader), fast.config_loader, master)
    assert [one.samples["math"] for one in made.cells] == [2560 + 3, 2560]


@pytest.mark.parametrize("word", ["+data.sources.mine={ability: math,", "+amount.law=1", "data.sources.x={a: 1}", "-m"])
def test_other_words_stay_as_they_are(word: str):
    assert as_merge(word) == word
