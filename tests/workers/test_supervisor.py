"""Workers are started, replaced and ended; processes and their messages are made by hand."""

from __future__ import annotations

import marshal
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure

from ftpservice.concurrency.table_lock import TableFull
from ftpservice.events import SessionClosed, SessionOpened
from ftpservice.workers.channel import LENGTH, Channel
from ftpservice.workers.event_codec import encode_event
from ftpservice.workers.remote_sessions import RemoteSessions
from ftpservice.workers.session_board import SessionBoard
from ftpservice.workers.supervisor import (
    COUNT_SECONDS,
    FIRST_DELAY_SECONDS,
    MAX_DELAY_SECONDS,
    STEADY_SECONDS,
    CannotStartWorkers,
    Supervisor,
    columns_for,
)
from ftpservice.workers.worker import (
    END_SECONDS,
    MAX_UNREAD_BYTES,
    START_SECONDS,
    STOP_SECONDS,
)
from tests.support.open_resources import LoggedErrors


class Child:
    """A process, and its end of the channel."""

    def __init__(self, number: int, ended: Callable[[int], object]) -> None:
        self.pid = number
        self.ended = ended
        self.sent: list[tuple[Any, ...]] = []
        self.is_killed = False
        self.main: Any = None

    def fileno(self) -> int:
        return -1

    def kill(self) -> None:
        if not self.is_killed:
            self.is_killed = True
            self.end(-9)

    def end(self, status: int) -> None:
        self.ended(status)
        self.main.connectionLost()

    def say(self, name: str, *values: Any) -> None:
        self.main.dataReceived(self.main.frame(name, *values))

    def write(self, data: bytes) -> None:
        self.sent.append(message(data))

    def stopReading(self) -> None:
        """Do nothing."""

    def registerProducer(self, *_words: Any) -> None:
        """Do nothing."""

    def abortConnection(self) -> None:
        """Do nothing."""


def message(frame: bytes) -> tuple[Any, ...]:
    """Return the message of a frame."""
    content: tuple[Any, ...] = marshal.loads(frame[LENGTH.size :])
    return content


