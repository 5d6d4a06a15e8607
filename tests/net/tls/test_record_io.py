"""Reading, writing and ending TLS on sockets, and what becomes of sessions thereby."""

from __future__ import annotations

import _ssl
import ctypes
import errno
import socket
import ssl
from types import SimpleNamespace

import pytest

from ftpservice.net.tls import record_io
from ftpservice.net.tls.record_io import MAX_RECORD_SIZE, ReadState
from tests.support.loopback import descriptors
from tests.support.tls_endpoints import BOTH, TLS13, client_context, pair, shake

versions = pytest.mark.parametrize("version", BOTH.values(), ids=BOTH)
LARGE = 10_000_000
ERR_LIB_SYS = 2
GONE = (BrokenPipeError, ssl.SSLEOFError)
"""What Python raises when the other end is closed: that depends on its version."""


class Meeting:
    """Both ends of a handshake that is over; the client's is ``peer``."""

    def __init__(self, tls, version=TLS13) -> None:
        self.context = client_context(version)
        self.tls = tls
        self.open: list[socket.socket] = []
        self.own, self.peer = self.another(data=False)
        self.own.send(b"x")
        assert self.peer.recv(1) == b"x"  # and a ticket before it

    def another(self, data=True, session=None) -> tuple[ssl.SSLSocket, ssl.SSLSocket]:
        ours, theirs = pair()
        own = self.tls.wrap(ours, data=data)
        peer = self.context.wrap_socket(
            theirs, do_handshake_on_connect=False, suppress_ragged_eofs=False, session=session
        )
        self.open += [own, peer]
        shake(own, peer)
        return own, peer

    def again(self) -> tuple[ssl.SSLSocket, ssl.SSLSocket]:
        return self.another(session=self.peer.session)


@pytest.fixture
def meet(tls):
    met: list[Meeting] = []

    def made(version=TLS13) -> Meeting:
        met.append(Meeting(tls, version))
        return met[-1]

    yield made
    for one in (end for open_channel in met for end in open_channel.open):
        one.close()


@pytest.fixture
def into():
    return memoryview(bytearray(4 * MAX_RECORD_SIZE))


@versions
def test_what_is_there_is_received_and_more_may_come(meet, into, version):
    meeting = meet(version)
    for piece in (b"one", b"two"):
        meeting.peer.send(piece)
    assert record_io.receive(meeting.own, into) == (6, ReadState.OPEN)
    assert into[:6] == b"onetwo"
    assert record_io.receive(meeting.own, into) == (0, ReadState.OPEN)


@versions
def test_no_record_is_left_half_read(meet, into, version):
    meeting = meet(version)
    for _ in range(5):
        meeting.peer.send(b"x" * (MAX_RECORD_SIZE - 1))
    first, state = record_io.receive(meeting.own, into)
    assert (first, state) == (4 * MAX_RECORD_SIZE - 4, ReadState.OPEN)
    assert record_io.receive(meeting.own, into) == (MAX_RECORD_SIZE - 1, ReadState.OPEN)


@versions
def test_the_ends_are_told_apart(meet, into, version):
    meeting = meet(version)
    for end in (True, False):
        own, peer = meeting.again()
        peer.send(b"all")
        if end:
            with pytest.raises(ssl.SSLWantReadError):
                peer.unwrap()
        peer.close()
        expected = ReadState.ENDED if end else ReadState.TRUNCATED
        assert received(own, into) == (3, expected)


def received(own, into):
    """All to the end; a FIN that comes with a small record is seen the next time only."""
    count, state = record_io.receive(own, into)
    if state is ReadState.OPEN:
        more, state = record_io.receive(own, into)
        count += more
    return count, state


@versions
def test_a_record_that_is_cut_is_no_end(meet, into, version):
    meeting = meet(version)
    meeting.peer.send(b"whole")
    assert record_io.receive(meeting.own, into) == (5, ReadState.OPEN)
    socket.socket.send(meeting.peer, b"\x17\x03\x03\x01\x00half")
    socket.socket.shutdown(meeting.peer, socket.SHUT_WR)
    assert record_io.receive(meeting.own, into) == (0, ReadState.TRUNCATED)


@versions
def test_what_is_no_tls_is_broken(meet, into, version):
    meeting = meet(version)
    socket.socket.send(meeting.peer, b"in clear, and long enough for a header\r\n")
    assert record_io.receive(meeting.own, into) == (0, ReadState.BROKEN)


@versions
def test_an_alert_of_kernel_tls_is_for_openssl(meet, into, version, monkeypatch):
    meeting = meet(version)
    meeting.peer.send(b"all")
    with pytest.raises(ssl.SSLWantReadError):
        meeting.peer.unwrap()

    def looks(*_: object) -> bytes:
        raise OSError(errno.EIO, "a record of another kind")

    monkeypatch.setattr(socket.socket, "recv", looks)
    assert record_io.receive(meeting.own, into) == (3, ReadState.ENDED)


