"""One grammar for every command: what is read, what is refused, and what help says."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.options import AsJson, Command, Result, option, parse, run


@dataclass(frozen=True)
class Example:
    sweep: str = option("the sweep's name")
    dry_run: bool = option("only show what would be done", False)
    workers: int | None = option("processes at a time", None)
    margin: float = option("the difference that matters", 0.02)
    tasks: list[str] = option("some tasks only", [])
    columns: list[str] | None = option("columns to read", None)
    weights: dict[str, float] = option("what each ability counts", {})
    source: str = option("where the table comes from", "", key="from")
    law: str = option("the law to fit", "power", choices=("power", "bounded"))


def test_every_type_is_read():
    words = [
        "sweep=s",
        "dry_run=yes",
        "workers=2",
        "margin=1e-3",
        "tasks=a,b",
        "columns=[c,d]",
        "from=x.csv",
    ]
    assert parse(Example, ["law=bounded", *words, "weights={math: 1, code: 2.5}"]) == Example(
        "s", True, 2, 0.001, ["a", "b"], ["c", "d"], {"math": 1.0, "code": 2.5}, "x.csv", "bounded"
    )


def test_defaults_stand_and_none_can_be_written():
    assert parse(Example, ["sweep=s"]) == Example("s")
    assert parse(Example, ["sweep=s", "workers=null", "columns=None"]) == Example("s")


@pytest.mark.parametrize("text", ["true", "True", "TRUE", "yes", "Yes", "on", "ON", "1", " true "])
def test_every_usual_spelling_of_true_is_true(text: str):
    assert parse(Example, ["sweep=s", f"dry_run={text}"]).dry_run is True


@pytest.mark.parametrize("text", ["false", "False", "FALSE", "no", "No", "off", "OFF", "0"])
def test_every_usual_spelling_of_false_is_false(text: str):
    assert parse(Example, ["sweep=s", f"dry_run={text}"]).dry_run is False


@pytest.mark.parametrize("text", ["", "ture", "t", "2", "-1", "null", "tru e", "'yes please'", "!"])
def test_what_is_not_understood_as_true_or_false_is_refused(text: str):
    with pytest.raises(ValueError, match=r"^dry_run=.* is not true or false$"):
        parse(Example, ["sweep=s", f"dry_run={text}"])


@given(st.text(alphabet=st.characters(blacklist_categories=["Cs", "Cc"]), max_size=12))
def test_no_text_means_both_true_and_false(text: str):
    """A destructive command runs only for a text that says so: every other text is refused."""
    try:
        value = parse(Example, ["sweep=s", f"dry_run={text}"]).dry_run
    except ValueError:
        return
    assert value is (text.strip().lower() in ("true", "yes", "on", "y", "1"))


@given(st.text(min_size=1).filter(lambda text: text[0] not in "'\"" and text.strip().lower() not in ("null", "none")))
def test_a_text_is_taken_as_it_stands(text: str):
    assert parse(Example, [f"sweep={text}"]).sweep == text


@pytest.mark.parametrize(
    ("text", "value"), [("'a b'", "a b"), ('"a=b"', "a=b"), ("'a", "'a"), ("''", ""), ("it's", "it's")]
)
def test_one_pair_of_quotes_is_taken_off(text: str, value: str):
    assert parse(Example, [f"sweep={text}"]).sweep == value


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sweep=s", "worker=2"], r"'worker=2': 'worker' is not an option; did you mean 'workers'\?$"),
        (["sweep=s", "gpu=2"], r"^'gpu=2': 'gpu' is not an option; the options: sweep=, dry_run=, workers="),
        (["sweep=s", "workers"], r"'workers' has no value; write workers=VALUE"),
        (["sweep=s", "workers=two"], r"^workers=two is not a whole number$"),
        (["sweep=s", "workers=1.5"], r"^workers=1.5 is not a whole number$"),
        (["sweep=s", "margin=big"], r"^margin=big is not a number$"),
        (["sweep=s", "weights=[1]"], r"^weights=\[1\] is not a dictionary such as"),
        (["sweep=s", "weights={math: much}"], r"^weights=.* is not a dictionary such as"),
        (["sweep=s", "tasks=a,,b"], r"^tasks=a,,b is not a list such as a,b$"),
        (["sweep=s", "law=boundd"], r"law=boundd: 'boundd' is unknown; did you mean 'bounded'\?; choose one of: power"),
        (["sweep=s", "sweep=t"], r"^sweep= is given twice; keep one$"),
        (["source=x", "sweep=s"], r"'source' is not an option"),
        ([], r"^sweep= missing; --help says what to give$"),
        (
            ["worker=2", "margin=big", "margin=1", "law=boundd", "tasks"],
            r"^6 problems\n  'worker=2': .*'workers'\?\n  margin= is given twice; keep one\n"
            r"  'tasks' has no value; .*\n  sweep= missing; .*\n  margin=big is not a number\n  law=boundd: .*$",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_remedy(words: list[str], message: str):
    with pytest.raises(ValueError, match=message):
        parse(Example, words)


@dataclass(frozen=True)
class Nothing:
    pass


@dataclass
class Calls:
    seen: list[object] = field(default_factory=list)

    def commands(self) -> dict[str, Command]:
        def act(options: object) -> int:
            self.seen.append(options)
            return 0

        return {"": Command(Example, "analyse a sweep", act), "gc": Command(Nothing, "remove what is unused", act)}


def test_a_verb_is_found_run_or_refused(capsys: pytest.CaptureFixture[str]):
    calls = Calls()
    assert run("python -m x", calls.commands(), ["gc"]) == 0
    assert run("python -m x", calls.commands(), ["sweep=s"]) == 0
    assert calls.seen == [Nothing(), Example("s")]
    assert run("python -m x", calls.commands(), ["gcc"]) == 2
    assert "'gcc' is not a verb of python -m x; did you mean 'gc'?" in capsys.readouterr().err
    assert run("python -m x", calls.commands(), ["gc", "dry=1"]) == 2
    assert len(calls.seen) == 2


@pytest.mark.parametrize("word", ["-h", "--help", "help"])
def test_help_lists_verbs_and_each_option_with_type_default_and_meaning(word: str, capsys: pytest.CaptureFixture[str]):
    calls = Calls()
    assert run("python -m x", calls.commands(), [word]) == 0
    assert "gc" in (said := capsys.readouterr().out) and "remove what is unused" in said
    assert run("python -m x", calls.commands(), ["sweep=s", word]) == 0
    said = capsys.readouterr().out
    for text in ("sweep=TEXT  (required)", "dry_run=true|false  (default: false)", "workers=INTEGER  (default: none)"):
        assert text in said
    assert (
        "from=TEXT" in said and "law=power|bounded  (default: power)" in said and "the difference that matters" in said
    )
    assert not calls.seen


@dataclass(frozen=True)
class Counted(AsJson):
    number: int = option("how many", 1)


def test_with_json_the_record_alone_is_printed(capsys: pytest.CaptureFixture[str]):
    def count(options: Counted) -> Result:
        print("counting")
        return Result("counted", {"number": options.number}, 3)

    commands = {"count": Command(Counted, "Count.", count)}
    assert run("program", commands, ["count", "number=2", "json=true"]) == 3
    out, err = capsys.readouterr()
    assert json.loads(out) == {"number": 2} and err == "counting\n"
    assert run("program", commands, ["count"]) == 3
    assert capsys.readouterr().out == "counting\ncounted\n"
