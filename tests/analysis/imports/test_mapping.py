"""Tables of others become long tables, and say what is wrong with them."""

import json
import re

import pandas as pd
import pytest

from analysis.__main__ import main
from analysis.data.metric import metrics_of
from analysis.data.study import read_study
from analysis.imports.lm_eval import items
from analysis.imports.mapping import convert
from analysis.verdicts.all_verdicts import findings
from tests.conftest import PUBLIC_DATA


def mapping(folder, text):
    path = folder / "map.yaml"
    path.write_text(text)
    return path


def test_a_long_table_is_renamed_scaled_and_keeps_its_factors(tmp_path):
    pd.DataFrame({"domain": ["math", "code"], "score": [50.0, None], "n": [10, 20], "lr": [1e-5, 2e-5]}).to_csv(
        tmp_path / "t.csv", index=False
    )
    plan = "columns: {ability: domain, value: score, samples: n}\nconstants: {task: gsm8k}\nscale: 0.01"
    frame = convert(tmp_path / "t.csv", mapping(tmp_path, plan)).table
    assert frame.to_dict("records") == [
        {"ability": "math", "task": "gsm8k", "metric": "accuracy", "value": 0.5, "samples": 10.0, "lr": 1e-5}
    ]


def test_a_wide_table_has_one_row_an_amount(tmp_path):
    pd.DataFrame({"name": ["a", "b"], "100": [3.0, 2.0], "200": [2.5, 1.5]}).to_csv(tmp_path / "t.csv", index=False)
    plan = "columns: {model: name}\nconstants: {ability: chat, metric: loss}\nwide: {columns: '[0-9]+', to: samples}"
    frame = convert(tmp_path / "t.csv", mapping(tmp_path, plan)).table
    assert sorted(zip(frame["model"], frame["samples"], frame["value"], strict=True)) == [
        ("a", 100.0, 3.0),
        ("a", 200.0, 2.5),
        ("b", 100.0, 2.0),
        ("b", 200.0, 1.5),
    ]


def test_public_curves_are_imported_and_analysed(tmp_path, monkeypatch, public_data):
    monkeypatch.chdir(tmp_path)
    mapping(
        tmp_path,
        "columns: {model: config name, params: size}\nconstants: {ability: chat, metric: loss}\n"
        "wide: {columns: '[1-9][0-9]*', to: samples}",
    )
    curves = public_data / "fits" / "sft_loss_vs_samples_flan.csv"
    assert main(["import", f"from={curves}", "mapping=map.yaml", "out=long.csv"]) == 0
    frame = pd.read_csv("long.csv")
    assert len(frame) == (14 if public_data == PUBLIC_DATA["cut"] else 30) * 14
    assert frame["samples"].max() == 1638400


def results(**tasks):
    return {
        "results": tasks,
        "n-samples": {name: {"original": 1319, "effective": 200} for name in tasks},
        "model_name": "m",
    }


def test_lm_eval_results_are_read_from_a_folder(tmp_path):
    (tmp_path / "run").mkdir()
    gsm8k = {"alias": "gsm8k", "exact_match,strict": 0.3, "exact_match_stderr,strict": 0.03, "acc,none": 0.4}
    (tmp_path / "run" / "results_1.json").write_text(json.dumps(results(gsm8k=gsm8k, other={"acc,none": 0.1})))
    frame = convert(tmp_path / "run", mapping(tmp_path, "tasks: {gsm8k: math}\nconstants: {samples: 100}")).table
    (row,) = frame.to_dict("records")
    assert (row["ability"], row["value"], row["stderr"], row["n_items"]) == ("math", 0.3, 0.03, 200.0)
    assert (row["model"], row["samples"], row["their_metric"]) == ("m", 100.0, "exact_match")
    chosen = convert(tmp_path / "run", mapping(tmp_path, "tasks: {gsm8k: math}\nmetrics: {gsm8k: acc}")).table
    assert chosen["value"].item() == 0.4


