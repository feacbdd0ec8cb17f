"""Charts, workspace and report as they are sent: drawn, checked by the library's models, compared with a snapshot."""

import json
import re

import pytest
import vl_convert
import wandb_workspaces.reports.v2 as wr
from wandb_workspaces.reports.v2.internal import ReportViewspec
from wandb_workspaces.workspaces import internal

from analysis.data.study import Study
from analysis.data.table import check
from analysis.publish.charts import filled, preset, presets
from analysis.publish.content import content
from analysis.publish.dashboard import views
from analysis.publish.views import Place
from analysis.report.results import analyse
from tests.analysis.tables import data_amount, mixed_table, strategies
from tests.conftest import ROOT

GOLDEN = ROOT / "tests" / "golden" / "wandb_views.json"
PLACE = Place("lab", "sft")


def published(frame, folder, *sweeps):
    page = folder / "report.html"
    page.write_text("<html></html>")
    words = zip(frame["strategy"], frame["fraction"], strict=True)
    overrides = [json.dumps([f"strategy={strategy}", f"recipe.x={fraction:g}"]) for strategy, fraction in words]
    table = check(frame.assign(overrides=overrides), "simulated")
    results = analyse(Study(table, every_stage=table), 0.02, None)
    return content(results, sweeps or ("mixed",), page, {"dosage": "1"})


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    return published(mixed_table(), tmp_path_factory.mktemp("mixed"))


def outline(view):
    """A view's panels by section: what each draws of which runs; without the library's own defaults."""
    if view.kind == "runs":
        grids = [block["metadata"] for block in view.spec["blocks"] if block["type"] == "panel-grid"]
        parts = [(grid["runSets"][0], grid["panelBankSectionConfig"]["panels"]) for grid in grids]
        return {runs["name"]: {"runs": chosen_runs(runs), "panels": list(map(drawn, panels))} for runs, panels in parts}
    section = view.spec["section"]
    sections = {part["name"]: list(map(drawn, part["panels"])) for part in section["panelBankConfig"]["sections"]}
    return {"runs": chosen_runs(section["runSets"][0]), **sections}


def chosen_runs(runset):
    return [f"{one['key']['name']} {one['op']} {one['value']}" for one in runset["filters"]["filters"]]


def drawn(panel):
    config = json.loads(re.sub(r"/dosage-\w+", "/dosage-DIGEST", json.dumps(panel["config"])))
    chosen = ("chartTitle", "xAxis", "yAxis", "metrics", "metricRegex", "groupBy", "xLogScale", "stringSettings")
    return {"kind": panel["viewType"], **{key: config[key] for key in (*chosen, "panelDefId") if key in config}}


def test_the_views_are_those_of_the_snapshot(mixed):
    """After a change on purpose: write ``today`` to the file, and look at the difference."""
    today = json.loads(json.dumps({view.said: outline(view) for view in views(mixed, PLACE, "Mixed")}))
    assert today == json.loads(GOLDEN.read_text())


def test_the_list_of_runs_shows_the_axes_of_the_sweep(mixed):
    pinned = views(mixed, PLACE, "Mixed")[0].spec["section"]["runSets"][0]["runFeed"]["columnPinned"]
    assert {"config:strategy.value", "config:recipe_x.value", "config:total_samples.value"} <= set(pinned)


def test_the_same_analysis_gives_the_same_bytes(mixed):
    one, other = (json.dumps([view.spec for view in views(mixed, PLACE, "Mixed")]) for _ in range(2))
    assert one == other


def test_the_library_reads_back_what_is_sent(mixed):
    workspace, report = views(mixed, PLACE, "Mixed")
    assert internal.WorkspaceViewspec.model_validate(workspace.spec).section.name == ""
    project = {"name": "sft", "entityName": "lab"}
    model = ReportViewspec.model_validate({"displayName": report.title, "project": project, "spec": report.spec})
    read = wr.Report._from_model(model)
    panels = [panel for block in read.blocks if isinstance(block, wr.PanelGrid) for panel in block.panels]
    kinds = {type(panel) for panel in panels}
    assert {wr.CustomChart, wr.ScatterPlot, wr.LinePlot, wr.RunComparer, wr.WeavePanelSummaryTable} <= kinds


def test_every_panel_has_an_id_of_its_own(mixed):
    for view in views(mixed, PLACE, "Mixed"):
        ids = re.findall(r'"__id__": "([^"]+)"', json.dumps(view.spec))
        assert len(ids) == len(set(ids)) > 10


def test_a_chart_draws_what_its_table_holds(mixed):
    """The preset, filled as W&B fills it, compiled and drawn: every series has a line, a colour and its points."""
    for figure in mixed.figures:
        assert "${" not in json.dumps(filled(figure))
        svg = vl_convert.vegalite_to_svg(json.dumps(filled(figure)))
        for name in {row.get("series") or row.get("about") or row["ability"] for row in figure.rows}:
            assert f">{name}<" in svg
        assert figure.title.partition("(")[0].strip() in svg
    table = mixed.tables[mixed.figures[0].name]
    assert [dict(zip(table.columns, row, strict=True)) for row in table.rows] == list(map(dict, mixed.figures[0].rows))


def test_figures_of_one_kind_share_a_preset_that_changes_with_its_text(mixed, tmp_path):
    assert len(presets(mixed.figures)) == 4  # curves, verdicts on shares and on losses, forgetting
    assert set(presets(published(mixed_table(7), tmp_path).figures)) == set(presets(mixed.figures))
    other = published(strategies(), tmp_path)
    assert preset(other.figures[0]).name not in presets(mixed.figures)  # no amount varies: bars, not curves
    assert preset(published(data_amount(), tmp_path).figures[0]).name in presets(mixed.figures)


def test_sweeps_together_have_a_run_and_views_of_their_own(mixed, tmp_path):
    both = published(mixed_table(), tmp_path, "one", "two")
    assert both.id not in (mixed.id, published(mixed_table(), tmp_path, "one").id)
    assert both.id != published(mixed_table(), tmp_path, "two", "one").id
    workspace = views(both, PLACE, "Both")[0]
    assert outline(workspace)["runs"] == ["group IN ['one', 'two', 'one+two']"]
    grouped = {panel["groupBy"] for panel in outline(workspace)["Training"] if "groupBy" in panel}
    assert grouped == {"group"}, "a line or bar a sweep"
    single = outline(views(mixed, PLACE, "Mixed")[0])["Training"]
    assert {panel["groupBy"] for panel in single if "groupBy" in panel} == {"strategy.value"}


def test_stages_are_shown_where_cells_were_measured_after_several(tmp_path):
    frame = mixed_table().assign(after_stage=2, last_stage=2)
    report = views(published(frame, tmp_path), PLACE, "S")[1]
    (panel, *_) = outline(report)["Forgetting through the stages"]["panels"]
    assert (panel["xAxis"], panel["metrics"], panel["groupBy"]) == (
        "after_stage",
        ["math/gsm8k/accuracy"],
        "strategy.value",
    )
