"""Reads the certificates again when their files change, or on SIGHUP.

Existing TLS sessions are not affected.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from ftpservice.concurrency.thread_pool import BlockingPool, BlockingRunner
from ftpservice.net.tls.server import CertificateError, CertificateSummary, ServerTLS

__all__ = ["POLL_SECONDS", "CertificateReload", "FileVersion", "file_versions"]

log = Logger("ftpservice.tls")

POLL_SECONDS = 3.0
"""Time between two checks of the files; files that differ from one to the next are still being
written, and are read after the next check."""

FileVersion = tuple[int, int, int] | None
"""Modification time in nanoseconds, size, inode; None for a file that is missing."""


def file_versions(paths: Iterable[Path]) -> tuple[FileVersion, ...]:
    """Return a value that changes when one of the files changes (blocks)."""
    return tuple(map(_version, paths))


def _version(path: Path) -> FileVersion:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


class Loaded(Protocol):
    """Certificates, and the files they were loaded from."""

    @property
    def tls(self) -> ServerTLS:
        """The certificates."""

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files to watch."""

    @property
    def versions(self) -> tuple[FileVersion, ...]:
        """Their `file_versions` before they were read."""


class CertificateReload(Service):
    """Watches the files that ``tls`` was loaded from.

    ``versions`` are their `file_versions` before they were read. An error in new files is logged
    in one line, and the previous certificates stay in use.
    """

    def __init__(
        self,
        tls: ServerTLS,
        paths: Iterable[Path],
        versions: tuple[FileVersion, ...],
        reactor: Any,
        pool: Callable[[Any], BlockingRunner] = lambda reactor: BlockingPool(
            reactor, "certificates", threads=1
        ),
    ) -> None:
        self._tls = tls
        self._paths = tuple(paths)
        self._used = self._seen = versions
        self._reactor = reactor
        self._make_pool = pool
        self.changed: Callable[[ServerTLS], object] = bool
        """Called in the thread with other certificates that are in use now; may block."""
        self._poll = LoopingCall(self._check_in_thread)
        self._poll.clock = reactor

    def startService(self) -> None:
        """Start to watch the files."""
        super().startService()
        self._pool = self._make_pool(self._reactor)
        self._poll.start(POLL_SECONDS, now=False).addErrback(_unexpected)

    def stopService(self) -> Deferred[None]:
        """Stop to watch the files; fires when the thread has ended."""
        super().stopService()
        if self._poll.running:
            self._poll.stop()
        return self._pool.stop()

    def reload(self) -> None:
        """Read the files now, whether they have changed or not."""
        if self.running:
            self._pool.run(self._read).addCallbacks(_log_line, _unexpected)

    def use(self, tls: ServerTLS, paths: Iterable[Path], versions: tuple[FileVersion, ...]) -> None:
        """Use and watch other files; the parameters are those of the constructor."""
        if self.running:
            self._pool.run(self._use, tls, tuple(paths), versions).addErrback(_unexpected)

    def load(self, load: Callable[[], Loaded]) -> Deferred[None]:
        """Use and watch what ``load`` returns (it blocks); fires when it is used.

        Fails with what ``load`` raises, and the previous certificates stay in use.
        """

        def use() -> None:
            loaded = load()
            self._use(loaded.tls, loaded.paths, loaded.versions)

        return self._pool.run(use)

    @property
    def certificates(self) -> Sequence[CertificateSummary]:
        """The certificates in use, the default one first."""
        return self._tls.certificates

    def _use(
        self, tls: ServerTLS, paths: tuple[Path, ...], versions: tuple[FileVersion, ...]
    ) -> None:
        """Switch to other files; in the pool's only thread, so never during a check."""
        self._tls.adopt(tls)
        self._paths, self._used, self._seen = paths, versions, versions
        self.changed(self._tls)

    def _check_in_thread(self) -> Deferred[None]:
        return self._pool.run(self._check).addCallbacks(_log_line, _unexpected)

    def _check(self) -> str:
        """Read the files if they have changed and no longer change (blocks)."""
        before, self._seen = self._seen, file_versions(self._paths)
        return self._read() if self._seen != self._used and self._seen == before else ""

    def _read(self) -> str:
        """Read the files (blocks); returns a line for the log."""
        self._used = self._seen = file_versions(self._paths)
        try:
            self._tls.reload()
        except CertificateError as error:
            return f"{error}; the previous certificates stay in use"
        self.changed(self._tls)
        fingerprints = ", ".join(one.fingerprint for one in self._tls.certificates)
        return f"certificates read again: SHA-256 {fingerprints}"


def _log_line(line: str) -> None:
    if line:
        log.warn("{line}", line=line)


def _unexpected(failure: Any) -> None:
    log.failure("cannot check the certificates", failure)
