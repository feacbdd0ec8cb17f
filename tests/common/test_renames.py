"""Old names of config keys are understood wherever users wrote them, and each is noted once."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.renames import RENAMED, current_defaults, current_key, current_override, current_tree
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("total=4096", "total_samples=4096"),
        ("repeat=true", "allow_repeats=true"),
        ("rounding=ceil,floor", "sample_rounding=ceil,floor"),
        ("arm=constant_total", "ratio_arm=constant_total"),
        ("+arm@x=constant_total", "+ratio_arm@x=constant_total"),
        ("~arm", "~ratio_arm"),
        ("suite.engine=vllm", "suite.backend=vllm"),
        ("++suite.judging.dollars=3", "++suite.judge_client.dollars=3"),
        ("data.sources.mine.held_out=5", "data.sources.mine.held_out_rows=5"),
        ("+data.corpus.mine.fields.text=body", "+data.corpus.mine.columns.text=body"),
        ("~suite.tasks.gsm8k.items", "~suite.tasks.gsm8k.max_items"),
        ("data.sources.a={samples: 3, fields: {items: x}}", "data.sources.a={num_rows: 3, columns: {items: x}}"),
        ("data.sources={a:{on_long:skip},b:{held_out:1}}", "data.sources={a:{on_overlong:skip},b:{held_out_rows:1}}"),
        ("suite={engine: vllm, tasks: {t: {items: 1}}}", "suite={backend: vllm, tasks: {t: {max_items: 1}}}"),
        (
            "suite.tasks.t={items:1},{items:2,seconds:3}",
            "suite.tasks.t={max_items:1},{max_items:2,time_limit_seconds:3}",
        ),
        ("exclude=[{arm: a, suite.engine: vllm}]", "exclude=[{ratio_arm: a, suite.backend: vllm}]"),
        ("seed=${total}", "seed=${total_samples}"),
        ("suite.tasks.a.max_new_tokens=${.items}", "suite.tasks.a.max_new_tokens=${.max_items}"),
        ("suite.tasks.a.max_new_tokens=${..b.items}", "suite.tasks.a.max_new_tokens=${..b.max_items}"),
    ],
)
def test_overrides_get_their_current_spelling(old: str, new: str):
    assert current_override(old) == new
    assert current_override(new) == new


@pytest.mark.parametrize(
    "text",
    [
        "name='total: {items: 3}'", "store=${oc.env:total,arm}", "engine=zero2", "total", "--config-dir=total", "-m",
        "data.sources.held_out.path=x", "suite.tasks.items.max_new_tokens=3", "strategy.stages=[{items: 1}]",
        "data.sources.a.columns={samples: total, fields: x}", 'name="{items: 1}"',
    ],
)  # fmt: skip
def test_what_has_no_old_name_stays(text: str):
    assert current_override(text) == text


@given(st.text(st.sampled_from("{}[]:,'\"$. =~+@\\aitems")))
def test_any_text_is_read_to_its_end(text: str):
    assert current_override(f"name={text}") == f"name={text}"


def test_a_file_gets_its_current_spelling():
    mine = {
        "sources": {
            "mine": {"samples": 3, "held_out": "${..other.held_out}", "fields": {"samples": "x"}},
            "other": {"held_out": 1},
        }
    }
    assert current_tree(mine, ("data",)) == {
        "sources": {
            "mine": {"num_rows": 3, "held_out_rows": "${..other.held_out_rows}", "columns": {"samples": "x"}},
            "other": {"held_out_rows": 1},
        }
    }
    assert current_tree({"total": 5, "exclude": [{"arm": "a"}]}) == {
        "total_samples": 5,
        "exclude": [{"ratio_arm": "a"}],
    }


def test_a_key_under_both_names_is_refused():
    with pytest.raises(ValueError, match=r"suite\.backend is given twice"):
        current_tree({"engine": "vllm", "backend": "local"}, ("suite",))


def test_a_defaults_list_gets_its_current_spelling():
    given = [
        "base",
        {"arm": "a"},
        {"override /arm": "b"},
        {"optional arm@x": "c"},
        "/arm/d",
        {"data/arm": "e"},
        "_self_",
    ]
    assert current_defaults(given) == [
        "base", {"ratio_arm": "a"}, {"override /ratio_arm": "b"}, {"optional ratio_arm@x": "c"}, "/ratio_arm/d",
        {"data/arm": "e"}, "_self_",
    ]  # fmt: skip


def test_each_old_name_is_noted_once():
    code = "from common.renames import current_override as c\nfor n in (1, 2): c(f'data.sources.s{n}.held_out=3')"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert ended.stderr == (
        "note: data.sources.NAME.held_out is now data.sources.NAME.held_out_rows; "
        "the old name is accepted for one more release\n"
    )


def test_no_new_name_is_an_old_one():
    for old, new in RENAMED.items():
        key = ".".join([*old.replace("*", "x").split(".")[:-1], new])
        assert current_key(key) == key
