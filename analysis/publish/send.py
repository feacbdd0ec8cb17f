"""Send an analysis to W&B: ``python -m analysis.publish.send ENTITY PROJECT``, which `sender` starts.

It prints the place in W&B, reads the folder of what to send (`files`) from standard input, and sends it: the presets of
charts, a workspace, a report, and last one run with tables and page. Messages are lines of JSON with one key: place,
line, error, done.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from analysis.publish.files import PAGE, RUN, chart_file, table_file
from analysis.publish.views import Place, View, find, save

TIMEOUT = 20
"""Seconds for an answer of the server."""
SETTLED_SECONDS = 20.0
"""Time in which the server shows what it has taken."""
PUBLISHED, CHARTS = "published", "charts"
"""Keys of the run's config: the digest of what it holds in full, and the presets that exist for it."""


def connect(entity: str, project: str) -> tuple[Any, Place]:
    """W&B's interface, and the project, which need not exist yet."""
    import wandb
    from wandb_workspaces._graphql import execute_graphql
    from wandb_workspaces.reports.v2 import gql

    api = wandb.Api(timeout=TIMEOUT)
    owner = entity or str(api.default_entity)
    api.create_project(project, owner)
    found = execute_graphql(api, gql.projectInternalId, {"entityName": owner, "projectName": project}).get("project")
    return api, Place(owner, project, found["internalId"] if found else "")


def send(api: Any, place: Place, folder: Path) -> Iterator[str]:
    """Send what the folder holds, unless all of it is there; a line for everything, with its link."""
    from wandb_workspaces._graphql import get_app_url

    app = get_app_url(api).rstrip("/")
    described = json.loads((folder / RUN).read_bytes())
    digest = _digest(folder)
    before = _config(api, place, described)
    complete = before.get(PUBLISHED) == digest and is_there(api, place, described)
    if not complete:
        yield from _send_charts(api, place, folder, set(described[CHARTS]) - set(before.get(CHARTS) or ()))
    for said in described["views"]:
        view = View(**json.loads((folder / f"{said}.json").read_bytes()))
        id_ = find(api, place, view)
        if not (complete and id_):
            id_ = save(api, place, view, id_)
        yield f"{said}: {view.address(app, place, id_)}"
    if not complete:
        _send_run(place, folder, described, {PUBLISHED: digest, CHARTS: described[CHARTS]})
        _wait_for(api, place, described)
    yield f"{'unchanged' if complete else 'run'}: {app}/{place.entity}/{place.project}/runs/{described['id']}"


def _digest(folder: Path) -> str:
    """SHA-256 of all files."""
    sums = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        sums.update(f"{file.relative_to(folder)} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return sums.hexdigest()


def _run(api: Any, place: Place, described: Mapping[str, Any]) -> Any:
    """The analysis' run as the server has it now, None where there is none."""
    import wandb

    try:
        return api.run(f"{place.entity}/{place.project}/{described['id']}")
    except (wandb.Error, ValueError):  # which of them it is depends on whether the project exists
        return None


def _config(api: Any, place: Place, described: Mapping[str, Any]) -> dict[str, Any]:
    run = _run(api, place, described)
    return dict(run.config) if run else {}


def is_there(api: Any, place: Place, described: Mapping[str, Any]) -> bool:
    """Whether the server has the file of every table: W&B's client ends well also where uploads were refused."""
    api.flush()  # it would answer with what it read before
    run = _run(api, place, described)
    if run is None:
        return False
    paths = [(run.summary.get(name) or {}).get("path") for name in described["tables"]]
    return all(paths) and {file.name for file in run.files(names=paths)} == set(paths)


def _wait_for(api: Any, place: Place, described: Mapping[str, Any]) -> None:
    """Return once the server has the run. Raises ValueError where it does not get it."""
    until = time.monotonic() + SETTLED_SECONDS
    while not is_there(api, place, described):
        if time.monotonic() > until:
            raise ValueError(f"the server did not take the tables of run {described['id']}")
        time.sleep(1)


def _send_charts(api: Any, place: Place, folder: Path, names: Collection[str]) -> Iterator[str]:
    """Make the presets of charts; a note on each that W&B did not take."""
    from wandb.sdk.lib.service.service_connection import WandbApiFailedError

    for name in sorted(names):
        made = json.loads((folder / chart_file(name)).read_bytes())
        try:
            api.create_custom_chart(place.entity, name, made["title"], "vega2", "private", made["spec"])
        except WandbApiFailedError as problem:
            yield (
                f"note: chart {place.entity}/{name} was not made ({problem}); all is well if it is there already, "
                "from the analysis of another sweep"
            )


def _send_run(place: Place, folder: Path, described: Mapping[str, Any], complete: Mapping[str, Any]) -> None:
    """The run: tables under their names, the report as an artefact; last the config that says it is complete."""
    import wandb

    labels = {name: described[name] for name in ("id", "job_type", "name", "group", "tags", "config")}
    settings = wandb.Settings(
        silent=True, console="off", disable_git=True, disable_code=True, init_timeout=TIMEOUT, x_disable_stats=True
    )
    with wandb.init(
        entity=place.entity, project=place.project, resume="allow", dir=tempfile.gettempdir(), mode="online",
        settings=settings, **labels,
    ) as run:  # fmt: skip
        tables = {name: json.loads((folder / table_file(name)).read_bytes()) for name in described["tables"]}
        run.log({name: wandb.Table(allow_mixed_types=True, **content) for name, content in tables.items()})
        artefact = wandb.Artifact(f"report-{described['id']}", "report", metadata=described["config"]["origin"])
        artefact.add_file(str(folder / PAGE))
        run.log_artifact(artefact)
        run.config.update({**described["config"], **complete}, allow_val_change=True)


def _tell(**message: object) -> None:
    print(json.dumps(message), flush=True)


def main(words: Sequence[str]) -> None:
    """Send what is asked for. Whatever goes wrong is told in one line."""
    try:
        api, place = connect(*words)
        _tell(place=asdict(place))
        folder = Path(sys.stdin.readline().rstrip("\n"))
        for line in send(api, place, folder):
            _tell(line=line)
        _tell(done=True)
    except Exception as problem:  # W&B raises errors of many unrelated classes
        _tell(error=(str(problem).splitlines() or [type(problem).__name__])[0].rstrip("."))
    os._exit(0)  # W&B's own ending would wait for the server


if __name__ == "__main__":
    main(sys.argv[1:])
