"""What subscribes to the events of a service from its start: log, bans, report, journal."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from twisted.application.service import Service
from twisted.logger import Logger
from twisted.python.failure import Failure

from ftpservice.accounts.defence.bans import BanList
from ftpservice.activity.event_log import EventLog
from ftpservice.activity.journal.journal_service import JournalService
from ftpservice.activity.report import ActivityReport
from ftpservice.activity.reports.service_report import ServiceReport
from ftpservice.events import Event, EventStream, LoginFailed
from ftpservice.service.activity.journal_setup import journal_for, last_events_directory
from ftpservice.service.settings.settings import ServiceSettings
from ftpservice.session.services import EventSink
from ftpservice.workers.last_events import LastEventsReader

__all__ = ["Recorders", "build_recorders"]

log = Logger("ftpservice")


@dataclass(frozen=True)
class Recorders:
    """The subscribers, and the sink of the events that they get."""

    sink: EventSink
    event_log: EventLog
    report: ActivityReport
    journal: JournalService | None
    reports: ServiceReport
    last_events: LastEventsReader | None
    """Has the journal get the events of workers whose main process was killed."""

    @property
    def services(self) -> list[Service]:
        """Those that start and stop with the service."""
        return [one for one in (self.journal, self.last_events) if one is not None]

    @property
    def finishers(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        """What to call when no more events are published."""
        journal = [] if self.journal is None else [self.journal.finish]
        return [self.reports.finish, *journal]


def build_recorders(settings: ServiceSettings, bans: BanList, reactor: Any) -> Recorders:
    """Build them; nothing is opened yet. Raises `CannotStart`."""
    events = EventStream(_subscriber_failed)
    report = ActivityReport(time.time)
    event_log = EventLog(reactor, verbosity=settings.log)
    journal = journal_for(settings, reactor)
    events.subscribe(report)
    events.subscribe(event_log, *event_log.kinds)
    events.subscribe(bans.count_failure, LoginFailed)
    bans.publish = events.publish
    if journal is not None:
        events.subscribe(journal, *journal.kinds)
    reports = ServiceReport(report, journal, reactor, time.time)
    sink = EventSink(events, reports.lines)
    last_events = _last_events(settings, journal, reactor)
    return Recorders(sink, event_log, report, journal, reports, last_events)


def _last_events(
    settings: ServiceSettings, journal: JournalService | None, reactor: Any
) -> LastEventsReader | None:
    directory = last_events_directory(settings)
    if journal is None or directory is None:
        return None

    def take(event: Event) -> None:
        if type(event) in journal.kinds:
            journal(event)

    return LastEventsReader(directory, take, reactor)


def _subscriber_failed(error: Exception, event: Event) -> None:
    log.failure("a subscriber failed at {event}", Failure(error), event=type(event).__name__)
