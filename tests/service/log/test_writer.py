"""Logging never blocks, and lost lines are counted in the log."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Sequence

from twisted.logger import LogEvent, Logger, LogLevel, LogPublisher

from ftpservice.service.log.sinks import LogEntry
from ftpservice.service.log.writer import LogWriter

PATIENCE = 30.0


class Sink:
    """Writes to a list, when it is let; ``errors`` are raised first, one for each attempt."""

    def __init__(self, *errors: int) -> None:
        self.written: list[str] = []
        self.rest: list[str] = []
        self.errors = list(errors)
        self.open = threading.Event()
        self.open.set()
        self.entered = threading.Event()
        self.threads: set[int] = set()
        self.reopened = 0
        self.says = ""
        self.closed = False

    def text_of(self, event: LogEvent) -> str | None:
        text = event.get("text", "")
        return f"{text}\n" if text else None

    def write(self, entries: Sequence[LogEntry]) -> None:
        self.rest += [text for _, text in entries]
        self.entered.set()
        assert self.open.wait(PATIENCE)
        self.threads.add(threading.get_ident())
        if self.errors:
            number = self.errors.pop(0)
            raise OSError(number, os.strerror(number))
        self.written += self.rest
        self.rest = []

    def give_up(self) -> int:
        lost, self.rest = len(self.rest), []
        return lost

    def reopen(self) -> str:
        self.reopened += 1
        return self.says

    def close(self) -> None:
        self.closed = True


def said(sink: Sink) -> list[str]:
    """Return what was written, without the times of the writer's own lines."""
    return [line.split("] ")[-1].rstrip("\n") for line in sink.written]


def test_events_are_written_by_another_thread_with_their_levels() -> None:
    sink = Sink()
    writer = LogWriter(sink)
    writer.start()
    log = Logger("test", observer=LogPublisher(writer))
    log.info("{text}", text="a")
    log.emit(LogLevel.warn)
    log.error("{text}", text="b")
    writer.close(PATIENCE)
    assert sink.written == ["a\n", "b\n"]
    assert threading.get_ident() not in sink.threads
    assert sink.closed


def test_a_blocked_sink_blocks_nothing_and_the_loss_is_reported_once() -> None:
    sink = Sink()
    sink.open.clear()
    writer = LogWriter(sink, max_lines=10)
    writer.start()
    writer.put("first\n")
    assert sink.entered.wait(PATIENCE)
    for number in range(25):
        writer.put(f"{number}\n")
    sink.open.set()
    writer.close(PATIENCE)
    assert said(sink) == ["first", *map(str, range(10)), "15 log lines were lost"]


def test_a_full_disk_loses_nothing_that_the_queue_holds() -> None:
    sink = Sink(errno.ENOSPC, errno.ENOSPC, errno.EAGAIN)
    writer = LogWriter(sink, retry=0.01)
    writer.start()
    for number in range(5):
        writer.put(f"{number}\n")
    while sink.errors:
        sink.entered.clear()
        assert sink.entered.wait(PATIENCE)
    writer.close(PATIENCE)
    assert said(sink) == ["0", "1", "2", "3", "4"]


def test_lines_without_a_reader_are_counted_and_reported_to_the_next_one() -> None:
    sink = Sink(errno.EPIPE, errno.EPIPE)
    writer = LogWriter(sink)
    writer.start()
    for number in range(3):
        sink.entered.clear()
        writer.put(f"{number}\n")
        assert sink.entered.wait(PATIENCE)
        while sink.rest:  # until the thread has given it up
            pass
    writer.put("last\n")
    writer.close(PATIENCE)
    assert said(sink) == ["2", "2 log lines were lost", "last"]


def test_the_thread_reopens_the_file_and_a_failure_is_a_line() -> None:
    sink = Sink()
    sink.says = "cannot open it"
    writer = LogWriter(sink)
    writer.start()
    writer.reopen()
    writer.close(PATIENCE)
    assert sink.reopened == 1
    assert said(sink) == ["cannot open it"]


def test_what_was_logged_before_the_thread_began_is_not_lost() -> None:
    sink = Sink()
    writer = LogWriter(sink)
    writer.put("a\n")
    writer.close()
    writer.close()
    assert sink.written == ["a\n"]
    assert sink.threads == {threading.get_ident()}


def test_a_sink_that_is_stuck_does_not_hold_the_end() -> None:
    sink = Sink()
    sink.open.clear()
    writer = LogWriter(sink)
    writer.start()
    writer.put("a\n")
    assert sink.entered.wait(PATIENCE)
    writer.close(0.01)
    assert sink.written == []
    sink.open.set()
