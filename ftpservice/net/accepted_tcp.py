"""Accepted connections: how control connections are accepted, and the plaintext transports.

Sockets inherit the options of the listening socket that accepted them, so those are set once
(Linux; tcp(7), socket(7)).
"""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet import main
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IDelayedCall, IProtocol
from twisted.internet.tcp import Port
from twisted.logger import Logger

from ftpservice.net.descriptor_reserve import DescriptorReserve
from ftpservice.net.interfaces import StreamProtocol
from ftpservice.net.tcp import OnDemandTransport, twisted_address

__all__ = [
    "OF_ONE_CONNECTION",
    "AcceptLoop",
    "AcceptedControlTransport",
    "AcceptedTransport",
    "set_accepted_transport",
]

log = Logger("ftpservice")

MAX_READ_SIZE = 256 * 1024
"""Bytes per ``recv`` once a read has filled the smaller first buffer."""


class AcceptedTransport(OnDemandTransport):
    """A plaintext data connection; with the last bytes of a small file it finds the FIN too."""

    has_socket_options = True
    logstr = "data connection"
    protocol: StreamProtocol  # type: ignore[assignment]  # a `StreamConnection`

    def __init__(
        self, own: socket.socket, protocol: IProtocol, peer: tuple[Any, ...], reactor: Any
    ) -> None:
        super().__init__(own, protocol, reactor)
        self._peer = peer

    def _dataReceived(self, data: bytes | None) -> Any:
        if not data:
            self.has_read_fin = True
            return main.CONNECTION_DONE
        end = None
        if len(data) == self.bufferSize:
            self.bufferSize = MAX_READ_SIZE
        elif self.bufferSize != MAX_READ_SIZE:
            end = self._peek_end()
        if end is None:
            self.protocol.dataReceived(data)
        else:
            self.protocol.last_data_received(data)
        return end

    def _peek_end(self) -> ConnectionDone | ConnectionLost | None:
        """Return how the connection ended, if it has.

        An error here is an RST, which the kernel reports once.
        """
        try:
            if self.socket.recv(1, socket.MSG_PEEK):
                return None
        except BlockingIOError:
            return None
        except OSError:
            return main.CONNECTION_LOST
        self.has_read_fin = True
        return main.CONNECTION_DONE

    def getPeer(self) -> IPv4Address | IPv6Address:
        """Return the address of the far end."""
        return twisted_address(self._peer)

    def getHost(self) -> IPv4Address | IPv6Address:
        """Return the address of our end."""
        return twisted_address(self.socket.getsockname())


class AcceptedControlTransport(OnDemandTransport):
    """A plaintext control connection, as a Twisted `Port` makes it for a client."""

    has_socket_options = True
    logstr = "ftp"

    def __init__(
        self,
        own: socket.socket,
        protocol: IProtocol,
        peer: tuple[Any, ...],
        _port: Port,
        _number: int,
        reactor: Any,
    ) -> None:
        super().__init__(own, protocol, reactor)
        self._peer = peer
        self.watch(True, False)

    getPeer = AcceptedTransport.getPeer
    getHost = AcceptedTransport.getHost

    def hosts(self) -> tuple[str, str]:
        """Return the IP addresses of the peer and of our end."""
        return self._peer[0], self.socket.getsockname()[0]


def set_accepted_transport(port: object) -> None:
    """Make the control connections of a TCP port `AcceptedControlTransport`; not of other ports.

    TCP_NODELAY is for small replies. ABOR is sent as urgent data (RFC 959 §4.1.3): without
    SO_OOBINLINE the kernel would take the urgent byte out of the stream, and with it the end of
    the line.
    """
    if type(port) is Port:
        port.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        port.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        port.socket.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
        port.transport = AcceptedControlTransport  # type: ignore[assignment]  # it is called only


BACKLOG = 4096
"""Connections that wait in the kernel. Of a burst it drops what it has no place for (Twisted has
places for 50), and those clients try again only seconds later."""
MAX_ACCEPTS = 100
"""Connections that are accepted, or refused, before the reactor turns to other events."""
PAUSE_SECONDS = 0.1
"""Seconds until connections are accepted again, after there was nothing to refuse them with."""
YIELD_SECONDS = 0.003
"""Seconds for which connections are left to processes with fewer sessions."""
MAX_DRAINED_BYTES = 64 * 1024
OF_ONE_CONNECTION = frozenset(
    (
        errno.ECONNABORTED,
        errno.EPERM,  # by a firewall
        errno.EPROTO,
        errno.ENOPROTOOPT,
        errno.EOPNOTSUPP,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENONET,
    )
)
"""Errors of `accept` that concern a connection and not the port (accept(2))."""


