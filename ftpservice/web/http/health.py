"""Whether the service runs (``/healthz``) and accepts sessions (``/readyz``), for monitoring."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from ftpservice.web.http.problems import Problem
from ftpservice.web.http.web_request import WebRequest

__all__ = ["HealthResource", "ReadinessResource"]

TEXT = b"text/plain; charset=utf-8"


class HealthResource(Resource):
    """Answers 200: the process runs, and its reactor answers."""

    isLeaf = True

    def render_GET(self, request: WebRequest) -> int:
        """Send the answer."""
        request.send(200, b"ok\n", TEXT)
        return NOT_DONE_YET


class ReadinessResource(Resource):
    """Answers 200, or 503 with what is not ready.

    ``checks`` return what is wrong, or None, and ``notes`` what is wrong and does not matter here;
    they must not block. Everybody may ask, so no reason names an account, a file or an address.
    """

    isLeaf = True

    def __init__(
        self,
        checks: Mapping[str, Callable[[], str | None]],
        notes: Mapping[str, Callable[[], str | None]] | None = None,
    ) -> None:
        super().__init__()
        self._checks = checks
        self._notes = notes or {}

    def render_GET(self, request: WebRequest) -> int:
        """Send the answer."""
        found = {name: check() for name, check in self._checks.items()}
        wrong = {name: reason for name, reason in found.items() if reason is not None}
        if wrong:
            request.send_problem(Problem(503, "The service is not ready.", checks=wrong))
        else:
            told = [(name, note()) for name, note in self._notes.items()]
            lines = ["ready", *(f"{name}: {text}" for name, text in told if text is not None)]
            request.send(200, "".join(f"{line}\n" for line in lines).encode(), TEXT)
        return NOT_DONE_YET
