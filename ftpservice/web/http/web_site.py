"""The tree of resources, and the connections to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ServerFactory
from twisted.web.resource import IResource, Resource, getChildForRequest
from twisted.web.server import NOT_DONE_YET

from ftpservice.accounts.defence.bans import BanList
from ftpservice.accounts.defence.networks import address_group, client_address
from ftpservice.net.tls.server import ServerTLS
from ftpservice.web.http.host_names import HostNames
from ftpservice.web.http.problems import Problem
from ftpservice.web.http.web_channel import WebChannel
from ftpservice.web.http.web_request import BodySink, WebRequest

__all__ = ["MAX_BODY_BYTES", "NotFoundResource", "WebFactory", "WebSite"]

MAX_BODY_BYTES = 64 * 1024
"""Of a request, unless its path has another limit."""
MAX_CONNECTIONS = 256
MAX_CONNECTIONS_PER_ADDRESS = 64
"""Not for addresses of this machine: a reverse proxy."""

Receiver = Callable[[WebRequest, int | None], BodySink]
"""Takes a request whose headers have arrived, and the bytes of its body; None: not known."""


class NotFoundResource(Resource):
    """Answers 404 for everything below it that is not mounted."""

    def getChild(self, _path: bytes, _request: WebRequest) -> Resource:
        """Return itself: there is nothing."""
        return NotFoundResource()

    def render(self, request: WebRequest) -> int:
        """Send the problem."""
        request.send_problem(Problem(404, "There is nothing at this address."))
        return NOT_DONE_YET


class WebSite:
    """What is served: `mount` adds a resource; ``bans`` refuses connections."""

    bans: BanList | None = None
    is_closing = False
    """Whether each connection ends after the request that it has."""
    _parsePOSTFormSubmission = False  # asked for by `twisted.web`

    def __init__(self, reactor: Any, hosts: HostNames) -> None:
        self.reactor = reactor
        self.hosts = hosts
        self._root = NotFoundResource()
        self._limits: dict[bytes, int] = {}
        self._receivers: dict[bytes, Receiver] = {}
        self._counts: dict[str, int] = {}
        self._channels: dict[WebChannel, str] = {}
        """Every connection, and the key of its address."""
        self._idle: dict[WebChannel, None] = {}
        """Connections without a request, the one that has none for the longest time first."""

    def mount(self, path: str, resource: IResource, body_limit: int = MAX_BODY_BYTES) -> None:
        """Serve a resource at a path such as ``/metrics``.

        ``body_limit`` is for the requests to it and to what is below it.
        """
        *folders, name = path.strip("/").encode().split(b"/")
        place: Any = self._root
        for folder in folders:
            place = place.children.get(folder) or _added(place, folder)
        place.putChild(name, resource)
        self._limits[b"/" + path.strip("/").encode()] = body_limit

    def receive(self, path: str, receiver: Receiver) -> None:
        """Let ``receiver`` handle the requests to a path and below it, while bodies arrive."""
        self._receivers[b"/" + path.strip("/").encode()] = receiver

    def receiver_of(self, path: bytes) -> Receiver | None:
        """Return what receives the requests to a path; None: a resource, with the whole body."""
        while path and path not in self._receivers:
            path = path.rpartition(b"/")[0]
        return self._receivers.get(path)

    def getResourceFor(self, request: WebRequest) -> IResource:
        """Return the resource of a request; called by ``twisted.web``."""
        request.site = self
        found: IResource = getChildForRequest(self._root, request)
        return found

    def body_limit(self, _method: bytes, path: bytes) -> int:
        """Return the number of bytes that the body of a request may have."""
        while path:
            if path in self._limits:
                return self._limits[path]
            path = path.rpartition(b"/")[0]
        return MAX_BODY_BYTES

    def admits(self, host: str) -> bool:
        """Return whether a connection of an address is accepted."""
        if self.bans is not None and self.bans.refusal(host):
            return False
        address = client_address(host)
        is_near = address is None or address.is_loopback
        if not is_near and self._counts.get(address_group(host), 0) >= MAX_CONNECTIONS_PER_ADDRESS:
            return False
        if len(self._channels) >= MAX_CONNECTIONS and self._idle:
            next(iter(self._idle)).abort()
            return True
        return len(self._channels) < MAX_CONNECTIONS

    def add(self, channel: WebChannel) -> None:
        """Count a connection."""
        key = address_group(getattr(channel.getPeer(), "host", "local"))
        self._channels[channel] = key
        self._counts[key] = self._counts.get(key, 0) + 1

    def remove(self, channel: WebChannel) -> None:
        """Stop counting a connection."""
        key = self._channels.pop(channel, None)
        self._idle.pop(channel, None)
        if key is not None:
            self._counts[key] -= 1
            if not self._counts[key]:
                del self._counts[key]

    def set_idle(self, channel: WebChannel, is_idle: bool) -> None:
        """Note that a connection has no request, or has one again."""
        self._idle.pop(channel, None)
        if is_idle:
            self._idle[channel] = None

    def close(self) -> None:
        """End the connections, but those whose request may finish; these end after it."""
        self.is_closing = True
        for channel in tuple(self._channels):
            if not channel.may_finish:
                channel.abort()

    @property
    def has_connections(self) -> bool:
        """Whether there are connections."""
        return bool(self._channels)

    def abort_all(self) -> None:
        """End all connections."""
        for channel in tuple(self._channels):
            channel.abort()

    def log(self, request: WebRequest) -> None:
        """Log nothing: everybody can send requests."""


def _added(place: Any, folder: bytes) -> NotFoundResource:
    new = NotFoundResource()
    place.putChild(folder, new)
    return new


class WebFactory(ServerFactory):
    """Makes connections to ``site``; under TLS with ``tls``."""

    noisy = False

    def __init__(self, site: WebSite, tls: ServerTLS | None = None) -> None:
        self._site = site
        self._tls = tls

    def buildProtocol(self, addr: IAddress | None) -> WebChannel | None:
        """Return a connection; None refuses it."""
        if not self._site.admits(getattr(addr, "host", "local")):
            return None
        return WebChannel(self._site, self._tls)
