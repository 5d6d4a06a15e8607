from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError, Deferred

from ftpservice_client.console.session.interrupt import Interrupt
from tests.support.shell_session import ended, failed


async def waiting(on: Deferred[int]) -> int:
    return await on


def test_what_runs_is_cancelled_and_cleans_up_first() -> None:
    interrupt = Interrupt()
    cleaned: Deferred[None] = Deferred()

    async def work() -> None:
        try:
            await Deferred()
        finally:
            await cleaned

    running = Deferred.fromCoroutine(interrupt.run(work()))
    interrupt()
    assert not running.called
    cleaned.callback(None)
    assert isinstance(failed(running), CancelledError)


def test_with_nothing_to_stop_nothing_is_stopped() -> None:
    interrupt = Interrupt()
    interrupt()
    on: Deferred[int] = Deferred()
    running = Deferred.fromCoroutine(interrupt.run(waiting(on)))
    on.callback(7)
    assert ended(running) == 7
    interrupt()


def test_it_can_be_deaf() -> None:
    interrupt = Interrupt()
    on: Deferred[int] = Deferred()
    running = Deferred.fromCoroutine(interrupt.run(waiting(on)))
    interrupt.is_suspended = True
    interrupt()
    assert not running.called
    interrupt.is_suspended = False
    interrupt()
    with pytest.raises(CancelledError):
        ended(running)
