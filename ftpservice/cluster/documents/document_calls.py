"""Calls of the database about documents, each with a time limit, in the thread of the caller."""

from __future__ import annotations

from collections.abc import Callable
from threading import Timer
from typing import Any, TypeVar

from ftpservice.accounts.account_store import StoreUnavailable
from ftpservice.accounts.sql.database_url import DatabaseURL
from ftpservice.cluster.cluster_connection import ClusterConnection
from ftpservice.state_files.private_json import DocumentUnavailable

__all__ = ["UNAVAILABLE_TEXT", "DocumentCalls", "DocumentDamaged"]

CALL_SECONDS = 10.0
UNAVAILABLE_TEXT = "the database of the cluster cannot be used: {}"
DAMAGED_TEXT = "the document in the database of the cluster is damaged: {}"

T = TypeVar("T")


class DocumentDamaged(DocumentUnavailable):
    """The database answers; the row of one document has a content that cannot be used."""


class DocumentCalls:
    """The calls of one connection, one at a time; they raise `DocumentUnavailable`."""

    def __init__(self, url: DatabaseURL, clock: Callable[[], float]) -> None:
        self._connection = ClusterConnection(url)
        self._clock = clock
        self._used = clock()
        """When the last call began."""
        self._has_answered = False
        """Whether the connection was in order after the last call."""

    def run_first(self, work: Callable[[Any], T]) -> T:
        """Do as `run`; once more if the connection was lost since the last call."""
        had_answered = self._has_answered
        try:
            return self.run(work)
        except DocumentUnavailable:
            if not had_answered:
                raise
        return self.run(work)

    def run(self, work: Callable[[Any], T]) -> T:
        """Return what ``work`` makes of the driver's connection."""
        limit = Timer(CALL_SECONDS, self.interrupt)
        limit.daemon = True
        limit.start()
        self._has_answered, self._used = False, self._clock()
        try:
            found = self._connection.call(work)
            self._has_answered = True
            return found
        except StoreUnavailable as error:
            raise DocumentUnavailable(UNAVAILABLE_TEXT.format(error)) from error
        except ValueError:
            raise DocumentDamaged(DAMAGED_TEXT.format(self._connection.place)) from None
        finally:
            limit.cancel()

    def interrupt(self) -> None:
        """End the call in progress, from another thread; does not block."""
        self._connection.interrupt()

    def close(self, unused_seconds: float = 0.0) -> None:
        """Close the connection if it was not used for a time; the next call opens another one."""
        if self._clock() - self._used >= unused_seconds:
            self._has_answered = False
            self._connection.close()
