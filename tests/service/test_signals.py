from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.internet.error import ReactorNotRunning

from ftpservice.service import signals as ending


class Reactor:
    """Stands in for one that runs: calls from threads are kept until asked for."""

    def __init__(self) -> None:
        self.calls: list[tuple[Callable[..., object], tuple[Any, ...]]] = []
        self.stops = 0

    def callFromThread(self, call: Callable[..., object], *arguments: Any) -> None:
        self.calls.append((call, arguments))

    callWhenRunning = callFromThread

    def turn(self) -> None:
        calls, self.calls = self.calls, []
        for call, arguments in calls:
            call(*arguments)

    def stop(self) -> None:
        if self.stops:
            raise ReactorNotRunning
        self.stops += 1


@pytest.fixture
def kept() -> Iterator[None]:
    """Give the signals back to whoever had them."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, owner in before.items():
        signal.signal(number, owner)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_reactor_and_a_second_one_hurries_it(number: int, kept: None) -> None:
    reactor = Reactor()
    hurried: list[int] = []
    ending.stop_on_signals(reactor, lambda: hurried.append(reactor.stops))
    signal.raise_signal(number)
    assert reactor.stops == 0, "not in the midst of whatever runs"
    reactor.turn()
    assert (reactor.stops, hurried) == (1, [])
    signal.raise_signal(number)
    assert hurried == []
    reactor.turn()
    assert (reactor.stops, hurried) == (1, [1])


def test_both_signals_count_together_and_a_third_ends_the_process(
    kept: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    reactor = Reactor()
    hurried: list[int] = []
    ending.stop_on_signals(reactor, lambda: hurried.append(reactor.stops))
    signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGTERM)
    reactor.turn()
    assert (reactor.stops, hurried) == (1, [1])
    raised: list[tuple[int, object]] = []
    monkeypatch.setattr(
        ending.signal, "raise_signal", lambda one: raised.append((one, signal.getsignal(one)))
    )
    os.kill(os.getpid(), signal.SIGTERM)
    assert raised == [(signal.SIGTERM, signal.SIG_DFL)]


def test_giving_up_stops_the_reactor_and_ends_with_status_1(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    last: list[tuple[Callable[..., None], Any]] = []
    statuses: list[int] = []
    monkeypatch.setattr(ending.atexit, "register", lambda *one: last.append(one))
    monkeypatch.setattr(ending.os, "_exit", statuses.append)
    monkeypatch.setattr("sys.__stdout__", None)
    reactor = Reactor()
    flushed: list[list[int]] = []
    ending.exit_with_failure(reactor, lambda: flushed.append([*statuses]))
    reactor.turn()
    assert reactor.stops == 1
    [(end, flush)] = last
    end(flush)
    assert (flushed, statuses) == ([[]], [1])


def test_sigusr1_reopens_the_log_unless_it_has_a_handler() -> None:
    before = signal.getsignal(signal.SIGUSR1)
    reactor, asked = Reactor(), list[int]()
    try:
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
        ending.reopen_on_sigusr1(reactor, [lambda: asked.append(1), lambda: asked.append(3)])
        ending.reopen_on_sigusr1(reactor, [lambda: asked.append(2)])
        signal.raise_signal(signal.SIGUSR1)
        assert asked == []
        reactor.turn()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert asked == [1, 3]


def test_a_hangup_has_files_read_and_ends_nothing() -> None:
    before = signal.getsignal(signal.SIGHUP)
    reactor, read = Reactor(), list[int]()
    try:
        ending.reload_on_sighup(reactor, lambda: read.append(1))
        for _ in range(3):
            signal.raise_signal(signal.SIGHUP)
        assert read == []
        reactor.turn()
    finally:
        signal.signal(signal.SIGHUP, before)
    assert read == [1, 1, 1]
    assert reactor.stops == 0
