"""A request, judged when its headers have arrived: nothing of a refused one is stored.

``twisted.web`` reads the whole body before it calls a resource, from 100 kB on into a file, and
without a limit. So `WebRequest.gotLength` decides: the name of the host (a page of another name
must not reach the service by DNS rebinding), the size of the body.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.error import UnsupportedMethod
from twisted.web.resource import IResource
from twisted.web.server import NOT_DONE_YET, Request

from ftpservice.web.http.problems import Problem
from ftpservice.wire.addresses import canonical_host

__all__ = ["WebRequest"]

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


class WebRequest(Request):
    """A request; its body is in memory, and within the limit of its path."""

    channel: Any
    site: Any
    content: Any
    defaultContentType = b"text/plain; charset=utf-8"
    _is_refused = False
    _limit = 0

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
        hosts = self.requestHeaders.getRawHeaders(b"host", [])
        if len(hosts) != 1:
            self._refuse(Problem(400, "A request has one header Host."))
        elif not channel.site.hosts.accepts(hosts[0]):
            self._refuse(Problem(421, "This service has another name; see the setting http-host."))
        elif length is not None and length > self._limit:
            self._refuse(Problem(413, f"The body is larger than {self._limit} bytes."))

    def handleContentChunk(self, data: bytes) -> None:
        """Store a part of the body."""
        if self._is_refused:
            return
        self.content.write(data)
        if self.content.tell() > self._limit:
            self._refuse(Problem(413, f"The body is larger than {self._limit} bytes."))

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
        if not self._is_refused:
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
