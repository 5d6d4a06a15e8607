"""Locks by name."""

from twisted.internet.defer import CancelledError, Deferred

from ftpservice.storage.quota.ledgers.path_locks import PathLocks


def acquired(locks, key, order):
    task = Deferred.fromCoroutine(locks.acquire(key))
    task.addCallbacks(lambda _none: order.append(key), lambda failure: failure.trap(CancelledError))
    return task


def test_a_lock_is_given_in_the_order_of_the_calls():
    locks, order = PathLocks(), []
    assert locks.try_acquire("a")
    assert not locks.try_acquire("a")
    assert locks.try_acquire("b")
    acquired(locks, "a", order)
    acquired(locks, "a", order)
    assert order == []
    locks.release("a")
    assert order == ["a"]
    locks.release("a")
    locks.release("a")
    assert order == ["a", "a"]
    assert locks.try_acquire("a")


def test_a_call_that_was_cancelled_is_passed_over():
    locks, order = PathLocks(), []
    locks.try_acquire("a")
    acquired(locks, "a", order).cancel()
    acquired(locks, "a", order)
    locks.release("a")
    assert order == ["a"]
    locks.release("a")
    assert locks.try_acquire("a")
