"""What a template may not do: each guard by a small config of its own."""

import pytest
from omegaconf import DictConfig, OmegaConf

from sweep.config.template import Template, Unfit, is_literal, is_single_value, references
from tests.sweep.composing import composer, hydra


def template(config: dict, *keys: str) -> Template:
    return Template(OmegaConf.create(config), keys, lambda _: object())  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize(
    ("key", "single"),
    [
        ("branch.leaf", True), ("branch.text", True), ("branch", False), ("branch.absent", False),
        ("none.leaf", False), ("missing.leaf", False), ("elsewhere.leaf", False), ("list.0", False), ("list", False),
        ("branch.leaf.deeper", False),
    ],
)  # fmt: skip
def test_a_single_value_lies_behind_dictionaries_alone(key: str, single: bool):
    config = {
        "branch": {"leaf": 1, "text": "${branch.leaf}"}, "none": DictConfig(None), "missing": DictConfig("???"),
        "elsewhere": DictConfig("${branch}"), "list": [1],
    }  # fmt: skip
    assert is_single_value(OmegaConf.create(config), key) == single


@pytest.mark.parametrize(
    ("key", "below", "literal"),
    [
        ("list.0.x", True, False), ("list.1.x", True, True), ("list.7", True, False), ("plain.7.x", True, True),
        ("branch", True, False), ("branch", False, True), ("branch.x", False, False), ("branch.y", True, True),
    ],
)  # fmt: skip
def test_interpolations_are_found_on_the_way_and_below(key: str, below: bool, literal: bool):
    config = {"list": [{"x": "${a}"}, {"x": 1}], "plain": [1], "branch": {"x": "${a}", "y": 1}}
    assert is_literal(config, key, below=below) == literal


@pytest.mark.parametrize(
    ("texts", "varying"),
    [
        ({"one": "${a}"}, ["one"]),
        ({"one": "${b}"}, []),
        ({"one": "${c}", "c": "${a}"}, ["c", "one"]),
        ({"one": "${oc.select:a}"}, ["one"]),
        ({"one": "${oc.env:HOME}/x"}, []),
        ({"one": "${oc.env:${a}}"}, ["one"]),
        ({"one": "${deep}", "deep": {"x": "${a}"}}, ["deep.x", "one"]),
        ({"one": "${model_name:x}", "path": None, "hub": None}, []),
        ({"one": {"name": "${model_name:x}", "path": "${a}"}}, ["one.name", "one.path"]),
        ({"one": "${first_ability:}", "data": {"sources": {"s": 1}}}, []),
        ({"one": "${first_ability:}", "data": {"sources": "${a}"}}, ["data.sources", "one"]),
    ],
)
def test_what_may_read_a_swept_value_is_worked_out_anew(texts: dict, varying: list[str]):
    paths = template({"a": 1, "b": 2, **texts}, "a").varying
    assert sorted(".".join(map(str, path)) for path in paths) == varying


def test_a_config_that_reads_hydras_own_has_no_template():
    with pytest.raises(Unfit):
        template({"a": 1, "b": "${hydra:job.name}"}, "a")
    with pytest.raises(Unfit):
        template({"a": [1]}, "a.0")


def test_an_interpolation_of_a_branch_that_varies_is_left_to_hydra():
    made = template({"a": {"x": 1}, "b": "${a}"}, "a.x")
    made.cell([("a.x", 2)])
    with pytest.raises(Unfit):
        made.cell([("a.x", 3)])


def test_equal_numbers_of_other_types_are_other_values():
    with hydra():
        fast, _ = composer()
        ratios = [fast.cell([f"ratio={value}", "seed=1"]).ratio for value in ("1", "1.0", "true", "1")]
    assert [repr(ratio) for ratio in ratios] == ["1", "1.0", "True", "1"]


def test_a_part_that_a_cell_does_not_change_is_the_same_object():
    with hydra():
        fast, _ = composer()
        first, second = (fast.cell(["data.max_length=64", f"seed={seed}"]) for seed in (1, 2))
    assert first.data is second.data


def test_references_are_named_once():
    assert references([{"a": "${b.c} and ${a}"}, "${a}", "$d", "${oc.env:X}"]) == ("a", "b.c")
