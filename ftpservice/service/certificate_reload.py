"""Reads the certificates anew when their files change, or at SIGHUP; sessions go on as they are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from ftpservice.concurrency.thread_pool import BlockingPool, BlockingRunner
from ftpservice.net.tls.server import CertificateError, ServerTLS

__all__ = ["INTERVAL_SECONDS", "CertificateReload", "file_versions"]

log = Logger("ftpservice.tls")

INTERVAL_SECONDS = 3.0
"""Seconds between two looks at the files; what changes from one to the next is not read yet."""

FileVersion = tuple[int, int, int] | None


def file_versions(paths: Iterable[Path]) -> tuple[FileVersion, ...]:
    """Return what changes when one of these files does (blocks)."""
    return tuple(map(_version, paths))


def _version(path: Path) -> FileVersion:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


class CertificateReload(Service):
    """Watches the files that ``tls`` was made of; ``made`` are their `file_versions` before that.

    What is wrong in new files is told in the log, in one line, and the old ones stay in use.
    """

    def __init__(
        self,
        tls: ServerTLS,
        paths: Iterable[Path],
        made: tuple[FileVersion, ...],
        reactor: Any,
        pool: Callable[[Any], BlockingRunner] = lambda reactor: BlockingPool(
            reactor, "certificates", threads=1
        ),
    ) -> None:
        self._tls = tls
        self._paths = tuple(paths)
        self._used = self._seen = made
        self._reactor = reactor
        self._make_pool = pool
        self._looking = LoopingCall(self._look)
        self._looking.clock = reactor

    def startService(self) -> None:
        """Begin to watch."""
        super().startService()
        self._pool = self._make_pool(self._reactor)
        self._looking.start(INTERVAL_SECONDS, now=False).addErrback(_unexpected)

    def stopService(self) -> Deferred[None]:
        """Watch no more; fires when no thread reads any more."""
        super().stopService()
        if self._looking.running:
            self._looking.stop()
        return self._pool.stop()

    def renew(self) -> None:
        """Read the files now, changed or not."""
        if self.running:
            self._pool.run(self._read).addCallbacks(_told, _unexpected)

    def adopt(self, tls: ServerTLS, paths: Iterable[Path], made: tuple[FileVersion, ...]) -> None:
        """Use and watch other files from now on; the parameters are those of the constructor."""
        if self.running:
            self._pool.run(self._adopt, tls, tuple(paths), made).addErrback(_unexpected)

    def _adopt(
        self, tls: ServerTLS, paths: tuple[Path, ...], made: tuple[FileVersion, ...]
    ) -> None:
        """Do so between two looks: only one thread looks."""
        self._tls.adopt(tls)
        self._paths, self._used, self._seen = paths, made, made

    def _look(self) -> Deferred[None]:
        return self._pool.run(self._check).addCallbacks(_told, _unexpected)

    def _check(self) -> str:
        """Read the files if they have changed and no longer do (blocks)."""
        before, self._seen = self._seen, file_versions(self._paths)
        return self._read() if self._seen != self._used and self._seen == before else ""

    def _read(self) -> str:
        """Read the files (blocks); returns what the log is to be told, in one line."""
        self._used = self._seen = file_versions(self._paths)
        try:
            self._tls.reload()
        except CertificateError as error:
            return f"{error}; the certificates read before stay in use"
        shown = ", ".join(one.fingerprint for one in self._tls.certificates)
        return f"certificates read anew: SHA-256 {shown}"


def _told(line: str) -> None:
    if line:
        log.warn("{line}", line=line)


def _unexpected(failure: Any) -> None:
    log.failure("cannot look after the certificates", failure)
