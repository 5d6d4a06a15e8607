"""What the HTTP server accepts: connections, hosts, sizes and times."""

from __future__ import annotations

import socket

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.threads import deferToThread
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure
from twisted.web.resource import Resource

from ftpservice.accounts.defence.bans import BanList, BanRules
from ftpservice.net.socket_state import bytes_acked
from ftpservice.web.http.web_channel import IDLE_CHECKS, IDLE_SECONDS, REQUEST_SECONDS
from ftpservice.web.http.web_request import REFUSED_SECONDS
from ftpservice.web.http.web_site import (
    MAX_BODY_BYTES,
    MAX_CONNECTIONS,
    MAX_CONNECTIONS_PER_ADDRESS,
)
from tests.support.loopback import plain_socket, until
from tests.support.web_client import SiteInMemory

LOST = Failure(ConnectionDone())


class Echo(Resource):
    """Answers with the body of the request."""

    isLeaf = True

    def render_GET(self, request):
        request.send(200, b"there", b"text/plain")
        return 1

    def render_POST(self, request):
        request.send(200, request.content.getvalue(), b"text/plain")
        return 1

    def render_DELETE(self, request):
        raise RuntimeError("a fault with a secret")


class Waiting(Resource):
    """Answers never."""

    isLeaf = True

    def render_GET(self, request):
        return 1


@pytest.fixture
def served() -> SiteInMemory:
    served = SiteInMemory("ftp.example.com")
    served.site.mount("/echo", Echo())
    served.site.mount("/a/small", Echo(), body_limit=10)
    served.site.mount("/waiting", Waiting())
    return served


def test_every_answer_has_the_security_headers_and_no_name_of_a_server(served) -> None:
    for line in ("GET /echo", "GET /nothing", "POST /echo"):
        headers = served.ask(line).headers
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers


def test_what_is_not_mounted_is_a_problem(served) -> None:
    for path in ("/", "/nothing", "/a", "/a/other", "/echo%00", "/../echo/..", "*"):
        answer = served.ask(f"GET {path}")
        if path in ("*", "/../echo/.."):
            assert answer.status in (200, 404, 405)
            continue
        assert answer.status == 404, path
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json["status"] == 404


def test_a_body_within_the_limit_arrives(served) -> None:
    assert served.ask("POST /echo", body=b"abc").body == b"abc"
    assert served.ask("POST /a/small", body=b"0123456789").status == 200


@pytest.mark.parametrize(("path", "size"), [("/echo", MAX_BODY_BYTES + 1), ("/a/small/x", 11)])
def test_a_larger_body_is_refused_before_it_arrives(served, path: str, size: int) -> None:
    channel, transport = served.connect()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n"
    channel.dataReceived(f"{head}Expect: 100-continue\r\n\r\n".encode())
    (answer,) = transport.answers
    assert answer.status == 413
    assert answer.headers["connection"] == "close"
    assert transport.half_closed
    channel.dataReceived(b"x" * 2_000_000)
    assert channel.requests[0].content.getvalue() == b""
    assert not transport.disconnected
    served.clock.advance(REFUSED_SECONDS)
    assert transport.disconnected
    channel.connectionLost(LOST)


def test_a_body_in_chunks_is_refused_when_it_is_too_large(served) -> None:
    channel, transport = served.connect()
    channel.dataReceived(
        b"POST /a/small HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"6\r\nabcdef\r\n6\r\nabcdef\r\n0\r\n\r\n"
    )
    (answer,) = transport.answers
    assert answer.status == 413
    served.clock.advance(REFUSED_SECONDS)
    assert transport.disconnected
    channel.connectionLost(LOST)
    assert served.clock.getDelayedCalls() == []


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("127.0.0.1:8021", 200),
        ("[::1]:8021", 200),
        ("LOCALHOST:1", 200),
        ("ftp.example.com", 200),
        ("FTP.example.com.:443", 200),
        ("evil.example", 421),
        ("ftp.example.com.evil.example", 421),
        ("ftp.example.com:x", 421),
        ("127.0.0.1.evil.example", 421),
        ("[::1", 421),
        ("\u00e4", 421),
        ("", 421),
    ],
)
def test_only_requests_for_its_own_names_are_answered(served, host: str, status: int) -> None:
    assert served.ask("GET /echo", f"Host: {host}").status == status


def test_a_header_need_not_be_text(served) -> None:
    given: list[str | None] = []

    class Asking(Resource):
        isLeaf = True

        def render_GET(self, request):
            given.extend((request.getHeader("x-a"), request.getHeader("x-b")))
            assert request.getHeader(b"x-a") == b"a\xffb"
            return b""

    served.site.mount("/asking", Asking())
    channel, transport = served.connect()
    channel.dataReceived(b"GET /asking HTTP/1.1\r\nHost: localhost\r\nX-A: a\xffb\r\n\r\n")
    channel.connectionLost(LOST)
    assert [answer.status for answer in transport.answers] == [200]
    assert given == ["a\ufffdb", None]


def test_a_request_has_one_host(served) -> None:
    assert served.ask("GET /echo", "Host: localhost", "Host: evil.example").status == 400


