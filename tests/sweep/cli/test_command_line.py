"""``python -m sweep``: words that contradict each other, and where a verb stands."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from analysis import commands as analysis_commands
from common.in_store import InStore
from common.options import AsJson, parse
from eval.commands import main as eval_commands
from sweep.__main__ import _as_text, _given_twice, _raised_in
from sweep.cli.verbs import VERBS
from tests.conftest import sweep

EVERY = (*VERBS.values(), *eval_commands.COMMANDS.values(), *analysis_commands.COMMANDS.values())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["dry_run=true", "dry_run=false"], "dry_run= is given twice"),
        (["total=512", "total_samples=256", "dry_run=true"], "total_samples= is given twice"),
        (["-m", "name=a,b", "dry_run=true"], "name is one for the whole command"),
        (["-m", "dry_run=false,true"], "dry_run is one for the whole command"),
        (["-m", "name=lr_${seed}", "seed=0,1"], "name differs between cells, such as lr_0 and lr_1"),
        (["-m", "workers=${seed}", "seed=1,2"], "workers differs between cells, such as 1 and 2"),
        (["name=.5", "dry_run=true"], "name=.5 cannot name a sweep"),
        (["name=+5", "dry_run=true"], "name=+5 cannot name a sweep"),
        (["name='llama/seed 0'", "dry_run=true"], "name=llama/seed 0 cannot name a sweep"),
        (["dry_run=true", "gc"], "gc is a verb; write it first"),
        ([f"name={'a' * 101}", "dry_run=true"], "at most 100 letters"),
        (["dry_run=true", "suite.judge_client.url=x"], "Unexpected type"),
    ],
)
def test_contradictions_end_the_command_before_anything_runs(words: list[str], message: str, store_path: Path):
    ended = sweep(*words, store=store_path)
    assert ended.returncode == 2
    assert message in ended.stderr and "Traceback" not in ended.stderr
    assert not store_path.exists()


def test_of_other_keys_the_last_value_counts():
    assert _given_twice(["seed=1", "seed=2"], ["seed=1", "seed=2"]) == ""


def test_help_may_stand_anywhere(store_path: Path):
    ended = sweep("seed=0", "help", store=store_path)
    assert ended.returncode == 0 and "python -m sweep VERB" in ended.stdout


def test_a_name_may_read_what_all_cells_share(store_path: Path):
    ended = sweep(
        "-m", "name=math_${ability}_${recipe.epochs}", "recipe.epochs=2", "seed=0,1", "dry_run=true", store=store_path
    )
    assert ended.returncode == 0 and "sweep math_math_2" in ended.stdout, ended.stderr


@pytest.mark.parametrize("place", ["", "FILE"])
def test_gc_refuses_what_is_no_store(place: str, tmp_path: Path):
    (tmp_path / "FILE").touch()
    from sweep.cli.options import Garbage

    with pytest.raises(ValueError, match=r"store=.* is (empty|not a folder)"):
        Garbage(store=str(tmp_path / place) if place else "")


@pytest.mark.parametrize("name", ["1e3", "01", "7", "true", "v1.2", "2024_10_05", "0x10", "5.", "nan"])
def test_a_name_that_looks_like_a_number_stays_as_written(name: str, store_path: Path):
    ended = sweep(f"name={name}", "dry_run=true", store=store_path)
    assert ended.returncode == 0 and f"sweep {name}\n" in ended.stdout


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("model.revision=0123", "model.revision=0123"),  # text to Hydra too
        ("+data.sources.mine.revision=1_000", "+data.sources.mine.revision='1_000'"),
        ("model.revision=main,1e3,7", "model.revision=main,'1e3',7"),
        ("store=1e3", "store='1e3'"),
        ("name='1e3'", "name='1e3'"),
        ("model.name=null", "model.name=null"),
        ("name=${ability}", "name=${ability}"),
        ("model.revision=choice(1e3,main)", "model.revision=choice(1e3,main)"),
        ("seed=0123", "seed=0123"),
        ("fraction=1e-2", "fraction=1e-2"),
        ("name", "name"),
        ("store=", "store="),
        ("store=a b", "store=a b"),
    ],
)
def test_text_that_looks_like_a_number_is_quoted(word: str, text: str):
    assert _as_text(word) == text


def test_only_assertions_of_omegaconf_are_a_mistake_of_the_user():
    with pytest.raises(AssertionError) as ours:
        raise AssertionError
    assert not _raised_in(ours.value, "omegaconf")


def test_every_verb_has_json():
    for command in EVERY:
        assert issubclass(command.options, AsJson), command.summary


def test_an_empty_store_is_refused_by_every_verb():
    """As from an unset variable of the shell: the default store could be another one than was meant."""
    in_store = [command for command in EVERY if issubclass(command.options, InStore)]
    assert len(in_store) == 13
    for command in in_store:
        words = [
            f"{field.name}=a,b" for field in dataclasses.fields(command.options) if field.name in ("sweep", "quantity")
        ]
        with pytest.raises(ValueError, match=r"store= is empty; give a folder, or leave it out"):
            parse(command.options, [*words, "store="])
