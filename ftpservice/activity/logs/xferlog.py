"""The transfer log in the format of wu-ftpd, xferlog(5): one line a transfer or deleted file.

    time seconds host bytes name type action direction mode user service method id status

As in wu-ftpd each white space and control character of a name is written as an underscore, so
that every line has the same fields, and the name is that of the file on the disk. Lines are
written in batches: an event costs an append to a list.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from functools import lru_cache

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ftpservice.activity.logs.event_fields import visible_text
from ftpservice.events import Event, FileChanged, Outcome, TransferEnded

__all__ = ["TransferLog", "xferlog_line"]

WRITE_DELAY_SECONDS = 0.5
"""The longest time that a line waits for others."""
LINES_PER_WRITE = 200
"""The number of lines that are written without a delay."""
UNSAFE = re.compile(r"[\s\x00-\x1f\x7f-\x9f]")
ANONYMOUS = "anonymous"
DELETIONS = ("delete",)


def xferlog_line(event: TransferEnded | FileChanged) -> str:
    """Return the line of an event, with its line end."""
    seconds, size, kind, direction, is_complete = 1, 0, "b", "d", True
    if isinstance(event, TransferEnded):
        seconds, size = max(1, round(event.seconds)), event.size
        kind, direction = "a" if event.ascii else "b", "i" if event.upload else "o"
        is_complete = event.outcome is Outcome.COMPLETE
    mode = "a" if event.user == ANONYMOUS else "r"
    name = event.info.storage_name(event.path) or event.path
    return (
        f"{_time(int(event.when))} {seconds} "
        f"{_word(event.peer)} {size} {_word(name)} {kind} _ {direction} {mode} "
        f"{_word(event.user)} {event.info.protocol or 'ftp'} 0 * {'c' if is_complete else 'i'}\n"
    )


@lru_cache(maxsize=8)
def _time(second: int) -> str:
    return time.asctime(time.localtime(second))


def _word(text: str) -> str:
    return UNSAFE.sub("_", visible_text(text)) or "-"


class TransferLog:
    """A subscriber whose ``write`` gets the lines of many events at a time."""

    kinds: tuple[type[Event], ...] = (TransferEnded, FileChanged)
    """The events to subscribe to."""

    def __init__(self, clock: IReactorTime, write: Callable[[str], object]) -> None:
        self._clock = clock
        self._write = write
        self._waiting: list[TransferEnded | FileChanged] = []
        self._call: IDelayedCall | None = None

    def __call__(self, event: Event) -> None:
        """Keep the event of a transfer or deletion until the next write."""
        if isinstance(event, TransferEnded) or (
            isinstance(event, FileChanged) and event.action in DELETIONS
        ):
            self._waiting.append(event)
            if len(self._waiting) >= LINES_PER_WRITE:
                self.flush()
            elif self._call is None:
                self._call = self._clock.callLater(WRITE_DELAY_SECONDS, self.flush)

    def flush(self) -> None:
        """Write the lines that wait."""
        call, self._call = self._call, None
        if call is not None and call.active():
            call.cancel()
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._write("".join(map(xferlog_line, waiting)))
