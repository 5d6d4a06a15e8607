"""Keeps the listening ports answering when the process has no descriptor left.

Connections are then refused at once, with a reply in the protocol of their port and a line in the
log, which `LogThrottle` limits. What to do about it is logged once a minute.
"""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.application.service import Service
from twisted.internet.interfaces import IListeningPort
from twisted.internet.tcp import Port
from twisted.logger import Logger

from ftpservice.events import Event, Refused
from ftpservice.net.accepted_tcp import AcceptLoop
from ftpservice.net.descriptor_reserve import DescriptorReserve
from ftpservice.service.listeners import Listener
from ftpservice.wire import codes
from ftpservice.wire.addresses import canonical_host
from ftpservice.wire.replies import reply
from ftpservice.wire.simple import ErrorCode
from ftpservice.wire.simple import error as simple_error

__all__ = ["AcceptGuard"]

log = Logger("ftpservice")

ADVICE_SECONDS = 60.0
TLS_INTERNAL_ERROR = b"\x15\x03\x03\x00\x02\x02\x50"
"""The alert ``internal_error`` (RFC 8446 §6): a reply would take a handshake first."""


def _ftp_reply(text: str) -> bytes:
    return reply(codes.SERVICE_UNAVAILABLE, text).to_bytes()


def _simple_answer(text: str) -> bytes:
    return simple_error(ErrorCode.BUSY, text)


def _tls_alert(_text: str) -> bytes:
    return TLS_INTERNAL_ERROR


def _control_answer(text: str) -> bytes:
    return json.dumps({"ok": False, "error": text}).encode() + b"\n"


class AcceptGuard(Service):
    """Accepts the connections of ports, and refuses those for which there are no resources.

    ``publish`` is called with an event for each refused connection.
    """

    def __init__(self, publish: Callable[[Event], object], reactor: Any) -> None:
        self._publish = publish
        self._reactor = reactor
        self._reserve = DescriptorReserve()
        self._loops: list[AcceptLoop] = []
        self._next_advice = 0.0

    def guard(self, listener: Listener, port: IListeningPort) -> None:
        """Accept the connections of a listener's port; one that is not Twisted's is left alone."""
        if listener.implicit:
            self._guard(port, _tls_alert)
        else:
            self._guard(port, _simple_answer if listener.simple else _ftp_reply)

    def guard_control(self, port: IListeningPort) -> None:
        """Accept the connections of the control socket."""
        self._guard(port, _control_answer)

    def stopService(self) -> None:
        """Release the reserve."""
        super().stopService()
        for loop in self._loops:
            loop.stop()
        self._loops.clear()
        self._reserve.release()

    def _guard(self, port: object, answer: Callable[[str], bytes]) -> None:
        if isinstance(port, Port):
            self._loops.append(AcceptLoop(port, self._reserve, partial(self._refuse, answer)))

    def _refuse(self, answer: Callable[[str], bytes], peer: Any, error: OSError) -> bytes:
        """Publish a refused connection; return the reply."""
        text = f"Out of resources ({error.strerror}); try again later."
        host = canonical_host(peer[0]) if isinstance(peer, tuple) else "local"
        self._publish(Refused(time.time(), 0, host, "", text))
        now = self._reactor.seconds()
        if now >= self._next_advice:
            self._next_advice = now + ADVICE_SECONDS
            log.error(
                "connections are refused: {reason}; raise LimitNOFILE (it is {limit}), "
                "or lower max-sessions",
                reason=error.strerror,
                limit=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
            )
        return answer(text)
