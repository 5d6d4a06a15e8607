"""Refusals that come too fast are counted, not written one by one."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock

from ftpservice.activity.event_log import EventLog
from ftpservice.activity.log_throttle import MAX_LINES_PER_SESSION, MAX_LINES_TOTAL, MAX_SUMMARIES
from ftpservice.events import CommandRefused, LoggedIn


class Bench:
    """Lines, written to a list."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.written: list[str] = []
        self.lines = EventLog(self.clock, self._write)

    def _write(self, line: str, _event: Any, _level: Any) -> None:
        self.written.append(line)

    def refuse(self, session: int, times: int) -> None:
        """Refuse a command so many times in an instant."""
        for _ in range(times):
            self.lines(CommandRefused(1.0, session, "192.0.2.1", "ann", "SIZE", "/x", 550, "No."))

    def taken(self) -> list[str]:
        """Let two seconds pass, and take the lines."""
        self.clock.pump([0.1] * 20)
        lines, self.written = self.written, []
        return lines


def test_a_session_has_so_many_lines_in_a_second_and_one_that_counts_the_rest() -> None:
    bench = Bench()
    bench.refuse(7, MAX_LINES_PER_SESSION + 480)
    bench.refuse(8, 1)
    lines = bench.taken()
    assert len(lines) == MAX_LINES_PER_SESSION + 2
    assert lines[-1] == "- ann@192.0.2.1 [7]: 480 more refusals within a second"
    assert bench.clock.getDelayedCalls() == []


def test_the_next_second_has_its_own() -> None:
    bench = Bench()
    bench.refuse(7, MAX_LINES_PER_SESSION)
    assert len(bench.taken()) == MAX_LINES_PER_SESSION
    bench.refuse(7, MAX_LINES_PER_SESSION)
    assert len(bench.taken()) == MAX_LINES_PER_SESSION


def test_many_sessions_together_are_bounded_too() -> None:
    bench = Bench()
    for session in range(1, 1001):
        bench.refuse(session, 2)
    lines = bench.taken()
    assert len(lines) == MAX_LINES_TOTAL + MAX_SUMMARIES + 1
    others = 2000 - MAX_LINES_TOTAL - 2 * MAX_SUMMARIES
    assert lines[-1] == f"- {others} more refusals of other sessions within a second"


def test_what_goes_well_is_never_left_out() -> None:
    bench = Bench()
    for _ in range(MAX_LINES_TOTAL + 100):
        bench.lines(LoggedIn(1.0, 7, "192.0.2.1", "ann"))
    assert len(bench.taken()) == MAX_LINES_TOTAL + 100


def test_at_the_end_the_counts_are_written_at_once() -> None:
    bench = Bench()
    bench.refuse(7, MAX_LINES_PER_SESSION + 1)
    bench.lines.flush()
    assert bench.written[-1] == "- ann@192.0.2.1 [7]: 1 more refusal within a second"
    assert bench.clock.getDelayedCalls() == []
