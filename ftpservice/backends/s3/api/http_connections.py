"""HTTP/1.1 connections to one server, kept for further requests; everything here blocks.

The standard library reads the answers. A request is sent in as few writes as it can be, so that a
small one takes few turns of Python's lock.
"""

from __future__ import annotations

import select
import ssl
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from io import DEFAULT_BUFFER_SIZE
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit
from weakref import finalize

from ftpservice.backends.s3.api.body_stream import BodyStream
from ftpservice.backends.s3.api.memory_file import ObjectFile, receive_body

__all__ = ["HTTPAnswer", "HTTPConnections", "HTTPRequest", "PartBody"]

CONNECT_SECONDS = 4.0
MAX_IDLE = 64
OK, PARTIAL_CONTENT = 200, 206
SMALL_BODY = 64 << 10
"""Bytes that are sent together with the headers."""


class PartBody(Protocol):
    """Bytes that can be sent more than once."""

    @property
    def size(self) -> int:
        """The number of bytes."""

    def pieces(self) -> Iterable[bytes | bytearray]:
        """Yield the bytes from the beginning."""


@dataclass(frozen=True)
class HTTPRequest:
    """A request; ``target`` is the path with its query, quoted."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: PartBody
    into: ObjectFile | None = None
    """What the body of a partial answer (206) is received into, if it has that size."""
    streams: bool = False
    """Whether the body of a partial answer is left in the connection (`BodyStream`)."""


class HTTPAnswer(NamedTuple):
    """An answer; names of headers are in lower case."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes
    is_in_file: bool = False
    """Whether the body is in the file of the request."""
    stream: BodyStream | None = None
    """The body, if it is still to be received."""


class HTTPConnections:
    """The connections to the host of ``url``; used by several threads at a time.

    ``ca_file``: certificates that the server is checked by, instead of those of the system.
    """

    def __init__(self, url: str, ca_file: str | None = None) -> None:
        parts = urlsplit(url)
        self.host = parts.netloc
        self._name, self._port = parts.hostname or "", parts.port
        self._tls = ssl.create_default_context(cafile=ca_file) if parts.scheme == "https" else None
        self._idle: deque[HTTPConnection] = deque()
        self._closes = False
        finalize(self, _close_all, self._idle)

    def request(self, request: HTTPRequest, answer_seconds: float) -> HTTPAnswer:
        """Return the answer, whose next bytes may take so long; raises `OSError`."""
        connection = self._connected()
        try:
            connection.sock.settimeout(answer_seconds)
            is_sent = self._send(connection, request)
            # Closed in any case: what it reads from keeps the socket open.
            with closing(HTTPResponse(connection.sock, method=request.method)) as response:
                response.begin()
                if request.streams and response.status in (OK, PARTIAL_CONTENT):
                    return self._streamed(connection, response)
                file = request.into if response.status == PARTIAL_CONTENT else None
                is_in_file = file is not None and response.length == file.size
                if file is not None and is_in_file:
                    receive_body(response, connection.sock, file)
                body = b"" if is_in_file else response.read()
        except HTTPException as error:
            connection.close()
            raise ConnectionError(f"{type(error).__name__}: {error}") from None
        except BaseException:
            connection.close()
            raise
        if response.will_close or not is_sent:
            connection.close()
        else:
            self.keep(connection)
        return HTTPAnswer(response.status, response.reason, _headers(response), body, is_in_file)

    @property
    def can_stream(self) -> bool:
        """Whether bodies can be left in connections: they have no TLS."""
        return self._tls is None

    def close(self) -> None:
        """Close the connections that are idle, and keep none from now on."""
        self._closes = True
        _close_all(self._idle)

    def idle(self) -> HTTPConnection | None:
        """Return a connection that is kept, which the server has not closed, as far as known."""
        while self._idle:
            try:
                kept = self._idle.pop()
            except IndexError:  # another thread was quicker
                break
            if not _has_input(kept):
                return kept
            kept.close()
        return None

    def keep(self, connection: HTTPConnection) -> None:
        """Keep a connection for further requests, unless there are enough."""
        if self._closes or len(self._idle) >= MAX_IDLE:
            connection.close()
        else:
            self._idle.append(connection)

    def head(self, request: HTTPRequest) -> bytes:
        """Return what is sent before the body; raises `ConnectionError`."""
        lines = [f"{request.method} {request.target} HTTP/1.1", f"Host: {self.host}"]
        lines += [f"{name}: {value}" for name, value in request.headers.items()]
        head = "\r\n".join(lines)
        if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1:
            raise ConnectionError("a line break in a header")
        return head.encode("latin-1", "replace") + b"\r\n\r\n"

    def _streamed(self, connection: HTTPConnection, response: HTTPResponse) -> HTTPAnswer:
        """Return the answer with its first bytes; without a body if its size is not known."""
        stream = None
        if response.status == PARTIAL_CONTENT and response.length and self.can_stream:
            size = response.length
            early = response.read1(DEFAULT_BUFFER_SIZE)  # all that was read with the headers
            if not early:
                raise ConnectionError("the answer is not complete")
            stream = BodyStream(connection, early, size - len(early))
            closes = response.will_close
            stream.when_complete = HTTPConnection.close if closes else self.keep
            if not stream.left:
                stream.release()
        else:
            connection.close()
        return HTTPAnswer(response.status, response.reason, _headers(response), b"", stream=stream)

    def _connected(self) -> HTTPConnection:
        """Return a connection that the server has not closed, as far as known."""
        kept = self.idle()
        if kept is not None:
            return kept
        if self._tls is None:
            made = HTTPConnection(self._name, self._port, timeout=CONNECT_SECONDS)
        else:
            made = HTTPSConnection(
                self._name, self._port, timeout=CONNECT_SECONDS, context=self._tls
            )
        made.connect()
        return made

    def _send(self, connection: HTTPConnection, request: HTTPRequest) -> bool:
        """Send a request; False if the server takes no more: its answer may tell why."""
        data = self.head(request)
        if request.body.size <= SMALL_BODY:
            connection.sock.sendall(data + b"".join(request.body.pieces()))
            return True
        connection.sock.sendall(data)
        try:
            for piece in request.body.pieces():
                connection.sock.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True


def _headers(response: HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.getheaders()}


def _close_all(idle: deque[HTTPConnection]) -> None:
    while idle:
        idle.pop().close()


def _has_input(connection: HTTPConnection) -> bool:
    """Return whether an idle connection has something to read: its end."""
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return bool(poll.poll(0))
