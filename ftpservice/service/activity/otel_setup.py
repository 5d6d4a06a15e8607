"""Sends traces to OpenTelemetry; its libraries are imported in the thread that uses them."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service

from ftpservice.accounts.realm import Realm
from ftpservice.activity.hooks.hook_service import HookService
from ftpservice.activity.otel.span_feed import SpanFeed
from ftpservice.activity.otel.timed_storage import TimedStorage
from ftpservice.events import EventStream
from ftpservice.service.settings.errors import CannotStart
from ftpservice.storage.interfaces import IStorage

if TYPE_CHECKING:  # the extra otel may be missing
    from ftpservice.activity.otel.span_export import SpanExport

__all__ = ["OtelService", "check_otel_extra"]

LIBRARIES = ("opentelemetry", "opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


def check_otel_extra() -> None:
    """Raise `CannotStart` if what the setting ``otel-endpoint`` needs is not installed."""
    try:
        is_there = all(find_spec(name) is not None for name in LIBRARIES)
    except ImportError:
        is_there = False
    if not is_there:
        raise CannotStart("--otel-endpoint needs OpenTelemetry: pip install 'ftpservice[otel]'")


def _exporter(endpoint: str) -> SpanExport:
    from ftpservice.activity.otel.span_export import SpanExport

    return SpanExport(endpoint)


class OtelService(Service):
    """Sends spans to ``endpoint`` while the service runs; raises `CannotStart`."""

    def __init__(self, endpoint: str, events: EventStream, reactor: Any) -> None:
        check_otel_extra()
        self.feed = SpanFeed(events, partial(_exporter, endpoint), reactor)

    def watch(self, realm: Realm, hooks: HookService) -> None:
        """Be told of the calls of storages, and of the runs of hooks and gates."""
        realm.watch = self._watched
        records = [way.record for way in hooks.ways] + [rule.record for rule in hooks.gates]
        for record in records:
            record.listener = self.feed.add

    def _watched(self, storage: IStorage, client: object) -> IStorage:
        return TimedStorage(storage, getattr(client, "id", ""), self.feed.add)

    def startService(self) -> None:
        """Begin to take events."""
        super().startService()
        self.feed.start()

    async def close(self) -> None:
        """Send the last spans; when no session and no hook is left."""
        await self.feed.stop()
