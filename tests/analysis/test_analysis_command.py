"""`python -m analysis` from a table to a report that stands alone."""

import contextlib
import io
import json
import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.__main__ import main
from tests.analysis.tables import FULL, TASKS, Simulation, data_amount, strategies

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments, cwd, code=0, **environment):
    """What the command prints (on its error output where it is to fail), run in this process."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as here, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        here.chdir(cwd)
        for name, value in environment.items():
            here.setenv(name, value)
        ended = main([str(a) for a in arguments])
    assert ended == code, err.getvalue()
    return err.getvalue() if code else out.getvalue()


def run_as_module(*arguments, cwd, code=0):
    """The same in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "analysis", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stderr
    return done.stderr if code else done.stdout


@pytest.fixture(scope="module")
def analysed(tmp_path_factory):
    """A folder with t.csv, analysed; and what the terminal showed."""
    folder = tmp_path_factory.mktemp("analysed")
    data_amount().to_csv(folder / "t.csv", index=False)
    return folder, run_as_module("table=t.csv", cwd=folder)


def contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


class Page(HTMLParser):
    """Counts elements, and collects what they refer to and how they are called."""

    def __init__(self, text):
        super().__init__()
        self.counts, self.links, self.ids, self.open, self.alts = {}, [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.counts[tag] = self.counts.get(tag, 0) + 1
        if tag not in ("meta", "br", "hr", "img", "link", "input"):
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "data", "srcset", "action"):
                self.links.append(value)
            if name == "id":
                self.ids.append(value)
            if name == "aria-label" and tag == "figure":
                self.alts.append(value)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_terminal_shows_accuracy_by_fraction_and_the_report(analysed):
    folder, text = analysed
    overview = text[text.index("accuracy in % by ability") :].splitlines()
    assert overview[2].split() == ["fraction", *FULL]
    assert [line.split()[0] for line in overview[4:10]] == ["untrained", "1/256", "1/64", "1/16", "1/4", "1"]
    assert text.rstrip().endswith("report: t-analysis/report.html")
    shown = float(overview[9].split()[1])
    table = pd.read_csv(folder / "t.csv")
    row = table[(table["ability"] == "math") & (table["samples"] == 8192) & (table["metric"] == "accuracy")]
    assert shown == pytest.approx(100 * row["value"].item(), abs=0.05)


