"""Assembles the HTTP server. ``twisted.web`` is imported when an endpoint is set, not before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet.interfaces import IProtocolFactory

from ftpservice.control.factory import FTPFactory
from ftpservice.service.listeners import Listener
from ftpservice.service.settings.settings import ServiceSettings

if TYPE_CHECKING:
    from ftpservice.web.http.web_site import WebSite

__all__ = ["WebServer", "web_server"]


class WebServer(Service):
    """The HTTP server: ``site`` has a ``mount`` for what is served."""

    def __init__(self, site: WebSite, factory_of: Callable[[Listener], IProtocolFactory]) -> None:
        self.site = site
        self.factory_of = factory_of

    def stopService(self) -> None:
        """End the connections."""
        super().stopService()
        self.site.abort_all()


def web_server(settings: ServiceSettings, factory: FTPFactory, reactor: Any) -> WebServer | None:
    """Return the HTTP server with its health checks; None if no endpoint is set."""
    if not (settings.http or settings.https):
        return None
    from ftpservice.web.http.health import HealthResource, ReadinessResource
    from ftpservice.web.http.host_names import HostNames
    from ftpservice.web.http.web_site import WebFactory, WebSite

    site = WebSite(reactor, HostNames((*settings.http_host, *settings.acme)))
    site.bans = factory.bans

    def factory_of(listener: Listener) -> IProtocolFactory:
        return WebFactory(site, factory.tls if listener.implicit else None)

    site.mount("/healthz", HealthResource())
    site.mount("/readyz", ReadinessResource(_readiness(factory)))
    return WebServer(site, factory_of)


def _readiness(factory: FTPFactory) -> Mapping[str, Callable[[], str | None]]:
    def accepts() -> str | None:
        return None if factory.session_refusal is None else "no sessions are accepted"

    return {"sessions": accepts}
