"""A hub on this machine, as far as downloading files goes."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Repository(NamedTuple):
    """A data set or model at its only commit; ``files`` maps paths to contents."""

    commit: str
    files: Mapping[str, bytes]


@contextmanager
def serving(repositories: Mapping[str, Repository]) -> Iterator[str]:
    """The endpoint of a hub with these repositories by id, each both data set and model; all else is a 404."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(with_body=True)

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def _answer(self, *, with_body: bool) -> None:
            content, commit = _found(repositories, self.path.partition("?")[0])
            self.send_response(200 if commit else 404)
            headers = {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": commit} if commit else {}
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if with_body:
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _found(repositories: Mapping[str, Repository], path: str) -> tuple[bytes, str]:
    """What lies at a path of the hub, and the commit of its repository; both empty where there is nothing."""
    for name, (commit, files) in repositories.items():
        listing = [{"type": "file", "path": file, "size": len(text), "oid": "0" * 40} for file, text in files.items()]
        places = {}
        for kind, folder in (("datasets", "/datasets"), ("models", "")):
            places |= {
                f"/api/{kind}/{name}/revision/{commit}": json.dumps({"id": name, "sha": commit}).encode(),
                f"/api/{kind}/{name}/tree/{commit}": json.dumps(listing).encode(),
                **{f"{folder}/{name}/resolve/{commit}/{file}": text for file, text in files.items()},
            }
        if path in places:
            return places[path], commit
    return b"", ""
