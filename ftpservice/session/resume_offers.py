"""Who is told the size of an interrupted upload where there is a file of that name, too.

SIZE is asked by clients that resume an upload and by readers alike. Right after a cut it is the
client that was cut, so for a while the size of what arrived is offered to it alone: to the session
of the upload as long as that lives or, once it is gone, to the first other session of the same
account from the same address that asks. Everybody else is told the size of the published file.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ftpservice.storage.interfaces import WriteMode
from ftpservice.wire.paths import VirtualPath

__all__ = ["RESUME_OFFER_SECONDS", "ReportedSize", "ResumeOffers"]

RESUME_OFFER_SECONDS = 600.0
MAX_OFFERS = 4096
"""Offers that are remembered; beyond it the oldest is forgotten."""


class ResumePeer(Protocol):
    """The client of a session."""

    @property
    def session(self) -> int:
        """The session's number."""

    @property
    def host(self) -> str | None:
        """Its address."""


Key = tuple[str, VirtualPath]
"""Account and path."""


class ReportedSize(NamedTuple):
    """A size that a client was told, so that what it resumes is certain."""

    size: int
    resumes: WriteMode | None
    """How the interrupted upload whose size it is would be resumed; None for that of a file."""


@dataclass(slots=True)
class _Offer:
    session: int
    host: str | None
    is_there: Callable[[], bool]
    until: float
    is_short: bool
    """Whether the upload is known to lack bytes: its data connection was cut, and not ended."""
    is_bound: bool = False


class ResumeOffers:
    """The offers of this process; ``seconds`` is a clock."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._offers: OrderedDict[Key, _Offer] = OrderedDict()

    def make(
        self, key: Key, peer: ResumePeer, is_there: Callable[[], bool], *, is_short: bool
    ) -> None:
        """Make an offer to the session of ``peer``, whose upload was cut."""
        self._offers.pop(key, None)
        until = self._seconds() + RESUME_OFFER_SECONDS
        self._offers[key] = _Offer(peer.session, peer.host, is_there, until, is_short)
        if len(self._offers) > MAX_OFFERS:
            self._offers.popitem(last=False)

    def withdraw(self, key: Key) -> None:
        """Forget an offer: the name is uploaded anew, or removed."""
        if self._offers:
            self._offers.pop(key, None)

    def is_short(self, key: Key) -> bool:
        """Tell whether an interrupted upload is known to lack bytes."""
        offer = self._offers.get(key) if self._offers else None
        return offer is not None and offer.is_short

    def was_cut_recently(self, key: Key) -> bool:
        """Tell whether an upload to this name was cut lately, whoever may resume it."""
        offer = self._offers.get(key) if self._offers else None
        return offer is not None and offer.until > self._seconds()

    def belongs_to(self, key: Key, session: int, host: str | None) -> bool:
        """Tell whether the offer is this session's; one that is free becomes this session's."""
        offer = self._offers.get(key) if self._offers else None
        if offer is None:
            return False
        if offer.session == session:
            return True
        if offer.until <= self._seconds():
            del self._offers[key]
            return False
        if offer.is_bound or offer.host != host or offer.is_there():
            return False
        offer.session, offer.is_bound = session, True
        return True

    def decline(self, key: Key, session: int) -> None:
        """Forget an offer that is this session's: it turned out to be a reader."""
        offer = self._offers.get(key) if self._offers else None
        if offer is not None and offer.session == session:
            del self._offers[key]
