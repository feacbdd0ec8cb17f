"""Identity: what changes a key, what does not, and the keys of today, pinned."""

import dataclasses
import json
import typing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sweep.stages.stage
from common.restore import restore
from eval.spec.answers import AnswerSpec, Decoding, HubRows, Shots
from eval.spec.judge import Judge
from eval.spec.scores import OverlapSpec, ScoreSpec
from eval.spec.tasks import FORMS, TASKS
from sweep.stages.stage import File, Stage, canonical, plain, to_build
from train.spec import (
    CLEANING,
    FORMATS,
    Architecture,
    Hub,
    Portion,
    Recipe,
    TokenizerSpec,
    TokensSpec,
    TrainSpec,
    WorldSpec,
)

RECIPE = Recipe(3.0, None, 16, None, 1e-3, "cosine", 0.03, 0.0, 0.0, 0.9, 0.95, 1e-8, 1.0, "fp32")
TRAIN = TrainSpec(None, Architecture(64, 128, 2, 4, 4, 128, 1e4), (Portion("math", ("gsm8k",), 32),), RECIPE, 0)
TOKENS = TokensSpec(
    "gsm8k", "math.jsonl", (("question", "q"),), Hub("org/model", "abc"), "micro", "", "assistant",
    128, 10, "train", "error", "truncate",
)  # fmt: skip
WORLD = WorldSpec(0, 100, 100, 100, 10, 500)
SPECS = (WorldSpec, TokensSpec, TrainSpec, AnswerSpec, ScoreSpec, TokenizerSpec, HubRows, OverlapSpec)


@pytest.mark.parametrize("cls", SPECS, ids=lambda c: c.__name__)
def test_specs_differ_exactly_when_their_identities_do(cls):
    """Hypothesis builds the specs from their types, so that a new field is covered on the day it is added."""

    def valid(**values):
        try:
            return cls(**values)
        except ValueError:
            return None

    hints = typing.get_type_hints(cls)
    specs = st.builds(valid, **{name: from_hint(name, hint) for name, hint in hints.items()}).filter(bool)

    @settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None)
    @given(specs, st.data())
    def holds(spec, data):
        for name, hint in hints.items():
            value = data.draw(from_hint(name, hint))
            try:
                other = dataclasses.replace(spec, **{name: value})
            except ValueError:
                continue
            assert (other == spec) == (canonical(other) == canonical(spec))

    holds()


WORDS = {
    "format": FORMATS, "supervise": ("assistant", "all"), "part": ("train", "held_out"), "task": tuple(TASKS),
    "form": FORMS, "engine": ("local", "vllm"),
    "on_bad_row": ("error", "skip"), "on_long": ("error", "skip", "truncate"),
}  # fmt: skip


def from_hint(name, hint):
    if name in WORDS:
        return st.sampled_from(WORDS[name])
    if name == "clean":
        return st.lists(st.sampled_from(CLEANING), max_size=3).map(tuple)
    if hint is Recipe:
        return st.sampled_from([RECIPE, dataclasses.replace(RECIPE, learning_rate=2e-3)])
    if hint == Architecture | None:
        return st.sampled_from([None, TRAIN.architecture])
    if hint == Decoding | None:
        return st.sampled_from(
            [None, *(Decoding(*one) for one in ((8, 0.0, 0), (8, 0.5, 0), (9, 0.0, 0), (8, 0.0, 1), (8, 0.5, 0, 0.9)))]
        )
    if hint == Shots | None:
        return st.sampled_from([None, Shots(5, ""), Shots(4, ""), Shots(5, "math.jsonl"), Shots(5, "", 0)])
    if hint == Judge | None:
        return st.one_of(st.none(), st.builds(Judge, st.none() | st.text(), st.integers(1, 9), st.floats(0, 9)))
    if hint is float:
        return st.floats(0.5, 100.0)
    if hint is int:
        return st.integers(1, 10**6)
    return st.from_type(hint)


