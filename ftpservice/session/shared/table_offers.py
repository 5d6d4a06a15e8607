"""Which session gets the size of an interrupted upload, over several processes of a machine."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from typing import NamedTuple

from twisted.internet.interfaces import IReactorTime

from ftpservice.concurrency.table_layout import RecordLayout
from ftpservice.concurrency.table_lock import TableError
from ftpservice.concurrency.table_section import LockedRecord, TableSection
from ftpservice.session.active_uploads import UploadKey
from ftpservice.session.resume_offers import (
    MAX_OFFERS,
    RESUME_OFFER_SECONDS,
    ResumeOffers,
    ResumePeer,
)
from ftpservice.session.shared.peer_requests import PeerGone, PeerRequests
from ftpservice.session.shared.table_uploads import upload_key_bytes
from ftpservice.wire.paths import VirtualPath

__all__ = ["RESUMPTIONS", "TableOffers"]

UNTIL, SESSION, HOST, COLUMN, FLAGS = 0, 1, 2, 3, 4
IS_SHORT, IS_BOUND = 1, 2
RESUMPTIONS = RecordLayout("resumptions", fields=0, values=5, slots=16384, oldest=UNTIL)
MICROSECONDS = 1_000_000
IS_THERE = "upload session is there"


class _TableOffer(NamedTuple):
    """What the table says of an offer."""

    until: int
    session: int
    host: int
    column: int
    flags: int

    @classmethod
    def of(cls, record: LockedRecord) -> _TableOffer | None:
        """Return the offer of a record; None without one."""
        if not record.exists:
            return None
        return cls(*(record.value(index) for index in range(RESUMPTIONS.values)))

    def store(self, record: LockedRecord) -> None:
        for index, number in enumerate(self):
            record.set_value(index, number)


NO_OFFER = _TableOffer(0, 0, 0, 0, 0)


class TableOffers(ResumeOffers):
    """The offers of all processes; that of a session in another process is asked about there.

    Offers that the table has no room for, or that are locked for long, are not made.
    """

    is_shared = True

    def __init__(self, section: TableSection, peers: PeerRequests, clock: IReactorTime) -> None:
        super().__init__(clock.seconds)
        self._section = section
        self._peers = peers
        self._present: OrderedDict[UploadKey, tuple[int, Callable[[], bool]]] = OrderedDict()
        """The sessions of this process that have an offer."""
        peers.answer(IS_THERE, self._is_there_for_peer)

    def make(
        self, key: UploadKey, peer: ResumePeer, is_there: Callable[[], bool], *, is_short: bool
    ) -> None:
        """Make an offer to the session of ``peer``, whose upload was interrupted."""
        self._present.pop(key, None)
        self._present[key] = peer.session, is_there
        if len(self._present) > MAX_OFFERS:
            self._present.popitem(last=False)
        until = round((self._seconds() + RESUME_OFFER_SECONDS) * MICROSECONDS)
        flags = IS_SHORT if is_short else 0
        column = self._section.column
        self._change(
            key, lambda _: _TableOffer(until, peer.session, _number_of(peer.host), column, flags)
        )

    def _change(
        self, key: UploadKey, change: Callable[[_TableOffer | None], _TableOffer | None]
    ) -> _TableOffer | None:
        """Store what ``change`` makes of an offer; returns what it was."""
        try:
            with self._section.lock(upload_key_bytes(key)) as record:
                offer = _TableOffer.of(record)
                changed = change(offer)
                if changed is not offer:
                    (changed or NO_OFFER).store(record)
                return offer
        except TableError:
            return None

    def _offer(self, key: UploadKey) -> _TableOffer | None:
        if not self._section.exists(upload_key_bytes(key)):
            return None
        return self._change(key, lambda offer: offer)

    def withdraw(self, key: UploadKey) -> None:
        """Drop an offer: the name is uploaded anew, or removed."""
        if self._section.exists(upload_key_bytes(key)):
            self._change(key, lambda _offer: None)
            self._present.pop(key, None)

    def is_short(self, key: UploadKey) -> bool:
        """Return whether an interrupted upload is known to lack bytes."""
        offer = self._offer(key)
        return offer is not None and bool(offer.flags & IS_SHORT)

    def was_cut_recently(self, key: UploadKey) -> bool:
        """Return whether an upload to this name was interrupted recently, by any session."""
        offer = self._offer(key)
        return offer is not None and offer.until > self._seconds() * MICROSECONDS

    async def belongs_to(self, key: UploadKey, session: int, host: str | None) -> bool:
        """Return whether the offer is for this session; one without a session is assigned to it."""
        offer = self._offer(key)
        if offer is None:
            return False
        if offer.session == session:
            return True
        if offer.until <= self._seconds() * MICROSECONDS:
            self._change(key, lambda now: None if now == offer else now)
            return False
        is_other = offer.host != _number_of(host)
        if offer.flags & IS_BOUND or is_other or await self._is_there(key, offer):
            return False
        bound = offer._replace(session=session, flags=offer.flags | IS_BOUND)
        return self._change(key, lambda now: bound if now == offer else now) == offer

    async def _is_there(self, key: UploadKey, offer: _TableOffer) -> bool:
        """Return whether the session of an interrupted upload has its client."""
        user, path = key
        if offer.column == self._section.column:
            return await self._is_there_for_peer(user, path.parts, offer.session)
        try:
            answer = await self._peers.ask(offer.column, IS_THERE, user, path.parts, offer.session)
        except PeerGone:
            return False
        return bool(answer)

    async def _is_there_for_peer(self, user: str, parts: tuple[str, ...], session: int) -> bool:
        made_for, is_there = self._present.get((user, VirtualPath(tuple(parts))), (0, bool))
        return made_for == session and is_there()

    def decline(self, key: UploadKey, session: int) -> None:
        """Drop an offer to this session, which has downloaded the file."""
        if self._section.exists(upload_key_bytes(key)):
            self._change(key, lambda offer: offer if offer and offer.session != session else None)


def _number_of(host: str | None) -> int:
    """Return a number that stands for an address."""
    if host is None:
        return 0
    return int.from_bytes(blake2b(host.encode(), digest_size=8).digest(), "big") >> 1
