"""Workers that outlive the program of their main process; processes are made by hand."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from ftpservice.events import SessionOpened
from ftpservice.workers.channel import Channel
from ftpservice.workers.event_codec import encode_event
from ftpservice.workers.supervisor import MAX_DELAY_SECONDS
from ftpservice.workers.worker import STOP_SECONDS
from ftpservice.workers.worker_handover import (
    MARK_SECONDS,
    MAX_REAPS,
    REAP_SECONDS,
    SETTLE_SECONDS,
    WorkerHandover,
    adopt_worker,
    retire_workers,
    retired_workers,
)
from tests.workers.test_supervisor import Child, Setting, logged, setting

__all__ = ["logged", "setting"]


def begun(setting: Setting) -> list[Any]:
    """Begin to hand over the workers; return the list that gets what is handed over."""
    found: list[Any] = []
    taking = WorkerHandover(setting.supervisor, setting.clock)
    setting.supervisor.handlers = lambda worker: {}
    for worker in setting.supervisor.workers:
        assert worker.channel is not None
        handlers: Any = worker.channel._handlers
        handlers["marked"] = partial(taking.marked, worker)
    taking.begin().addCallback(found.extend)
    return found


def handed_over(setting: Setting) -> list[Any]:
    """Return what the supervisor hands over."""
    found = begun(setting)
    for child in setting.children:
        if child.sent[-1] == ("mark",):
            child.say("marked")
    setting.clock.advance(SETTLE_SECONDS)
    return found


def opened(number: int) -> SessionOpened:
    return SessionOpened(1.0, number, "192.0.2.1", "", "ftp")


def test_workers_and_their_sessions_are_handed_over(setting: Setting) -> None:
    setting.serving()
    first, second = setting.children
    first.fileno = lambda: 7  # type: ignore[method-assign]
    first.say("events", [encode_event(opened(2))])
    handed = handed_over(setting)
    assert [one["process"] for one in handed] == [first.pid, second.pid]
    assert [one["column"] for one in handed] == [1, 2]
    assert [one["count"] for one in handed] == [1, 0]
    assert handed[0]["channel"] == 7
    assert [len(one["sessions"]) for one in handed] == [1, 0]
    first.say("events", [encode_event(opened(4))])
    assert setting.published == [opened(2)]


def test_a_worker_that_hangs_or_starts_is_not_handed_over(setting: Setting) -> None:
    setting.serving()
    found = begun(setting)
    first, second = setting.children
    first.say("marked")
    assert found == []
    setting.clock.advance(MARK_SECONDS)
    assert second.is_killed
    assert found == []  # the next program would not learn of its end
    setting.clock.advance(REAP_SECONDS)
    assert [one["process"] for one in found] == [first.pid]
    setting.clock.advance(MAX_DELAY_SECONDS)
    assert len(setting.children) == 2


def test_a_worker_that_tells_too_late_that_it_has_all_is_not_handed_over(setting: Setting) -> None:
    setting.serving()
    found = begun(setting)
    first, second = setting.children
    first.say("marked")
    second.kill = bool  # type: ignore[assignment]  # its end takes a moment
    setting.clock.advance(MARK_SECONDS)
    second.say("marked")
    setting.clock.pump([REAP_SECONDS] * MAX_REAPS)
    assert [one["process"] for one in found] == [first.pid]


@pytest.mark.parametrize("hangs", [False, True])
def test_the_next_program_goes_on_with_a_worker_and_does_not_replace_it(
    setting: Setting, monkeypatch: pytest.MonkeyPatch, hangs: bool
) -> None:
    """One that hangs is ended."""
    monkeypatch.setattr("ftpservice.workers.worker.socket.socket", lambda fileno: children[fileno])
    child = Child(50, bool)
    children = {9: child}
    sessions = [encode_event(opened(2))]
    more = Channel({}, bool).frame("events", [encode_event(opened(4))])
    values = {"process": 50, "column": 3, "channel": 9, "count": 1}

    def watch(pid: int, ended: Callable[[int], object]) -> Child:
        assert pid == 50
        child.ended = ended
        return child

    handed = values | {"unread": more, "sessions": sessions}
    assert adopt_worker(setting.supervisor, handed, watch) == [opened(2)]
    assert setting.published == [opened(4)]
    assert set(setting.sessions) == {2, 4}
    setting.serving()
    retire_workers(setting.supervisor, 60.0)
    assert child.sent[-1] == ("retire", 60.0)
    assert all(one.sent[-1] != ("retire", 60.0) for one in setting.children)
    setting.clock.advance(60.0 + STOP_SECONDS - 1)
    assert not child.is_killed
    if hangs:
        setting.clock.advance(1)
        assert child.is_killed
    else:
        child.end(0)
    setting.clock.advance(MAX_DELAY_SECONDS)
    assert len(setting.children) == 2
    assert retired_workers(setting.supervisor) == []
    assert setting.sessions == {}


def test_a_worker_that_cannot_be_used_is_not_waited_for_at_a_stop(setting: Setting) -> None:
    def watch(_pid: int, _ended: Callable[[int], object]) -> Child:
        raise OSError("no descriptor is left")

    ours, theirs = socket.socketpair()
    handed = {"process": 50, "column": 3, "channel": ours.detach(), "count": 0}
    with theirs:
        with pytest.raises(OSError, match="no descriptor is left"):
            adopt_worker(setting.supervisor, handed | {"unread": b"", "sessions": []}, watch)
        assert theirs.recv(1) == b""  # so it ends alone
    assert setting.supervisor.workers == []
    stopped: list[Any] = []
    setting.supervisor.stop().addCallback(stopped.append)
    assert stopped == [None]