@pytest.mark.parametrize(
    ("name", "higher", "value", "metric", "kind", "better"),
    [
        ("bits_per_byte", False, 0.83, "bits_per_byte", "loss", "lower"),
        ("word_perplexity", False, 12.5, "word_perplexity", "loss", "lower"),
        ("acc_norm", True, 0.83, "accuracy", "share", "higher"),
        ("ter", False, 40.0, "ter", "other", "lower"),
        ("mcc", True, 0.2, "mcc", "other", "higher"),
    ],
)
def test_lm_eval_says_which_way_is_better(tmp_path, name, higher, value, metric, kind, better):
    held = results(mine={f"{name},none": value}) | {"higher_is_better": {"mine": {name: higher}}}
    (tmp_path / "results_1.json").write_text(json.dumps(held))
    frame = convert(tmp_path, mapping(tmp_path, "tasks: {mine: text}")).table
    assert frame["metric"].item() == metric
    found = metrics_of(frame)[metric]
    assert (found.kind, found.better, found.assumed) == (kind, better, "")


def test_results_as_lm_eval_0_4_writes_them_are_read(tmp_path):
    written = {"name": "mine", "alias": "mine", "sample_len": 8, "exact_match,none": 0.375}
    held = {"results": {"mine": written | {"exact_match_stderr,none": 0.18298126367784995}}, "model_source": "hf"}
    held |= {"n-samples": {"mine": {"original": 8, "effective": 8}}, "model_name": "org/model"}
    (tmp_path / "results_2026-11-20T13-33-24.829572.json").write_text(json.dumps(held))
    for metric in ("", "\nmetrics: {mine: 'exact_match,none'}"):
        (row,) = convert(tmp_path, mapping(tmp_path, "tasks: {mine: math}" + metric)).table.to_dict("records")
        assert (row["their_metric"], row["value"], row["n_items"]) == ("exact_match", 0.375, 8.0)
        assert (row["stderr"], row["model"]) == (pytest.approx(0.183, abs=1e-3), "org/model")


def test_logged_samples_become_items_that_pair_models(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for model, right in (("a", 5), ("b", 9)):
        folder = tmp_path / "run" / model
        folder.mkdir(parents=True)
        held = {"results": {"mine": {"sample_len": 20, "exact_match,none": right / 20}}, "model_name": model}
        (folder / "results_2026-11-20.json").write_text(json.dumps(held | {"n-samples": {"mine": {"effective": 20}}}))
        samples = [{"doc_id": i, "filter": "none", "exact_match": float(i < right)} for i in range(20)]
        samples += [{**sample, "filter": "flexible", "exact_match": 1.0} for sample in samples]
        text = "\n".join(map(json.dumps, samples))
        (folder / "samples_mine_2026-11-20.jsonl").write_text(text)
    models = (
        "{a: {samples: 100, total_samples: 200, strategy: dmt}, b: {samples: 100, total_samples: 200, strategy: multi}}"
    )
    mapping(tmp_path, f"tasks: {{mine: math}}\nmodels: {models}")
    assert main(["import", "from=run", "mapping=map.yaml", "out=long.csv", "items=items.csv.gz"]) == 0
    assert "40 items in items.csv.gz" in capsys.readouterr().out
    (verdict,) = [
        v
        for v in findings(read_study([tmp_path / "long.csv"], [tmp_path / "items.csv.gz"])).verdicts
        if v.question == "strategy"
    ]
    assert (verdict.items, verdict.effect) == (20, pytest.approx(0.2))
    assert verdict.p == pytest.approx(2 * 0.5**4)  # 4 items to 0
    mapping(tmp_path, "tasks: {mine: math}\nmodels: {a: {samples: 100}}")
    with pytest.raises(ValueError, match="must name the rows' models"):
        convert("run", tmp_path / "map.yaml")
    (tmp_path / "run" / "a" / "samples_mine_2026-11-20.jsonl").unlink()
    with pytest.raises(ValueError, match="run lm-eval with --log_samples"):
        items(tmp_path / "run" / "a", {"mine": "math"}, {})


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ("colums: {}", "key 'colums' is unknown"),
        ("- a", "must hold some of the keys"),
        ("columns: {ability: domane}", "column 'domane' is absent; columns: domain, score"),
        ("columns: {ability: domain}", "nothing gives 'value'"),
        ("columns: {ability: domain, value: score}", "divide percentages by 100"),
        ("constants: {ability: a}\nwide: {columns: '[0-9]+', to: samples}", "no column matches"),
        ("wide: {columns: 'score'}", "needs the two keys"),
    ],
)
def test_mappings_that_do_not_fit_are_named(tmp_path, plan, message):
    pd.DataFrame({"domain": ["math"], "score": [41.0]}).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(ValueError, match=message):
        convert(tmp_path / "t.csv", mapping(tmp_path, plan))


