"""Keeps the listening ports answering when the process has no descriptor left, and in floods.

- Without a descriptor, connections are refused at once, with a reply in the protocol of their port
  and a line in the log, which `LogThrottle` limits. What to do about it is logged once a minute.
- A refused session occupies a descriptor for seconds if its client does not close. While many are
  refused, those of banned addresses and of addresses with too many sessions are refused before
  there is a session, and closed at once: a flood from one address leaves room for the others.
"""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IListeningPort
from twisted.internet.tcp import Port
from twisted.logger import Logger

from ftpservice.events import EventStream, Refused
from ftpservice.net.accepted_tcp import AcceptLoop
from ftpservice.net.descriptor_reserve import DescriptorReserve
from ftpservice.service.sessions.listeners import Listener
from ftpservice.wire import codes
from ftpservice.wire.addresses import canonical_host
from ftpservice.wire.replies import reply
from ftpservice.wire.simple import ErrorCode
from ftpservice.wire.simple import error as simple_error
from ftpservice.workers.full_worker import FullWorker

__all__ = ["AcceptGuard"]

log = Logger("ftpservice")

ADVICE_SECONDS = 60.0
FLOOD_SECONDS = 3.0
"""How long a refused session may take to end."""
MAX_REFUSED_SESSIONS = 100
"""Refused connections in that time that are not yet a flood."""
TLS_INTERNAL_ERROR = b"\x15\x03\x03\x00\x02\x02\x50"
"""The alert ``internal_error`` (RFC 8446 §6): a reply would take a handshake first."""


def _ftp_reply(text: str) -> bytes:
    return reply(codes.SERVICE_UNAVAILABLE, text).to_bytes()


def _simple_answer(text: str) -> bytes:
    return simple_error(ErrorCode.BUSY, text)


def _tls_alert(_text: str) -> bytes:
    return TLS_INTERNAL_ERROR


def _http_answer(text: str) -> bytes:
    head = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n"
    return f"{head}Content-Type: text/plain\r\n\r\n{text}\n".encode()


def _control_answer(text: str) -> bytes:
    return json.dumps({"ok": False, "error": text}).encode() + b"\n"


class AcceptGuard(Service):
    """Accepts the connections of ports, and refuses those for which there are no resources.

    An event is published for each refused connection. ``refusal`` returns why a session of an
    address would be refused, or None.
    """

    def __init__(
        self, events: EventStream, refusal: Callable[[str], str | None], reactor: Any
    ) -> None:
        self._publish = events.publish
        events.subscribe(self._count_refused, Refused)
        self._refusal = refusal
        self._reactor = reactor
        self.leaves_to_others: Callable[[bool], bool] | None = None
        """Returns whether a connection is left to other processes, also one that they have left so
        far (`AcceptLoop.share`); None: there are no others."""
        self.full: FullWorker | None = None
        """Leaves connections to others without descriptors for them; None: there are no others."""
        self._refused = 0
        """The number of refused connections since `_since`."""
        self._since = 0.0
        self._flood_check: IDelayedCall | None = None
        """The end of a flood, or its next part."""
        self._reserve = DescriptorReserve()
        self._loops: list[AcceptLoop] = []
        self._next_advice = 0.0

    def guard(self, listener: Listener, port: IListeningPort) -> None:
        """Accept the connections of a listener's port; one that is not Twisted's is left alone."""
        if listener.implicit or listener.option == "acme-tls":
            answer: Callable[[str], bytes] = _tls_alert
        elif listener.option == "acme-http" or listener.web:
            answer = _http_answer
        else:
            answer = _simple_answer if listener.simple else _ftp_reply
        has_sessions = not (listener.web or listener.option.startswith("acme"))
        self._guard(port, answer, has_sessions and not listener.proxied)

    def guard_control(self, port: IListeningPort) -> None:
        """Accept the connections of the control socket."""
        self._guard(port, _control_answer, refuses_early=False)

    def look_again(self) -> None:
        """Accept again what was left to others, after a session has ended here."""
        for loop in self._loops:
            loop.look_again()

    def stopService(self) -> None:
        """Release the reserve."""
        super().stopService()
        for loop in self._loops:
            loop.stop()
        self._loops.clear()
        self._reserve.release()
        if self.full is not None:
            self.full.stop()
        if self._flood_check is not None:
            self._flood_check.cancel()
            self._flood_check = None

    def _guard(self, port: object, answer: Callable[[str], bytes], refuses_early: bool) -> None:
        """``refuses_early``: a peer whose session would be refused gets none in a flood."""
        if isinstance(port, Port):
            loop = AcceptLoop(port, self._reserve, partial(self._refuse_exhausted, answer))
            if refuses_early:
                loop.answer_early = partial(self._refuse_early, answer)
            loop.refuses_early = self._flood_check is not None
            if self.leaves_to_others is not None:
                loop.share(self.leaves_to_others)
            if self.full is not None:
                loop.leaves_exhausted, loop.near_limit = self.full.leaves, self.full.mark
                loop.last_descriptor = self.full.last_descriptor
            self._loops.append(loop)

    def _refuse_exhausted(self, answer: Callable[[str], bytes], peer: Any, error: OSError) -> bytes:
        """Return the reply to a connection for which there are no resources."""
        now = self._reactor.seconds()
        if now >= self._next_advice:
            self._next_advice = now + ADVICE_SECONDS
            log.error(
                "connections are refused: {reason}; raise LimitNOFILE (it is {limit}), "
                "or lower max-sessions",
                reason=error.strerror,
                limit=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
            )
        text = f"Out of resources ({error.strerror}); try again later."
        return self._refuse(answer, _host(peer), text)

    def _refuse_early(self, answer: Callable[[str], bytes], peer: Any) -> bytes | None:
        """Return the reply to a connection whose session would be refused, or None."""
        host = _host(peer)
        why = self._refusal(host)
        return None if why is None else self._refuse(answer, host, why)

    def _refuse(self, answer: Callable[[str], bytes], host: str, text: str) -> bytes:
        self._publish(Refused(time.time(), 0, host, "", text))
        return answer(text)

    def _count_refused(self, _event: Refused) -> None:
        """Count a refused connection; a subscriber."""
        self._refused += 1
        if self._flood_check is not None:
            return
        now = self._reactor.seconds()
        if now - self._since >= FLOOD_SECONDS:
            self._since, self._refused = now, 1
        elif self._refused > MAX_REFUSED_SESSIONS:
            self._set_flood(True)

    def _set_flood(self, is_flood: bool) -> None:
        """Refuse early from now on, or no more."""
        self._since, self._refused = self._reactor.seconds(), 0
        self._flood_check = (
            self._reactor.callLater(FLOOD_SECONDS, self._check_flood) if is_flood else None
        )
        for loop in self._loops:
            loop.refuses_early = is_flood

    def _check_flood(self) -> None:
        self._set_flood(self._refused > MAX_REFUSED_SESSIONS)


def _host(peer: Any) -> str:
    """Return the address of a peer for events; ``local`` for a UNIX socket."""
    return canonical_host(peer[0]) if isinstance(peer, tuple) else "local"
