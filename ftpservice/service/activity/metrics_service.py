"""Serves the metrics; the extra ``metrics`` is imported when the setting is on, not before."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service

from ftpservice.control.factory import FTPFactory
from ftpservice.service.activity.resource_readings import MetricSources, resource_readings
from ftpservice.service.activity.storage_space import StorageSpace
from ftpservice.service.settings.errors import CannotStart
from ftpservice.session.context import SessionContext
from ftpservice.session.transfer import RunningTransfer

if TYPE_CHECKING:
    from ftpservice.activity.metrics.metrics_page import MetricsPage
    from ftpservice.activity.metrics.service_state import ServiceState

__all__ = ["MetricsService", "check_metrics_extra"]


def check_metrics_extra() -> None:
    """Raise `CannotStart` if what the setting ``metrics`` needs is not installed."""
    try:
        import prometheus_client  # noqa: F401
    except ImportError:
        raise CannotStart(
            "--metrics needs prometheus-client: pip install 'ftpservice[metrics]'"
        ) from None


class MetricsService(Service):
    """Counts while the service runs, and serves ``/metrics`` at ``site``; raises `CannotStart`."""

    def __init__(
        self, site: Any, factory: FTPFactory, sources: MetricSources, reactor: Any
    ) -> None:
        check_metrics_extra()
        from ftpservice.activity.metrics.metrics_page import MetricsPage
        from ftpservice.web.http.metrics_resource import MetricsResource

        self._factory, self._sources = factory, sources
        self._space = StorageSpace(sources.directories, reactor)
        self._page: MetricsPage = MetricsPage(factory.event_sink.events, self._state, reactor)
        site.mount("/metrics", MetricsResource(self._page.text, sources.readers))

    def startService(self) -> None:
        """Begin to count."""
        super().startService()
        self._page.start()
        self._space.look()

    async def close(self) -> None:
        """End that, after the last session."""
        await self._page.stop()
        await self._space.stop()

    def _state(self) -> ServiceState:
        """Return what the service is now; one look at each session."""
        from ftpservice.activity.metrics.service_state import CertificateEnd, ServiceState

        factory = self._factory
        sessions: Counter[tuple[str, str]] = Counter()
        running: Counter[tuple[bool, str]] = Counter()
        moved: Counter[tuple[bool, str]] = Counter()
        for session in factory.sessions.values():
            context = session.context
            protocol, transfers = context.peer.protocol, _transfers(context)
            for transfer in transfers:
                running[transfer.upload, protocol] += 1
                moved[transfer.upload, protocol] += transfer.moved
            if transfers:
                sessions[protocol, "transfer"] += 1
            else:
                has_login = context.portal_login.account is not None
                sessions[protocol, "idle" if has_login else "login"] += 1
        certificates = factory.tls.certificates if factory.tls is not None else ()
        return ServiceState(
            sessions,
            running,
            moved,
            certificates=tuple(
                CertificateEnd(
                    one.names[0] if one.names else "",
                    one.fingerprint.replace(":", "")[:16].lower(),
                    one.not_after.timestamp(),
                )
                for one in certificates
            ),
            bans=factory.bans.count if factory.bans is not None else 0,
            accepts=factory.session_refusal is None,
            readings=(*resource_readings(self._sources), *self._space.readings()),
        )


def _transfers(context: SessionContext) -> list[RunningTransfer]:
    """Return the transfers of a session that are in progress."""
    if context.transfers is not None:
        return list(context.transfers.values())
    return [] if context.running is None else [context.running]
