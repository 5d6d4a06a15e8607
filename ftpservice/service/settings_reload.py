"""Reads the settings again on SIGHUP, applies the live ones and names the others.

The file and the certificates are read in a thread. An error anywhere leaves everything as it was.
New values apply to sessions that begin afterwards; existing sessions keep theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.logger import Logger
from twisted.python import usage

from ftpservice.concurrency.task import Task
from ftpservice.concurrency.thread_pool import BlockingRunner
from ftpservice.net.tls.server import CertificateError
from ftpservice.service.activity.hook_setup import check_changed_hooks
from ftpservice.service.certificates.certificate_setup import LoadedCertificates, load_certificates
from ftpservice.service.settings.errors import error_text
from ftpservice.service.settings.live_settings import CERTIFICATE_SETTINGS, live_settings
from ftpservice.service.settings.options import ServiceOptions
from ftpservice.service.settings.settings import ServiceSettings

__all__ = ["SettingsChange", "SettingsReload"]

log = Logger("ftpservice")


@dataclass(frozen=True)
class SettingsChange:
    """The result of reading the settings again."""

    settings: ServiceSettings
    """The settings in force from now on."""
    applied: tuple[str, ...]
    waiting: tuple[str, ...]
    """The settings that changed but need a restart."""
    new_certificates: LoadedCertificates | None = None
    """The certificates from now on, if other files are configured."""

    def lines(self) -> Iterable[str]:
        """Yield the lines for the log."""
        if self.applied:
            yield f"settings read again, applied: {', '.join(self.applied)}"
        if self.waiting:
            upgrade = " or 'ftpservice upgrade'" if self.settings.workers > 1 else ""
            names = ", ".join(self.waiting)
            yield f"settings read again, a restart{upgrade} is needed for: {names}"
        if not (self.applied or self.waiting):
            yield "settings read again: nothing has changed"


class SettingsReload:
    """Called on SIGHUP.

    ``apply`` is called with a `SettingsChange`; ``write_lines`` and ``write_error`` report to the
    operator.
    """

    def __init__(
        self,
        options: ServiceOptions,
        apply: Callable[[SettingsChange], object],
        write_lines: Callable[[Iterable[str]], object],
        write_error: Callable[[str], object],
        pool: Callable[[], BlockingRunner],
    ) -> None:
        self._options = options
        self._apply = apply
        self._write_lines = write_lines
        self._write_error = write_error
        self._pool = pool
        self._running = self._again = False

    def __call__(self) -> Deferred[None]:
        """Read the settings; a call while they are read makes that one read them once more."""
        if self._running:
            self._again = True
            return succeed(None)
        self._running = True
        return Task(self._repeat()).done.addErrback(_unexpected)

    async def _repeat(self) -> None:
        try:
            await self._once()
            while self._again:
                self._again = False
                await self._once()
        finally:
            self._running = False

    async def _once(self) -> None:
        pool = self._pool()
        try:
            change = await pool.run(self._read)
            self._apply(change)
        except (usage.UsageError, CertificateError, OSError, ValueError) as error:
            self._write_error(
                f"settings not read again: {error_text(error)}; the previous ones stay in force"
            )
            return
        finally:
            await pool.stop()
        self._options.settings = change.settings
        self._write_lines(change.lines())

    def _read(self) -> SettingsChange:
        """Read the file and the certificates that it names (blocks)."""
        before, after = self._options.settings, self._options.read_settings()
        try:
            live = live_settings(before, after)
            if "hook" in live.applied:
                check_changed_hooks(live.settings)
        except ValueError as error:
            raise usage.UsageError(str(error)) from None
        reloads = not CERTIFICATE_SETTINGS.isdisjoint(live.applied)
        new = load_certificates(live.settings.tls_files) if reloads else None
        return SettingsChange(*live, new_certificates=new)


def _unexpected(failure: Any) -> None:
    if not failure.check(CancelledError):
        log.failure("cannot read the settings again", failure)
