"""The log of a worker becomes part of that of the main process, with its times and levels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.logger import (
    ILogObserver,
    LogEvent,
    LogLevel,
    eventAsText,
    globalLogPublisher,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from ftpservice.workers.channel import Channel

__all__ = ["LogForwarder", "relay_log"]

OWN_NAMESPACE = "ftpservice"
MAX_TEXT = 64 * 1024
MAX_UNREAD_BYTES = 4 * 1024 * 1024


@implementer(ILogObserver)
class LogForwarder:
    """Sends log events over ``channel``; from any thread.

    Of other programs only warnings and errors are sent: what Twisted says of each port, the main
    process says, too.
    """

    def __init__(self, channel: Channel, reactor: Any) -> None:
        self._channel = channel
        self._from_thread: Callable[..., object] = reactor.callFromThread
        self._lost = 0

    def __call__(self, event: LogEvent) -> None:
        """Send an event."""
        level, namespace = event.get("log_level") or LogLevel.info, event.get("log_namespace") or ""
        is_own = namespace == OWN_NAMESPACE or namespace.startswith(f"{OWN_NAMESPACE}.")
        if not is_own and level < LogLevel.warn:
            return
        bare = {key: value for key, value in event.items() if key != "log_failure"}
        text = eventAsText(bare, includeTimestamp=False, includeSystem=False)[:MAX_TEXT]
        failure = event.get("log_failure")
        traceback = failure.getTraceback()[-MAX_TEXT:] if isinstance(failure, Failure) else ""
        record = (level.name, namespace, event.get("log_time", 0.0), text, traceback)
        self._from_thread(self._send, record)

    def _send(self, record: tuple[Any, ...]) -> None:
        channel = self._channel
        if channel.unread_bytes > MAX_UNREAD_BYTES:
            self._lost += 1
            return
        if self._lost:
            lost, self._lost = self._lost, 0
            text = f"{lost} log lines were lost"
            channel.send("log", LogLevel.warn.name, OWN_NAMESPACE, record[2], text, "")
        channel.send("log", *record)


class _ForwardedFailure(Failure):
    """A failure of another process: its traceback is text."""

    def __init__(self, traceback: str) -> None:
        super().__init__(Exception("in another process"))
        self._text = traceback

    def getTraceback(self, *_words: Any, **_more: Any) -> str:
        """Return the traceback."""
        return self._text


def relay_log(level: str, namespace: str, when: float, text: str, traceback: str) -> None:
    """Write what a worker has logged into the log of this process."""
    event: LogEvent = {
        "log_namespace": namespace,
        "log_level": LogLevel.lookupByName(level),
        "log_time": when,
        "log_format": "{text}",
        "text": text,
    }
    if traceback:
        event["log_failure"] = _ForwardedFailure(traceback)
    globalLogPublisher(event)
