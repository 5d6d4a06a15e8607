"""The events of workers whose main process was killed reach the next one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import async_yield_fixture, ensureDeferred

from ftpservice.events import Event, LoggedIn, Outcome, SessionInfo, TransferEnded
from ftpservice.workers import last_events
from ftpservice.workers.event_codec import encode_event
from ftpservice.workers.last_events import LastEvents, LastEventsReader, read_files
from tests.support.loopback import until

INFO = SessionInfo("0123456789ab-7", "ftp", "TLSv1.3", ("staff", "all"), lambda path: f"/srv{path}")
ENDED = TransferEnded(
    *(5.0, 7, "::1", "j\udcfcrgen", "/a", True, Outcome.COMPLETE, 300, 1.5), transfer=2, info=INFO
)
LOGIN = LoggedIn(4.0, 7, "::1", "ann", info=INFO)


class Reading:
    """A main process that reads what workers have left."""

    def __init__(self, directory: Path, reactor: Any) -> None:
        self.got: list[Event] = []
        self.service = LastEventsReader(directory, self.got.append, reactor)
        self.service.startService()


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(last_events, "LOOK_SECONDS", 0.01)
    return tmp_path / "spool" / "workers"


@async_yield_fixture
async def reading(directory: Path, reactor: Any) -> AsyncIterator[Reading]:
    made = Reading(directory, reactor)
    yield made
    await made.service.stopService()


@ensureDeferred
async def test_events_are_read_once_when_the_worker_has_ended(
    directory: Path, reactor: Any
) -> None:
    kept = LastEvents(directory, reactor)
    kept.write([encode_event(LOGIN)])
    kept.write([encode_event(ENDED)])
    await until(reactor, lambda: kept._size)
    assert read_files(directory) == ([], True)  # it is locked
    reading = Reading(directory, reactor)
    await kept.finish()
    await until(reactor, lambda: len(reading.got) == 2)
    assert list(map(encode_event, reading.got)) == [encode_event(LOGIN), encode_event(ENDED)]
    found = reading.got[1]
    assert isinstance(found, TransferEnded)
    assert (found.outcome, found.info.groups) == (Outcome.COMPLETE, ("staff", "all"))
    assert found.info.storage_name("/a") == "/srv/a"
    await reading.service.stopService()
    assert list(directory.iterdir()) == []


@ensureDeferred
async def test_without_files_the_reader_ends_to_look(
    reading: Reading, directory: Path, reactor: Any
) -> None:
    await until(reactor, lambda: reading.service._quiet == last_events.QUIET_LOOKS)
    assert reading.service._due is None
    assert not directory.exists()


def test_what_cannot_be_read_is_skipped(directory: Path) -> None:
    directory.mkdir(parents=True)
    lines = [json.dumps(encode_event(LOGIN)), '["Unknown", null, null, []]', "{", '["Logged']
    (directory / "17-0a.events").write_text("\n".join(lines))
    (directory / ".18-0b.events").write_text(lines[0])
    (directory / "other").write_text("x")
    events, are_left = read_files(directory)
    assert (list(map(encode_event, events)), are_left) == ([encode_event(LOGIN)], False)
    assert sorted(path.name for path in directory.iterdir()) == [".18-0b.events", "other"]


@ensureDeferred
async def test_a_file_has_a_limit_and_a_directory_that_cannot_be_made_stops_nothing(
    tmp_path: Path, reactor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(last_events, "MAX_BYTES", 2000)
    kept = LastEvents(tmp_path / "workers", reactor)
    for number in range(100):
        kept.write([encode_event(replace(LOGIN, session=number))])
    await kept.finish()
    (path,) = (tmp_path / "workers").iterdir()
    assert 0 < path.stat().st_size <= 2000
    assert 0 < len(read_files(tmp_path / "workers")[0]) < 100
    (tmp_path / "file").write_text("")
    none = LastEvents(tmp_path / "file" / "workers", reactor)
    none.write([encode_event(LOGIN)])
    await none.finish()
