"""Joins what other programs read of the service: the log of transfers, metrics."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from ftpservice.activity.hooks.hook_service import HookService
from ftpservice.activity.journal.journal_service import JournalService
from ftpservice.backends.strings import directory_of
from ftpservice.service.activity.hook_setup import change_hooks
from ftpservice.service.activity.metrics_service import MetricsService
from ftpservice.service.activity.otel_setup import OtelService
from ftpservice.service.activity.resource_readings import MetricSources
from ftpservice.service.lifecycle import FTPService
from ftpservice.service.log.transfer_log_file import TransferLogFile
from ftpservice.service.main_factory import MainFactory, cluster_of
from ftpservice.service.privileges import owner_for
from ftpservice.service.settings.options import ServiceOptions
from ftpservice.service.settings_reload import SettingsChange
from ftpservice.service.web_setup import WebServer

__all__ = ["Observed", "join_observers"]


class Observed(NamedTuple):
    """What others can read of a service."""

    web: WebServer | None
    """Where the metrics are served."""
    journal: JournalService | None
    hooks: HookService


def join_observers(
    service: FTPService, options: ServiceOptions, observed: Observed, reactor: Any
) -> None:
    """Add to ``service`` what the settings ask for; raises `CannotStart`."""
    settings, factory = options.settings, service.parts.factory
    events, web = factory.event_sink.events, observed.web
    otel: OtelService | None = None
    if settings.otel_endpoint is not None:
        otel = OtelService(settings.otel_endpoint, events, reactor)
        otel.watch(service.parts.realm, observed.hooks)
        otel.setServiceParent(service)
        service.last_steps.append(otel.close)
    service.prepare_change = partial(_prepare_hooks, service, observed, otel, reactor)
    if settings.metrics and web is not None:
        places = (directory_of(settings.root), settings.data_dir)
        sources = MetricSources(
            service.parts.realm.quotas,
            observed.journal,
            observed.hooks,
            None if otel is None else otel.feed,
            [place for place in dict.fromkeys(places) if place],
            factory.supervisor if isinstance(factory, MainFactory) else None,
            cluster_of(factory),
            reactor.seconds,
            settings.metrics_from,
        )
        metrics = MetricsService(web.site, factory, sources, reactor)
        metrics.setServiceParent(service)
        service.last_steps.append(metrics.close)
    if settings.xferlog is not None:
        transfer_log = TransferLogFile(settings.xferlog, owner_for(options), events, reactor)
        transfer_log.setServiceParent(service)
        service.reopen_steps.append(transfer_log.reopen)
        service.last_steps.append(transfer_log.close)


def _prepare_hooks(
    service: FTPService,
    observed: Observed,
    otel: OtelService | None,
    reactor: Any,
    change: SettingsChange,
) -> Callable[[], object]:
    """Return what replaces the hooks, if they have changed; raises `ValueError`."""
    if "hook" not in change.applied:
        return bool
    realm, hooks = service.parts.realm, observed.hooks
    use = change_hooks(hooks, realm, change.settings, reactor)

    def apply() -> None:
        use()
        if otel is not None:  # new hooks are watched, too
            otel.watch(realm, hooks)

    return apply
