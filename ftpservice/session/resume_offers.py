"""Which session gets the size of an interrupted upload where there is also a file of that name.

Clients send SIZE to resume an upload and to download alike. After an upload was interrupted
it is most likely the client of that upload, so for a day the size of what arrived is offered to
it alone: to the session of the upload while that lives, afterwards to the first other session of
the same account from the same address that asks. All others get the size of the published file.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ftpservice.storage.interfaces import WriteMode
from ftpservice.wire.paths import VirtualPath

__all__ = ["RESUME_OFFER_SECONDS", "ReportedSize", "ResumeOffers"]

RESUME_OFFER_SECONDS = 86_400.0
"""A client may try again for long: lftp waits for minutes between two attempts."""
MAX_OFFERS = 4096
"""Offers that are kept; the oldest is dropped for another one."""


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
    """A size that SIZE replied to a client; it shows which upload the client resumes."""

    size: int
    resumes: WriteMode | None
    """How the interrupted upload of this size is resumed; None: it is the size of a file."""


@dataclass(slots=True)
class _Offer:
    session: int
    host: str | None
    is_there: Callable[[], bool]
    until: float
    is_short: bool
    """Whether the upload is known to lack bytes: its data connection did not end in order."""
    is_bound: bool = False


class ResumeOffers:
    """The offers of this process; ``seconds`` is a clock.

    If there are others (``is_shared``), ``offers`` does not show whether there are any.
    """

    is_shared = False

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self.offers: OrderedDict[Key, _Offer] = OrderedDict()
        """The oldest first."""

    def make(
        self, key: Key, peer: ResumePeer, is_there: Callable[[], bool], *, is_short: bool
    ) -> None:
        """Make an offer to the session of ``peer``, whose upload was interrupted."""
        self.offers.pop(key, None)
        until = self._seconds() + RESUME_OFFER_SECONDS
        self.offers[key] = _Offer(peer.session, peer.host, is_there, until, is_short)
        if len(self.offers) > MAX_OFFERS:
            self.offers.popitem(last=False)

    def withdraw(self, key: Key) -> None:
        """Drop an offer: the name is uploaded anew, or removed."""
        if self.offers:
            self.offers.pop(key, None)

    def is_short(self, key: Key) -> bool:
        """Return whether an interrupted upload is known to lack bytes."""
        offer = self.offers.get(key) if self.offers else None
        return offer is not None and offer.is_short

    def was_cut_recently(self, key: Key) -> bool:
        """Return whether an upload to this name was interrupted recently, by any session."""
        offer = self.offers.get(key) if self.offers else None
        return offer is not None and offer.until > self._seconds()

    async def belongs_to(self, key: Key, session: int, host: str | None) -> bool:
        """Return whether the offer is for this session; one without a session is assigned to it."""
        offer = self.offers.get(key) if self.offers else None
        if offer is None:
            return False
        if offer.session == session:
            return True
        if offer.until <= self._seconds():
            del self.offers[key]
            return False
        if offer.is_bound or offer.host != host or offer.is_there():
            return False
        offer.session, offer.is_bound = session, True
        return True

    def decline(self, key: Key, session: int) -> None:
        """Drop an offer to this session, which has downloaded the file."""
        offer = self.offers.get(key) if self.offers else None
        if offer is not None and offer.session == session:
            del self.offers[key]
