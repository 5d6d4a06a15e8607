"""Every event is in the database once, whatever happens to the database meanwhile."""

import os
import sqlite3
import time
from collections import Counter
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet.task import deferLater
from twisted.logger import formatEvent, globalLogPublisher

from ftpservice.accounts.sql.migration import upgrade
from ftpservice.activity.journal import delivery_schedule, journal_service
from ftpservice.activity.journal.journal_database import JournalDatabase
from ftpservice.activity.journal.journal_service import JournalService
from tests.support.journal_cases import every_event, plan, transfer
from tests.support.open_resources import nothing_left, until
from tests.support.postgresql import PostgreSQL


@pytest.fixture(scope="module")
def server():
    """A PostgreSQL server that a test may stop."""
    with PostgreSQL() as server:
        yield server


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Wait less between two attempts."""
    monkeypatch.setattr(journal_service, "FLUSH_SECONDS", 0.01)
    monkeypatch.setattr(journal_service, "RETRY_SECONDS", 0.02)
    monkeypatch.setattr(delivery_schedule, "DELIVERY_SECONDS", 0.02)
    monkeypatch.setattr(delivery_schedule, "MAX_RETRY_SECONDS", 0.05)


def journal(wanted, reactor):
    service = JournalService(wanted, reactor, lambda plan: JournalDatabase(plan.url))
    service.startService()
    return service


async def stop(service):
    service.stopService()
    await service.finish()


def paths(wanted):
    """Return the path of every row, with its number."""
    database = JournalDatabase(wanted.url)
    with database.database.transaction() as connection:
        rows = connection.exec_driver_sql("SELECT path FROM ftpservice_journal")
        found = Counter(row[0] for row in rows)
    database.close()
    return found


@pytest.fixture
def journal_log():
    """The lines of the journal in the log."""
    lines = []

    def note(event):
        if event.get("log_namespace") == "ftpservice.journal":
            lines.append(formatEvent(event))

    globalLogPublisher.addObserver(note)
    yield lines
    globalLogPublisher.removeObserver(note)


@pytest_twisted.ensureDeferred
async def test_events_are_in_the_database_soon(tmp_path, reactor):
    async with nothing_left():
        service = journal(plan(tmp_path), reactor)
        for event in every_event():
            service(event)
        await until(lambda: service.status.rows == len(every_event()) - 1, lambda: service.status)
        status = service.status
        assert (status.waiting, status.lost, status.problem) == (0, 0, "")
        await stop(service)
    assert sum(paths(plan(tmp_path)).values()) == len(every_event()) - 1
    assert os.listdir(tmp_path / "journal-spool") == ["lock"]


@pytest_twisted.ensureDeferred
async def test_the_last_events_are_written_at_the_end(tmp_path, reactor):
    async with nothing_left():
        service = journal(plan(tmp_path), reactor)
        service(transfer(1.0, path="/first"))
        await until(lambda: service.status.rows == 1, lambda: service.status)
        service.stopService()
        service(transfer(1.0, path="/last"))
        await service.finish()
    assert paths(plan(tmp_path)) == {"/first": 1, "/last": 1}


@pytest_twisted.ensureDeferred
async def test_what_a_database_does_not_take_is_delivered_by_the_next_run(tmp_path, reactor):
    (tmp_path / "journal.db").mkdir()
    async with nothing_left():
        service = journal(plan(tmp_path), reactor)
        service(transfer(1.0))
        await until(lambda: service.status.problem, lambda: service.status)
        assert service.status.waiting > 0
        await stop(service)
    (tmp_path / "journal.db").rmdir()
    async with nothing_left():
        service = journal(plan(tmp_path), reactor)
        await until(lambda: service.status.rows == 1, lambda: service.status)
        await stop(service)
    assert paths(plan(tmp_path)) == {"/a": 1}


def ready(server, tmp_path, **values):
    wanted = plan(tmp_path, server.url(server.new_database()), **values)
    database = JournalDatabase(wanted.url)
    upgrade(database.database)
    database.close()
    return wanted


@contextmanager
def frozen(server):
    """Stop the server from answering meanwhile."""
    server.freeze()
    try:
        yield
    finally:
        server.thaw()


async def load(service, reactor, events):
    """Publish events; each takes next to no time."""
    longest = 0.0
    for number in range(events):
        began = time.perf_counter()
        service(transfer(1.0, path=f"/{number}"))
        longest = max(longest, time.perf_counter() - began)
        if number % 100 == 0:
            await deferLater(reactor, 0.001)
    assert longest < 0.5


@pytest_twisted.ensureDeferred
async def test_a_server_that_stops_under_load_loses_and_doubles_nothing(tmp_path, reactor, server):
    wanted = ready(server, tmp_path)
    async with nothing_left():
        service = journal(wanted, reactor)
        for number in range(3000):
            service(transfer(1.0, path=f"/{number}"))
            if number % 100 == 0:
                await deferLater(reactor, 0.001)
            if number == 1000:
                await until(lambda: service.status.rows, lambda: service.status)
                server.stop()
        await until(lambda: service.status.problem, lambda: service.status)
        server.start()
        await until(lambda: not service.status.waiting, lambda: service.status)
        await stop(service)
    assert paths(wanted) == {f"/{number}": 1 for number in range(3000)}


@pytest_twisted.ensureDeferred
async def test_a_server_that_hangs_delays_nothing_but_its_rows(
    tmp_path, reactor, server, monkeypatch
):
    monkeypatch.setattr(delivery_schedule, "HANGING_SECONDS", 0.2)
    wanted = ready(server, tmp_path)
    async with nothing_left():
        service = journal(wanted, reactor)
        service(transfer(1.0, path="/before"))
        await until(lambda: service.status.rows, lambda: service.status)
        with frozen(server):
            await load(service, reactor, 500)
            await until(lambda: service.status.problem, lambda: service.status)
            assert "ended" in service.status.problem or "closed" in service.status.problem
        await until(lambda: not service.status.waiting, lambda: service.status)
        await stop(service)
    assert paths(wanted) == {"/before": 1} | {f"/{number}": 1 for number in range(500)}


@pytest_twisted.ensureDeferred
async def test_a_stop_does_not_wait_for_a_server_that_hangs(tmp_path, reactor, server, monkeypatch):
    monkeypatch.setattr(delivery_schedule, "STOP_SECONDS", 0.2)
    wanted = ready(server, tmp_path)
    async with nothing_left():
        service = journal(wanted, reactor)
        service(transfer(1.0, path="/before"))
        await until(lambda: service.status.rows, lambda: service.status)
        with frozen(server):
            service(transfer(1.0, path="/late"))
            began = time.monotonic()
            await stop(service)
            assert time.monotonic() - began < 5
        service = journal(wanted, reactor)
        await until(lambda: service.status.rows >= 1, lambda: service.status)
        await stop(service)
    assert paths(wanted) == {"/before": 1, "/late": 1}


@pytest_twisted.ensureDeferred
async def test_what_does_not_fit_into_the_spool_is_counted_in_a_row(
    tmp_path, reactor, server, monkeypatch
):
    monkeypatch.setattr("ftpservice.activity.journal.journal_writer.MAX_PENDING", 100)
    monkeypatch.setattr(journal_service, "MAX_QUEUED", 400)
    wanted = ready(server, tmp_path, spool_bytes=20_000)
    server.stop()
    async with nothing_left():
        service = journal(wanted, reactor)
        for number in range(500):
            service(transfer(1.0, path=f"/{number}"))
        await until(lambda: service.status.problem, lambda: service.status)
        await service.flush()
        lost = service.status.lost
        assert lost >= 100
        assert service.status.spool_bytes <= 20_000
        server.start()
        await until(lambda: not service.status.waiting, lambda: service.status)
        await until(lambda: not service._writer.pending, lambda: service.status)
        await until(lambda: not service.status.waiting, lambda: service.status)
        await stop(service)
    database = JournalDatabase(wanted.url)
    with database.database.transaction() as connection:
        kept, counted = (
            connection.exec_driver_sql(f"SELECT sum(events) FROM ftpservice_journal WHERE {what}")
            for what in ("kind = 'transfer'", "kind = 'lost'")
        )
        assert (kept.scalar_one(), counted.scalar_one()) == (500 - lost, lost)
    database.close()


@pytest_twisted.ensureDeferred
async def test_a_spool_that_cannot_be_made_is_tried_again(tmp_path, reactor, journal_log):
    wanted = plan(tmp_path / "missing", str(tmp_path / "journal.db"))
    async with nothing_left():
        service = journal(wanted, reactor)
        service(transfer(1.0))
        await until(lambda: service.status.problem, lambda: service.status)
        assert any("wait in memory" in line for line in journal_log)
        assert not any("has lost" in line for line in journal_log)
        Path(tmp_path / "missing").mkdir()
        await until(lambda: service.status.rows == 1, lambda: service.status)
        assert service.status.problem == ""
        await stop(service)
    assert paths(wanted) == {"/a": 1}


@pytest_twisted.ensureDeferred
async def test_a_service_can_start_again(tmp_path, reactor):
    async with nothing_left():
        service = journal(plan(tmp_path), reactor)
        for run in range(2):
            service(transfer(1.0, path=f"/{run}"))
            await until(lambda: service.status.rows == 1, lambda: service.status)
            await stop(service)
            if run == 0:
                service.startService()
    assert paths(plan(tmp_path)) == {"/0": 1, "/1": 1}


@pytest_twisted.ensureDeferred
async def test_a_stop_at_any_moment_leaves_nothing_running(tmp_path, reactor):
    for number in range(8):
        async with nothing_left():
            service = journal(plan(tmp_path), reactor)
            service(transfer(1.0, path=f"/{number}"))
            await deferLater(reactor, number * 0.004)
            service(transfer(1.0, path=f"/{number}, late"))
            await stop(service)
    service = journal(plan(tmp_path), reactor)
    service(transfer(1.0, path="/last"))  # behind whatever the stops have left in the spool
    await until(lambda: service.status.rows and not service.status.waiting, lambda: service.status)
    await stop(service)
    assert set(paths(plan(tmp_path)).values()) == {1}
    assert len(paths(plan(tmp_path))) == 17


@pytest_twisted.ensureDeferred
async def test_a_file_that_is_deleted_meanwhile_is_made_anew(tmp_path, reactor):
    async with nothing_left():
        service = journal(plan(tmp_path), reactor)
        service(transfer(1.0, path="/before"))
        await until(lambda: service.status.rows == 1, lambda: service.status)
        (tmp_path / "journal.db").unlink()
        service(transfer(1.0, path="/after"))
        await until(lambda: service.status.rows == 2, lambda: service.status)
        await stop(service)
    assert paths(plan(tmp_path)) == {"/after": 1}


@pytest_twisted.ensureDeferred
async def test_a_stop_does_not_wait_for_a_file_that_another_process_locks(
    tmp_path, reactor, monkeypatch
):
    monkeypatch.setattr(delivery_schedule, "STOP_SECONDS", 0.2)
    async with nothing_left():
        service = journal(plan(tmp_path), reactor)
        service(transfer(1.0, path="/before"))
        await until(lambda: service.status.rows == 1, lambda: service.status)
        with closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            service(transfer(1.0, path="/late"))
            began = time.monotonic()
            await stop(service)
            assert time.monotonic() - began < 5
    async with nothing_left():
        service = journal(plan(tmp_path), reactor)
        await until(lambda: service.status.rows >= 1, lambda: service.status)
        await stop(service)
    assert paths(plan(tmp_path)) == {"/before": 1, "/late": 1}
