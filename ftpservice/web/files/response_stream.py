"""The body of an answer that is written piece by piece, no faster than its client reads."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from ftpservice.net.socket_state import bytes_acked
from ftpservice.session.services import Services
from ftpservice.stream.pump import CHUNK_SIZE
from ftpservice.stream.stall_timeout import StallTimeout
from ftpservice.web.http.web_request import WebRequest

__all__ = ["ResponseStream"]


@implementer(IPushProducer)
class ResponseStream:
    """The answer to ``request``, whose status and headers are set.

    `finish` ends it as complete. Whoever is cancelled or fails leaves it, and the connection is
    broken: so an answer that is not complete never looks complete. For a HEAD nothing is sent.
    """

    chunk = CHUNK_SIZE
    """Bytes per write."""

    def __init__(self, request: WebRequest, services: Services) -> None:
        self._request = request
        transport = request.channel.transport
        self.moved = 0
        """Bytes written."""
        self._is_paused = False
        timeout = services.settings.data.stall_timeout
        self._flow = StallTimeout(services.clock, timeout, lambda: bytes_acked(transport))
        request.registerProducer(self, True)

    async def write(self, data: bytes) -> None:
        """Send, and wait while the buffer is full; raises `TransferStalled`."""
        self._request.write(data)
        self.moved += len(data)
        while self._is_paused:
            await self._flow.wait_for_progress()

    async def write_line(self, value: Any) -> None:
        """Send a JSON value in a line of its own."""
        await self.write(json.dumps(value, separators=(",", ":")).encode() + b"\n")

    def finish(self) -> None:
        """End the answer; does nothing if the client has gone."""
        request = self._request
        if not request._disconnected:
            request.unregisterProducer()
            request.finish()

    def pauseProducing(self) -> None:
        """The buffer is full."""
        self._is_paused = True

    def resumeProducing(self) -> None:
        """The buffer is empty."""
        self._is_paused = False
        self._flow.wake_waiter()

    def stopProducing(self) -> None:
        """The connection is lost, which is reported elsewhere."""
        self.resumeProducing()
