"""Joins what other programs read of the service: the log of transfers, metrics."""

from __future__ import annotations

from typing import Any

from ftpservice.service.activity.metrics_service import MetricsService
from ftpservice.service.lifecycle import FTPService
from ftpservice.service.log.transfer_log_file import TransferLogFile
from ftpservice.service.privileges import owner_for
from ftpservice.service.settings.options import ServiceOptions
from ftpservice.service.web_setup import WebServer

__all__ = ["join_observers"]


def join_observers(
    service: FTPService, options: ServiceOptions, web: WebServer | None, reactor: Any
) -> None:
    """Add to ``service`` what the settings ask for; raises `CannotStart`."""
    settings, factory = options.settings, service.parts.factory
    events = factory.event_sink.events
    if settings.metrics and web is not None:
        metrics = MetricsService(web.site, factory, reactor)
        metrics.setServiceParent(service)
        service.last_steps.append(metrics.close)
    if settings.xferlog is not None:
        transfer_log = TransferLogFile(settings.xferlog, owner_for(options), events, reactor)
        transfer_log.setServiceParent(service)
        service.reopen_steps.append(transfer_log.reopen)
        service.last_steps.append(transfer_log.close)