@versions
def test_a_reset_is_broken(meet, into, version, monkeypatch):
    meeting = meet(version)

    def looks(*_: object) -> bytes:
        raise ConnectionResetError

    monkeypatch.setattr(socket.socket, "recv", looks)
    assert record_io.receive(meeting.own, into) == (0, ReadState.BROKEN)


def test_what_is_not_taken_is_sent_again(meet, into):
    meeting = meet()
    data = memoryview(bytes(LARGE))
    assert record_io.send(meeting.own, data) == 0
    while not record_io.send(meeting.own, data):
        record_io.receive(meeting.peer, into)


def test_a_goodbye_may_have_to_wait(meet, into):
    meeting = meet()
    meeting.own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    with pytest.raises(BlockingIOError):
        while True:
            socket.socket.send(meeting.own, b"x")
    assert not record_io.send_close_notify(meeting.own)
    while not record_io.send_close_notify(meeting.own):
        socket.socket.recv(meeting.peer, LARGE)


@versions
def test_a_session_outlives_connections_that_are_dropped(meet, into, version):
    meeting = meet(version)
    before = descriptors()
    for cut in (False, True):
        own, peer = meeting.again()
        assert own.session_reused
        if cut:
            peer.close()
            assert record_io.receive(own, into) == (0, ReadState.TRUNCATED)
        record_io.close_silently(own)
        if not cut:
            assert socket.socket.recv(peer, 100) == b""  # not a word
            peer.close()
    assert descriptors() <= before
    assert meeting.again()[0].session_reused


def test_one_without_a_handshake_is_just_closed(tls):
    ours, theirs = pair()
    with theirs:
        own = tls.wrap(ours, data=True)
        record_io.close_silently(own)
        assert own.fileno() == -1
        assert theirs.recv(1) == b""


def test_without_descriptors_it_is_closed_all_the_same(meet, monkeypatch):
    meeting = meet()

    def none(*_: object) -> None:
        raise OSError(errno.EMFILE, "none left")

    monkeypatch.setattr(socket, "socketpair", none)
    record_io.close_silently(meeting.own)
    assert meeting.own.fileno() == -1


@pytest.mark.parametrize(
    ("wanted", "state"),
    [(ssl.SSLWantReadError, ReadState.OPEN), (ssl.SSLWantWriteError, ReadState.BLOCKED)],
)
def test_a_message_that_must_be_sent_first_is_told(into, monkeypatch, wanted, state):
    class Waiting:
        def read(self, *_words):
            raise wanted

    monkeypatch.setattr(record_io, "_available", lambda _own: 1)
    assert record_io.receive(SimpleNamespace(_sslobj=Waiting()), into) == (0, state)


def fail_to_send(meeting: Meeting) -> None:
    own, peer = meeting.another()
    peer.close()
    with pytest.raises(GONE):
        record_io.send(own, memoryview(b"x"))


def fail_to_end(meeting: Meeting) -> None:
    own, peer = meeting.another()
    peer.close()
    assert record_io.send_close_notify(own)


def fail_to_shake(meeting: Meeting) -> None:
    ours, theirs = pair()
    own = meeting.tls.wrap(ours, data=True)
    meeting.open.append(own)
    peer = meeting.context.wrap_socket(theirs, do_handshake_on_connect=False)
    with pytest.raises(ssl.SSLWantReadError):
        peer.do_handshake()
    peer.close()
    with pytest.raises(GONE):
        record_io.do_handshake(own)


def close_in_silence(meeting: Meeting) -> None:
    own, _peer = meeting.another()
    record_io.close_silently(own)


@pytest.mark.parametrize("fail", [fail_to_send, fail_to_end, fail_to_shake, close_in_silence])
def test_the_error_of_a_connection_is_none_of_others(meet, fail):
    """Python 3.13.5 with OpenSSL 3.5 raised it for them, too, when they had to wait."""
    meeting = meet()
    piece = memoryview(bytes(MAX_RECORD_SIZE))
    while record_io.send(meeting.own, piece):
        pass
    fail(meeting)
    assert record_io.send(meeting.own, piece) == 0


def test_a_forgotten_error_has_left_the_queue_of_the_thread():
    openssl = ctypes.CDLL(_ssl.__file__)
    for function in (openssl.ERR_new, openssl.ERR_set_debug, openssl.ERR_set_error):
        function.restype = None
    openssl.ERR_peek_error.restype = ctypes.c_ulong
    openssl.ERR_new()
    openssl.ERR_set_error(ERR_LIB_SYS, errno.ECONNRESET, None)
    assert openssl.ERR_peek_error() != 0
    record_io.forget_error(ConnectionResetError(errno.ECONNRESET, "as from a socket"))
    assert openssl.ERR_peek_error() == 0
