"""What the stand-in server of W&B answers to its public interface: reading runs and files, charts, saved views."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.wandb_server import WandbServer

PROJECT_ID = "UHJvamVjdEludGVybmFsSWQ6MQ=="


def _run(server: WandbServer, given: dict[str, Any]) -> dict[str, Any]:
    run = server.runs.get(given["name"])
    if run is None:
        return {"project": {"internalId": PROJECT_ID, "run": None}}
    times = dict.fromkeys(("createdAt", "heartbeatAt"), "2026-01-01T00:00:00Z")
    node = {
        "id": "QnVja2V0", "name": given["name"], "displayName": run.fields.get("displayName"), "tags": [],
        "state": "running" if run.exit is None else "finished", "group": run.fields.get("groupName"), "notes": "",
        "jobType": run.fields.get("jobType"), "commit": None, "readOnly": False, "sweepName": None, "description": "",
        "historyLineCount": len(run.history), "historyKeys": {}, "systemMetrics": "{}",
        "config": run.fields.get("config") or "{}", "summaryMetrics": json.dumps(run.summary),
        "user": {"name": "u", "username": "u"}, **times,
    }  # fmt: skip
    return {"project": {"internalId": PROJECT_ID, "readOnly": False, "run": node}}


def _files(server: WandbServer, given: dict[str, Any]) -> dict[str, Any]:
    place = f"{server.url}/storage/{given['name']}"
    nodes = [
        {
            "node": {
                "id": name, "name": name, "url": f"{place}/{name}", "directUrl": f"{place}/{name}", "md5": "",
                "sizeBytes": len(content), "mimetype": "application/json", "updatedAt": "2026-01-01T00:00:00",
            },
            "cursor": name,
        }
        for name in given.get("fileNames") or []
        if (content := server.uploads.get(f"{given['name']}/{name}")) is not None
    ]  # fmt: skip
    files = {"edges": nodes, "pageInfo": {"endCursor": None, "hasNextPage": False}}
    return {"project": {"internalId": PROJECT_ID, "run": {"fileCount": len(nodes), "files": files}}}


def _chart(server: WandbServer, given: dict[str, Any]) -> dict[str, Any]:
    server.charts[f"{given['entity']}/{given['chartName']}"] = given
    return {"createCustomChart": {"chart": {"id": f"{given['entity']}/{given['chartName']}"}}}


def _view(server: WandbServer, given: dict[str, Any]) -> dict[str, Any]:
    found = [view for view in server.views if (view["type"], view["name"]) == (given["viewType"], given["viewName"])]
    edges = [{"node": {"id": "Vmlldzox", "name": view["name"]}} for view in found[:1]]
    return {"project": {"allViews": {"edges": edges}}}


ANSWERS: dict[str, Callable[[WandbServer, dict[str, Any]], dict[str, Any]]] = {
    "Run": _run, "RunFiles": _files, "CreateCustomChart": _chart, "View": _view,
}  # fmt: skip
