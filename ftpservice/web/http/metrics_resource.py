"""The metrics of the service (``/metrics``), for programs of this machine."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from ftpservice.accounts.defence.networks import client_address
from ftpservice.web.http.problems import Problem
from ftpservice.web.http.web_request import WebRequest

__all__ = ["MetricsResource"]

TEXT_FORMAT = b"text/plain; version=0.0.4; charset=utf-8"


class MetricsResource(Resource):
    """Sends the text that ``text`` returns; other machines get 403."""

    isLeaf = True

    def __init__(self, text: Callable[[], Deferred[bytes]]) -> None:
        super().__init__()
        self._text = text

    def render_GET(self, request: WebRequest) -> int:
        """Send the answer."""
        address = client_address(getattr(request.getClientAddress(), "host", "local"))
        if address is not None and not address.is_loopback:
            request.send_problem(Problem(403, "Metrics are for programs of this machine."))
            return NOT_DONE_YET
        self._text().addCallbacks(
            lambda text: request.send(200, text, TEXT_FORMAT), lambda why: _refuse(request, why)
        )
        return NOT_DONE_YET


def _refuse(request: WebRequest, _why: Failure) -> None:
    request.send_problem(Problem(503, "The metrics cannot be given now; ask again later."))
