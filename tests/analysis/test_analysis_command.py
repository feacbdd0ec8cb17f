"""`python -m analysis` from a table to a report that stands alone."""

import json
import re
from dataclasses import fields
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.figures.render import FORMATS
from analysis.options import Analyse
from tests.analysis.running import contents, run
from tests.analysis.tables import FULL, TASKS, Simulation, data_amount, strategies


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
            if name == "aria-label" and ("class", "plot") in attrs:
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


def test_the_report_holds_the_numbers_of_the_table(analysed):
    """Every measured value stands in its row of its block, and in the overview; the headings say what they are."""
    folder, _ = analysed
    text = (folder / "t-analysis" / "report.html").read_text()
    table = pd.read_csv(folder / "t.csv")
    texts = {1 / 256: "1/256", 1 / 64: "1/64", 1 / 16: "1/16", 1 / 4: "1/4", 1.0: "1", 0.0: "untrained"}
    for (ability, metric), own in table[table["metric"].isin(["accuracy", "loss"])].groupby(["ability", "metric"]):
        task = {"accuracy": f"accuracy on {TASKS[ability]} (%)", "loss": "loss (nats a token)"}[metric]
        block = text.partition(f"<h3>{ability}: {task}<")[2].partition("</section>")[0]
        rows = re.findall(r"<tr><td>(\S+)</td><td>([\d,]+)</td><td>(\S+)(?: ± \S+)?</td><td>", block)
        own = own[own["trained_on"].isin([ability, "base"])].sort_values("samples")
        shown = [f"{100 * v:.1f}" if metric == "accuracy" else f"{v:.3f}" for v in own["value"]]
        fractions = [texts[f] for f in own["fraction"]]
        assert rows == list(zip(fractions, [f"{n:,.0f}" for n in own["samples"]], shown, strict=True))
    largest = table[(table["metric"] == "accuracy") & (table["fraction"] == 1)].set_index(["ability", "trained_on"])
    overview = text.partition("<h3>Accuracy in % by ability")[2].partition("</table>")[0]
    (last,) = re.findall(r"<tr><td>1</td>(.*)</tr>", overview)
    assert [float(v) for v in re.findall(r"<td>(\S+) ±", last)] == pytest.approx(
        [100 * largest["value"][ability, ability] for ability in FULL], abs=0.05
    )


def test_the_gain_of_the_report_is_the_slope_of_the_last_three_amounts(analysed):
    """Points per doubling: three amounts a factor of 4 apart, so a quarter of the rise between the outer two, and as
    the amounts weigh by their noise, near it.
    """
    folder, _ = analysed
    text = (folder / "t-analysis" / "report.html").read_text()
    table = pd.read_csv(folder / "t.csv")
    for ability in FULL:
        gain = float(re.findall(rf"<td>{ability} accuracy</td><td>\+(\S+) \(", text)[0])
        own = table[(table["ability"] == ability) & (table["trained_on"] == ability) & (table["metric"] == "accuracy")]
        *_, first, _, last = own.sort_values("samples")["value"]
        assert gain == pytest.approx(100 * (last - first) / 4, abs=0.5)


def test_every_block_has_an_svg(analysed):
    figures = analysed[0] / "t-analysis" / "figures"
    names = {f"{a}-{TASKS[a]}-accuracy" for a in FULL} | {f"{a}-{a}_loss-loss" for a in FULL}
    drawn = {p.stem for p in figures.glob("*.svg")}
    assert names <= drawn
    others = {stem for stem in drawn if not stem.endswith(("-residual", "-profile"))} - names
    assert others == {"verdicts-scaling-share", "verdicts-scaling-loss", "goals"}
    assert {p.suffix for p in figures.iterdir()} == {".svg"}


def test_figures_are_also_written_in_the_formats_asked_for_and_none_of_an_earlier_table_stays(tmp_path):
    data_amount().to_csv(tmp_path / "t.csv", index=False)
    starts = {".png": b"\x89PNG\r\n\x1a\n", ".pdf": b"%PDF-", ".svg": b"<svg"}
    for asked, formats in (
        ("figures=png,pdf", {".svg", ".png", ".pdf"}),
        ("figures=pdf", {".svg", ".pdf"}),
        ("", {".svg"}),
    ):
        record = json.loads(run("table=t.csv", *filter(None, [asked]), "json=true", cwd=tmp_path))
        files = [name for name in record["files"] if name.startswith("figures/")]
        names = {Path(name).stem for name in files}
        assert len(names) > 8 and len(files) == len(names) * len(formats)
        assert {p.name for p in (tmp_path / "t-analysis" / "figures").iterdir()} == {Path(name).name for name in files}
        for name in files:
            path = tmp_path / "t-analysis" / name
            assert path.suffix in formats and path.read_bytes().startswith(starts[path.suffix])
    assert "choose one of: png, pdf" in run("table=t.csv", "figures=jpg", cwd=tmp_path, code=2)
    assert next(f for f in fields(Analyse) if f.name == "figures").metadata["choices"] == FORMATS


def test_the_report_stands_alone(analysed):
    text = (analysed[0] / "t-analysis" / "report.html").read_text()
    page = Page(text)
    assert page.open == []
    files = len(list((analysed[0] / "t-analysis" / "figures").glob("*.svg")))
    assert page.counts["svg"] == len(page.alts) == files + 2, "every figure once, and those of two cards"
    assert all(page.alts)
    # the overview, verdicts, data for a goal, three a block, two of effects on others, further metrics, and warnings
    assert page.counts["table"] == 24 + text.count('class="warnings"')
    assert not {"link", "img", "iframe", "object"} & set(page.counts)
    assert all(link.startswith("#") for link in page.links)
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert "default-src 'none'" in text and " src=" not in text, "nothing is loaded, and nothing may be"


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
    assert "Which strategy?" in text and len(text.splitlines()) < 60  # answers; the tables lie in a file
    assert "forgetting: what is lost or gained" in (tmp_path / "t-analysis" / "table.txt").read_text()
    figures = tmp_path / "t-analysis" / "figures"
    for metric in ("accuracy", "loss"):
        for name in (f"forgetting-{metric}", *(f"pareto-{metric}-{pair}" for pair in ("0-1", "0-2", "1-2"))):
            assert (figures / f"{name}.svg").exists()
    page = Page((tmp_path / "t-analysis" / "report.html").read_text())
    assert page.open == []
    assert page.counts["svg"] > len(list(figures.glob("*.svg"))) >= 14
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
    assert '<th scope="col">2/512</th>' in report  # what training on other abilities did
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