def test_an_error_is_logged_and_told_without_details(served) -> None:
    logged: list[object] = []
    globalLogPublisher.addObserver(logged.append)
    try:
        answer = served.ask("DELETE /echo")
    finally:
        globalLogPublisher.removeObserver(logged.append)
    assert answer.status == 500
    assert b"secret" not in answer.body
    assert any("log_failure" in event for event in logged)


def test_a_request_has_to_arrive_in_time_however_slowly_it_comes(served) -> None:
    channel, transport = served.connect()
    for byte in b"GET /echo":
        channel.dataReceived(bytes([byte]))
        served.clock.advance(REQUEST_SECONDS / 10)
    channel.dataReceived(b"x")
    served.clock.advance(REQUEST_SECONDS / 10)
    assert transport.disconnected
    channel.connectionLost(LOST)


def test_a_connection_is_kept_for_the_next_request_for_a_time(served) -> None:
    channel, transport = served.connect()
    for _ in range(3):
        channel.dataReceived(b"GET /echo HTTP/1.1\r\nHost: localhost\r\n\r\n")
        served.clock.pump([1.0] * int(IDLE_SECONDS - 1))
    assert [answer.status for answer in transport.answers] == [200] * 3
    assert not transport.disconnected
    served.clock.advance(1)
    assert transport.disconnected
    channel.connectionLost(LOST)


def test_an_answer_may_take_its_time(served) -> None:
    channel, transport = served.connect()
    channel.dataReceived(b"GET /waiting HTTP/1.1\r\nHost: localhost\r\n\r\n")
    served.clock.advance(100 * REQUEST_SECONDS)
    assert not transport.disconnected
    assert served.clock.getDelayedCalls() == []
    channel.connectionLost(LOST)


def test_the_number_of_connections_is_limited_and_idle_ones_give_way(served) -> None:
    near = [served.connect()[0] for _ in range(MAX_CONNECTIONS)]
    assert not served.site.admits("127.0.0.1")
    near[7].dataReceived(b"GET /echo HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert served.site.admits("127.0.0.1")
    assert near[7].transport.disconnected
    for channel in near:
        channel.connectionLost(LOST)
    for _ in range(MAX_CONNECTIONS_PER_ADDRESS):
        served.connect("192.0.2.1")
    assert not served.site.admits("192.0.2.1")
    assert served.site.admits("192.0.2.2")


def test_connections_of_banned_addresses_are_refused(served) -> None:
    served.site.bans = BanList(lambda: 0.0, BanRules(1, 60))
    served.site.bans.add_points("192.0.2.1", 2)
    assert served.factory.buildProtocol(IPv4Address("TCP", "192.0.2.1", 1)) is None
    assert served.factory.buildProtocol(IPv4Address("TCP", "192.0.2.2", 1)) is not None


def test_all_connections_can_be_ended(served) -> None:
    connections = [served.connect() for _ in range(3)]
    served.site.abort_all()
    assert all(transport.disconnected for _, transport in connections)
    for channel, _ in connections:
        channel.connectionLost(LOST)
    assert served.clock.getDelayedCalls() == []


@pytest.mark.parametrize("ahead", [1, 3])
def test_a_pipelined_request_is_not_an_idle_connection(served, ahead: int) -> None:
    channel, transport = served.connect()
    first = b"GET /echo HTTP/1.1\r\nHost: localhost\r\n\r\n" * ahead
    channel.dataReceived(first + b"GET /waiting HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert len(transport.answers) == ahead
    channel.dataReceived(b"GET /echo HTTP/1.1\r\nHost: loc")
    assert served.clock.getDelayedCalls() == []
    for _ in range(MAX_CONNECTIONS - 1):
        served.connect()
    assert not served.site.admits("127.0.0.1")  # it would give way if it were idle
    assert not transport.disconnected
    channel.connectionLost(LOST)


class Large(Resource):
    """Answers with more than a connection takes at once."""

    isLeaf = True

    def render_GET(self, request):
        request.send(200, bytes(4_000_000), b"application/octet-stream")
        return 1


@ensureDeferred
async def test_a_client_that_reads_slowly_is_not_idle_until_it_stops(served, reactor) -> None:
    served.site.mount("/large", Large())
    port = reactor.listenTCP(0, served.factory, interface="127.0.0.1")
    peer = plain_socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    peer.connect(("127.0.0.1", port.getHost().port))
    peer.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    await deferToThread(_read, peer, 1)
    (channel,) = served.site._channels
    for _ in range(8):
        served.clock.advance(IDLE_SECONDS / IDLE_CHECKS)
        assert served.site.has_connections
        served.clock.advance(IDLE_SECONDS / IDLE_CHECKS)
        before = bytes_acked(channel.transport)
        while bytes_acked(channel.transport) == before:
            await deferToThread(_read, peer, 65536)
    for _ in range(IDLE_CHECKS + 1):
        assert not channel.transport.disconnected
        served.clock.advance(IDLE_SECONDS / IDLE_CHECKS)
    await until(reactor, lambda: not served.site.has_connections)
    peer.close()
    await port.stopListening()


def _read(peer: socket.socket, size: int) -> None:
    """Receive so many bytes; blocks."""
    while size > 0:
        piece = peer.recv(size)
        assert piece
        size -= len(piece)
