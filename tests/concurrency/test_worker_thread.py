"""A second thread for one that has two things to do at a time."""

import threading

import pytest

from ftpservice.concurrency.worker_thread import WorkerThread

PATIENCE = 30


def test_what_is_begun_is_done_in_another_thread_meanwhile():
    beside, going, done = WorkerThread(), threading.Event(), []

    def work():
        assert going.wait(PATIENCE)
        done.append(threading.get_ident())

    beside.begin(work)
    assert done == []
    going.set()
    beside.end()
    [thread] = done
    assert thread != threading.get_ident()


def test_what_it_raises_is_raised_once_at_the_end():
    beside = WorkerThread()
    beside.begin(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        beside.end()
    beside.end()
    beside.begin(int)
    beside.end()


def test_its_thread_ends_with_it():
    beside, threads = WorkerThread(), []
    beside.begin(lambda: threads.append(threading.current_thread()))
    beside.end()
    [thread] = threads
    assert thread.is_alive()
    del beside
    thread.join(PATIENCE)
    assert not thread.is_alive()
