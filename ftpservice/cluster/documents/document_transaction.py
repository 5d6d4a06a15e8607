"""A change of one document, on one connection of the driver."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from ftpservice.accounts.account_store import StoreUnavailable
from ftpservice.cluster.documents.document_calls import DocumentCalls
from ftpservice.cluster.documents.document_statements import (
    Check,
    CommonDocument,
    begin_change,
    commit,
    put,
    roll_back,
)
from ftpservice.state_files.private_json import DocumentUnavailable

__all__ = ["DocumentTransaction"]

UNKNOWN_TEXT = "{}; it is not known whether the change was made"

Work = Callable[[Any], Any]


class DocumentTransaction:
    """A transaction about the document ``name``.

    All functions block, and raise `DocumentUnavailable`; the transaction has ended then.
    """

    def __init__(self, calls: DocumentCalls, name: str) -> None:
        self._calls = calls
        self._name = name
        self._driver: Any = None
        """The connection on which the transaction is open; None: it is not."""

    def begin(self, check: Check) -> CommonDocument:
        """Begin it; return the document, which is locked."""

        def begin(driver: Any) -> CommonDocument:
            found = begin_change(driver, self._name, secrets.token_hex(8), check)
            self._driver = driver
            return found

        found: CommonDocument = self._calls.run_first(begin)
        return found

    def put(self, new: CommonDocument) -> None:
        """Replace the document."""
        driver, self._driver = self._driver, None
        self._calls.run(_only_on(driver, partial(put, name=self._name, new=new)))
        self._driver = driver

    def commit(self) -> None:
        """End it with what was put."""
        driver, self._driver = self._driver, None
        try:
            self._calls.run(_only_on(driver, commit))
        except DocumentUnavailable as error:
            raise DocumentUnavailable(UNKNOWN_TEXT.format(error.strerror)) from error

    def end(self) -> None:
        """End it without a change, if it is open; never raises."""
        driver, self._driver = self._driver, None
        if driver is not None:
            with suppress(DocumentUnavailable):
                self._calls.run(_only_on(driver, roll_back))


def _only_on(expected: Any, work: Work) -> Work:
    """Return work that fails on another connection of the driver: the expected one was lost."""

    def on_same(driver: Any) -> Any:
        if driver is not expected:
            raise StoreUnavailable("the connection was lost")
        return work(driver)

    return on_same
