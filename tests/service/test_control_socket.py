"""Connections of the control socket that send no request, or read no answer."""

from __future__ import annotations

import json
import os
import select
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from ftpservice.service import control_socket
from ftpservice.service.control_socket import ControlSocket
from tests.support.open_resources import until

ANSWER = "x" * 10_000_000


@pytest.fixture
def served(
    tmp_path: Path, reactor: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ControlSocket]:
    """A control socket whose connections have little time."""
    monkeypatch.setattr(control_socket, "REQUEST_SECONDS", 0.1)
    made = ControlSocket(str(tmp_path / "control.sock"), {"large": lambda _: ANSWER}, reactor)
    made.startService()
    yield made
    pytest_twisted.blockon(made.stopService())


@pytest.mark.parametrize("request_line", [b"", b'{"command": "large"}\n'])
@pytest_twisted.ensureDeferred
async def test_a_connection_is_closed_when_its_time_is_over(
    served: ControlSocket, request_line: bytes
) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(served.path)
        client.send(request_line or b" ")
        await until(lambda: served._factory.connections == 1, str)
        await until(lambda: served._factory.connections == 0, str)


@pytest_twisted.ensureDeferred
async def test_a_request_says_who_made_it_whatever_the_client_claims(
    tmp_path: Path, reactor: Any
) -> None:
    made = ControlSocket(
        str(tmp_path / "control.sock"), {"echo": lambda request: request["by"]}, reactor
    )
    made.startService()
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.setblocking(False)
            client.connect(made.path)
            client.send(b'{"command": "echo", "by": "uid 12345"}\n')
            await until(lambda: bool(select.select([client], [], [], 0)[0]), str)
            answer = json.loads(client.recv(1000))
        assert answer == {"ok": True, "result": f"uid {os.geteuid()}"}
        await until(lambda: made._factory.connections == 0, str)
    finally:
        await made.stopService()
