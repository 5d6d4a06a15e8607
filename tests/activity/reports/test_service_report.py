"""REPORT of a running service: the journal if there is one, and what happens now."""

import time

import pytest
import pytest_twisted

from ftpservice.activity.journal.journal_database import JournalDatabase
from ftpservice.activity.journal.journal_service import JournalService
from ftpservice.activity.report import ActivityReport
from ftpservice.activity.reports.service_report import ServiceReport
from ftpservice.events import LoggedIn, SessionInfo, SessionOpened, TransferStarted
from tests.support.journal_cases import plan, transfer
from tests.support.open_resources import nothing_left


class Running:
    """A journal and the report on it."""

    def __init__(self, directory, reactor):
        self.live = ActivityReport(time.time)
        self.journal = JournalService(
            plan(directory), reactor, lambda plan: JournalDatabase(plan.url)
        )
        self.journal.startService()
        self.report = ServiceReport(self.live, self.journal, reactor, time.time)

    def publish(self, event):
        self.live(event)
        self.journal(event)

    async def stop(self):
        self.journal.stopService()
        await self.report.finish()
        await self.journal.finish()


@pytest_twisted.ensureDeferred
async def test_what_has_just_happened_is_in_the_report(tmp_path, reactor):
    async with nothing_left():
        running = Running(tmp_path, reactor)
        now = time.time()
        info = SessionInfo("s-7")
        running.publish(SessionOpened(now, 7, "192.0.2.1", "", info=info))
        running.publish(LoggedIn(now, 7, "192.0.2.1", "ann", info=info))
        running.publish(transfer(now))
        begun = TransferStarted(now - 4, 7, "192.0.2.1", "ann", "/big", True, 2, 10_000, info=info)
        running.live(begun)
        running.live.moved = lambda *numbers: {(7, 2): 2500}[numbers]
        lines = await running.report.lines()
        assert lines[0].startswith("Report of ")
        assert "Uploads    1 file, 100 B" in lines
        assert "25 %" in lines[-1]
        assert "uploading /big" in lines[-1]
        lines = await running.report.lines("7d", "now", "bob")
        assert "Uploads    0 files, 0 B" in lines
        assert not any("/big" in line for line in lines)
        await running.stop()


@pytest_twisted.ensureDeferred
async def test_a_journal_that_cannot_be_read_is_told(tmp_path, reactor):
    (tmp_path / "journal.db").mkdir()
    async with nothing_left():
        running = Running(tmp_path, reactor)
        running.publish(transfer(time.time()))
        lines = await running.report.lines()
        assert lines[0].startswith("The journal cannot be read now: sql:sqlite:///")
        assert "Uploads    1 file, 100 B" in lines
        await running.stop()


@pytest_twisted.ensureDeferred
async def test_a_wrong_time_is_refused(tmp_path, reactor):
    running = Running(tmp_path, reactor)
    with pytest.raises(ValueError, match="is not a time"):
        running.report.lines("ann")
    await running.stop()


def test_without_a_journal_there_is_the_report_since_the_start(reactor):
    report = ServiceReport(ActivityReport(time.time), None, reactor, time.time)
    assert report.lines()[0].startswith("Activity since")
    with pytest.raises(ValueError, match="no journal is kept"):
        report.lines("7d")
