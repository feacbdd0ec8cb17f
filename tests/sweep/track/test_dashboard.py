"""What the panels of `analysis publish` draw is what the runs of a tracked sweep hold."""

import re
from pathlib import Path

from analysis.data.study import read_study
from analysis.publish.content import content
from analysis.publish.dashboard import views
from analysis.publish.views import Place
from analysis.report.results import analyse
from tests.sweep.track.conftest import NAME, Tracked


def test_every_panel_shows_what_the_runs_hold(tracked: Tracked, tmp_path: Path):
    page = tmp_path / "report.html"
    page.write_text("")
    results = analyse(read_study([tracked.store / "sweeps" / NAME / "table.parquet"]), 0.02, None)
    workspace, _ = views(content(results, [NAME], page, {}), Place("lab", "dosage"), "all")
    sections = {part["name"]: part["panels"] for part in workspace.spec["section"]["panelBankConfig"]["sections"]}
    jobs = {"Cells": "score", "Forgetting through the stages": "score", "Training": "train"}
    for name, job in jobs.items():
        held = set()
        for run in tracked.server.of_group(NAME, job).values():
            held |= {*run.summary, *(key for row in run.history for key in row)}
            held |= {f"config:{key}.value" for key in run.config} | {f"{key}.value" for key in run.config}
        for panel in sections[name]:
            shown = panel["config"]
            wanted = [shown.get("xAxis"), shown.get("yAxis"), shown.get("groupBy"), *shown.get("metrics", ())]
            wanted = [key.removeprefix("summary:") for key in wanted if key]
            assert wanted and set(wanted) <= held
            if pattern := shown.get("metricRegex"):
                assert any(re.fullmatch(pattern, key) for key in held)
