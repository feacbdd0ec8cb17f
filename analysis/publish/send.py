"""Bring an analysis into W&B: one run with its tables and report, the presets of its charts, a workspace, a report."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from analysis.publish.charts import presets
from analysis.publish.content import JOB, Content
from analysis.publish.files import config, labels
from analysis.publish.views import Place, View, find, save

TIMEOUT = 20
"""Seconds for an answer of the server."""
PUBLISHED, CHARTS = "published", "charts"
"""Keys of the run's config: the digest of what it holds in full, and the presets that exist for it."""


def connect() -> Any:
    """W&B's interface. Raises ValueError where there is no key, it is refused, or the server does not answer."""
    import wandb

    try:
        return wandb.Api(timeout=TIMEOUT)
    except wandb.Error as problem:
        raise ValueError(
            f"W&B cannot be used: {str(problem).rstrip('.')}; set WANDB_API_KEY, and WANDB_BASE_URL for a server of "
            "your own, or write the files alone with dry_run=true"
        ) from None


def place_of(api: Any, entity: str | None, project: str) -> Place:
    """The project, which need not exist yet."""
    from wandb_workspaces._graphql import execute_graphql
    from wandb_workspaces.reports.v2 import gql

    owner = entity or str(api.default_entity)
    api.create_project(project, owner)
    found = execute_graphql(api, gql.projectInternalId, {"entityName": owner, "projectName": project}).get("project")
    return Place(owner, project, found["internalId"] if found else "")


def send(api: Any, content: Content, place: Place, views: Sequence[View]) -> list[str]:
    """Publish; return a line for everything, with its link. What is there as it should be is not sent again."""
    from wandb_workspaces._graphql import get_app_url

    app = get_app_url(api).rstrip("/")
    before = _earlier(api, place, content)
    complete = before.get(PUBLISHED) == content.digest
    lines = [] if complete else _send_charts(api, content, place, before.get(CHARTS) or ())
    if not complete:
        _send_run(content, place)
    state = "unchanged" if complete else "run"
    lines.append(f"{state}: {app}/{place.entity}/{place.project}/runs/{content.id}")
    for view in views:
        id_ = find(api, place, view)
        if not (complete and id_):
            id_ = save(api, place, view, id_)
        lines.append(f"{view.said}: {view.address(app, place, id_)}")
    return lines


def _earlier(api: Any, place: Place, content: Content) -> dict[str, Any]:
    """The config of the analysis' run; empty where there is none yet."""
    import wandb

    try:
        run = api.run(f"{place.entity}/{place.project}/{content.id}")
    except (wandb.Error, ValueError):  # which of them it is depends on whether the project exists
        return {}
    return dict(run.config)


def _send_charts(api: Any, content: Content, place: Place, known: Collection[str]) -> list[str]:
    """Make the presets of charts that are not known to exist; return a note on each that W&B did not take."""
    from wandb.sdk.lib.service.service_connection import WandbApiFailedError

    notes = []
    for made in presets(content.figures).values():
        if made.name in known:
            continue
        try:
            api.create_custom_chart(place.entity, made.name, made.title, "vega2", "private", made.spec)
        except WandbApiFailedError as problem:
            notes.append(
                f"note: chart {place.entity}/{made.name} was not made ({problem}); all is well if it is there already, "
                "from the analysis of another sweep"
            )
    return notes


def _send_run(content: Content, place: Place) -> None:
    """The run: tables under their names, the report as an artefact; last that it is complete."""
    import wandb

    named: Any = labels(content)
    with tempfile.TemporaryDirectory() as scratch:
        settings = wandb.Settings(
            silent=True, console="off", disable_git=True, disable_code=True, init_timeout=60, x_disable_stats=True
        )
        try:
            run = wandb.init(
                entity=place.entity, project=place.project, id=content.id, job_type=JOB, **named, resume="allow",
                config=config(content), dir=scratch, mode="online", settings=settings,
            )  # fmt: skip
        except wandb.Error as problem:
            raise ValueError(f"W&B does not take the run {content.id}: {problem}") from None
        with run:
            run.log({name: _table(table.columns, table.rows) for name, table in content.tables.items()})
            page = Path(scratch) / "report.html"
            page.write_text(content.page, encoding="utf-8")
            artefact = wandb.Artifact(f"report-{content.id}", "report", metadata=dict(content.origin))
            artefact.add_file(str(page))
            run.log_artifact(artefact)
            told = {**config(content), PUBLISHED: content.digest, CHARTS: sorted(presets(content.figures))}
            run.config.update(told, allow_val_change=True)


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Any:
    import wandb

    return wandb.Table(columns=list(columns), data=[list(row) for row in rows], allow_mixed_types=True)
