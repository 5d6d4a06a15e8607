"""The control socket: a UNIX socket on which the ``ftpservice`` command steers the running service.

A request is one line, a JSON object with ``command`` and its parameters; the answer is one line, an
object with ``ok`` and the result or ``error``. Only the user of the service and root can connect
(mode 0600). Requests are small, so a connection that has not sent one after ten seconds is closed.
Requests of one connection are carried out one after the other. An answer may be followed by events,
a line each, until the client closes the connection; a client that does not read them is cut.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import stat
import struct
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, cast

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IListeningPort, IPushProducer
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.protocols.basic import LineReceiver
from twisted.protocols.policies import TimeoutMixin
from twisted.python.failure import Failure
from zope.interface import implementer

from ftpservice.activity.admin_actions import REQUESTED_BY, BadRequest
from ftpservice.activity.event_feed import Feed
from ftpservice.linux import short_socket_path
from ftpservice.net.inherited_ports import InheritedEndpoint, InheritedUNIXPort
from ftpservice.service.settings.directories import NO_CHANGE, Owner, give_to, require_place
from ftpservice.service.settings.errors import CannotStart, error_text

__all__ = ["BadRequest", "ControlSocket", "check_socket_path"]

log = Logger("ftpservice")

MAX_REQUEST_BYTES = 64 * 1024
REQUEST_SECONDS = 10
SOCKET_MODE = 0o600
MAX_CONNECTIONS = 20
MAX_FOLLOWERS = 10
MAX_WAITING_EVENTS = 1000
"""Events that wait for a client beside what the socket takes."""
TOO_SLOW = b'{"error": "cut: events came faster than they were read"}\n'
PEER_CREDENTIALS = struct.Struct("3i")
"""``struct ucred``: process, user, group (unix(7))."""

Action = Callable[[Mapping[str, Any]], Any]
"""Does what a request says; returns a JSON value, or a Deferred of one. Raises `BadRequest`."""


@implementer(IPushProducer)
class FollowedEvents:
    """Writes events to a connection as they come; ``cut`` is called if it does not take them."""

    def __init__(self, transport: Any, feed: Feed, cut: Callable[[], object]) -> None:
        self._transport = transport
        self._feed = feed
        self._cut = cut
        self._is_paused = False
        self._waiting: deque[bytes] = deque()
        transport.registerProducer(self, True)
        feed.start(self._send)

    def _send(self, event: Mapping[str, Any]) -> None:
        line = json.dumps(event).encode() + b"\n"
        if not self._is_paused:
            self._transport.write(line)
        elif len(self._waiting) < MAX_WAITING_EVENTS:
            self._waiting.append(line)
        else:
            self._feed.stop()
            self._waiting.clear()
            self._transport.unregisterProducer()
            self._transport.write(TOO_SLOW)
            self._cut()

    def pauseProducing(self) -> None:
        """Keep the next events."""
        self._is_paused = True

    def resumeProducing(self) -> None:
        """Write what was kept."""
        self._is_paused = False
        while self._waiting and not self._is_paused:
            self._transport.write(self._waiting.popleft())

    def stopProducing(self) -> None:
        """End: the connection is lost."""
        self._feed.stop()


class RequestConnection(LineReceiver, TimeoutMixin):
    """One connection: requests in, answers out."""

    delimiter = b"\n"
    MAX_LENGTH = MAX_REQUEST_BYTES
    _is_lost = False
    _followed: FollowedEvents | None = None
    _requested_by = ""

    def __init__(self, factory: RequestFactory, reactor: Any) -> None:
        self._factory = factory
        self.callLater = reactor.callLater  # type: ignore[method-assign]  # that of the mixin is global

    def connectionMade(self) -> None:
        """Refuse other users, and bound the time of the connection."""
        self._factory.connections += 1
        self.setTimeout(REQUEST_SECONDS)
        transport: Any = self.transport
        credentials: bytes = transport.socket.getsockopt(
            socket.SOL_SOCKET, socket.SO_PEERCRED, PEER_CREDENTIALS.size
        )
        _process, user, _group = PEER_CREDENTIALS.unpack(credentials)
        self._requested_by = f"uid {user}"
        if user not in (0, os.geteuid()):
            transport.abortConnection()

    def connectionLost(self, reason: Any = None) -> None:  # noqa: ARG002 - Twisted's signature
        """Stop the timer."""
        self._factory.connections -= 1
        self._is_lost = True
        self._factory.followers.discard(self)
        if self._followed is not None:
            self._followed.stopProducing()
        self.setTimeout(None)

    def timeoutConnection(self) -> None:
        """Abort the connection: a client that does not read would never let it close."""
        self.transport.abortConnection()  # type: ignore[union-attr]  # every stream has it

    def lineReceived(self, line: bytes) -> None:
        """Carry out a request; nothing more is read before its answer."""
        if self._followed is not None:
            return
        self.setTimeout(None)
        self.pauseProducing()
        answering = maybeDeferred(self._result, line)
        answering.addCallbacks(lambda result: {"ok": True, "result": result}, _error_answer)
        answering.addCallback(self._answer)

    def _answer(self, answer: Mapping[str, Any]) -> None:
        feed = answer.get("result")
        if isinstance(feed, Feed):
            self._follow(feed)
        elif not self._is_lost:
            self.sendLine(json.dumps(answer).encode())
            self.setTimeout(REQUEST_SECONDS)
            self.resumeProducing()

    def _follow(self, feed: Feed) -> None:
        """Write events until the connection ends."""
        followers = self._factory.followers
        if self._is_lost:
            return
        if len(followers) >= MAX_FOLLOWERS:
            self._answer({"ok": False, "error": f"{MAX_FOLLOWERS} clients follow events already"})
            return
        followers.add(self)
        self.sendLine(json.dumps({"ok": True, "result": None}).encode())
        self._followed = FollowedEvents(self.transport, feed, self._cut)
        self.resumeProducing()  # that the end of the connection is seen

    def _cut(self) -> None:
        self.setTimeout(REQUEST_SECONDS)
        self.transport.loseConnection()  # type: ignore[union-attr]  # every stream has it

    def _result(self, line: bytes) -> Any:
        try:
            request = json.loads(line)
            action = self._factory.actions[request["command"]]
        except (ValueError, TypeError, KeyError):
            known = ", ".join(self._factory.actions)
            raise BadRequest(f"not a request; the commands are {known}") from None
        return action({**request, REQUESTED_BY: self._requested_by})


def _error_answer(failure: Failure) -> Mapping[str, Any]:
    if failure.check(BadRequest):
        return {"ok": False, "error": failure.getErrorMessage()}
    log.failure("a request on the control socket failed", failure)
    return {"ok": False, "error": "internal error; see the log of the service"}


class RequestFactory(Factory):
    """Accepts a bounded number of connections."""

    noisy = False

    def __init__(self, actions: Mapping[str, Action], reactor: Any) -> None:
        self.actions = actions
        self._reactor = reactor
        self.connections = 0
        self.followers: set[RequestConnection] = set()
        """Those that events are written to."""

    def buildProtocol(self, addr: Any) -> RequestConnection | None:  # noqa: ARG002 - Twisted's
        """Return a connection; None refuses it."""
        if self.connections >= MAX_CONNECTIONS:
            return None
        return RequestConnection(self, self._reactor)


class ControlSocket(Service):
    """Listens on ``path``; the file of a service that no longer runs is replaced.

    Raises `CannotStart` if another service listens there, or the path cannot be used.
    """

    when_bound: Callable[[IListeningPort], object] = bool
    """Called with the port."""
    inherited = -1
    """The descriptor of the socket, if the program before this one has bound it."""

    def __init__(
        self, path: str, actions: Mapping[str, Action], reactor: Any, owner: Owner = NO_CHANGE
    ) -> None:
        self.path = path
        self._factory = RequestFactory(actions, reactor)
        self._reactor = reactor
        self._owner = owner
        self._open_path = ExitStack()
        self._port: IListeningPort | None = None

    def privilegedStartService(self) -> None:
        """Bind the socket."""
        try:
            if self.inherited >= 0:
                self._port = self._adopt(self.inherited)
                return
            _remove_stale(self.path)
            with socket.socket(socket.AF_UNIX) as listening:
                # Twisted removes the file by this path at the end.
                listening.bind(self._open_path.enter_context(short_socket_path(self.path)))
                listening.listen(MAX_CONNECTIONS)
                listening.setblocking(False)
                self._port = self._reactor.adoptStreamPort(
                    listening.fileno(), socket.AF_UNIX, self._factory
                )
            self.when_bound(self._port)
            give_to(self._owner, self.path, SOCKET_MODE)
        except OSError as error:
            raise _unusable_path(self.path, error) from None

    def _adopt(self, descriptor: int) -> IListeningPort:
        """Listen on a socket that is bound."""
        endpoint = InheritedEndpoint(descriptor, socket.AF_UNIX, self._reactor)
        port = cast(InheritedUNIXPort, endpoint.listen(self._factory).result)
        port.own_file(self._open_path.enter_context(short_socket_path(self.path)))
        self.when_bound(port)
        return port

    def hand_over(self) -> int:
        """Accept no more connections; returns a descriptor that the next program listens on."""
        port: Any = self._port
        port.stopReading()
        for follower in tuple(self._factory.followers):
            follower.timeoutConnection()
        return os.dup(port.fileno())

    def startService(self) -> None:
        """Bind the socket, unless that has been done."""
        super().startService()
        if self._port is None:
            self.privilegedStartService()

    def stopService(self) -> Deferred[Any]:
        """Close the socket, and remove its file."""
        super().stopService()
        for follower in tuple(self._factory.followers):
            follower.timeoutConnection()
        port, self._port = self._port, None
        if port is None:
            return succeed(None)
        return maybeDeferred(port.stopListening).addBoth(self._stopped)

    def _stopped(self, result: Any) -> Any:
        self._open_path.close()
        return result


def check_socket_path(path: str) -> bool:
    """Return whether there is a socket; raises `CannotStart` if none could be made at ``path``."""
    try:
        if not os.path.lexists(path):
            require_place(path)
            with short_socket_path(path):
                return False
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise OSError(errno.EEXIST, "there is another file of that name")
    except OSError as error:
        raise _unusable_path(path, error) from None
    return True


def _unusable_path(path: str, error: OSError) -> CannotStart:
    return CannotStart(
        f"--control-socket {path}: {error_text(error)} - choose another path, in a directory that "
        "exists and that this user can write to, or none"
    )


def _remove_stale(path: str) -> None:
    """Remove a socket without a listener; raises `CannotStart` if it has one."""
    if not check_socket_path(path):
        return
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            with short_socket_path(path) as short:
                probe.connect(short)
        except ConnectionRefusedError:
            os.unlink(path)
            return
        except BlockingIOError:
            pass
    raise CannotStart(
        f"--control-socket {path}: another service listens there - stop it, or choose another "
        "--data-dir or --control-socket"
    )
