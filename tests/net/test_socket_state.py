import socket

from twisted.internet.interfaces import ISystemHandle
from zope.interface import implementer

from ftpservice.net.socket_state import bytes_acked, bytes_unacked, has_socket_error, is_established
from tests.support.loopback import send_rst


@implementer(ISystemHandle)
class Handle:
    """A transport over something."""

    def __init__(self, handle):
        self._handle = handle

    def getHandle(self):
        return self._handle


@implementer(ISystemHandle)
class Closed:
    """Behaves as Twisted's transports do once they are closed."""

    def getHandle(self):
        raise AttributeError("socket")


def pair():
    """Return two ends of a TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        theirs, _ = server.accept()
    return ours, theirs


def test_it_knows_what_the_peer_has_taken():
    ours, theirs = pair()
    with ours, theirs:
        before = bytes_acked(Handle(ours))
        ours.sendall(b"x" * 1000)
        theirs.recv(1000, socket.MSG_WAITALL)
        assert bytes_acked(Handle(ours)) - before == 1000
        assert bytes_unacked(Handle(ours)) == 0


def test_it_knows_what_the_peer_has_not_taken():
    ours, theirs = pair()
    with ours, theirs:
        ours.setblocking(False)
        sent = 0
        try:
            while True:
                sent += ours.send(b"x" * 65536)
        except BlockingIOError:
            pass
        before = bytes_acked(Handle(ours))
        assert 0 < before < sent + 2
        assert bytes_unacked(Handle(ours)) > 0


def test_it_tells_once_that_the_connection_broke():
    ours, theirs = pair()
    with ours:
        assert not has_socket_error(Handle(ours))
        send_rst(theirs)
        assert has_socket_error(Handle(ours))
        assert not has_socket_error(Handle(ours))


def test_it_knows_nothing_of_what_is_no_socket_or_closed():
    ours, theirs = pair()
    ours.close()
    theirs.close()
    for transport in (object(), Handle(None), Handle(ours), Closed()):
        assert bytes_acked(transport) == 0
        assert bytes_unacked(transport) == 0
        assert not has_socket_error(transport)


def test_it_knows_nothing_of_other_kinds_of_socket():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert bytes_acked(Handle(ours)) == 0
    with socket.create_server(("127.0.0.1", 0)) as listening:
        assert bytes_unacked(Handle(listening)) == 0


def test_it_knows_whether_the_peer_has_ended_the_connection():
    for ends in (lambda theirs: theirs.shutdown(socket.SHUT_WR), send_rst):
        ours, theirs = pair()
        with ours, theirs:
            theirs.sendall(b"unread")
            assert is_established(Handle(ours))
            ends(theirs)
            assert not is_established(Handle(ours))
    assert is_established(object())
