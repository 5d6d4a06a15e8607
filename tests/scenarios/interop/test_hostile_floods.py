"""Floods: commands, unread replies, connections, ports."""

from __future__ import annotations

import socket
from collections.abc import Callable

from ftpservice.control.protocol import ControlProtocol
from ftpservice.data.listener import DataListener
from tests.support.raw_client import (
    RunningService,
    Wire,
    in_thread,
    reactor,
    reset,
    started,
    starting,
)

FIXTURES = (started, starting)


def ports() -> int:
    """Return the number of passive ports; called in the reactor thread."""
    return sum(isinstance(one, DataListener) for one in reactor.getReaders())


def kept(served: RunningService) -> int:
    """Return the bytes of buffered replies of the first session."""
    transport = served.factory.instances[0].transport
    return len(transport.dataBuffer) - transport.offset + int(transport._tempDataLen)


def flood(wire: Wire, piece: bytes, most: int) -> int:
    """Send until the server stops reading; return the bytes that it read."""
    sent = 0
    wire.end.settimeout(0.3)
    try:
        while sent < most:
            sent += wire.end.send(piece)
    except TimeoutError:
        pass
    wire.end.settimeout(15)
    return sent


@in_thread
def test_100000_pipelined_commands_are_answered(served: RunningService) -> None:
    wire, count = served.session(), 100_000
    answer = wire.ask("NOOP").lines[0] + b"\r\n"
    neighbour = served.session("other")
    received = 0
    for start in range(0, count, 5000):
        wire.send(b"NOOP\r\n" * 5000)
        if start == 50_000:
            assert neighbour.code("PWD") == 257
        expected = (start + 5000) * len(answer)
        while received < expected:
            piece = wire.end.recv(262144)
            assert piece
            received += len(piece)
    assert received == count * len(answer)
    assert wire.code("PWD") == 257


@in_thread
def test_unread_replies_use_bounded_memory(served: RunningService) -> None:
    wire = served.session()
    flood(wire, b"HELP\r\n" * 1000, 9_000_000)
    assert served.in_reactor(lambda: kept(served)) < 2_000_000
    assert served.session("other").code("PWD") == 257


@in_thread
def test_unread_replies_during_a_transfer_use_bounded_memory(served: RunningService) -> None:
    wire = served.session()
    data = wire.accepted()
    assert wire.code("STOR a") == 150
    flood(wire, b"STAT\r\n" * 1000, 30_000_000)
    assert served.in_reactor(lambda: kept(served)) < 2_000_000
    data.close()


def narrow(served: RunningService) -> tuple[Wire, ControlProtocol]:
    """Open a session with small socket buffers."""
    wire = Wire(served, served.connected(("127.0.0.1", served.port), window=2048))
    protocol = served.factory.instances[0]
    protocol.transport.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2048)
    return wire, protocol


@in_thread
def test_a_half_closed_client_gets_all_replies(served: RunningService) -> None:
    (served.root / "d").mkdir()
    for number in range(200):
        (served.root / "d" / f"{number:0100}").touch()
    wire, protocol = narrow(served)
    wire.login()
    wire.send(b"STAT d\r\n" * 20)
    served.wait_for(lambda: protocol.outgoing.is_full)
    wire.end.shutdown(socket.SHUT_WR)
    served.wait_for(lambda: protocol._input_ended)
    assert wire.replies(20) == [213] * 20
    assert wire.over()


@in_thread
def test_a_421_after_many_replies_arrives(served: RunningService) -> None:
    for count in (45, 49, 90, 100, 150, 400):
        wire, _protocol = narrow(served)
        wire.send(b"HELP\r\n" * count + b"QUIT\r\n" + b"NOOP\r\n" * 500)
        served.wait_for(lambda: kept(served) > 0)
        assert wire.replies(count + 1) == [214] * count + [221]
        assert wire.over()
        wire.drop()
        served.wait_for(served.settled())


