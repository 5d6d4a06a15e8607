"""HTTP requests in memory: a site, connections to it, and the answers."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from ftpservice.web.http.host_names import HostNames
from ftpservice.web.http.web_site import WebFactory, WebSite

__all__ = ["Answer", "SiteInMemory", "WebTransport"]


class WebTransport(StringTransport):
    """A transport that can be half-closed and aborted."""

    def __init__(self, peer: str = "127.0.0.1") -> None:
        super().__init__(IPv4Address("TCP", "127.0.0.1", 8021), IPv4Address("TCP", peer, 40000))
        self.half_closed = False
        self.room: int | None = None
        """Bytes that it takes; None: any number."""

    def write(self, data: bytes) -> None:
        super().write(data)
        if self.room is not None and len(self.value()) > self.room:
            self.producer.pauseProducing()

    def loseWriteConnection(self) -> None:
        self.half_closed = True

    @property
    def answers(self) -> list[Answer]:
        """The complete answers."""
        found, data = [], self.value()
        while data:
            answer, data = Answer.first_of(data)
            found.append(answer)
        return found


class Answer:
    """An answer that has a Content-Length, or is sent in chunks."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        """By their names in lower case."""
        self.body = body

    @property
    def json(self) -> Any:
        """The body as a JSON value."""
        return json.loads(self.body)

    @classmethod
    def first_of(cls, data: bytes) -> tuple[Answer, bytes]:
        """Return the first of several answers, and the rest."""
        head, _, rest = data.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        pairs = (line.partition(": ") for line in lines)
        headers = {name.lower(): value for name, _, value in pairs}
        if headers.get("transfer-encoding") == "chunked":
            body, rest = _unchunked(rest)
            return cls(int(first.split()[1]), headers, body), rest
        length = int(headers.get("content-length", 0))
        return cls(int(first.split()[1]), headers, rest[:length]), rest[length:]


def _unchunked(data: bytes) -> tuple[bytes, bytes]:
    """Return the content of chunks, and what follows them; fails if the last one is missing."""
    parts = []
    while True:
        size, _, data = data.partition(b"\r\n")
        length = int(size, 16)
        parts.append(data[:length])
        data = data[length + 2 :]
        if not length:
            return b"".join(parts), data


class SiteInMemory:
    """A site on a clock."""

    def __init__(self, *names: str) -> None:
        self.clock = Clock()
        self.site = WebSite(self.clock, HostNames(names))
        self.factory = WebFactory(self.site)

    def connect(self, peer: str = "127.0.0.1") -> tuple[Any, WebTransport]:
        """Return a connection and its transport."""
        channel = self.factory.buildProtocol(IPv4Address("TCP", peer, 40000))
        assert channel is not None
        transport = WebTransport(peer)
        channel.makeConnection(transport)
        return channel, transport

    def pump(self) -> None:
        """Let everything run that waits for nothing but its turn."""
        for _ in range(1000):
            calls = self.clock.getDelayedCalls()
            if not any(call.getTime() <= self.clock.seconds() for call in calls):
                return
            self.clock.advance(0)

    def ask(self, line: str, *headers: str, body: bytes = b"", peer: str = "127.0.0.1") -> Answer:
        """Send a request such as ``GET /healthz`` on a connection of its own."""
        channel, transport = self.connect(peer)
        lines = [f"{line} HTTP/1.1", *headers]
        if not any(one.lower().startswith("host:") for one in headers):
            lines.append("Host: 127.0.0.1:8021")
        if body:
            lines.append(f"Content-Length: {len(body)}")
        channel.dataReceived("\r\n".join([*lines, "", ""]).encode() + body)
        self.pump()
        channel.connectionLost(Failure(ConnectionDone()))
        (answer,) = transport.answers
        return answer
