"""`python -m analysis`: its options, its mistakes, and what it imports."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from tests.analysis.running import run
from tests.analysis.tables import strategies
from tests.conftest import ROOT


def test_a_sweep_without_a_table_names_the_remedy(tmp_path):
    (tmp_path / "store" / "sweeps" / "tiny").mkdir(parents=True)
    assert "python -m sweep collect name=tiny" in run("sweep=tiny", cwd=tmp_path, code=2)
    assert "no sweep 'tny' in store/sweeps, which has tiny" in run("sweep=tny", cwd=tmp_path, code=2)
    assert "table=store is a folder; give the file" in run("table=store", cwd=tmp_path, code=2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["advise", "table=t.csv"], "advise needs either budget= or check="),
        (
            ["advise", "table=t.csv", "budget=6000", "weights=math"],
            "weights=math is not a dictionary such as {a: 1, b: 2}",
        ),
        (["next", "table=t.csv"], "quantity= missing"),
        (["next", "table=t.csv", "quantity=maths"], "ability 'maths' is not in the table"),
        (
            ["tabel=t.csv"],
            "'tabel=t.csv': 'tabel' is not an option; did you mean 'table'?",
        ),
        (["fti", "table=t.csv"], "'fti' is not a verb of python -m analysis; did you mean 'fit'?"),
        (["table=a.csv", "sweep=b"], "either sweep=NAME or table=FILE"),
        (["table=a.csv", "table=b.csv"], "table= is given twice; keep one"),
        (["table=absent.csv"], "there is no table absent.csv"),
        (["fit", "table=t.csv", "x=samples"], "y= missing"),
        (["fit", "table=t.csv", "x=sample", "y=value"], "column 'sample' is absent; did you mean 'samples'?"),
        (["fit", "table=t.csv", "x=samples", "y=value", "law=pover"], "law='pover' is unknown"),
        (["fit", "table=t.csv", "x=samples", "y=value", "level=most"], "level=most is not a number"),
    ],
)
def test_mistakes_are_named_in_one_line(analysed, arguments, message):
    said = run(*arguments, cwd=analysed[0], code=2)
    assert message in said
    assert len(said.splitlines()) == 1


def test_fit_prints_parameters_with_intervals(tmp_path):
    x = np.repeat(np.geomspace(100, 1e6, 8), 2)
    loss = (1 + 3 / (1 + (x / 2e4) ** 0.6)) * np.exp(np.random.default_rng(0).normal(0, 0.005, len(x)))
    pd.DataFrame({"samples": x, "loss": loss}).to_csv(tmp_path / "t.csv", index=False)
    text = run("fit", "table=t.csv", "x=samples", "y=loss", "law=bounded", cwd=tmp_path)
    rows = {line.split()[0]: line.split() for line in text.splitlines() if len(line.split()) == 5}
    assert float(rows["E"][2]) < 1.0 < float(rows["E"][4])
    assert float(rows["b"][2]) < 0.6 < float(rows["b"][4])
    assert "of 6 starts agree" in text


def test_help_is_light():
    code = (
        "import sys\nfrom analysis.__main__ import main\nassert main(['--help']) == 0\n"
        "heavy = {'pandas', 'scipy', 'vl_convert', 'numpy', 'torch', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "sweep=NAME" in done.stdout


def test_the_analysis_never_imports_torch_and_the_library_no_plots(analysed):
    code = (
        "import sys\nfrom analysis import LAWS, Points, fit, fit_average\n"
        "assert not {'torch', 'vl_convert', 'pandas'} & set(sys.modules)\n"
        "import analysis.report.write\nassert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_sweeps_are_analysed_together_and_what_they_share_counts_once(tmp_path):
    frame = strategies()
    parts = {"first": frame["cell"] != "dmt-2", "second": frame["strategy"].isin(("base", "dmt"))}
    for name, rows in parts.items():
        folder = tmp_path / "store" / "sweeps" / name
        folder.mkdir(parents=True)
        frame[rows].assign(sweep=name).to_csv(folder / "table.csv", index=False)
    both = run("next", "sweep=first,second", "quantity=math", cwd=tmp_path)
    frame.to_csv(tmp_path / "t.csv", index=False)
    assert both == run("next", "table=t.csv", "quantity=math", cwd=tmp_path)
    assert "no sweep 'third' in store/sweeps, which has first, second" in run("sweep=first,third", cwd=tmp_path, code=2)


def test_items_beside_a_table_pair_its_comparisons(tmp_path):
    frame = strategies()
    frame = frame[(frame["metric"] == "accuracy") & (frame["ability"] == "math")]
    items = []
    for row in frame.itertuples():
        right = np.arange(300) < round(row.value * 300)
        part = pd.DataFrame({"item": range(300), "value": right.astype(float)})
        items.append(part.assign(cell=row.cell, task=row.task, metric=row.metric))
    frame.to_csv(tmp_path / "t.csv", index=False)
    pd.concat(items).to_csv(tmp_path / "items.csv.gz", index=False)
    run("table=t.csv", "items=items.csv.gz", cwd=tmp_path)
    found = json.loads((tmp_path / "t-analysis" / "verdicts.json").read_text())["verdicts"]
    assert {v["items"] for v in found if v["question"] == "strategy"} == {300}
    assert "goes with table=FILE" in run("sweep=a", "items=items.csv.gz", cwd=tmp_path, code=2)
    assert "there is no file absent.csv" in run("table=t.csv", "items=absent.csv", cwd=tmp_path, code=2)
