"""A workspace and a report of W&B, written as code: the charts of an analysis beside the runs of its sweeps."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analysis.publish.charts import chart
from analysis.publish.content import CURVES, DECISIONS, FORGETTING, JOB, VERDICTS, Content
from analysis.publish.views import Place, View, report_view, workspace_view

TRAIN, SCORE = "train", "score"
"""The job types of the runs that ``tracker=wandb`` sends: one a training stage, and one a cell."""
COLUMNS, WIDTH, HEIGHT = 24, 12, 10
"""The grid of a report, and the size of a panel on it."""


@dataclass(frozen=True)
class Section:
    """Panels of one subject; ``job`` is the job type of the runs that they draw, ``note`` says what is to be seen."""

    name: str
    job: str
    note: str
    panels: Sequence[Any]


def views(content: Content, place: Place, name: str) -> tuple[View, View]:
    """The workspace called ``name`` and the report of an analysis. The same analysis gives the same bytes."""
    key = hashlib.sha256(content.id.encode()).hexdigest()[:11]
    return _workspace(content, place, name, key), _report(content, place, key)


def sections(content: Content, entity: str) -> list[Section]:
    """What both views show, without sections that have nothing to show."""
    import wandb_workspaces.reports.v2 as wr

    def charts(group: str) -> list[Any]:
        return [chart(figure, entity) for figure in content.drawn[group]]

    tables = [wr.WeavePanelSummaryTable(table_name=name) for name in (VERDICTS, DECISIONS)]
    parts = [
        Section("Curves", JOB, "Measurements with 95 % intervals, fitted curves with their bands; dotted: untrained.",
                charts(CURVES)),
        Section("Verdicts and decisions", JOB, "The answers to the study's questions, and what follows from them.",
                [*charts(VERDICTS), *tables]),
        Section("Cells", SCORE, "Every cell's scores; sent by tracker=wandb.", _cells(content)),
        Section("Forgetting", JOB, "Strategies against training on the ability alone.", charts(FORGETTING)),
        Section("Forgetting through the stages", SCORE, "Scores after each training stage, by strategy.",
                _stages(content) if content.stages > 1 else []),
        Section("Training", TRAIN, "Loss by source and in all, speed and memory; sent by tracker=wandb.",
                _training(content)),
        Section("Runs compared", SCORE, "Configs and scores of chosen cells, side by side.",
                [wr.RunComparer(diff_only="split")]),
    ]  # fmt: skip
    return [part for part in parts if part.panels]


def _cells(content: Content) -> list[Any]:
    import wandb_workspaces.reports.v2 as wr

    x = wr.Config(content.amount)
    return [
        wr.ScatterPlot(title=f"{name}, each cell", x=x, y=wr.SummaryMetric(name), log_x=True)
        for name in content.measures
    ]


def _stages(content: Content) -> list[Any]:
    import wandb_workspaces.reports.v2 as wr

    return [
        wr.LinePlot(title=f"{name} after each stage", x="after_stage", y=[name], **_grouped(content))
        for name in content.measures
    ]


def _training(content: Content) -> list[Any]:
    import wandb_workspaces.reports.v2 as wr

    return [
        wr.LinePlot(title="loss by source", x="tokens", metric_regex="loss/.*"),
        wr.LinePlot(title="loss", x="tokens", y=["loss"], **_grouped(content)),
        wr.BarPlot(title="tokens a second", metrics=["tokens_per_second"], **_grouped(content)),
        wr.BarPlot(title="peak memory of a rank in GiB", metrics=["peak_memory_gib"], **_grouped(content)),
        wr.LinePlot(title="norm of the gradient", x="tokens", y=["grad_norm"], log_y=True),
    ]


def _grouped(content: Content) -> dict[str, Any]:
    """Lines by sweep where there are several, else by strategy or by model where one varies: means, between the
    lowest and the highest.
    """
    import wandb_workspaces.reports.v2 as wr

    varied = next((name for name in ("strategy", "model") if name in content.axes), None)
    by = wr.Metric("Group") if len(content.sweeps) > 1 else varied and wr.Config(varied)
    return {"groupby": by, "groupby_aggfunc": "mean", "groupby_rangefunc": "minmax"} if by else {}


def _groups(content: Content) -> list[str]:
    """The groups of the runs that belong to the analysis."""
    return list(dict.fromkeys([*content.sweeps, content.title]))


def _workspace(content: Content, place: Place, name: str, key: str) -> View:
    import wandb_workspaces.workspaces as ws
    from wandb_workspaces import expr

    made = [
        ws.Section(name=part.name, panels=list(part.panels), is_open=number < 2)
        for number, part in enumerate(sections(content, place.entity))
    ]
    shown = dict.fromkeys([*content.axes, content.amount])
    columns = ["run:jobType", "run:group", *(f"config:{name}.value" for name in shown)]
    runs = ws.RunsetSettings(filters=[expr.Metric("Group").isin(_groups(content))], pinned_columns=columns)
    settings = ws.WorkspaceSettings(x_axis="tokens", max_runs=100)
    workspace = ws.Workspace(
        entity=place.entity, project=place.project, name=name, sections=made, settings=settings, runset_settings=runs
    )
    return workspace_view(workspace, key)


def _report(content: Content, place: Place, key: str) -> View:
    import wandb_workspaces.reports.v2 as wr
    from wandb_workspaces import expr

    origin = ", ".join(f"{name} {value}" for name, value in content.origin.items())
    blocks: list[Any] = [
        wr.TableOfContents(),
        wr.P(f"Sweeps: {', '.join(content.sweeps)}. {origin}. The whole report is the artefact of run {content.id}."),
    ]
    for part in sections(content, place.entity):
        for number, panel in enumerate(part.panels):
            panel.layout = wr.Layout(x=number * WIDTH % COLUMNS, y=number // 2 * HEIGHT, w=WIDTH, h=HEIGHT)
        groups, job = expr.Metric("Group").isin(_groups(content)), expr.Metric("JobType") == part.job
        only = [expr.Metric("ID") == content.id] if part.job == JOB else [groups, job]
        runs = wr.Runset(name=part.name, filters=only)
        blocks += [wr.H2(part.name), wr.P(part.note), wr.PanelGrid(runsets=[runs], panels=list(part.panels))]
    report = wr.Report(
        entity=place.entity, project=place.project, title=f"Dosage {content.title}"[:128], blocks=blocks, width="fluid",
        description=f"Curves, verdicts and runs of {', '.join(content.sweeps)}",
    )  # fmt: skip
    return report_view(report, key, place)
