"""A worker whose main process is gone in the middle of a question about a quota."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ftpservice.cluster.quotas.quotas_of_workers import BEGINS, ENDS, ROOM, AskedQuotas
from ftpservice.session.shared.peer_requests import ANSWER, PeerRequests
from ftpservice.storage.errors import Busy
from ftpservice.storage.quota.counted_tree import RECENT_SECONDS
from ftpservice.storage.quota.ledgers.ledger import QuotaLimits
from tests.support.cluster_books import SMALL_RECORD, upload
from tests.support.shared_books import SharedBooks

MAIN = 0
ANSWERS = {BEGINS: 0, ENDS: True}


def test_an_upload_that_waits_for_room_is_refused(tmp_path: Path) -> None:
    """Also if what is in use was counted long ago, and cannot be counted any more."""
    books = SharedBooks(tmp_path, 1, SMALL_RECORD)
    asked: list[str] = []

    def send(_column: int, message: tuple[Any, ...]) -> None:
        _ask, number, name, *_values = message
        asked.append(name)
        if name != ROOM:
            peers.received(MAIN, (ANSWER, number, ANSWERS.get(name)))

    peers = PeerRequests(send, books.clock)
    try:
        (book, *_) = books.books
        assert book.shared is not None
        book.shared.leases = AskedQuotas(peers)
        storage = books.storage(book, limits=QuotaLimits(100_000, 10))
        books.clock.advance(RECENT_SECONDS + 1.0)
        outcome: list[object] = []
        Deferred.fromCoroutine(upload(storage, "/file", 10)).addBoth(outcome.append)
        assert asked[-1] == ROOM
        assert outcome == []
        peers.close()
        (failure,) = outcome
        assert isinstance(failure, Failure)
        assert failure.check(Busy)
        assert list(tmp_path.iterdir()) == []
    finally:
        books.close()
