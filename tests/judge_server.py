"""A real OpenAI-compatible server on this machine that replies, or misbehaves, as a test wants."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Act = str | tuple[int, dict[str, str], bytes]
"""What a chat request meets: a reply's text, 'HANG', 'DRIP', 'DRIP A HEADER', 'RESET', or status, headers and body."""


class _Server(ThreadingHTTPServer):
    judge: JudgeServer
    request_queue_size = 128  # a short queue resets connections on a busy machine, and every reset is asked again


class JudgeServer:
    """``act(number, request)`` says what the chat request of that number (from 0) meets."""

    def __init__(self, act: Callable[[int, dict[str, Any]], Act], key: str | None = None) -> None:
        self.act, self.key = act, key
        self.requests: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.closing, self.lock = threading.Event(), threading.Lock()

    def prompts(self) -> list[str]:
        """The last message of each chat request so far."""
        return [request["messages"][-1]["content"] for request in self.requests]

    def start(self) -> str:
        """The base URL."""
        self.server = _Server(("127.0.0.1", 0), _Handler)
        self.server.judge = self
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client may hang up
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_address[1]}/v1"

    def stop(self) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self.server.judge.paths.append(self.path)
        self.answer(401 if self.server.judge.key and not self.known() else 200, {}, b"{}")

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.judge.lock:
            number = len(self.server.judge.requests)
            self.server.judge.requests.append(request)
            self.server.judge.paths.append(self.path)
        act = self.server.judge.act(number, request)
        if self.server.judge.key and not self.known():
            self.answer(401, {}, b'{"error": {"message": "Incorrect API key provided"}}')
        elif act == "HANG":
            self.server.judge.closing.wait(60)
        elif act == "DRIP":
            self.answer(200, {"Content-Length": "1000"}, b"")
            while not self.server.judge.closing.wait(0.05):
                self.wfile.write(b" ")
        elif act == "DRIP A HEADER":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while not self.server.judge.closing.wait(0.05):
                self.wfile.write(b"x")
        elif act == "RESET":  # closing with unread patience set to nothing sends a reset
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        elif isinstance(act, tuple):
            self.answer(*act)
        else:
            self.answer(200, {}, completion(act))

    def known(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {self.server.judge.key}"

    def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass

    def finish(self) -> None:
        if not self.connection._closed:  # type: ignore[attr-defined]
            super().finish()


def completion(text: str, tokens: tuple[int, int] = (1000, 100)) -> bytes:
    """A chat completion that says ``text`` and counts so many tokens asked and replied."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1]}
    return json.dumps({"object": "chat.completion", "choices": [choice], "usage": usage}).encode()


@contextmanager
def serving(act: Callable[[int, dict[str, Any]], Act], key: str | None = None) -> Iterator[tuple[JudgeServer, str]]:
    """The server and its base URL."""
    server = JudgeServer(act, key)
    url = server.start()
    try:
        yield server, url
    finally:
        server.stop()