@in_thread
def test_sessions_beyond_the_limit_are_refused(
    server: Callable[..., RunningService],
) -> None:
    served = server("--max-sessions", "6", "--max-sessions-per-address", "3")
    some = [served.wire() for _ in range(3)]
    turned_away = served.wire(greeted=False)
    assert turned_away.reply().code == 421 and turned_away.over()
    turned_away.drop()
    others = [served.wire(source="127.0.0.2") for _ in range(3)]
    for wire in (*some, *others):
        wire.login()
    late = served.wire(source="127.0.0.3", greeted=False)
    assert late.reply().code == 421 and late.over()
    late.drop()
    assert some[0].code("QUIT") == 221 and some[0].over()
    some[0].drop()
    reset(some[1].end)
    others[0].drop()
    served.wait_for(lambda: len(served.factory.instances) <= 3)
    assert [served.wire().code("NOOP") for _ in range(2)] == [200, 200]


@in_thread
def test_connections_without_login_do_not_count(
    server: Callable[..., RunningService],
) -> None:
    served = server("--max-sessions", "40", "--max-sessions-per-address", "40")
    owner = served.session()
    idle = [served.wire() for _ in range(39)]
    for number in range(5):
        served.wire(source=f"127.0.0.{number + 2}").login()
    assert idle[0].reply().code == 421 and idle[0].over()
    assert owner.code("NOOP") == idle[-1].code("NOOP") == 200


@in_thread
def test_five_hundred_connections(server: Callable[..., RunningService]) -> None:
    served = server("--max-sessions-per-address", "500")
    wires = [served.wire() for _ in range(500)]
    extra = served.wire(greeted=False)
    assert extra.reply().code == 421
    for wire in wires:
        wire.send("NOOP\r\n")
    assert [wire.reply().code for wire in wires] == [200] * 500
    served.close()
    served.wait_for(served.settled())
    assert served.wire().code("NOOP") == 200


@in_thread
def test_sessions_of_one_user_are_limited(server: Callable[..., RunningService]) -> None:
    served = server("--max-sessions-per-user", "2")
    first, _second = served.session(), served.session()
    third = served.wire()
    assert third.codes("USER demo", "PASS demo") == [331, 421] and third.over()
    assert served.session("other").code("PWD") == 257
    assert first.code("REIN") == 220
    assert served.session().code("PWD") == 257
    assert first.codes("USER demo", "PASS demo") == [331, 421]


@in_thread
def test_a_flood_of_pasv_leaves_no_ports(served: RunningService) -> None:
    wire = served.session()
    wire.send(b"PASV\r\nEPSV\r\n" * 500)
    assert wire.replies(1000) == [227, 229] * 500
    served.wait_for(lambda: ports() == 1)
    ways: tuple[Callable[[Wire], object], ...] = (
        lambda wire: wire.code("REIN"),
        lambda wire: wire.code("QUIT") == 221 and wire.drop(),
        lambda wire: wire.drop(),
        lambda wire: reset(wire.end),
        lambda wire: wire.code("USER x"),
    )
    for way in ways:
        way(wire)
        served.wait_for(lambda: ports() == 0)
        wire = served.session()
        assert wire.code("PASV") == 227


@in_thread
def test_a_client_that_disconnects_leaves_nothing_open(served: RunningService) -> None:
    (served.root / "big").write_bytes(b"x" * 5_000_000)
    for command in ("RETR big", "STOR a", "LIST", "STAT -R /", "HASH big"):
        for ending in (Wire.drop, lambda wire: reset(wire.end)):
            wire = served.session()
            data = served.connected(wire.passive_address(), window=4096)
            wire.send(f"TYPE I\r\n{command}\r\n")
            ending(wire)
            data.close()
            served.wait_for(served.settled())
    served.wait_for(lambda: ports() == 0)
    assert {path.name for path in served.root.iterdir() if not path.name.startswith(".")} == {"big"}
