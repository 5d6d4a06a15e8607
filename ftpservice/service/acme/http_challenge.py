"""The challenge http-01 (RFC 8555 §8.3): the authority fetches a file over HTTP.

The listener is bound for as long as the service runs: once privileges are dropped, port 80 cannot
be bound any more. It serves the files of challenges in progress, and 404 for everything else.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel, Request

from ftpservice.concurrency.timers import Deadline
from ftpservice.service.acme.challenge import (
    CONNECTION_SECONDS,
    HTTP_PATH,
    NOT_FOUND_TEXT,
    BoundedFactory,
)

__all__ = ["HTTPChallengeFactory", "HTTPChallenges"]

METHODS = (b"GET", b"HEAD")


class ChallengeRequest(Request):
    """A request; its connection is closed after the answer."""

    channel: Any

    def gotLength(self, length: int | None) -> None:
        """End the connection of a request with a body, which Twisted would store."""
        self.content = BytesIO()
        if length != 0:
            self.channel.abort()

    def handleContentChunk(self, data: bytes) -> None:
        """Drop what arrives nevertheless."""

    def process(self) -> None:
        """Send the answer."""
        channel = self.channel  # Twisted drops it when the answer is finished
        content = channel.factory.answers.get(self.uri) if self.method in METHODS else None
        if content is None:
            self.setResponseCode(404)
        content = content or NOT_FOUND_TEXT
        self.setHeader(b"content-type", b"application/octet-stream")
        self.setHeader(b"content-length", b"%d" % len(content))
        self.setHeader(b"connection", b"close")
        self.write(content)
        self.finish()
        channel.loseConnection()


class ChallengeChannel(HTTPChannel):
    """A connection, of bounded duration."""

    requestFactory = ChallengeRequest
    timeOut = None

    def __init__(self, factory: HTTPChallengeFactory, reactor: Any) -> None:
        super().__init__()
        self.factory = factory
        self._deadline = Deadline(reactor, self.abort)

    def connectionMade(self) -> None:
        """Start the timer."""
        super().connectionMade()
        self.factory.add(self)
        self._deadline.set(CONNECTION_SECONDS)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Stop the timer."""
        self.factory.remove(self)
        self._deadline.clear()
        super().connectionLost(reason)

    def abort(self) -> None:
        """End the connection at once."""
        transport: Any = self.transport
        transport.abortConnection()


class HTTPChallengeFactory(BoundedFactory):
    """Makes connections; ``answers`` has the content of each file, by its path."""

    def __init__(self, reactor: Any) -> None:
        super().__init__()
        self.answers: dict[bytes, bytes] = {}
        self._reactor = reactor

    def buildProtocol(self, addr: IAddress | None) -> ChallengeChannel:  # noqa: ARG002 - Twisted's
        """Return a connection."""
        return ChallengeChannel(self, self._reactor)

    def log(self, request: Request) -> None:
        """Log nothing: everybody can send requests."""


class HTTPChallenges:
    """A `ChallengeResponder` for http-01."""

    challenge_type = "http-01"

    def __init__(self, reactor: Any) -> None:
        self.factory = HTTPChallengeFactory(reactor)

    def provide(
        self,
        name: str,  # noqa: ARG002 - the file is there under every name
        token: str,
        key_authorization: str,
    ) -> None:
        """Serve the file of a challenge, under every name."""
        self.factory.answers[_path(token)] = key_authorization.encode()

    def withdraw(self, name: str, token: str) -> None:  # noqa: ARG002 - as in the interface
        """Serve it no more."""
        self.factory.answers.pop(_path(token), None)


def _path(token: str) -> bytes:
    return (HTTP_PATH + token).encode()
