"""A socket that threads read from, and that is closed under nobody's hands."""

import contextlib
import socket
import threading

import pytest

from ftpservice.net.tls.socket_lease import LeaseEnded, SocketLease


@pytest.fixture
def own():
    ends = socket.socketpair()
    yield ends[0]
    for end in ends:
        end.close()


@pytest.fixture
def closed():
    return []


@pytest.fixture
def close(closed):
    return lambda: closed.append(threading.current_thread())


def test_a_turn_has_the_socket_and_its_outcome_is_returned(own):
    loan = SocketLease(own)
    assert loan.turn(lambda lent: (lent, 1)) == (own, 1)
    assert not loan.is_free


def test_a_turn_that_fails_is_over(own):
    loan = SocketLease(own)
    with pytest.raises(ZeroDivisionError):
        loan.turn(lambda lent: 1 / 0)
    assert loan.turn(lambda lent: 1) == 1


def test_when_it_is_called_back_there_are_no_more_turns(own):
    loan = SocketLease(own)
    loan.revoke()
    assert loan.is_free
    with pytest.raises(LeaseEnded):
        loan.turn(lambda lent: 1)


def test_closing_between_turns_is_done_at_once(own, close, closed):
    loan = SocketLease(own)
    loan.turn(lambda lent: 1)
    loan.close(close)
    assert closed == [threading.current_thread()]
    with pytest.raises(LeaseEnded):
        loan.turn(lambda lent: 1)
    assert len(closed) == 1


def test_closing_waits_for_the_turn_and_ends_what_it_waits_for(own, close, closed):
    loan = SocketLease(own)
    begun, recalled = threading.Event(), threading.Event()
    read = []

    def work(lent):
        begun.set()
        read.append(lent.recv(1))
        recalled.wait()
        read.extend(closed)

    thread = threading.Thread(target=loan.turn, args=(work,))
    thread.start()
    begun.wait()
    assert not loan.is_free
    loan.close(close)
    recalled.set()
    thread.join()
    assert read == [b""]
    assert closed == [thread]
    assert loan.is_free


def test_many_turns_and_one_closing_close_once(own, close, closed):
    for _ in range(200):
        closed.clear()
        loan = SocketLease(own)
        threads = [threading.Thread(target=_turn, args=(loan,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        loan.close(close)
        for thread in threads:
            thread.join()
        assert len(closed) == 1


def _turn(loan):
    with contextlib.suppress(LeaseEnded):
        loan.turn(lambda lent: None)
