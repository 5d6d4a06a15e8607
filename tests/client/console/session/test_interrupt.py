from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError, Deferred

from ftpservice_client.console.session.interrupt import Interrupt
from tests.support.shell_session import error_of, result_of


async def waiting(on: Deferred[int]) -> int:
    return await on


def test_an_interrupt_cancels_and_waits_for_cleanup() -> None:
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
    assert isinstance(error_of(running), CancelledError)


def test_an_interrupt_without_work_does_nothing() -> None:
    interrupt = Interrupt()
    interrupt()
    on: Deferred[int] = Deferred()
    running = Deferred.fromCoroutine(interrupt.run(waiting(on)))
    on.callback(7)
    assert result_of(running) == 7
    interrupt()


def test_a_suspended_interrupt_is_ignored() -> None:
    interrupt = Interrupt()
    on: Deferred[int] = Deferred()
    running = Deferred.fromCoroutine(interrupt.run(waiting(on)))
    interrupt.is_suspended = True
    interrupt()
    assert not running.called
    interrupt.is_suspended = False
    interrupt()
    with pytest.raises(CancelledError):
        result_of(running)
