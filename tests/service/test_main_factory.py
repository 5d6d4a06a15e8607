"""The ports that a main process keeps for its workers."""

from __future__ import annotations

import socket
import struct
from types import SimpleNamespace
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import maybeDeferred

from ftpservice.net.accepted_tcp import BACKLOG
from ftpservice.service.main_factory import HeldPort, hold_port
from ftpservice.service.sessions.listeners import Listener
from ftpservice.service.settings.errors import CannotStart

LISTENER = Listener("tcp:0", SimpleNamespace())  # type: ignore[arg-type]  # it is not asked


class Sessions:
    """Counts the ports of its sessions."""

    ports = 0

    def doStart(self) -> None:
        self.ports += 1

    def doStop(self) -> None:
        self.ports -= 1


@pytest.mark.parametrize(("given", "expected"), [(None, BACKLOG), (7, 7)])
@ensureDeferred
async def test_a_held_port_is_not_read_and_has_room_for_many(reactor, given, expected) -> None:
    sessions: Any = Sessions()
    words = () if given is None else (given,)
    port = reactor.listenTCP(0, HeldPort(sessions), *words, interface="127.0.0.1")
    held = hold_port(LISTENER, port)
    assert held not in reactor.getReaders()
    assert sessions.ports == 1
    information = held.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    (backlog,) = struct.unpack_from("I", information, 28)  # of a listening socket
    with open("/proc/sys/net/core/somaxconn") as file:
        assert backlog == min(expected, int(file.read()))
    await maybeDeferred(port.stopListening)
    assert sessions.ports == 0


def test_an_endpoint_without_a_socket_cannot_be_held() -> None:
    with pytest.raises(CannotStart) as refused:
        hold_port(LISTENER, SimpleNamespace())  # type: ignore[arg-type]
    assert "several workers need tcp:" in refused.value.line
