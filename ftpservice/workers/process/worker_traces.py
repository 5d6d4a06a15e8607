"""The traces of a worker's own sessions, for the main process."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from ftpservice.activity.admin_actions import BadRequest
from ftpservice.activity.trace.trace_feed import TRACE_VERSION, TraceFeed, trace_for
from ftpservice.control.factory import FTPFactory
from ftpservice.workers.channel import Channel

__all__ = ["WorkerTraces"]

MAX_UNREAD_BYTES = 4 * 1024 * 1024
"""Bytes that the main process may leave unread; further records are dropped."""


class WorkerTraces:
    """Starts and ends them, by the numbers that the main process gives."""

    def __init__(self, channel: Channel, factory: FTPFactory) -> None:
        self._channel = channel
        self._factory = factory
        self._running: dict[int, TraceFeed] = {}

    def start(self, number: int, request: Mapping[str, Any]) -> None:
        """Send the records of a trace from now on, the first of which says that it has begun."""
        if number in self._running:  # it was told to all just before this worker was ready
            return
        try:
            feed = trace_for(self._factory, request)
        except BadRequest:  # the session has ended meanwhile
            self._send(number, {"trace": TRACE_VERSION})
            return
        self._running[number] = feed
        feed.start(partial(self._send, number))

    def stop(self, number: int) -> None:
        """End a trace."""
        feed = self._running.pop(number, None)
        if feed is not None:
            feed.stop()

    def _send(self, number: int, record: dict[str, Any]) -> None:
        if self._channel.unread_bytes <= MAX_UNREAD_BYTES:
            self._channel.send("traced", number, record)
