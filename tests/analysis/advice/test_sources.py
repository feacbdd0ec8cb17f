"""Sweeps that differ in one source: what they have in common is pooled, the source itself is held."""

import pandas as pd
import pytest

from analysis.advice.one_kind import one_kind
from analysis.advice.text import advice_result, check_result, next_result
from analysis.data.reading import read
from analysis.data.study import Study, read_study
from tests.analysis.sweeps import OTHER_MATH, swept
from tests.analysis.tables import mixed_table


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def tables(store):
    first = swept(store, "first", ("1/64", "1/16", "1/4"))
    return first, swept(store, "second", ("1/32", "1/8"), OTHER_MATH, gain=1.0)


def trained(table, sweep):
    """What the models of a sweep were trained on, in a table."""
    return set(table.loc[table["sweep"] == sweep, "trained_on"])


def test_of_two_sources_one_is_held_and_cells_without_it_are_pooled(tables):
    kind = one_kind(read_study(tables))
    assert trained(kind.study.table, "first") == {
        "math",
        "code",
        "general",
        "math+code",
        "code+general",
        "math+code+general",
    }
    assert trained(kind.study.table, "second") == {"code", "general", "code+general"}
    assert kind.sentences == (
        "the sweeps have several sources of math: it is held to that of first, which most rows have, and cells without "
        "math data are pooled; cells with the math data of second are left out (only='{source_math: second}')",
    )
    assert advice_result(tables, 500, {}, 0).record["notes"][0] == kind.sentences[0]


def test_the_other_source_is_held_where_only_names_it_and_commands_train_on_it(tables):
    kind = one_kind(read_study(tables), {"source_math": "second"})
    assert trained(kind.study.table, "first") == {"code", "general", "code+general"} and kind.sentences == ()
    first, second = (advice_result(tables, 500, {}, 0, only={"source_math": s}).record for s in ("first", "second"))
    assert OTHER_MATH in second["run"] and OTHER_MATH not in first["run"]
    (math, gained) = (found["best"][0]["predicted"]["math"]["value"] for found in (first, second))
    assert gained > math + 0.1, "its math data teach more"
    with pytest.raises(
        ValueError, match="only= names source_math third, which no row has; the table has first, second"
    ):
        one_kind(read_study(tables), {"source_math": "third"})


def test_next_and_check_hold_a_source_too(tables, store):
    said = "note: the sweeps have several sources of math: it is held to that of first"
    assert said in " ".join(next_result(tables, "code@100").text.split())
    later = swept(store, "later", ("3/16",))
    assert said.removeprefix("note: ") in " ".join(check_result(tables, [later], {}).text.split())


def test_the_same_sources_under_another_name_are_pooled_unsaid(tables, store):
    renamed = swept(store, "renamed", ("1/32", "1/8"), "data.name=mine")
    study = read_study([tables[0], renamed])
    assert not {"data", "source_math"} & set(study.table)
    kind = one_kind(study)
    assert kind.sentences == () and len(kind.study.table) == len(study.table)


def test_a_sweep_without_an_ability_has_none_of_its_data(tables, store, tmp_path):
    frame = pd.read_csv(tables[0])
    frame[frame["samples_general"] == 0].drop(columns="samples_general").to_csv(tmp_path / "two.csv", index=False)
    both = read(tables[1], tmp_path / "two.csv")
    assert (both.loc[both["sweep"] == "first", "samples_general"] == 0).all()
    frame.drop(columns="samples_general").to_csv(tmp_path / "unknown.csv", index=False)
    both = read(tables[1], tmp_path / "unknown.csv")
    unknown = both.loc[both["sweep"] == "first"]
    with_general = unknown["samples_math"] + unknown["samples_code"] < unknown["total_samples"]
    assert unknown["samples_general"].isna().equals(with_general) and with_general.any()


def test_a_table_of_ones_own_is_not_averaged_over_its_data_whatever_the_amounts():
    frame = mixed_table()
    other = mixed_table(5)[lambda t: t["fraction"].isin([1 / 4])].assign(data="filtered")
    for column in [c for c in other if c.endswith("samples") or c.startswith("samples_")]:
        other[column] *= 1.5
    kind = one_kind(Study(pd.concat([frame.assign(data="all"), other], ignore_index=True)))
    assert kind.sentences == (
        "this is for data all, which most rows have; the table also has data filtered (only='{data: filtered}')",
    )
    by_ability = frame.assign(data=frame["trained_on"])
    assert one_kind(Study(by_ability)).sentences == (), "each ability has its own data"


def test_sweeps_of_unlike_recipes_are_not_pooled_unsaid(tables, store):
    slower = swept(store, "slower", ("1/32", "1/8"), "recipe.learning_rate=1e-4")
    kind = one_kind(read_study([tables[0], slower]))
    assert set(kind.study.trained["sweep"]) == {"first"}
    assert kind.sentences == (
        "this is for recipe learning_rate 0.001, which most rows have; the table also has recipe learning_rate 0.0001 "
        "(only='{recipe: learning_rate 0.0001}')",
    )
    named = one_kind(read_study([tables[0], slower]), {"recipe": "learning_rate 0.0001"})
    assert set(named.study.trained["sweep"]) == {"slower"}


def test_of_items_that_differ_those_of_most_rows_are_held(tables, store):
    fewer = swept(store, "fewer", ("1/32", "1/8"), "suite.tasks.gsm8k.max_items=50")
    kind = one_kind(read_study([tables[0], fewer]))
    assert kind.sentences == (
        "this is for gsm8k as in first, which most rows have; the table also has gsm8k as in fewer "
        "(only='{gsm8k: fewer}')",
    )
    assert {m.task for m in kind.study.measures} == {"gsm8k (as in first)", "humaneval", "ifeval"}
    named = one_kind(read_study([tables[0], fewer]), {"gsm8k": "fewer"})
    assert {m.task for m in named.study.measures} == {"gsm8k (as in fewer)", "humaneval", "ifeval"}
    assert set(kind.study.table["sweep"]) == {"first", "fewer"}, "code and general are measured alike"


def test_what_is_checked_is_of_the_kind_that_predictions_are_for(tables, store):
    first, second = tables
    found = check_result([first], [second], {})
    note = "cells of check= with math data of second are left out, as predictions are for math data of first"
    assert note in found.record["notes"]
    assert all("math:0" in one["cell"] for one in found.record["cells"])
    fewer = swept(store, "fewer", ("1/32", "1/8"), "suite.tasks.gsm8k.max_items=50")
    with pytest.raises(ValueError, match=r"check= holds no cell that was measured in math.*gsm8k \(as in fewer\)"):
        check_result([first], [fewer], {})
    slower = swept(store, "slower", ("1/32", "1/8"), "recipe.learning_rate=1e-4")
    with pytest.raises(ValueError, match="no cell like those of the table: cells of check= with recipe learning_rate"):
        check_result([first], [slower], {})
