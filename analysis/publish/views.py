"""Saved views of W&B, workspaces and reports: their content as plain data, and how one is written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

WORKSPACE, REPORT = "project-view", "runs"
"""What W&B calls the two kinds."""

FIND = """
query View($entityName: String, $name: String, $viewType: String, $viewName: String) {
  project(name: $name, entityName: $entityName) {
    allViews(viewType: $viewType, viewName: $viewName) { edges { node { id name } } }
  }
}
"""


@dataclass(frozen=True)
class Place:
    """The project that a dashboard lies in; ``id`` is the project's own in W&B, where it is known."""

    entity: str
    project: str
    id: str = ""


@dataclass(frozen=True)
class View:
    """A workspace or a report; ``name`` is its own in W&B, by which it is found again, ``title`` what people read."""

    kind: str
    name: str
    title: str
    description: str
    spec: Mapping[str, Any]

    @property
    def said(self) -> str:
        """What it is called."""
        return "workspace" if self.kind == WORKSPACE else "report"

    def address(self, app: str, place: Place, id_: str) -> str:
        """Its link in the app at ``app``, once W&B has given it an id."""
        if self.kind == WORKSPACE:
            return f"{app}/{place.entity}/{place.project}?nw={self.name.removeprefix('nw-').removesuffix('-v')}"
        return f"{app}/{place.entity}/{place.project}/reports/{self.title.replace(' ', '-')}--{id_.rstrip('=')}"


def workspace_view(workspace: Any, key: str) -> View:
    """A workspace of `wandb_workspaces`, checked by its model."""
    model = workspace._to_model()
    return View(WORKSPACE, f"nw-{key}-v", workspace.name, "", _plain(model.spec, key))


def report_view(report: Any, key: str, place: Place) -> View:
    """A report of `wandb_workspaces`, checked by its model, whose sets of runs name no project: it is this one."""
    spec = _plain(report._to_model().spec, key)
    project = {"entityName": place.entity, "name": place.project} | ({"id": place.id} if place.id else {})
    for block in spec["blocks"]:
        for runs in block.get("metadata", {}).get("runSets", ()):
            runs["project"] = project
    return View(REPORT, key, report.title, report.description, spec)


def find(api: Any, place: Place, view: View) -> str:
    """The id of the view of that name, '' where there is none."""
    from wandb_workspaces._graphql import execute_graphql

    names = {"entityName": place.entity, "name": place.project, "viewType": view.kind, "viewName": view.name}
    project = execute_graphql(api, FIND, names).get("project") or {}
    edges = (project.get("allViews") or {}).get("edges") or []
    return next((str(edge["node"]["id"]) for edge in edges if edge["node"]["name"] == view.name), "")


def save(api: Any, place: Place, view: View, id_: str) -> str:
    """Write a view, over the one of that id where there is one; return its id."""
    from wandb_workspaces._graphql import execute_graphql
    from wandb_workspaces.reports.v2 import gql

    given = {
        "id": id_ or None, "entityName": place.entity, "projectName": place.project, "type": view.kind,
        "name": view.name, "displayName": view.title, "description": view.description, "spec": json.dumps(view.spec),
    }  # fmt: skip
    return str(execute_graphql(api, gql.upsert_view, given)["upsertView"]["view"]["id"])


def _plain(spec: Any, key: str) -> dict[str, Any]:
    """A model's content with ids that are always the same: the library draws them at random."""
    content: dict[str, Any] = json.loads(spec.model_dump_json(by_alias=True, exclude_none=True))
    ids: dict[str, str] = {}
    _collect(content, ids, key)
    return dict(_replaced(content, ids))


def _collect(part: Any, ids: dict[str, str], key: str) -> None:
    """The ids of panels and sets of runs, with what stands in their place."""
    for value in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        _collect(value, ids, key)
    if isinstance(part, dict):
        for name in ("id", "__id__"):
            if isinstance(found := part.get(name), str) and found and ({"config", "viewType", "runFeed"} & set(part)):
                ids.setdefault(found, f"{key}{len(ids):03d}")


def _replaced(part: Any, ids: Mapping[str, str]) -> Any:
    if isinstance(part, dict):
        return {name: _replaced(value, ids) for name, value in part.items()}
    if isinstance(part, list):
        return [_replaced(value, ids) for value in part]
    return ids.get(part, part) if isinstance(part, str) else part
