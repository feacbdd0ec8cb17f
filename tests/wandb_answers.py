"""What the stand-in server of W&B (`tests.wandb_server`) answers to each GraphQL operation of its client."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.wandb_server import WandbServer

ENTITY, USER = "lab", "tester"
HISTORY, SUMMARY = "wandb-history.jsonl", "wandb-summary.json"


def _upsert_run(server: WandbServer, given: dict[str, Any]) -> dict[str, Any]:
    new = given["name"] not in server.runs
    run = server.run(given["name"])
    run.fields |= {key: value for key, value in given.items() if value is not None}
    bucket = {
        "id": "QnVja2V0", "name": given["name"], "displayName": run.fields.get("displayName"), "description": "",
        "sweepName": None, "config": run.fields.get("config"), "historyLineCount": len(run.files.get(HISTORY, {})),
        "project": {"id": "UA", "name": _project(given), "entity": {"id": "RQ", "name": _entity(given)}},
    }  # fmt: skip
    return {"upsertBucket": {"bucket": bucket, "inserted": new}}


def _resume_status(server: WandbServer, given: dict[str, Any]) -> dict[str, Any]:
    run = server.runs.get(given["name"])
    bucket = run and {
        "id": "QnVja2V0", "name": given["name"], "displayName": run.fields.get("displayName"),
        "summaryMetrics": (run.lines(SUMMARY) or ["{}"])[0], "historyLineCount": len(run.files.get(HISTORY, {})),
        "logLineCount": 0, "eventsLineCount": 0, "historyTail": json.dumps(run.lines(HISTORY)[-1:]), "eventsTail": "[]",
        "config": run.fields.get("config", "{}"), "tags": run.fields.get("tags", []),
        "wandbConfig": json.dumps({"t": 1}),
    }  # fmt: skip
    entity = {"id": "RQ", "name": _entity(given)}
    return {"model": {"id": "UA", "name": _project(given), "entity": entity, "bucket": bucket}}


def _project(given: dict[str, Any]) -> str:
    return str(given.get("project") or given.get("projectName") or "uncategorized")


def _entity(given: dict[str, Any]) -> str:
    return str(given.get("entity") or given.get("entityName") or ENTITY)


def _viewer(server: WandbServer, given: dict[str, Any]) -> dict[str, Any]:
    teams = {"edges": [{"node": {"name": ENTITY}}]}
    viewer = {
        "id": "VQ", "username": USER, "entity": ENTITY, "flags": "{}", "teams": teams, "email": "t@example.org",
        "admin": False, "name": USER, "deletedAt": None, "apiKeys": {"edges": []},
    }  # fmt: skip
    return {"viewer": viewer, **_server_info(server, given)}


def _server_info(server: WandbServer, given: dict[str, Any]) -> dict[str, Any]:
    versions = {"min_cli_version": "0.10.0", "max_cli_version": "99.0.0"}
    return {"serverInfo": {"features": [], "cliVersionInfo": versions, "latestLocalVersionInfo": None}}


def _run_files(server: WandbServer, given: dict[str, Any]) -> dict[str, Any]:
    files = [{"name": name, "uploadUrl": f"{server.url}/storage/{given['run']}/{name}"} for name in given["files"]]
    return {"createRunFiles": {"runID": "QnVja2V0", "uploadHeaders": [], "files": files}}


def _create_artifact(server: WandbServer, given: dict[str, Any]) -> dict[str, Any]:
    content = given.get("input", given)
    digest = content.get("digest", "")
    same = [number for number, one in enumerate(server.artifacts) if one.get("digest") == digest]
    if not same:
        server.artifacts.append(content)
    number = same[0] if same else len(server.artifacts) - 1
    artifact = {"id": f"QXJ0aWZhY3Q{number}", "state": "COMMITTED" if same else "PENDING", "digest": digest}
    sequence = {"id": "U2Vx", "name": "sequence", "latestArtifact": None}
    return {"createArtifact": {"artifact": {**artifact, "artifactSequence": sequence}}}


def _create_manifest(server: WandbServer, given: dict[str, Any]) -> dict[str, Any]:
    file = {"id": "TWFu", "displayName": "m", "uploadUrl": f"{server.url}/storage/manifest", "uploadHeaders": []}
    return {"createArtifactManifest": {"artifactManifest": {"id": "TWFu", "file": file}}}


def _artifact_files(server: WandbServer, given: dict[str, Any]) -> dict[str, Any]:
    specs = given.get("input", given).get("artifactFiles") or given.get("artifactFiles") or []
    nodes = [
        {
            "node": {
                "id": f"RmlsZQ{number}", "name": one["name"], "displayName": one["name"], "uploadHeaders": [],
                "uploadUrl": f"{server.url}/storage/artifact/{one['name']}", "storagePath": f"artifact/{one['name']}",
                "uploadMultipartUrls": None, "artifact": {"id": one.get("artifactID", "QQ")},
            }
        }
        for number, one in enumerate(specs)
    ]  # fmt: skip
    return {"createArtifactFiles": {"files": {"edges": nodes}}}


def _upsert_view(server: WandbServer, given: dict[str, Any]) -> dict[str, Any]:
    server.views.append(given)
    project = {"id": "UA", "name": _project(given), "entityName": _entity(given)}
    known = {name: given.get(name) for name in ("type", "name", "displayName", "spec")}
    view = {**known, "id": "Vmlldzox", "description": "", "project": project, "updatedAt": "2026-01-01T00:00:00"}
    return {"upsertView": {"view": view, "inserted": True}}


def _upsert_project(server: WandbServer, given: dict[str, Any]) -> dict[str, Any]:
    names = {"name": _project(given), "entityName": _entity(given)}
    model = {"id": "UA", **names, "description": "", "access": "", "views": ""}
    return {"upsertModel": {"project": model, "model": model, "inserted": False}}


def _internal_id(server: WandbServer, given: dict[str, Any]) -> dict[str, Any]:
    return {"project": {"id": "UA", "internalId": "UHJvamVjdEludGVybmFsSWQ6MQ=="}}


Known = Callable[["WandbServer", dict[str, Any]], dict[str, Any]]
ANSWERS: dict[str, Known] = {
    "UpsertBucket": _upsert_run, "RunResumeStatus": _resume_status, "CreateRunFiles": _run_files,
    "Viewer": _viewer, "ProjectInternalId": _internal_id, "CreateArtifact": _create_artifact,
    "CreateArtifactManifest": _create_manifest, "CreateArtifactFiles": _artifact_files,
    "UpdateArtifactManifest": lambda server, given: {
        "updateArtifactManifest": _create_manifest(server, given)["createArtifactManifest"]
    },
    "CommitArtifact": lambda server, given: {"commitArtifact": {"artifact": {"id": "QQ", "digest": ""}}},
    "ArtifactType": lambda server, given: {"project": {"artifact": None}},
    "UseArtifact": lambda server, given: {"useArtifact": {"artifact": {"id": "QQ"}}},
}  # fmt: skip
BY_WORD: dict[str, Known] = {
    "upsertView": _upsert_view, "upsertModel": _upsert_project, "viewer": _viewer, "serverInfo": _server_info,
}  # fmt: skip
"""Answers to operations without a known name, by a word of the query."""
