"""A web server on 127.0.0.1 that shows one page and the files beside it, and lets browsers see when it has changed."""

from __future__ import annotations

import errno
import hashlib
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from analysis.live.pages import with_strip

HOST = "127.0.0.1"
HOSTS = (HOST, "localhost")
"""What a browser may call this machine; another name is a page elsewhere that has its own name point here."""


@dataclass(frozen=True)
class Shown:
    """A page and a line on the state of its sweep.

    ``written`` is the time of a report, "" for a page before it; ``reason`` says why there is no report, or no newer.
    ``training`` is a page of its own on the training runs, "" where none has begun.
    """

    page: str
    line: str
    written: str = ""
    reason: str = ""
    training: str = ""

    @cached_property
    def versions(self) -> dict[str, str]:
        """What changes with each of the pages."""
        pages = {"version": self.page, "training": self.training}
        return {name: hashlib.sha256(page.encode()).hexdigest()[:16] for name, page in pages.items()}


class PageServer(ThreadingHTTPServer):
    """Serves ``shown``, which may be replaced at any time, and the files in ``folder``."""

    daemon_threads = True

    def __init__(self, port: int, folder: Path, shown: Shown) -> None:
        super().__init__((HOST, port), _Handler)
        self.folder, self.shown = folder, shown

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say what went wrong with a request, unless the browser was closed before it was answered."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(SimpleHTTPRequestHandler):
    server: PageServer

    def __init__(self, request: Any, address: Any, server: PageServer) -> None:
        super().__init__(request, address, server, directory=str(server.folder))

    def do_GET(self) -> None:
        shown, path = self.server.shown, urlsplit(self.path).path
        if urlsplit(f"//{self.headers.get('Host', '')}").hostname not in HOSTS:
            self.send_error(403, "this server answers under the name localhost alone")
        elif path == "/":
            link = ' · <a href="/training">training runs</a>' if shown.written and shown.training else ""
            self._page(shown.page, "version", link)
        elif path == "/training" and shown.training:
            self._page(shown.training, "training", ' · <a href="/">the report</a>')
        elif path == "/state":
            self._answer("application/json", json.dumps({"line": shown.line, **shown.versions}))
        else:
            super().do_GET()

    def do_HEAD(self) -> None:
        self.send_error(405)

    def list_directory(self, path: Any) -> None:
        self.send_error(404)

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def _page(self, page: str, name: str, link: str) -> None:
        shown = self.server.shown
        self._answer("text/html", with_strip(page, shown.line, name, shown.versions[name], link))

    def _answer(self, kind: str, text: str) -> None:
        content = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *words: Any) -> None:
        """Requests are of no interest."""


@contextmanager
def page_server(port: int, folder: Path, shown: Shown) -> Iterator[PageServer]:
    """A server that answers in threads of its own until the block ends. Raises ValueError where the port is taken."""
    try:
        server = PageServer(port, folder, shown)
    except (OSError, OverflowError) as problem:
        reasons = {errno.EADDRINUSE: "is in use", errno.EACCES: "may not be used by this user"}
        reason = reasons.get(getattr(problem, "errno", None) or 0, f"cannot be used ({problem})")
        raise ValueError(f"port={port} {reason}; give another, or port=0 for any that is free") from None
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