def test_what_is_no_result_of_lm_eval_is_named(tmp_path):
    plan = mapping(tmp_path, "tasks: {gsm8k: math}")
    (tmp_path / "results.json").write_text("{}")
    with pytest.raises(ValueError, match="no 'results'"):
        convert(tmp_path / "results.json", plan)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no results"):
        convert(tmp_path / "empty", plan)
    (tmp_path / "results.json").write_text(json.dumps(results(mmlu={"acc,none": 0.1})))
    with pytest.raises(ValueError, match="none of the tasks gsm8k"):
        convert(tmp_path / "results.json", plan)


def test_the_command_names_what_it_needs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["import", "from=t.csv"]) == 2
    assert "out= missing" in capsys.readouterr().err
    assert main(["import", "from=t.csv", "out=long.csv"]) == 2
    assert "from=t.csv needs mapping=FILE.yaml" in capsys.readouterr().err
    assert main(["import", "from=t.csv", "mapping=m.yaml", "out=x.txt"]) == 2
    assert "must end in .csv or .parquet" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["52,4", "61.9 %", "66.0*", "none yet"])
def test_a_value_that_is_no_number_is_refused_with_its_place(tmp_path, text):
    pd.DataFrame({"domain": ["math"] * 3, "score": ["41.0", text, ""]}).to_csv(tmp_path / "t.csv", index=False)
    plan = mapping(tmp_path, "columns: {ability: domain, value: score}\nscale: 0.01")
    with pytest.raises(ValueError, match=rf"column 'value', row 2: {re.escape(repr(text))} is not a number; .*scale"):
        convert(tmp_path / "t.csv", plan)
    wide = mapping(tmp_path, "measures: {score: {ability: math, task: t}}")
    with pytest.raises(ValueError, match=rf"column 'score', row 2: {re.escape(repr(text))} is not a number"):
        convert(tmp_path / "t.csv", wide)


def test_empty_values_are_left_out_and_counted(tmp_path):
    pd.DataFrame({"domain": ["math"] * 3, "score": [41.0, None, None]}).to_csv(tmp_path / "t.csv", index=False)
    imported = convert(tmp_path / "t.csv", mapping(tmp_path, "columns: {ability: domain, value: score}\nscale: 0.01"))
    assert imported.table["value"].tolist() == pytest.approx([0.41])
    assert imported.remarks == ("2 rows without a value left out",)


def test_columns_are_dropped_by_pattern(tmp_path):
    frame = pd.DataFrame({"domain": ["math"], "score": [0.5], "lr": [1e-5], "system.gpu": [80.0], "system.cpu": [9.0]})
    frame.to_csv(tmp_path / "t.csv", index=False)
    columns = "columns: {ability: domain, value: score}"
    imported = convert(tmp_path / "t.csv", mapping(tmp_path, f"{columns}\ndrop: ['system.*']"))
    assert list(imported.table) == ["ability", "task", "metric", "value", "lr"]
    with pytest.raises(ValueError, match=r"no column matches drop: sys\*x; columns: domain, score, lr"):
        convert(tmp_path / "t.csv", mapping(tmp_path, f"{columns}\ndrop: ['sys*x']"))


def test_the_newest_of_several_results_of_a_model_counts(tmp_path):
    for folder, date, value in (("a", "2026-05-01T10", 0.35), ("a", "2026-05-03T09", 0.05)):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / f"results_{date}.json").write_text(json.dumps(results(gsm8k={"acc,none": value})))
    plan = mapping(tmp_path, "tasks: {gsm8k: math}")
    imported = convert(tmp_path, plan)
    assert imported.table["value"].tolist() == [0.05]
    assert imported.remarks == ("gsm8k of m: results_2026-05-03T09.json is the newest of 2 results and is used",)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "results_2026-05-02.json").write_text(json.dumps(results(gsm8k={"acc,none": 0.5})))
    with pytest.raises(ValueError, match=r"a/results_.* and .*b/results_.* both hold gsm8k of model 'm'; keep one"):
        convert(tmp_path, plan)


def test_the_columns_of_a_model_may_rename_it_in_any_order(tmp_path):
    (tmp_path / "results_1.json").write_text(json.dumps(results(gsm8k={"acc,none": 0.3})))
    for columns in ("{model: llama, samples: 64}", "{samples: 64, model: llama}"):
        (row,) = convert(
            tmp_path, mapping(tmp_path, f"tasks: {{gsm8k: math}}\nmodels: {{m: {columns}}}")
        ).table.to_dict("records")
        assert (row["model"], row["samples"]) == ("llama", 64.0)
