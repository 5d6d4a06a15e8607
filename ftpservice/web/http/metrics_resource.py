"""The metrics of the service (``/metrics``), for programs of this machine and those allowed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from ftpservice.accounts.defence.networks import Network, client_address, is_in_networks
from ftpservice.web.http.problems import Problem
from ftpservice.web.http.web_request import WebRequest

__all__ = ["MetricsResource"]

TEXT_FORMAT = b"text/plain; version=0.0.4; charset=utf-8"


class MetricsResource(Resource):
    """Sends the text that ``text`` returns; machines that are not in ``networks`` get 403."""

    isLeaf = True

    def __init__(
        self, text: Callable[[], Deferred[bytes]], networks: Iterable[Network] = ()
    ) -> None:
        super().__init__()
        self._text = text
        self._networks = tuple(networks)

    def render_GET(self, request: WebRequest) -> int:
        """Send the answer."""
        host = getattr(request.getClientAddress(), "host", "local")
        address = client_address(host)
        is_near = address is None or address.is_loopback
        if not is_near and not is_in_networks(host, self._networks):
            request.send_problem(Problem(403, "Metrics are not for this address (metrics-from)."))
            return NOT_DONE_YET
        self._text().addCallbacks(
            lambda text: request.send(200, text, TEXT_FORMAT), lambda why: _refuse(request, why)
        )
        return NOT_DONE_YET


def _refuse(request: WebRequest, _why: Failure) -> None:
    request.send_problem(Problem(503, "The metrics cannot be given now; ask again later."))
