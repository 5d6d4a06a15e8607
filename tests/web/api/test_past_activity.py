"""The past comes from the journal, and from memory while the journal cannot be read."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest_twisted

from ftpservice.activity.journal.journal_database import JournalDatabase
from ftpservice.activity.journal.journal_service import JournalService
from ftpservice.activity.reports.event_query import EventQuery
from ftpservice.activity.reports.journal_reader import JournalReader
from ftpservice.activity.reports.report_period import ReportPeriod
from ftpservice.events import Event, LoginFailed
from ftpservice.web.api.activity_history import ActivityHistory
from ftpservice.web.api.past_activity import RETRY_SECONDS, PastActivity
from ftpservice.web.api.recent_events import RecentEvents
from tests.support.journal_cases import plan, transfer
from tests.support.open_resources import nothing_left


class Past:
    """The past with a journal in a directory, or without one; ``now`` is the time."""

    def __init__(self, reactor: Any, directory: Any = None) -> None:
        self.now = time.time()
        self.rows: list[dict[str, Any]] = []
        live: Any = SimpleNamespace(rows=lambda: self.rows)
        recent, reader = RecentEvents(), None
        history = ActivityHistory(live, reactor, self.seconds)
        self.subscribers: list[Any] = [recent, history]
        self.journal = None
        if directory is not None:
            self.journal = JournalService(
                plan(directory), reactor, lambda plan: JournalDatabase(plan.url)
            )
            self.journal.startService()
            self.subscribers.append(self.journal)
            reader = JournalReader(self.journal, reactor, "past", 10.0)
        self.past = PastActivity(recent, history, live, reader, self.seconds)

    def seconds(self) -> float:
        return self.now

    def publish(self, event: Event) -> None:
        for subscriber in self.subscribers:
            subscriber(event)

    async def stop(self) -> None:
        await self.past.finish()
        if self.journal is not None:
            self.journal.stopService()
            await self.journal.finish()


def every(now: float) -> EventQuery:
    return EventQuery(now - 3600, now + 3600)


@pytest_twisted.ensureDeferred
async def test_events_totals_and_rates_are_there_after_a_restart(
    tmp_path: Any, reactor: Any
) -> None:
    async with nothing_left():
        first = Past(reactor, tmp_path)
        first.publish(transfer(first.now - 100, size=20_000))
        first.publish(LoginFailed(first.now - 50, 1, "192.0.2.1", "eve"))
        await first.stop()
        past = Past(reactor, tmp_path)
        found = await past.past.events(every(past.now))
        assert (found["source"], found["problem"]) == ("journal", "")
        assert [one["kind"] for one in found["events"]] == ["login failed", "transfer"]
        users = await past.past.users(ReportPeriod(past.now - 3600, past.now))
        assert [one["user"] for one in users["users"]] == ["ann", "eve"]
        running = {"since": past.now - 4, "moved": 4000, "upload": False}
        past.rows = [{"since": past.now - 10, "transfers": [running, running | {"moved": 1000}]}]
        rates = await past.past.rates("hour")
        assert len(rates["when"]) == 180
        assert sum(rates["up"]) * 20 == 20_000
        assert round(sum(rates["down"]) * 20) == 5000
        assert round(sum(rates["sessions"]) * 20) == 10
        assert past.past.status is not None
        assert past.past.status["problem"] == ""
        await past.stop()


@pytest_twisted.ensureDeferred
async def test_without_a_journal_the_answers_are_from_memory_and_say_so(reactor: Any) -> None:
    past = Past(reactor)
    past.publish(transfer(past.now, size=7))
    for answer in (
        await past.past.events(every(past.now)),
        await past.past.users(ReportPeriod(0, past.now)),
        await past.past.rates("day"),
    ):
        assert (answer["source"], answer["problem"]) == ("memory", "no journal is kept")
    assert past.past.status is None


@pytest_twisted.ensureDeferred
async def test_a_journal_that_cannot_be_read_is_told_and_tried_again_later(
    tmp_path: Any, reactor: Any
) -> None:
    (tmp_path / "journal.db").mkdir()
    async with nothing_left():
        past = Past(reactor, tmp_path)
        past.publish(transfer(past.now))
        found = await past.past.events(every(past.now))
        assert found["source"] == "memory"
        assert "journal.db" in found["problem"]
        assert len(found["events"]) == 1
        (tmp_path / "journal.db").rmdir()
        assert (await past.past.events(every(past.now)))["source"] == "memory"
        past.now += RETRY_SECONDS + 1
        assert (await past.past.events(every(past.now)))["source"] == "journal"
        await past.stop()
