"""Interrupted uploads of which the storage keeps no note (`IInterruptedUploads`).

Clients send SIZE to resume an upload and to download alike. After an upload was interrupted, the
size of what arrived is offered to its client for a day. The note of that is with the partial
upload, where every process finds it. For storages that cannot keep it, this process remembers it,
as long as the file is the one that it was.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from ftpservice.storage.interfaces import WriteMode
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = ["RESUME_OFFER_SECONDS", "ReportedSize", "ResumeOffers"]

RESUME_OFFER_SECONDS = 86_400.0
"""A client may try again for long: lftp waits for minutes between two attempts."""
MAX_OFFERS = 4096
"""Offers that are kept; the oldest is dropped for another one."""

Key = tuple[str, VirtualPath]
"""Account and path."""


class ReportedSize(NamedTuple):
    """A size that SIZE replied to a client; it shows which upload the client resumes."""

    size: int
    resumes: WriteMode | None
    """How the interrupted upload of this size is resumed; None: it is the size of a file."""


class _Offer(NamedTuple):
    note: str
    file: tuple[object, ...] | None
    until: float


class ResumeOffers:
    """The notes of interrupted uploads that only this process has; ``seconds`` is a clock."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self.offers: OrderedDict[Key, _Offer] = OrderedDict()
        """The oldest first."""

    def make(self, key: Key, note: str, file: Entry | None) -> None:
        """Remember the note of an upload that was interrupted; ``file`` is what has the name."""
        self.offers.pop(key, None)
        self.offers[key] = _Offer(note, _identity(file), self._seconds() + RESUME_OFFER_SECONDS)
        if len(self.offers) > MAX_OFFERS:
            self.offers.popitem(last=False)

    def note(self, key: Key, file: Entry | None) -> str | None:
        """Return the note, unless it has expired or another file has the name; None without one."""
        offer = self.offers.get(key) if self.offers else None
        if offer is None:
            return None
        if offer.until <= self._seconds() or offer.file != _identity(file):
            del self.offers[key]
            return None
        return offer.note

    def withdraw(self, key: Key) -> None:
        """Forget a note: the name is uploaded anew, removed, or the file was downloaded."""
        if self.offers:
            self.offers.pop(key, None)


def _identity(file: Entry | None) -> tuple[object, ...] | None:
    return None if file is None else (file.unique, file.size, file.modified)
