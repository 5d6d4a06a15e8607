"""Reads the settings again at SIGHUP: what can change in a running service does, the rest is named.

The file is read and the certificates are loaded in a thread. Nothing changes unless all of it is
good. New values hold for sessions that begin afterwards; those there are keep theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python import usage

from ftpservice.concurrency.task import Task
from ftpservice.concurrency.thread_pool import BlockingRunner
from ftpservice.net.tls.server import CertificateError
from ftpservice.service.certificate_setup import LoadedCertificates, load_certificates
from ftpservice.service.settings.errors import error_text
from ftpservice.service.settings.options import ServiceOptions
from ftpservice.service.settings.settings import ServiceSettings
from ftpservice.service.settings.table import SETTINGS_BY_NAME
from ftpservice.session.tls_policy import ControlTLS

__all__ = ["LIVE_SETTINGS", "SettingsChange", "SettingsReload"]

log = Logger("ftpservice")

LIVE_SETTINGS = frozenset(
    (
        "tls",
        "tls-data",
        "allow-plaintext",
        "allow-ccc",
        "certificate",
        "key",
        "client-ca",
        "require-session-reuse",
        "tls-allow-truncated",
        "tls-handshake-timeout",
        "passive-ports",
        "passive-address",
        "welcome",
        "max-sessions",
        "max-sessions-per-address",
        "max-sessions-per-user",
        "login-timeout",
        "idle-timeout",
        "data-timeout",
        "stall-timeout",
        "rate-down",
        "rate-up",
        "grace",
        "log",
        "ascii",
        "host-names",
        "umask",
    )
)
"""The settings that a running service can change."""
CERTIFICATE_SETTINGS = frozenset(("certificate", "key", "client-ca"))


@dataclass(frozen=True)
class SettingsChange:
    """What has come of reading the settings again."""

    decided: dict[str, Any]
    """The values in force from now on, by name."""
    settings: ServiceSettings
    applied: tuple[str, ...]
    waiting: tuple[str, ...]
    """What wants a restart."""
    new_certificates: LoadedCertificates | None = None
    """The certificates from now on, where other files are named."""

    def lines(self) -> Iterable[str]:
        """Say what has changed."""
        if self.applied:
            yield f"settings read again, applied: {', '.join(self.applied)}"
        if self.waiting:
            yield f"settings read again, a restart is needed for: {', '.join(self.waiting)}"
        if not (self.applied or self.waiting):
            yield "settings read again: nothing has changed"


class SettingsReload:
    """Called at SIGHUP.

    ``apply`` is given a `SettingsChange`, ``tell`` lines, ``complain`` a line.
    """

    def __init__(
        self,
        options: ServiceOptions,
        apply: Callable[[SettingsChange], object],
        tell: Callable[[Iterable[str]], object],
        complain: Callable[[str], object],
        pool: Callable[[], BlockingRunner],
    ) -> None:
        self._options = options
        self._apply = apply
        self._tell = tell
        self._complain = complain
        self._pool = pool
        self._running = self._again = False

    def __call__(self) -> Deferred[None]:
        """Read the settings, and once more if this comes while they are read."""
        if self._running:
            self._again = True
            return Task(_nothing()).done
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
        except (usage.UsageError, CertificateError, OSError) as error:
            self._complain(
                f"settings not read again: {error_text(error)}; the old ones stay in force"
            )
            return
        finally:
            await pool.stop()
        self._options.decided, self._options.settings = change.decided, change.settings
        self._apply(change)
        self._tell(change.lines())

    def _read(self) -> SettingsChange:
        """Read the file and the certificates that it names (blocks)."""
        options = self._options
        before, after = _whole(options.decided), _whole(options.reread_values())
        self._see_that_it_holds(after)
        changed = {name for name in SETTINGS_BY_NAME if before[name] != after[name]}
        live = {name for name in changed if _is_live(name, before, after)}
        decided = options.decided | {name: after[name] for name in live}
        settings = options.settings_of(decided)
        papers = load_certificates(settings.tls) if live & CERTIFICATE_SETTINGS else None
        order = [name for name in SETTINGS_BY_NAME if name in changed]
        return SettingsChange(
            decided,
            settings,
            tuple(name for name in order if name in live),
            tuple(name for name in order if name not in live),
            papers,
        )

    def _see_that_it_holds(self, values: dict[str, Any]) -> None:
        """Raise `usage.UsageError` if the service would not start with the values as they are."""
        self._options.settings_of(values)


def _whole(decided: dict[str, Any]) -> dict[str, Any]:
    return {name: setting.initial for name, setting in SETTINGS_BY_NAME.items()} | decided


def _is_live(name: str, before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Tell whether a running service can take over a change."""
    if name == "tls":
        return ControlTLS.OFF not in (before[name], after[name])
    if name in CERTIFICATE_SETTINGS:
        off = ControlTLS.OFF in (before["tls"], after["tls"])
        return bool(before["certificate"] and after["certificate"]) and not off
    return name in LIVE_SETTINGS


async def _nothing() -> None:
    """Be done."""


def _unexpected(failure: Any) -> None:
    if not failure.check(CancelledError):
        log.failure("cannot read the settings again", failure)