def test_every_block_has_an_svg_and_a_png(analysed):
    figures = analysed[0] / "t-analysis" / "figures"
    names = {f"{a}-{TASKS[a]}-accuracy" for a in FULL} | {f"{a}-{a}_loss-loss" for a in FULL}
    drawn = {p.stem for p in figures.glob("*.svg")}
    assert names <= drawn
    assert {stem.removesuffix("-residual").removesuffix("-profile") for stem in drawn} == names
    assert {p.stem for p in figures.glob("*.png")} == drawn
    assert all(p.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" for p in figures.glob("*.png"))


def test_the_report_stands_alone(analysed):
    text = (analysed[0] / "t-analysis" / "report.html").read_text()
    page = Page(text)
    assert page.open == []
    assert page.counts["svg"] == len(list((analysed[0] / "t-analysis" / "figures").glob("*.svg"))) == len(page.alts)
    assert all(page.alts)
    # the overview, verdicts, two a block, two of effects on others, further metrics, and warnings
    assert page.counts["table"] == 17 + text.count('class="warnings"')
    assert not {"script", "link", "img", "iframe"} & set(page.counts)
    assert all(link.startswith("#") for link in page.links)
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert "//" not in text  # no address of any kind


def test_the_same_table_gives_the_same_bytes(analysed, tmp_path):
    folder, _ = analysed
    run(f"table={folder / 't.csv'}", f"out={tmp_path / 'again'}", cwd=tmp_path)
    assert contents(folder / "t-analysis") == contents(tmp_path / "again")


def test_shuffled_rows_give_the_same_curves(analysed, tmp_path):
    folder, _ = analysed
    frame = pd.read_csv(folder / "t.csv")
    shuffled = frame.iloc[np.random.default_rng(0).permutation(len(frame))]
    shuffled = shuffled.sort_values("ability", key=lambda column: column.map(list(FULL).index))
    shuffled.to_csv(tmp_path / "t.csv", index=False)
    run("table=t.csv", cwd=tmp_path)
    name = "t-analysis/curves.json"
    assert (tmp_path / name).read_text() == (folder / name).read_text()


def test_an_unchanged_table_is_not_analysed_again_and_a_changed_one_is(tmp_path):
    frame = strategies()
    frame.to_csv(tmp_path / "t.csv", index=False)
    first = run("table=t.csv", cwd=tmp_path)
    report = tmp_path / "t-analysis" / "report.html"
    report.write_text("kept")
    assert run("table=t.csv", cwd=tmp_path) == first
    assert report.read_text() == "kept"
    frame.assign(value=frame["value"] * 0.5).to_csv(tmp_path / "t.csv", index=False)
    assert run("table=t.csv", cwd=tmp_path) != first
    assert report.read_text() != "kept"
    (tmp_path / "t-analysis" / "curves.json").unlink()
    run("table=t.csv", cwd=tmp_path)
    assert (tmp_path / "t-analysis" / "curves.json").exists()


def test_strategies_are_rows_of_the_overview(tmp_path):
    strategies().to_parquet(tmp_path / "t.parquet")
    text = run("table=t.parquet", cwd=tmp_path)
    overview = text[text.index("accuracy in % by ability") :].splitlines()
    assert overview[2].split() == ["series", *FULL]
    assert [line.split()[0] for line in overview[4:8]] == ["untrained", "multitask", "sequential", "dmt"]


def test_strategies_beside_training_alone_have_a_matrix_and_a_pareto_view(tmp_path):
    simulation = Simulation(5)
    for ability in FULL:
        simulation.cell(f"{ability}", "single", (ability,), 1.0)
    for strategy in ("multitask", "dmt"):
        simulation.cell(strategy, strategy, tuple(FULL), 1.0)
    simulation.frame().to_parquet(tmp_path / "t.parquet")
    text = run("table=t.parquet", cwd=tmp_path)
    assert "forgetting: what is lost or gained" in text
    figures = tmp_path / "t-analysis" / "figures"
    for metric in ("accuracy", "loss"):
        for kind in ("forgetting", "pareto"):
            assert (figures / f"{kind}-{metric}.png").exists()
    page = Page((tmp_path / "t-analysis" / "report.html").read_text())
    assert page.open == []
    assert page.counts["svg"] == len(list(figures.glob("*.svg"))) == 10
    assert len(page.ids) == len(set(page.ids))


def test_fractions_are_shown_as_they_were_written(tmp_path):
    frame = data_amount()
    texts = {1 / 256: "2/512", 1 / 64: "0.015625"}
    frame["fraction_text"] = frame["fraction"].map(lambda f: texts.get(f, f"{f:g}"))
    frame.to_csv(tmp_path / "t.csv", index=False)
    text = run("table=t.csv", cwd=tmp_path)
    overview = text[text.index("accuracy in % by ability") :].splitlines()
    assert [line.split()[0] for line in overview[4:10]] == ["untrained", "2/512", "0.015625", "0.0625", "0.25", "1"]
    report = (tmp_path / "t-analysis" / "report.html").read_text()
    assert report.count("<td>2/512</td>") >= 7  # overview and measures
    assert "<th>2/512</th>" in report  # what training on other abilities did
    assert "1/256" not in report
    without = frame.drop(columns=["samples", "total_samples", *(f"samples_{ability}" for ability in FULL)])
    without[without["trained_on"].isin(["math", "base"])].to_csv(tmp_path / "f.csv", index=False)
    run("table=f.csv", cwd=tmp_path)
    assert "at 2/512 to" in (tmp_path / "f-analysis" / "report.html").read_text()


def test_a_sweep_is_found_in_the_store(tmp_path):
    folder = tmp_path / "elsewhere" / "sweeps" / "tiny"
    folder.mkdir(parents=True)
    strategies().to_parquet(folder / "table.parquet")
    text = run("sweep=tiny", cwd=tmp_path, DOSAGE_STORE="elsewhere")
    assert text.rstrip().endswith("report: elsewhere/sweeps/tiny/analysis/report.html")
    assert run("sweep=tiny", f"store={tmp_path / 'elsewhere'}", cwd=tmp_path)


def test_what_training_data_holds_of_the_tests_is_in_the_report(tmp_path):
    sweep = tmp_path / "store" / "sweeps" / "a"
    sweep.mkdir(parents=True)
    data_amount().to_csv(sweep / "table.csv", index=False)
    pairs = [("gsm8k", "math", 1319, 12, 7, 19, 0), ("gsm8k", "code", 1319, 0, 0, 0, 0)]
    header = ("task", "source", "items", "flagged", "whole", "any_13", "short")
    pd.DataFrame(pairs, columns=header).to_csv(sweep / "overlap.csv", index=False)
    run("sweep=a", cwd=tmp_path)
    report = (sweep / "analysis" / "report.html").read_text()
    assert "<td>gsm8k</td><td>math</td><td>1,319</td><td>12</td><td>7</td><td>19</td>" in report
    assert "<td>gsm8k</td><td>code</td>" not in report
    (sweep / "overlap.csv").unlink()
    run("sweep=a", cwd=tmp_path)  # another report: what is gone is no longer said
    assert "Test items in training data" not in (sweep / "analysis" / "report.html").read_text()


def test_a_sweep_without_a_table_names_the_remedy(tmp_path):
    assert "python -m sweep collect name=tiny" in run("sweep=tiny", cwd=tmp_path, code=2)


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
            "'tabel=t.csv': 'tabel' is not an option; did you mean 'table'?; the options: sweep=, table=, store=",
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
        "heavy = {'pandas', 'scipy', 'matplotlib', 'numpy', 'torch', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "sweep=NAME" in done.stdout


def test_the_analysis_never_imports_torch_and_the_library_no_plots(analysed):
    code = (
        "import sys\nfrom analysis import LAWS, Points, fit, fit_average\n"
        "assert not {'torch', 'matplotlib', 'pandas'} & set(sys.modules)\n"
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
    assert "sweep 'third' has no table" in run("sweep=first,third", cwd=tmp_path, code=2)


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
