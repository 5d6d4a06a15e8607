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
LINES_PER_WRITE = 500
"""The number of lines that are written without a delay."""
UNSAFE = re.compile(r"[\s\x00-\x1f\x7f-\x9f]")
ANONYMOUS = "anonymous"
DELETIONS = ("delete",)


def xferlog_line(event: TransferEnded | FileChanged) -> str:
    """Return the line of an event, with its line end."""
    info, user = event.info, event.user
    name = info.storage_name(event.path) or event.path
    if not (name and name.isascii() and name.isprintable() and " " not in name):
        name = _word(name)
    mode = "a" if user == ANONYMOUS else "r"
    seconds, size, kind, direction, status = 1, 0, "b", "d", "c"
    if isinstance(event, TransferEnded):
        seconds, size = max(1, round(event.seconds)), event.size
        kind, direction = "a" if event.ascii else "b", "i" if event.upload else "o"
        status = "c" if event.outcome is Outcome.COMPLETE else "i"
    return (
        f"{_time(int(event.when))} {seconds} {_kept_word(event.peer)} {size} {name} {kind} _ "
        f"{direction} {mode} {_kept_word(user)} {info.protocol or 'ftp'} 0 * {status}\n"
    )


@lru_cache(maxsize=8)
def _time(second: int) -> str:
    return time.asctime(time.localtime(second))


def _word(text: str) -> str:
    return UNSAFE.sub("_", visible_text(text)) or "-"


_kept_word = lru_cache(maxsize=1000)(_word)
"""For names that come again and again: those of accounts, and addresses."""


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
        if type(event) is not TransferEnded and not (
            isinstance(event, FileChanged) and event.action in DELETIONS
        ):
            return
        self._waiting.append(event)
        if self._call is None:
            self._call = self._clock.callLater(WRITE_DELAY_SECONDS, self.flush)
        elif len(self._waiting) >= LINES_PER_WRITE:
            self.flush()

    def flush(self) -> None:
        """Write the lines that wait."""
        call, self._call = self._call, None
        if call is not None and call.active():
            call.cancel()
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._write("".join(map(xferlog_line, waiting)))
