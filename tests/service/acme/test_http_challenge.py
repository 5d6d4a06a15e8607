"""The responder for http-01 serves the files of challenges in progress, and nothing else."""

from __future__ import annotations

import pytest
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from ftpservice.service.acme.challenge import CONNECTION_SECONDS, MAX_CONNECTIONS
from ftpservice.service.acme.http_challenge import ChallengeChannel, HTTPChallenges

PATH = "/.well-known/acme-challenge/"
TOKEN = "a_token-1"


class Served:
    def __init__(self) -> None:
        self.clock = Clock()
        self.challenges = HTTPChallenges(self.clock)

    def connect(self) -> tuple[ChallengeChannel, StringTransport]:
        channel = self.challenges.factory.buildProtocol(None)
        transport = StringTransport()
        channel.makeConnection(transport)
        return channel, transport

    def ask(self, path: str, method: str = "GET", more: str = "") -> tuple[str, str]:
        """Return the first line and the content of the answer."""
        channel, transport = self.connect()
        request = f"{method} {path} HTTP/1.1\r\nHost: a.example\r\n{more}\r\n"
        channel.dataReceived(request.encode())
        assert transport.disconnecting
        channel.connectionLost(Failure(ConnectionDone()))
        head, _, content = transport.value().decode().partition("\r\n\r\n")
        return head.partition("\r\n")[0], content


@pytest.fixture
def served() -> Served:
    return Served()


def test_the_file_of_a_challenge_is_served_while_it_is_in_progress(served: Served) -> None:
    served.challenges.provide("a.example", TOKEN, f"{TOKEN}.key")
    assert served.ask(PATH + TOKEN) == ("HTTP/1.1 200 OK", f"{TOKEN}.key")
    assert served.ask(PATH + TOKEN, "HEAD") == ("HTTP/1.1 200 OK", "")
    served.challenges.withdraw("a.example", TOKEN)
    assert served.ask(PATH + TOKEN)[0] == "HTTP/1.1 404 Not Found"
    assert served.clock.getDelayedCalls() == []


@pytest.mark.parametrize(
    "path",
    ["/", PATH, PATH + "other", PATH + TOKEN + "/", PATH + "../acme-challenge/" + TOKEN, "*"],
)
def test_everything_else_is_not_found(served: Served, path: str) -> None:
    served.challenges.provide("a.example", TOKEN, "content")
    assert served.ask(path)[0] == "HTTP/1.1 404 Not Found"


def test_other_methods_get_nothing(served: Served) -> None:
    served.challenges.provide("a.example", TOKEN, "content")
    for method in ("OPTIONS", "DELETE", "TRACE"):
        assert served.ask(PATH + TOKEN, method)[0] == "HTTP/1.1 404 Not Found"


@pytest.mark.parametrize("more", ["Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"])
def test_a_request_with_a_body_ends_the_connection(served: Served, more: str) -> None:
    served.challenges.provide("a.example", TOKEN, "content")
    channel, transport = served.connect()
    channel.dataReceived(f"POST {PATH}{TOKEN} HTTP/1.1\r\nHost: a\r\n{more}\r\n".encode())
    assert transport.disconnected
    assert transport.value() == b""
    channel.connectionLost(Failure(ConnectionDone()))


def test_a_connection_has_a_time_limit_whatever_it_sends(served: Served) -> None:
    channel, transport = served.connect()
    for _ in range(round(CONNECTION_SECONDS)):
        assert not transport.disconnected
        channel.dataReceived(b"G")
        served.clock.advance(1)
    assert transport.disconnected


def test_with_too_many_connections_the_oldest_one_ends(served: Served) -> None:
    first, *others = [served.connect() for _ in range(MAX_CONNECTIONS)]
    assert not first[1].disconnected
    served.connect()
    assert first[1].disconnected
    first[0].connectionLost(Failure(ConnectionDone()))
    assert not any(transport.disconnected for _, transport in others)
    served.challenges.factory.end_connections()
    assert all(transport.disconnected for _, transport in others)
