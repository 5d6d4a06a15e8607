"""Calls that hang are abandoned, and only so many of them."""

from threading import Event

import pytest

from ftpservice.accounts.account_store import StoreUnavailable
from ftpservice.accounts.external import bounded_calls
from ftpservice.accounts.external.bounded_calls import BoundedCalls


def test_the_result_and_the_error_are_those_of_the_call():
    calls = BoundedCalls("place", 1, 5.0)
    assert calls.call(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        calls.call(lambda: 1 // 0)
    assert calls.call(lambda: 8) == 8


def test_a_thread_that_cannot_start_takes_no_place(monkeypatch):
    calls = BoundedCalls("place", 1, 0.05)
    with monkeypatch.context() as limited:
        limited.setattr(bounded_calls.Thread, "start", lambda _thread: fail())
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="place: can't start new thread"):
                calls.call(lambda: 7)
    assert BoundedCalls("place", 1, 5.0).call(lambda: 7) == 7


def fail():
    raise RuntimeError("can't start new thread")


def test_calls_that_hang_are_abandoned_and_take_a_place_until_they_end():
    calls, ending, ended = BoundedCalls("place", 1, 0.05), Event(), Event()

    def hang():
        ending.wait()
        ended.set()

    with pytest.raises(StoreUnavailable, match=r"place: no answer in 0\.05 s"):
        calls.call(hang)
    with pytest.raises(StoreUnavailable, match="place: 1 calls do not end"):
        calls.call(lambda: 7)
    ending.set()
    ended.wait()
    calls = BoundedCalls("place", 1, 5.0)
    assert calls.call(lambda: 7) == 7
