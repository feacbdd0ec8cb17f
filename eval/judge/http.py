"""One request over HTTP within one deadline, without redirects."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
import urllib.error
import urllib.request
from typing import Any

MAX_REPLY_BYTES = 1 << 24


def bounded_open(request: urllib.request.Request, seconds: float) -> bytes:
    """The body of a successful response.

    Raises TimeoutError when header and body are not complete within ``seconds``, HTTPError for any other status, a
    redirect included: its target would be sent the request's key.
    """
    deadline = _Deadline(seconds)
    opener = urllib.request.build_opener(_NoRedirect, _Http(deadline), _Https(deadline))
    try:
        with opener.open(request, timeout=seconds) as response:
            body: bytes = response.read(MAX_REPLY_BYTES + 1)
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, urllib.error.HTTPError) or not deadline.passed:
            raise
        raise TimeoutError(f"no complete reply within {seconds:g} s") from None
    finally:
        deadline.end()
    if deadline.passed:
        raise TimeoutError(f"no complete reply within {seconds:g} s")
    if len(body) > MAX_REPLY_BYTES:
        raise ConnectionError(f"a reply of more than {MAX_REPLY_BYTES >> 20} MiB")
    return body


class _Deadline:
    """Closes a connection at a time, as timeouts hold for each read alone: a byte now and then would meet them all."""

    def __init__(self, seconds: float) -> None:
        self._end, self._timer = time.monotonic() + seconds, threading.Timer(seconds, self._close)
        self._socket: socket.socket | None = None

    def start(self, connected: socket.socket) -> None:
        self._socket = connected
        self._timer.daemon = True
        self._timer.start()

    def _close(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):  # closed already
                self._socket.shutdown(socket.SHUT_RDWR)

    @property
    def passed(self) -> bool:
        return time.monotonic() >= self._end

    def end(self) -> None:
        self._timer.cancel()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: Any) -> None:
        """No request for another address."""


class _Http(urllib.request.HTTPHandler):
    def __init__(self, deadline: _Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def http_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(_connection(http.client.HTTPConnection, self._deadline), req)  # type: ignore[arg-type]


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, deadline: _Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def https_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(_connection(http.client.HTTPSConnection, self._deadline), req)  # type: ignore[arg-type]


def _connection(kind: type[http.client.HTTPConnection], deadline: _Deadline) -> type[http.client.HTTPConnection]:
    """A kind of connection that closes at the deadline."""

    class Bounded(kind):  # type: ignore[valid-type, misc]
        def connect(self) -> None:
            super().connect()
            deadline.start(self.sock)

    return Bounded
