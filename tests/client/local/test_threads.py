"""Blocking calls of the client: in threads of their own, undone when nobody waits, to the end."""

import threading

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorThreads
from twisted.internet.task import Clock
from zope.interface import implementer

from ftpservice_client.errors import LocalFileError
from ftpservice_client.local.threads import thread_pool_of


@implementer(IReactorThreads)
class StoppedReactor(Clock):
    """One with threads, that stops."""

    def __init__(self):
        super().__init__()
        self.triggers = []

    def addSystemEventTrigger(self, phase, event, trigger):
        self.triggers.append((phase, event, trigger))

    def callFromThread(self, function, *args):
        self.callLater(0, function, *args)


@pytest_twisted.ensureDeferred
async def test_a_call_is_made_in_a_thread():
    found = await thread_pool_of(reactor).run(threading.current_thread)
    assert found is not threading.current_thread()


@pytest_twisted.ensureDeferred
async def test_what_it_raises_is_raised():
    with pytest.raises(ZeroDivisionError):
        await thread_pool_of(reactor).run(lambda: 1 // 0)


@pytest_twisted.ensureDeferred
async def test_what_was_begun_and_nobody_waits_for_is_undone():
    begun, may_end, undone = threading.Event(), threading.Event(), Deferred()

    def work():
        begun.set()
        may_end.wait()
        return "opened"

    def undo(result):
        reactor.callFromThread(undone.callback, result)

    waiting = thread_pool_of(reactor).run(work, dispose=undo)
    await thread_pool_of(reactor).run(begun.wait)
    waiting.cancel()
    with pytest.raises(CancelledError):
        await waiting
    may_end.set()
    assert await undone == "opened"


def test_a_reactor_without_threads_has_them_called_at_once():
    called = thread_pool_of(Clock()).run(threading.current_thread)
    assert called.result is threading.current_thread()


def test_when_the_reactor_has_stopped_nothing_is_begun():
    clock = StoppedReactor()
    threads = thread_pool_of(clock)
    ((phase, event, stop),) = clock.triggers
    assert (phase, event) == ("before", "shutdown")
    stop()
    failed = []
    threads.run(failed.append, 1).addErrback(failed.append)
    assert failed[0].check(LocalFileError)


def test_all_clients_of_a_reactor_share_its_threads():
    clock = StoppedReactor()
    thread_pool_of(clock)
    thread_pool_of(clock)
    assert len(clock.triggers) == 1