class Setting:
    """A supervisor of two workers whose processes are `Child`."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.board = SessionBoard.create(columns_for(2))
        self.children: list[Child] = []
        self.sessions: dict[int, Any] = {}
        self.published: list[Any] = []
        self.launches: Callable[[], Any] = bool
        self.supervisor = self.new_supervisor()

    def new_supervisor(self) -> Supervisor:
        sessions = partial(RemoteSessions, self.sessions, self.published.append)
        supervisor = Supervisor(2, self.board, self.launch, sessions, self.clock)
        supervisor.first = lambda worker: ("start", worker.column.number)
        return supervisor

    def launch(self, _descriptors: Iterable[int], ended: Callable[[int], object]) -> Any:
        if isinstance(problem := self.launches(), Exception):
            return Deferred.fromCoroutine(_raise(problem))
        child = Child(100 + len(self.children), ended)
        self.children.append(child)
        return succeed((child, child))

    def begin(self) -> list[Any]:
        results: list[Any] = []
        self.supervisor.begin().addBoth(results.append)
        return results

    def serving(self) -> Setting:
        self.begin()
        for child in self.children:
            child.say("ready")
        return self


def _raise_now(problem: Exception | None) -> None:
    if problem is not None:
        raise problem


async def _raise(problem: Exception) -> None:
    raise problem


@pytest.fixture
def setting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Setting]:
    def adopt(self: Channel, child: Any, _reactor: Any) -> None:
        child.main = self
        self.makeConnection(child)

    monkeypatch.setattr(Channel, "adopt", adopt)
    setting = Setting()
    yield setting
    setting.board.close()


@pytest.fixture(autouse=True)
def logged() -> Iterator[LoggedErrors]:
    with LoggedErrors() as errors:
        yield errors


def test_it_has_begun_when_all_workers_accept(setting: Setting) -> None:
    begun = setting.begin()
    first, second = setting.children
    assert first.sent == [("start", 1)]
    assert second.sent == [("start", 2)]
    first.say("ready")
    assert begun == []
    with capturedLogs() as lines:
        second.say("ready")
    assert begun == [None]
    assert [formatEvent(line) for line in lines] == ["workers 100, 101 accept connections"]


def test_a_first_worker_that_cannot_start_ends_the_others(setting: Setting) -> None:
    begun = setting.begin()
    first, second = setting.children
    first.say("failed", "no such root")
    first.end(1)
    (failure,) = begun
    assert isinstance(failure, Failure)
    assert failure.check(CannotStartWorkers)
    assert failure.getErrorMessage() == "no such root"
    assert second.is_killed
    setting.clock.advance(MAX_DELAY_SECONDS)
    assert len(setting.children) == 2


def test_a_worker_without_descriptors_is_started_later(
    setting: Setting, logged: LoggedErrors
) -> None:
    setting.serving()
    problems: list[Any] = [OSError("too many open files"), OSError("no socket pair"), None]
    setting.supervisor.handlers = lambda _worker: _raise_now(problems.pop(0)) or {}
    setting.children[0].end(-9)
    setting.clock.advance(FIRST_DELAY_SECONDS)
    assert len(setting.supervisor.workers) == 1
    assert "too many open files" in logged.lines[-1]
    setting.supervisor._launch = lambda *_words: _raise_now(problems.pop(0))
    setting.supervisor.handlers = lambda _worker: {}
    setting.clock.advance(2 * FIRST_DELAY_SECONDS)
    assert len(setting.supervisor.workers) == 1
    assert "no socket pair" in logged.lines[-1]
    setting.supervisor._launch = setting.launch
    setting.clock.advance(4 * FIRST_DELAY_SECONDS)
    assert len(setting.supervisor.workers) == 2
    assert setting.children[2].sent == [("start", 1)]


def test_a_worker_without_a_column_is_started_later(setting: Setting, logged: LoggedErrors) -> None:
    setting.serving()
    claim = setting.supervisor.claim
    setting.supervisor.claim = lambda: _raise_now(TableFull("no column")) or 0
    setting.children[0].end(-9)
    setting.clock.advance(FIRST_DELAY_SECONDS)
    assert "no column" in logged.lines[-1]
    setting.supervisor.claim = claim
    setting.clock.advance(MAX_DELAY_SECONDS)
    assert len(setting.supervisor.workers) == 2


def test_a_process_that_cannot_be_used_is_ended(setting: Setting) -> None:
    setting.serving()
    setting.supervisor.first = lambda _worker: _raise_now(ValueError("not plain")) or ()
    setting.children[0].end(-9)
    setting.clock.advance(FIRST_DELAY_SECONDS)
    assert setting.children[2].is_killed
    assert len(setting.supervisor.workers) == 1


def test_a_worker_that_does_not_stop_is_ended(setting: Setting, logged: LoggedErrors) -> None:
    setting.serving()
    stopped = setting.supervisor.stop()
    setting.children[0].end(0)
    setting.clock.advance(STOP_SECONDS)
    assert setting.children[1].is_killed
    assert stopped.called
    assert "worker 101 did not stop in time" in logged.lines[-1]
    assert not setting.clock.getDelayedCalls()


def test_a_program_that_cannot_be_started_is_an_error(setting: Setting) -> None:
    setting.launches = lambda: OSError("no such file")
    (failure,) = setting.begin()
    assert "no such file" in failure.getErrorMessage()


def test_a_worker_that_is_not_ready_in_time_is_ended(setting: Setting) -> None:
    begun = setting.begin()
    setting.children[0].say("ready")
    setting.clock.advance(START_SECONDS)
    assert setting.children[1].is_killed
    assert isinstance(begun[0], Failure)


def test_a_worker_that_ends_is_replaced_later_and_later(
    setting: Setting, logged: LoggedErrors
) -> None:
    setting.serving()
    delay = FIRST_DELAY_SECONDS
    for number in range(12):
        setting.children[-1].end(-9)
        setting.clock.advance(delay * 0.99)
        assert len(setting.children) == 2 + number
        setting.clock.advance(delay * 0.01 + 0.001)
        assert len(setting.children) == 3 + number
        delay = min(2 * delay, MAX_DELAY_SECONDS)
    assert setting.supervisor.restarts == 12
    assert "has ended (signal 9); another one starts in 0.1 s" in logged.lines[0]
    assert not setting.children[0].is_killed


def test_one_that_has_lived_long_is_replaced_at_once(setting: Setting) -> None:
    setting.serving()
    setting.clock.advance(STEADY_SECONDS)
    setting.children[1].end(0)
    setting.clock.advance(0)
    assert len(setting.children) == 3
    assert setting.children[2].sent == [("start", 2)]


def test_its_sessions_are_closed_and_its_column_is_cleared(setting: Setting) -> None:
    setting.serving()
    cleared: list[int] = []
    setting.supervisor.cleared = cleared.append
    setting.board.column(2).sessions = 1
    setting.board.column(2).events = 1
    opened = SessionOpened(1.0, 7, "::1", "")
    setting.children[1].say("events", [encode_event(opened)])
    assert list(setting.sessions) == [7]
    setting.children[1].end(-11)
    assert setting.sessions == {}
    assert [type(event) for event in setting.published] == [SessionOpened, SessionClosed]
    assert setting.board.column(2).sessions == 0
    assert cleared == [2]


def test_events_that_a_killed_worker_could_not_send_are_counted(
    setting: Setting, logged: LoggedErrors
) -> None:
    setting.serving()
    setting.board.column(1).events = 3
    setting.children[0].say("events", [encode_event(SessionOpened(1.0, 7, "::1", ""))])
    setting.children[0].end(-9)
    assert "2 events of worker 100 were lost" in logged.lines[0]


def test_events_that_arrive_after_the_process_has_ended_are_published(setting: Setting) -> None:
    setting.serving()
    child = setting.children[0]
    child.ended(-9)
    child.say("events", [encode_event(SessionOpened(1.0, 7, "::1", ""))])
    child.main.connectionLost()
    assert [type(event) for event in setting.published] == [SessionOpened, SessionClosed]


def test_a_process_that_goes_on_without_its_channel_is_ended(setting: Setting) -> None:
    setting.serving()
    child = setting.children[0]
    child.main.connectionLost()
    setting.clock.advance(END_SECONDS)
    assert child.is_killed


def test_a_worker_that_reads_nothing_is_ended(setting: Setting) -> None:
    setting.serving()
    setting.children[0].main.pauseProducing()
    text = "x" * (MAX_UNREAD_BYTES // 2)
    setting.supervisor.broadcast("note", text)
    assert not setting.children[0].is_killed
    setting.supervisor.broadcast("note", text)
    assert setting.children[0].is_killed
    assert not setting.children[1].is_killed


def test_a_stop_ends_all_and_replaces_none(setting: Setting) -> None:
    setting.serving()
    setting.children[0].end(-9)
    stopped: list[Any] = []
    setting.supervisor.stop().addBoth(stopped.append)
    setting.clock.advance(MAX_DELAY_SECONDS)
    assert setting.children[1].sent[-1] == ("stop",)
    assert stopped == []
    setting.children[1].end(0)
    assert stopped == [None]
    assert len(setting.children) == 2


def test_none_is_replaced_once_the_ports_are_closed(setting: Setting) -> None:
    setting.serving()
    setting.children[0].end(-9)
    setting.supervisor.replaces = False
    setting.clock.advance(MAX_DELAY_SECONDS)
    assert len(setting.children) == 2


def test_a_stop_without_workers_is_at_once(setting: Setting) -> None:
    assert setting.supervisor.stop().called


def test_what_a_stop_waits_for_is_known_when_all_have_told(setting: Setting) -> None:
    setting.serving()
    for worker in setting.supervisor.workers:
        worker.finish("bye")
    counted = setting.supervisor.counted()
    setting.children[0].say("working", 2)
    assert not counted.called
    setting.children[1].say("working", 0)
    assert counted.called
    assert setting.supervisor.working == 2
    setting.children[0].say("working", 1)
    assert setting.supervisor.working == 1


def test_one_that_hangs_or_ends_does_not_hold_up_a_stop(setting: Setting) -> None:
    setting.serving()
    for worker in setting.supervisor.workers:
        worker.finish("bye")
    counted = setting.supervisor.counted()
    setting.children[0].end(-9)
    assert not counted.called
    setting.clock.advance(COUNT_SECONDS)
    assert counted.called


def test_a_worker_of_a_stop_that_came_first_is_ended(setting: Setting) -> None:
    """The process was being started when the service was stopped."""
    waiting: list[Deferred[Any]] = []
    ends: list[Callable[[int], object]] = []

    def launch(_descriptors: Iterable[int], ended: Callable[[int], object]) -> Deferred[Any]:
        ends.append(ended)
        waiting.append(Deferred())
        return waiting[-1]

    setting.launch = launch  # type: ignore[method-assign]
    setting.supervisor = setting.new_supervisor()
    setting.begin()
    stopped = setting.supervisor.stop()
    for number, deferred in enumerate(waiting):
        assert not stopped.called
        child = Child(number, ends[number])
        deferred.callback((child, child))
        assert child.is_killed
    assert stopped.called
