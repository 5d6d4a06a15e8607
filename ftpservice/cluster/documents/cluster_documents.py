"""The documents of a cluster, and their copies in the data directory of a node.

The document in the database is in force; a node reads its own copy, which has a stamp with the
history and the version of the document. A change

1. takes the lock of the file, so that the processes of this node follow one another;
2. locks the document in the database, so that nodes do, and brings the copy up to date;
3. writes the new copy beside the old one, commits the change of the document, and puts the copy in
   its place. A node that is killed before the commit has changed nothing; one that is killed after
   it has an old copy, which it brings up to date when it starts.

While the database does not answer, no node makes a change. A document that is damaged, or has
entries of a later version of this program, is not changed either, and does not become a copy.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

from twisted.logger import Logger

from ftpservice.accounts.sql.database_url import DatabaseURL
from ftpservice.cluster.documents.document_calls import (
    UNAVAILABLE_TEXT,
    DocumentCalls,
    DocumentDamaged,
)
from ftpservice.cluster.documents.document_merge import merged_content
from ftpservice.cluster.documents.document_statements import CommonDocument, document
from ftpservice.cluster.documents.document_transaction import DocumentTransaction
from ftpservice.state_files.file_replacement import replace_file
from ftpservice.state_files.private_json import STAMP, DocumentUnavailable, PrivateJSON, Write

__all__ = ["ClusterDocuments"]

log = Logger("ftpservice.cluster")

UNUSED_SECONDS = 30.0
"""After which the connection is closed."""
NOT_READ_TEXT = "it has not been read from the database of the cluster yet"
OLD_TEXT = "the copy of this node is an old one; see the log of the service"


class ClusterDocuments:
    """A `DocumentStore` with one connection, for any threads; all functions block.

    ``clock`` returns seconds of any epoch, ``seconds`` those since that of UNIX. The connection is
    closed when it has not been used for some time.
    """

    problem: Callable[[], str] = str
    """Returns why the database is known not to answer; empty: it may answer."""
    is_first_look_due = False
    """Whether no copy may be read that was not compared with its document."""

    def __init__(
        self,
        url: DatabaseURL,
        clock: Callable[[], float] = time.monotonic,
        seconds: Callable[[], float] = time.time,
    ) -> None:
        self._calls = DocumentCalls(url, clock)
        self._seconds = seconds
        self._lock = Lock()
        """Held during a call, and during a change. Whoever waits for it may have that of a file."""
        self._compared: set[Path] = set()
        """The files that were compared with their documents."""
        self._outdated: set[Path] = set()
        """The files that are known to be old."""
        self._stamps: dict[Path, tuple[tuple[int, ...], tuple[str, int]]] = {}
        """The stamps of files, by the version of the file."""
        self._kept: dict[Path, tuple[tuple[int, ...], Path]] = {}
        """Where files were kept, by the version of the file: a change may fail again and again."""

    def check_readable(self, file: PrivateJSON) -> None:
        """Raise `DocumentUnavailable` if the content of a file is known to be another one."""
        if file.path in self._outdated:
            raise DocumentUnavailable(OLD_TEXT)
        if self.is_first_look_due and file.path not in self._compared:
            raise DocumentUnavailable(NOT_READ_TEXT)

    @contextmanager
    def changing(self, file: PrivateJSON) -> Iterator[Write]:
        """Change a document, with the lock of its file; raises `OSError`."""
        problem = self.problem()
        if problem:
            raise DocumentUnavailable(UNAVAILABLE_TEXT.format(problem))
        with self._lock:
            transaction = DocumentTransaction(self._calls, file.path.name)
            try:
                base = self._begun(transaction, file)
                yield partial(_write, transaction, file, base)
            finally:
                transaction.end()

    def refresh(self, file: PrivateJSON) -> None:
        """Bring a copy up to date; raises `OSError`."""
        with file.changing():
            pass

    def refresh_changed(
        self, files: Sequence[PrivateJSON], found: Mapping[str, tuple[str, int]]
    ) -> dict[Path, OSError]:
        """Bring those copies up to date that differ from what was found; return what went wrong.

        ``found`` has what `document_statements.versions` returns. Raises `DocumentUnavailable` if
        the database does not answer.
        """
        errors: dict[Path, OSError] = {}
        for file in files:
            try:
                self._refresh_other(file, found.get(file.path.name, ("", 0)))
            except DocumentDamaged as error:
                errors[file.path] = error
                if file.path not in self._compared:
                    self._outdated.add(file.path)
            except DocumentUnavailable:
                raise
            except OSError as error:
                errors[file.path] = error
                self._outdated.add(file.path)
            else:
                self._note_up_to_date(file)
        with self._lock:
            self._calls.close(UNUSED_SECONDS)
        return errors

    def interrupt(self) -> None:
        """End the call in progress; does not block."""
        self._calls.interrupt()

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._calls.close()

    def _note_up_to_date(self, file: PrivateJSON) -> None:
        self._compared.add(file.path)
        self._outdated.discard(file.path)

    def _stamp(self, file: PrivateJSON) -> tuple[str, int]:
        """Return origin and version of a copy; ("", 0) without a file that has something."""
        version = file.version()
        known = self._stamps.get(file.path)
        if known is not None and known[0] == version:
            return known[1]
        try:
            copy = _copy(file)
        except ValueError:
            return "", -1
        stamp = copy.origin, copy.version if copy.origin or not copy.content else -1
        self._stamps[file.path] = version, stamp
        return stamp

    def _refresh_other(self, file: PrivateJSON, stamp: tuple[str, int]) -> None:
        """Bring a copy of another stamp up to date; a transaction only if that needs one."""
        if self._stamp(file) == stamp:
            return
        with file.locked():
            self._take(file)

    def _take(self, file: PrivateJSON) -> None:
        """Bring a copy up to date, whose lock is held."""
        with self._lock:
            there = self._calls.run_first(partial(document, name=file.path.name, check=file.check))
        own = None if there is None else self._usable(file, there)
        if there is None or own is None or not _is_earlier(own, there):
            with self.changing(file):
                pass
        elif own[:2] != there[:2]:  # it may have been brought up to date meanwhile
            file.replace(_stamped(there))

    def _begun(self, transaction: DocumentTransaction, file: PrivateJSON) -> CommonDocument:
        """Lock the document, and make sure that the copy is up to date; return the document."""
        while True:
            there = transaction.begin(file.check)
            own = self._usable(file, there)
            new = self._union(file, own, there)
            if new is None:
                break
            transaction.put(new)
            file.replace(_stamped(new), before=transaction.commit)
        if there.version and own[:2] != there[:2]:
            file.replace(_stamped(there))
        self._note_up_to_date(file)
        return there

    def _union(
        self, file: PrivateJSON, own: CommonDocument, there: CommonDocument
    ) -> CommonDocument | None:
        """Return what the document has to become, as the file has what it lacks; None: it stays."""
        if not own.content:
            return None
        if not there.version:
            return CommonDocument(own.origin or there.origin, max(1, own.version), own.content)
        if own.origin == there.origin:
            if own.version <= there.version:
                return None
            log.warn(
                "the database of the cluster has an older {name} than this node, which puts its "
                "own there",
                name=file.path.name,
            )
            return CommonDocument(own.origin, own.version, own.content)
        content, conflicts = merged_content(there.content, own.content)
        if content == there.content and not conflicts:
            return None
        kept = self._keep(file)
        log.warn(
            "entries of {name} that only this node has are added to those of the cluster; where "
            "both have one, that of the cluster counts: {conflicts}. The file as it was is {kept}",
            name=file.path.name,
            conflicts=", ".join(conflicts) or "no other entries",
            kept=str(kept),
        )
        return CommonDocument(there.origin, there.version + 1, content)

    def _usable(self, file: PrivateJSON, there: CommonDocument) -> CommonDocument:
        """Return what a file has; nothing if it is damaged, and is to be replaced."""
        try:
            return _copy(file)
        except ValueError:
            if not there.version:
                return CommonDocument("", 0, {})  # the change finds that it is damaged
            kept = self._keep(file)
            log.error(
                "{name} was damaged; it is that of the cluster now, and the file as it was is "
                "{kept}",
                name=file.path.name,
                kept=str(kept),
            )
            return CommonDocument("", 0, {})

    def _keep(self, file: PrivateJSON) -> Path:
        """Keep a file under another name as well, once; return that."""
        version = file.version()
        known = self._kept.get(file.path)
        if known is not None and known[0] == version:
            return known[1]
        when = datetime.fromtimestamp(self._seconds(), UTC)
        kept = file.path.with_name(f"{file.path.stem}.own-{when:%Y%m%d-%H%M%S-%f}.json")
        replace_file(kept, file.path.read_bytes())
        self._kept[file.path] = version, kept
        return kept


def _write(
    transaction: DocumentTransaction,
    file: PrivateJSON,
    base: CommonDocument,
    content: Mapping[str, Any],
) -> None:
    new = CommonDocument(base.origin, base.version + 1, dict(content))
    transaction.put(new)
    file.replace(_stamped(new), before=transaction.commit)


def _is_earlier(own: CommonDocument, there: CommonDocument) -> bool:
    """Return whether a file is this version of a document, or an earlier one, or has nothing."""
    return not own.content or (own.origin == there.origin and own.version <= there.version)


def _stamped(there: CommonDocument) -> dict[str, Any]:
    return {**there.content, STAMP: {"origin": there.origin, "version": there.version}}


def _copy(file: PrivateJSON) -> CommonDocument:
    """Return what a file has; raises `OSError`, and `ValueError` if it is damaged."""
    content = file.content()
    stamp = content.pop(STAMP, {"origin": "", "version": 0})
    file.check(content)
    try:
        return CommonDocument(str(stamp["origin"]), int(stamp["version"]), content)
    except (TypeError, LookupError):
        raise ValueError("its stamp is damaged") from None