class AcceptLoop:
    """Accepts the connections of a port, in place of Twisted's `Port.doRead`.

    - Connections for which there are no resources (descriptors, memory of the kernel) are accepted
      with the descriptor in ``reserve``, get the bytes that ``refusal`` returns for their peer and
      the error, and are closed. Twisted closes them without an answer and logs each.
    - Where even that fails, because a thread has taken the descriptor, they wait in the kernel and
      the port is not watched for `PAUSE_SECONDS`. Twisted's reactor would call again at once.
    """

    def __init__(
        self,
        port: Port,
        reserve: DescriptorReserve,
        refusal: Callable[[Any, OSError], bytes],
    ) -> None:
        self._port: Any = port
        self._reserve = reserve
        self._refusal = refusal
        self._most = 1
        self._accepted = 0
        """How many connections were accepted the last time."""
        self.refuses_early = False
        """Whether `answer_early` is asked about each connection."""
        self.answer_early: Callable[[Any], bytes | None] = _answer_none
        """Returns what a peer gets that is refused before there is a session, or None."""
        self.leaves_exhausted: Callable[[OSError], bool] = _leave_none
        """Returns whether those for which there are no resources are left to other processes."""
        self.last_descriptor = sys.maxsize
        """Beyond it `near_limit` is called: the process may open few more."""
        self.near_limit: Callable[[], object] = bool
        self._leaves_to_others: Callable[[bool], bool] = bool
        self._has_left = False
        """Whether a connection was left to others; if they are busy, it is accepted later."""
        self._resuming: IDelayedCall | None = None
        reserve.hold()
        if port.backlog == Port.backlog:  # none was given
            port.socket.listen(BACKLOG)
        port.doRead = self.accept  # type: ignore[method-assign]

    def share(self, leaves_to_others: Callable[[bool], bool]) -> None:
        """Leave connections to others for a moment where ``leaves_to_others`` says so.

        Other processes accept on the same socket. Its argument is whether the connection was left
        to them already, and is still there: they are busy.
        """
        self._leaves_to_others = leaves_to_others
        self._port.doRead = self._accept_or_leave

    def _accept_or_leave(self) -> None:
        has_left, self._has_left = self._has_left, False
        most = 1 if has_left else MAX_ACCEPTS
        for number in range(most):
            if self._leaves_to_others(has_left):
                if not number:
                    self._has_left = True
                    self._pause(YIELD_SECONDS)
                return
            self._most = 1
            self.accept()
            if not self._accepted:
                return

    def look_again(self) -> None:
        """Accept again what was left to others, if this process has no more than they have now."""
        if self._has_left and self._resuming is not None and not self._leaves_to_others(False):
            self._has_left = False
            self.stop()
            self._resume()

    def stop(self) -> None:
        """Do not watch the port again."""
        resuming, self._resuming = self._resuming, None
        if resuming is not None:
            resuming.cancel()

    def accept(self) -> None:
        """Accept the connections that wait, about as many as the last time."""
        accept = self._port.socket._accept  # of `accept`, only this is needed
        count, most = 0, self._most
        while count < most:
            try:
                descriptor, peer = accept()
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno not in OF_ONE_CONNECTION:
                    self._refuse_waiting(error)
                    break
            else:
                answer = self.answer_early(peer) if self.refuses_early else None
                if answer is None:
                    self._begin(descriptor, peer)
                else:
                    _answer_and_close(descriptor, answer)
            count += 1
        self._accepted = count
        self._most = max(1, count) if count < most else min(2 * most, MAX_ACCEPTS)

    def _begin(self, descriptor: int, peer: Any) -> None:
        """Make the session of a connection; an error ends only that connection."""
        port = self._port
        listening: socket.socket = port.socket
        family = super(socket.socket, listening).family  # without the enumeration of `socket`
        accepted = socket.socket(family, socket.SOCK_STREAM, 0, descriptor)
        discard = accepted.close
        if descriptor > self.last_descriptor:
            self.near_limit()
        try:
            if family == socket.AF_INET6 and peer[3]:  # link-local: its name has the interface
                numbers = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
                peer = (socket.getnameinfo(peer, numbers)[0], *peer[1:])
            protocol = port.factory.buildProtocol(port._buildAddr(peer))
            if protocol is None:
                discard()
                return
            number, port.sessionno = port.sessionno, port.sessionno + 1
            transport = port.transport(accepted, protocol, peer, port, number, port.reactor)
            discard = transport.abortConnection
            protocol.makeConnection(transport)
        except Exception:  # noqa: BLE001 - the port continues whatever fails
            log.failure("a connection could not be begun")
            discard()

    def _refuse_waiting(self, error: OSError) -> None:
        """Answer and close the connections that wait, with the descriptor in reserve."""
        if self.leaves_exhausted(error):
            self._pause()
            return
        is_exhausted = True
        if self._reserve.release():
            accept = self._port.socket._accept
            for _ in range(MAX_ACCEPTS):
                try:
                    descriptor, peer = accept()
                except OSError as problem:
                    is_exhausted = not isinstance(problem, BlockingIOError)
                    break
                _answer_and_close(descriptor, self._refusal(peer, error))
            else:
                is_exhausted = False
        if not self._reserve.hold() or is_exhausted:
            self._pause()

    def _pause(self, seconds: float = PAUSE_SECONDS) -> None:
        self._port.stopReading()
        if self._resuming is None:
            self._resuming = self._port.reactor.callLater(seconds, self._resume)

    def _resume(self) -> None:
        self._resuming = None
        self._reserve.hold()
        port = self._port
        if port.connected and not port.disconnecting:
            port.startReading()


def _answer_none(_peer: Any) -> None:
    """Refuse nobody early."""


def _leave_none(_error: OSError) -> bool:
    """Refuse what cannot be accepted."""
    return False


def _answer_and_close(descriptor: int, answer: bytes) -> None:
    """Send what the kernel takes at once, then close; unread bytes would make that an RST."""
    with socket.socket(fileno=descriptor) as own, suppress(OSError):
        own.setblocking(False)
        own.send(answer)
        own.shutdown(socket.SHUT_WR)
        own.recv(MAX_DRAINED_BYTES)
