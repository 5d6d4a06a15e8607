"""Connections of the control socket that send no request, or read no answer."""

from __future__ import annotations

import json
import os
import select
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.task import deferLater

from ftpservice.activity.event_feed import EventFeed
from ftpservice.events import EventStream, LoggedIn
from ftpservice.service import control_socket
from ftpservice.service.control_socket import ControlSocket
from tests.support.open_resources import nothing_left, until

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


class Follower:
    """A client that follows events."""

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.socket.sendall(b'{"command": "log"}\n')
        self.socket.setblocking(False)
        self.received = b""

    def lines(self) -> list[bytes]:
        """Return the lines that have come so far."""
        with suppress(BlockingIOError):
            while piece := self.socket.recv(65536):
                self.received += piece
        return self.received.splitlines()


@pytest.fixture
def followed(tmp_path: Path, reactor: Any) -> Iterator[tuple[ControlSocket, EventStream]]:
    """A control socket on which events can be followed."""
    events = EventStream(lambda error, event: pytest.fail(f"{error!r} at {event!r}"))
    actions = {"log": lambda _: EventFeed(events, reactor, None, False)}
    made = ControlSocket(str(tmp_path / "control.sock"), actions, reactor)
    made.startService()
    yield made, events
    pytest_twisted.blockon(made.stopService())


@pytest_twisted.ensureDeferred
async def test_events_follow_an_answer_until_the_client_goes(
    followed: tuple[ControlSocket, EventStream],
) -> None:
    served, events = followed
    async with nothing_left():
        client = Follower(served.path)
        await until(lambda: client.lines(), str)
        assert json.loads(client.lines()[0]) == {"ok": True, "result": None}
        for number in range(100):
            events.publish(LoggedIn(1.0, number, "192.0.2.1", "ann"))
        await until(lambda: len(client.lines()) == 101, lambda: len(client.lines()))
        assert json.loads(client.lines()[-1])["fields"]["number"] == 99
        client.socket.close()
        await until(lambda: not served._factory.followers, str)
        assert events._subscriptions == []


@pytest_twisted.ensureDeferred
async def test_a_client_that_does_not_read_is_cut(
    followed: tuple[ControlSocket, EventStream], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_socket, "MAX_WAITING_EVENTS", 5)
    served, events = followed
    async with nothing_left():
        client = Follower(served.path)
        await until(lambda: served._factory.followers, str)
        for number in range(20_000):
            events.publish(LoggedIn(1.0, number, "192.0.2.1", "ann"))
            if number % 500 == 0:
                await deferLater(served._reactor, 0)
        await until(lambda: not events._subscriptions, str)
        await until(lambda: client.lines()[-1].startswith(b'{"error": "cut'), str)
        await until(lambda: not served._factory.followers, str)
        client.socket.close()


@pytest_twisted.ensureDeferred
async def test_only_some_clients_follow_and_a_stop_ends_them(
    followed: tuple[ControlSocket, EventStream], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_socket, "MAX_FOLLOWERS", 1)
    served, events = followed
    first = Follower(served.path)
    await until(lambda: first.lines(), str)
    second = Follower(served.path)
    await until(lambda: second.lines(), str)
    assert json.loads(second.lines()[0]) == {
        "ok": False,
        "error": "1 clients follow events already",
    }
    await served.stopService()
    await until(lambda: not served._factory.followers, str)
    assert events._subscriptions == []
    for client in (first, second):
        client.socket.close()
