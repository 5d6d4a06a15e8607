"""Clients of other protocols on every port: their sessions end before a login."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from tests.support.raw_client import LOCAL, RunningService, in_thread, starting
from tests.support.tls_client import client_context

FIXTURES = (starting,)
PLACE = f"tcp:0:interface={LOCAL}"
PORTS = ("ftp", "simple", "implicit", "simple-tls")
OPTIONS = ("--simple", PLACE, "--implicit", PLACE, "--simple-tls", PLACE)
POST = (
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 99\r\n\r\n"
    "USER demo\r\nPASS demo\r\nTYPE I\r\nMKD planted\r\nUPLD 3+ planted\r\nabc\r\nQUIT\r\n"
)


def beginning(served: RunningService, port: str) -> socket.socket:
    """Connect to a port, with TLS if it is implicit."""
    number = {"ftp": 0, "implicit": 1, "simple": 2, "simple-tls": 3}[port]
    plain = served.connected((LOCAL, served.ports[number]))
    if port in ("ftp", "simple"):
        return plain
    end = client_context().wrap_socket(plain, server_hostname=LOCAL)
    served.close_later(end)
    return end


def receive_all(end: socket.socket) -> bytes:
    """Read up to the end of the connection."""
    said = b""
    while piece := end.recv(65536):
        said += piece
    return said


@in_thread
@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("first", [POST, POST.replace("POST", "x"), "EHLO x\r\n" + POST])
def test_http_requests_end_the_session(
    server: Callable[..., RunningService], port: str, first: str
) -> None:
    served = server(*OPTIONS)
    end = beginning(served, port)
    end.sendall(first.encode())
    said = receive_all(end).splitlines()
    assert len(said) == 2  # the greeting, and why it is over
    assert said[1][:4] in (b"421 ", b"ERR ")
    assert list(served.root.iterdir()) == []


@in_thread
@pytest.mark.parametrize("port", ["ftp", "simple"])
def test_a_tls_handshake_on_a_plaintext_port_is_refused(
    server: Callable[..., RunningService], port: str
) -> None:
    served = server(*OPTIONS)
    end = beginning(served, port)
    end.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    assert len(receive_all(end).splitlines()) == 2
