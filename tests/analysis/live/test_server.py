"""The web server of the live report."""

import socket
import struct
from pathlib import Path

import pytest

from analysis.live.server import HOST, PageServer, Shown


def test_a_browser_closed_before_its_answer_leaves_no_traceback(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    with PageServer(0, tmp_path, Shown("x" * 50_000_000, "")) as server:
        client = socket.create_connection((HOST, server.server_address[1]))
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        request, address = server.get_request()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()  # with a reset, as the page is longer than what the connection holds
        server.process_request_thread(request, address)
    assert capfd.readouterr().err == ""
