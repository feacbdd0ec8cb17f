"""A stand-in for the server of Weights & Biases on this machine: it keeps what clients send, or misbehaves.

It answers what W&B's client asks to start, feed, finish, resume and sync runs and to upload files and tables. As the
real one does, it keeps a run's history by line number, so that what is sent twice is there twice only if a client says
that it is new.
"""

from __future__ import annotations

import gzip
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests import wandb_public
from tests.wandb_answers import ANSWERS, BY_WORD, HISTORY, SUMMARY

KEY = "0" * 40
"""An API key that the server takes."""

STREAM = re.compile(r"/files/([^/]+)/([^/]+)/([^/]+)/file_stream")
AFTER = " after init"


@dataclass
class Run:
    """What the server knows about a run. ``files`` holds the lines of each streamed file by number."""

    fields: dict[str, Any] = field(default_factory=dict)
    files: dict[str, dict[int, str]] = field(default_factory=dict)
    exit: int | None = None
    preempting: bool = False

    def lines(self, name: str) -> list[str]:
        return [line for _, line in sorted(self.files.get(name, {}).items())]

    @property
    def history(self) -> list[dict[str, Any]]:
        """The logged rows, without what W&B adds to them."""
        rows = [json.loads(line) for line in self.lines(HISTORY)]
        return [{key: value for key, value in row.items() if not key.startswith("_")} for row in rows]

    @property
    def summary(self) -> dict[str, Any]:
        """The last values, without what W&B adds to them."""
        content = json.loads(self.fields.get("summaryMetrics") or "{}") | json.loads((self.lines(SUMMARY) or ["{}"])[0])
        return {key: value for key, value in content.items() if not key.startswith("_")}

    @property
    def config(self) -> dict[str, Any]:
        """The config as it was given."""
        content = json.loads(self.fields.get("config") or "{}")
        return {key: entry["value"] for key, entry in content.items() if not key.startswith("_")}

    @property
    def step_metrics(self) -> dict[str, str]:
        """The x axis of each metric, by the metric's name or pattern, as `define_metric` said."""
        metrics = json.loads(self.fields["config"])["_wandb"]["value"].get("m", [])
        names = [metric.get("1") or metric.get("2") for metric in metrics]
        return {name: names[metric["5"] - 1] for name, metric in zip(names, metrics, strict=True) if metric.get("5")}


class WandbServer:
    """``fault`` is '' or what it does wrong: 'hang' (no answer), 'error' (status 500) or 'refuse' (no key is good).

    With ' after init' it does so only to the rows and files of a run. The fault may change while the server runs.
    """

    def __init__(self, fault: str = "") -> None:
        self.fault = fault
        self.runs: dict[str, Run] = {}
        self.uploads: dict[str, bytes] = {}
        self.operations: list[str] = []
        self.artifacts: list[dict[str, Any]] = []
        self.views: list[dict[str, Any]] = []
        self.charts: dict[str, dict[str, Any]] = {}
        self.unknown: list[str] = []
        self.closing, self.lock = threading.Event(), threading.Lock()

    def start(self) -> dict[str, str]:
        """Start; return the variables of the environment that lead W&B's client here."""
        self.server = _Server(("127.0.0.1", 0), _Handler)
        self.server.wandb = self
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        return self.environment

    @property
    def environment(self) -> dict[str, str]:
        return {"WANDB_BASE_URL": self.url, "WANDB_API_KEY": KEY, "WANDB_MODE": "online"}

    def stop(self) -> None:
        """Stop as if killed: no request is answered any more, on no connection."""
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()

    def run(self, name: str) -> Run:
        """The run of that id, which need not be there yet."""
        return self.runs.setdefault(name, Run())

    def of_group(self, group: str, kind: str | None = None) -> dict[str, Run]:
        """The runs of a group, of one job type where it is given, by name."""
        return {
            run.fields["displayName"]: run
            for run in self.runs.values()
            if run.fields.get("groupName") == group and kind in (None, run.fields.get("jobType"))
        }

    def stream(self, name: str, content: dict[str, Any]) -> None:
        """Take the lines that a client streams to a run."""
        run = self.run(name)
        for file, part in (content.get("files") or {}).items():
            lines = run.files.setdefault(file, {})
            for number, line in enumerate(part["content"], part["offset"]):
                lines[number] = line
        run.preempting = run.preempting or bool(content.get("preempting"))
        if content.get("complete"):
            run.exit = content.get("exitcode")

    def answer(self, operation: str, query: str, given: dict[str, Any]) -> dict[str, Any]:
        """The data of a GraphQL reply; empty for what this server does not know, which is listed in ``unknown``."""
        known = {**ANSWERS, **wandb_public.ANSWERS}.get(operation) or next(
            (answer for word, answer in BY_WORD.items() if word in query), None
        )
        if known is None:
            self.unknown.append(operation)
            return {}
        return known(self, given)


class _Server(ThreadingHTTPServer):
    wandb: WandbServer
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client may hang up."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        stored = self.server.wandb.uploads.get(self.path.removeprefix("/storage/"))
        if stored is None:
            self.take("GET")
        else:
            self.send(stored)

    def do_PUT(self) -> None:
        self.take("PUT")

    def do_POST(self) -> None:
        self.take("POST")

    def take(self, method: str) -> None:
        wandb, content = self.server.wandb, self.body()
        streamed = STREAM.match(self.path)
        request: dict[str, Any] = json.loads(content) if method == "POST" else {}
        name = re.search(r"(?:query|mutation)\s+(\w+)", request.get("query", ""))
        operation = "file_stream" if streamed else request.get("operationName") or (name[1] if name else method)
        with wandb.lock:
            wandb.operations.append(operation)
        fault = wandb.fault.removesuffix(AFTER)
        if wandb.fault.endswith(AFTER) and operation not in ("file_stream", "PUT"):
            fault = ""
        if fault == "hang":
            wandb.closing.wait(600)
        if wandb.closing.is_set():
            self.close_connection = True
            return
        if fault:
            return self.reply({"error": fault}, 500 if fault == "error" else 401)
        with wandb.lock:
            self.reply(self.result(method, operation, streamed, request, content))

    def result(
        self, method: str, operation: str, streamed: re.Match[str] | None, request: dict[str, Any], content: bytes
    ) -> dict[str, Any]:
        wandb = self.server.wandb
        if streamed:
            wandb.stream(streamed[3], request)
            return {"limits": {}}
        if method == "PUT":
            wandb.uploads[self.path.removeprefix("/storage/")] = content
        if method != "POST":
            return {}
        return {"data": wandb.answer(operation, request["query"], request.get("variables") or {})}

    def body(self) -> bytes:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(content) if self.headers.get("Content-Encoding") == "gzip" else content

    def reply(self, value: dict[str, Any], status: int = 200) -> None:
        self.send(json.dumps(value).encode(), status)

    def send(self, content: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Print nothing."""
