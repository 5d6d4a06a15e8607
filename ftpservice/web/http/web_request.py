"""A request, judged when its headers have arrived: nothing of a refused one is stored.

``twisted.web`` reads the whole body before it calls a resource, from 100 kB on into a file, and
without a limit. So `WebRequest.gotLength` decides: the name of the host (a page of another name
must not reach the service by DNS rebinding), the size of the body. A body that is too large for
memory goes to a `BodySink` as it arrives.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any, Protocol

from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.error import UnsupportedMethod
from twisted.web.resource import IResource
from twisted.web.server import NOT_DONE_YET, Request

from ftpservice.web.http.problems import Problem
from ftpservice.wire.addresses import canonical_host

__all__ = ["BodySink", "WebRequest"]

log = Logger("ftpservice.web")

REFUSED_SECONDS = 2.0
"""Time for the client of a refused request to read the answer, in which its body is dropped."""
SECURITY_HEADERS = (
    (
        b"Content-Security-Policy",
        b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    (b"X-Content-Type-Options", b"nosniff"),
    (b"X-Frame-Options", b"DENY"),
    (b"Referrer-Policy", b"no-referrer"),
    (b"Cross-Origin-Opener-Policy", b"same-origin"),
    (b"Cross-Origin-Resource-Policy", b"same-origin"),
    (b"Cache-Control", b"no-store"),
)
"""Of every answer; a resource may replace one."""


OF_CONTENT = (b"Content-Disposition", b"ETag", b"Last-Modified", b"Accept-Ranges")
"""Headers of a file, which a problem in its place does not have."""


class BodySink(Protocol):
    """Takes the body of a request as it arrives, and answers."""

    def write(self, data: bytes) -> None:
        """Take a part of the body."""

    def end(self) -> None:
        """Note that the body is complete."""


class WebRequest(Request):
    """A request; its body is in memory, and within the limit of its path, or goes to a sink."""

    channel: Any
    site: Any
    content: Any
    defaultContentType = b"text/plain; charset=utf-8"
    is_complete = False
    """Whether its body has arrived."""
    _is_refused = False
    _limit = 0
    _sink: BodySink | None = None

    def __init__(self, *words: Any, **more: Any) -> None:
        super().__init__(*words, **more)
        for name, value in SECURITY_HEADERS:
            self.responseHeaders.setRawHeaders(name, [value])

    def gotLength(self, length: int | None) -> None:
        """Decide on the request; ``length`` is None for a body in chunks."""
        self.content = BytesIO()
        channel = self.channel
        path = channel._path.partition(b"?")[0]
        self._limit = channel.site.body_limit(channel._command, path)
        receiver = channel.site.receiver_of(path)
        hosts = self.requestHeaders.getRawHeaders(b"host", [])
        if len(hosts) != 1:
            self._refuse(Problem(400, "A request has one header Host."))
        elif not channel.site.hosts.accepts(hosts[0]):
            self._refuse(Problem(421, "This service has another name; see the setting http-host."))
        elif receiver is not None:
            self.method, self.uri, self.path = channel._command, channel._path, path
            self._sink = receiver(self, length)
        elif length is not None and length > self._limit:
            self._refuse(Problem(413, f"The body is larger than {self._limit} bytes."))

    def handleContentChunk(self, data: bytes) -> None:
        """Store a part of the body."""
        if self._is_refused:
            return
        if self._sink is not None:
            self._sink.write(data)
            return
        self.content.write(data)
        if self.content.tell() > self._limit:
            self._refuse(Problem(413, f"The body is larger than {self._limit} bytes."))

    def refuse(self, problem: Problem) -> None:
        """Answer with a problem, also while the body arrives; does nothing after an answer."""
        if self._disconnected or self._is_refused or self.finished:
            return
        if self.is_complete:
            self.send_problem(problem)
        else:
            self._refuse(problem)

    def _refuse(self, problem: Problem) -> None:
        """Answer at once, then drop what still arrives, for a short time."""
        self._is_refused = True
        body = problem.to_bytes()
        for name, value in (
            (b"Content-Type", problem.content_type),
            (b"Content-Length", b"%d" % len(body)),
            (b"Connection", b"close"),
        ):
            self.responseHeaders.setRawHeaders(name, [value])
        channel = self.channel
        channel.writeHeaders(
            b"HTTP/1.1", b"%d" % problem.status, problem.title.encode(), self.responseHeaders
        )
        channel.write(body)
        channel.drain_and_close(REFUSED_SECONDS)

    @property
    def peer_host(self) -> str:
        """The address of the client; ``local`` for a UNIX socket."""
        return canonical_host(getattr(self.client, "host", "local"))

    @property
    def tls(self) -> str:
        """Version and cipher of the connection; empty: plaintext."""
        return str(self.channel.transport.description) if self.isSecure() else ""

    def process(self) -> None:
        """Answer a complete request."""
        if self._is_refused:
            return
        self.is_complete = True
        if self._sink is not None:
            self._sink.end()
        else:
            super().process()

    def render(self, resrc: IResource) -> None:
        """Ask a resource for the answer."""
        try:
            body: Any = resrc.render(self)
        except UnsupportedMethod as error:
            self.setHeader(b"Allow", b", ".join(error.allowedMethods))
            self.send_problem(Problem(405, "The address does not support this method."))
            return
        if body is not NOT_DONE_YET:
            self.setHeader(b"Content-Length", b"%d" % len(body))
            self.write(body)
            self.finish()

    def getHeader(self, key: Any) -> Any:
        """Return the last value of a header; bytes that are not UTF-8 are replaced in a text."""
        if isinstance(key, bytes):
            return super().getHeader(key)
        value = super().getHeader(key.encode())
        return None if value is None else value.decode("utf-8", "replace")

    def setHeader(self, name: Any, value: Any) -> None:
        """Set a header of the answer; the name and version of the server are not told."""
        if name != b"Server":
            super().setHeader(name, value)

    def processingFailed(self, reason: Failure) -> Failure:
        """Answer 500 without details, which are in the log."""
        log.failure("a request failed", reason)
        if self.startedWriting:
            self.channel.abort()
        else:
            self.send_problem(Problem(500, "See the log of the service."))
        return reason

    def fail(self, problem: Problem) -> None:
        """Answer with a problem; break the connection if a part of an answer has been sent.

        So an answer that is not complete never looks complete.
        """
        if self._disconnected or self.finished:
            return
        if self.producer is not None:
            self.unregisterProducer()
        if self.startedWriting:
            self.channel.abort()
            return
        for name in OF_CONTENT:
            self.responseHeaders.removeHeader(name)
        self.send_problem(problem)

    def send_problem(self, problem: Problem) -> None:
        """Send a problem as the answer."""
        self.send(problem.status, problem.to_bytes(), problem.content_type)

    def send(self, status: int, body: bytes, content_type: bytes) -> None:
        """Send the answer, and finish; does nothing if the client has gone."""
        if self._disconnected or self.finished:
            return
        self.setResponseCode(status)
        self.setHeader(b"Content-Type", content_type)
        self.setHeader(b"Content-Length", b"%d" % len(body))
        self.write(body)
        self.finish()