def test_kind_revision_inputs_and_input_names_change_the_key(monkeypatch):
    world = Stage("world", WORLD, {})
    base = Stage("tokens", TOKENS, {"data": world})
    keys = {
        base.key,
        Stage("train", TOKENS, {"data": world}).key,
        Stage("tokens", TOKENS, {"rows": world}).key,
        Stage("tokens", TOKENS, {"data": Stage("world", dataclasses.replace(WORLD, seed=1), {})}).key,
    }
    monkeypatch.setitem(sweep.stages.stage.REVISION, "world", 99)
    keys.add(Stage("tokens", TOKENS, {"data": Stage("world", WORLD, {})}).key)
    assert len(keys) == 5


@given(st.permutations(["a", "b", "c"]))
def test_order_of_inputs_does_not_matter(names):
    nodes = {name: File(Path("/x") / name, name * 4) for name in names}
    assert Stage("tokens", TOKENS, nodes).key == Stage("tokens", TOKENS, dict(sorted(nodes.items()))).key


def test_a_file_is_its_content_not_its_place():
    here, there = File(Path("/here/a.jsonl"), "d1"), File(Path("/there/b.jsonl"), "d1")
    assert Stage("tokens", TOKENS, {"data": here}).key == Stage("tokens", TOKENS, {"data": there}).key
    assert (
        Stage("tokens", TOKENS, {"data": File(Path("/here/a.jsonl"), "d2")}).key
        != Stage("tokens", TOKENS, {"data": here}).key
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), Path("/x"), lambda: 0, {1, 2}, object()])
def test_values_without_a_stable_meaning_are_refused(value):
    with pytest.raises(TypeError, match="cannot identify a stage"):
        plain([value])


def test_a_field_added_later_leaves_old_keys_alone():
    @dataclasses.dataclass(frozen=True)
    class Old:
        a: int

    @dataclasses.dataclass(frozen=True)
    class New:
        a: int
        b: int = dataclasses.field(default=0, metadata={"neutral": 0})

    assert canonical(Old(1)) == canonical(New(1)) != canonical(New(1, 2))
    assert restore(New, plain(New(1))) == New(1)


@pytest.mark.parametrize("spec", [WORLD, TOKENS, TRAIN], ids=lambda s: type(s).__name__)
def test_restore_undoes_plain(spec):
    assert restore(type(spec), json.loads(canonical(spec))) == spec


def test_keys_are_pinned():
    """A change here means that every store in the world is recomputed: raise a REVISION or mend the change."""
    world = Stage("world", WORLD, {})
    tokens = Stage("tokens", TOKENS, {"data": world})
    keys = {s.kind: s.key for s in (world, tokens, Stage("train", TRAIN, {"gsm8k": tokens}))}
    golden = Path(__file__).parents[2] / "golden" / "keys.json"
    assert keys == json.loads(golden.read_text())


def chain(*links: tuple[str, str], names: str) -> dict[str, Stage]:
    """Stages by name, each made from those that its links name, in order."""
    made: dict[str, Stage] = {}
    for number, name in enumerate(names):
        inputs = {source: made[source] for source, target in links if target == name}
        made[name] = Stage("world", dataclasses.replace(WORLD, seed=number), inputs)
    return made


@pytest.mark.parametrize(
    ("present", "built"),
    [
        ("", "wctbmas"),
        ("b", "wtmas"),  # not the corpus tokens c, from which nothing but the base b is made
        ("bw", "tmas"),
        ("bma", "ws"),  # the score s reads the world
        ("s", ""),
        ("wctbmas", ""),
        ("m", "was"),
    ],
)
def test_nothing_is_built_that_only_finished_stages_were_made_from(present: str, built: str):
    links = [*("wc", "wt", "cb", "tm", "bm", "ma", "as", "ws")]
    stages = chain(*((one[0], one[1]) for one in links), names="wctbmas")
    there = {stages[name].key for name in present}
    found = to_build(stages.values(), lambda stage: stage.key in there)
    assert list(found) == [stages[name].key for name in built]
