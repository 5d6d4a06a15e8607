"""Serves the files of the status page and of the file browser from memory, and ``/login``."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from hashlib import sha256
from importlib.resources import files
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from ftpservice.web.api.api_resource import problem_of
from ftpservice.web.http.web_request import WebRequest
from ftpservice.web.http.web_site import WebSite

__all__ = ["mount_page"]

CONTENT_TYPES = {
    ".html": b"text/html; charset=utf-8",
    ".css": b"text/css; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".mjs": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
}
PAGE_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    b"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
FILES_POLICY = PAGE_POLICY + b"; frame-src 'self'"
"""The file browser shows PDF in a frame."""
PAGES = {
    "index.html": ("/", PAGE_POLICY),
    "files.html": ("/files", FILES_POLICY),
    "security.html": ("/security", PAGE_POLICY),
}
"""The documents, each with its path and its policy; all other files are below ``/assets/``."""


class BrowserAccess(Protocol):
    """Begins and ends the logins of browsers; each method raises `Problem`."""

    async def log_in(self, request: Any) -> Any:
        """Begin a login."""

    async def current(self, request: Any) -> Any:
        """Return the login."""

    async def finish_log_in(self, request: Any) -> Any:
        """Complete a login that needs a second factor."""

    async def log_out(self, request: Any) -> Any:
        """End the login."""


class FactorChanges(Protocol):
    """Shows and changes the second factors of an account; each method raises `Problem`."""

    async def show(self, request: Any) -> Any:
        """Return what the account has."""

    async def change(self, request: Any, operation: str) -> Any:
        """Carry out an operation."""


class FileResource(Resource):
    """One file; a browser that has it already gets 304."""

    isLeaf = True

    def __init__(self, name: str, content: bytes) -> None:
        super().__init__()
        self._content = content
        self._type = CONTENT_TYPES["." + name.rpartition(".")[2]]
        self._policy = PAGES.get(name, ("", PAGE_POLICY))[1]
        self._tag = b'"%s"' % sha256(content).hexdigest()[:32].encode()

    def render_GET(self, request: WebRequest) -> int:
        """Send the file."""
        request.setHeader(b"Content-Security-Policy", self._policy)
        request.setHeader(b"Cache-Control", b"no-cache")
        request.setHeader(b"ETag", self._tag)
        if request.getHeader(b"if-none-match") == self._tag:
            request.setResponseCode(304)
            request.finish()
        else:
            request.send(200, self._content, self._type)
        return NOT_DONE_YET


class LoginResource(Resource):
    """GET tells the login of a browser, POST begins one, DELETE ends it.

    Below it, POST ``second-factor`` completes a login, and ``factors`` has the second factors of
    the account.
    """

    isLeaf = True

    def __init__(self, access: BrowserAccess, factors: FactorChanges) -> None:
        super().__init__()
        self._access = access
        self._factors = factors

    def render_GET(self, request: WebRequest) -> int:
        """Tell who is logged in."""
        shows = _words(request) == ["factors"]
        return self._answer(request, self._factors.show if shows else self._access.current)

    def render_POST(self, request: WebRequest) -> int:
        """Log in."""
        words = _words(request)
        if words == ["second-factor"]:
            return self._answer(request, self._access.finish_log_in)
        if words[:1] == ["factors"]:
            operation = "/".join(words[1:])
            return self._answer(request, lambda asked: self._factors.change(asked, operation))
        return self._answer(request, self._access.log_in)

    def render_DELETE(self, request: WebRequest) -> int:
        """Log out."""
        return self._answer(request, self._access.log_out)

    def _answer(self, request: WebRequest, work: Callable[[Any], Awaitable[Any]]) -> int:
        async def answer() -> None:
            result = await work(request)
            request.send(200, json.dumps(result).encode(), b"application/json")

        def failed(failure: Failure) -> None:
            if not failure.check(CancelledError):
                request.send_problem(problem_of(failure.value))

        answering = Deferred.fromCoroutine(answer())
        request.notifyFinish().addErrback(lambda _lost: answering.cancel())
        answering.addErrback(failed)
        return NOT_DONE_YET


def _words(request: WebRequest) -> list[str]:
    return [word.decode("ascii", "replace") for word in request.postpath or ()]


def mount_page(site: WebSite, access: BrowserAccess, factors: FactorChanges) -> None:
    """Serve the pages, their files at ``/assets/`` and the logins at ``/login``."""
    for file in files("ftpservice.web.page").joinpath("assets").iterdir():
        if "." + file.name.rpartition(".")[2] in CONTENT_TYPES:
            resource = FileResource(file.name, file.read_bytes())
            site.mount(PAGES.get(file.name, (f"/assets/{file.name}", b""))[0], resource)
    site.mount("/login", LoginResource(access, factors))
