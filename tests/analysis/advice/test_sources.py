"""Sweeps that differ in one source: what they have in common is pooled, the source itself is held."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from analysis.advice.one_kind import one_kind
from analysis.advice.sources import read_pooled
from analysis.advice.text import advice_result, check_result, next_result
from analysis.data.study import Study
from analysis.data.table import read
from sweep.plan.files import Files
from sweep.plan.plan import make
from sweep.results.saved_sweep import save
from sweep.stages.store import Store
from tests.analysis.tables import mixed_table
from tests.sweep.composing import cell

ABILITIES = ("math", "code", "general")
MIXES = ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (0, 1, 1), (1, 1, 1))
OTHER_MATH = "data.sources.math.held_out_rows=400"


def swept(folder, name, fractions, *overrides, gain=0.0):
    """The table of a sweep that was planned, its results made up: math data are worth ``gain`` logits more."""
    cells = [
        cell("strategy=multitask", f"fraction={f}", "amount={" + ",".join(f"{a}:{m}" for a, m in mix) + "}", *overrides)
        for f in fractions
        for mix in (list(zip(ABILITIES, shares, strict=True)) for shares in MIXES)
    ]
    store = Store(folder)
    save(make(name, [(f"{name}{k}", one, {}) for k, one in enumerate(cells)], Files(store)), store)
    rng, rows = np.random.default_rng(len(name) + len(overrides)), []
    for one in json.loads((store.sweep(name) / "sweep.json").read_text(encoding="utf-8"))["cells"]:
        for ability in ABILITIES:
            own = one["factors"][f"samples_{ability}"]
            chance = expit(-2 + 0.5 * np.log1p(own / 20) + gain * (ability == "math" and own > 0))
            row = {"sweep": name, "cell": one["label"], "overrides": json.dumps(overrides), "ability": ability}
            value = rng.binomial(300, chance) / 300
            row |= {"task": "t", "metric": "accuracy"}
            rows.append({**row, "value": value, "n_items": 300, "samples": own, **one["factors"]})
    path = store.sweep(name) / "table.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


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
    kind = one_kind(read_pooled(tables))
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
    kind = one_kind(read_pooled(tables), {"source_math": "second"})
    assert trained(kind.study.table, "first") == {"code", "general", "code+general"} and kind.sentences == ()
    first, second = (advice_result(tables, 500, {}, 0, only={"source_math": s}).record for s in ("first", "second"))
    assert OTHER_MATH in second["run"] and OTHER_MATH not in first["run"]
    (math, gained) = (found["best"][0]["predicted"]["math"]["value"] for found in (first, second))
    assert gained > math + 0.1, "its math data teach more"
    with pytest.raises(
        ValueError, match="only= names source_math third, which no row has; the table has first, second"
    ):
        one_kind(read_pooled(tables), {"source_math": "third"})


def test_next_and_check_hold_a_source_too(tables, store):
    said = "note: the sweeps have several sources of math: it is held to that of first"
    assert said in " ".join(next_result(tables, "code@100").text.split())
    later = swept(store, "later", ("3/16",))
    assert said.removeprefix("note: ") in " ".join(check_result(tables, [later], {}).text.split())


def test_the_same_sources_under_another_name_are_pooled_unsaid(tables, store):
    renamed = swept(store, "renamed", ("1/32", "1/8"), "data.name=mine")
    study = read_pooled([tables[0], renamed])
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
    kind = one_kind(read_pooled([tables[0], slower]))
    assert set(kind.study.trained["sweep"]) == {"first"}
    assert kind.sentences == (
        "this is for recipe.learning_rate 0.001, which most rows have; the table also has recipe.learning_rate 0.0001 "
        "(only='{recipe.learning_rate: 0.0001}')",
    )
    named = one_kind(read_pooled([tables[0], slower]), {"recipe.learning_rate": "1e-4"})
    assert set(named.study.trained["sweep"]) == {"slower"}
