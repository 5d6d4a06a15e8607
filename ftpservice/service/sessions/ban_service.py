"""Keeps the bans over restarts, and reads the lists of allowed and denied networks again.

Files are read and written in a thread of their own. An error is logged, and what was in force
stays in force.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ftpservice.accounts.defence.ban_file import load_bans, save_bans
from ftpservice.accounts.defence.bans import Ban, BanList, parse_networks
from ftpservice.accounts.defence.networks import Network, NetworkTable, network_set
from ftpservice.concurrency.thread_pool import BlockingPool, BlockingRunner
from ftpservice.linux import read_regular_file
from ftpservice.service.certificates.certificate_reload import FileVersion, file_versions
from ftpservice.service.settings.errors import CannotStart, error_text

__all__ = ["BAN_FILE", "BanService"]

log = Logger("ftpservice.accounts")

BAN_FILE = "bans.json"
"""In the data directory."""
LIST_OPTIONS = ("--allow-networks", "--deny-networks")
MAX_LIST_BYTES = 64 * 1024 * 1024
POLL_SECONDS = 2.0
"""Time between two looks at the lists of networks."""


@dataclass(frozen=True)
class NetworkLists:
    """Both lists, ready to be looked up, and how many networks each has."""

    allowed: NetworkTable[None]
    denied: NetworkTable[None]
    sizes: tuple[int, int]


class BanService(Service):
    """Loads and saves the bans of ``bans``, and watches its lists of networks.

    ``path`` is the file of the bans; None: they end with the process. ``lists`` are the files of
    allowed and of denied networks. Raises `CannotStart` if one of them cannot be read.
    """

    def __init__(
        self,
        bans: BanList,
        path: Path | None,
        lists: tuple[str | None, str | None],
        reactor: Any,
        pool: Callable[[Any], BlockingRunner] = lambda reactor: BlockingPool(
            reactor, "bans", threads=1
        ),
    ) -> None:
        self.bans = bans
        bans.save = self.save
        self._path = path
        self._lists = tuple(None if name is None else Path(name) for name in lists)
        self._reactor = reactor
        self._make_pool = pool
        self._pool: BlockingRunner | None = None
        self._unsaved: Sequence[Ban] | None = None
        self._poll = LoopingCall(self._check_in_thread)
        self._poll.clock = reactor
        self._versions = self._current_versions()
        try:
            self._use(self._read_lists() if any(lists) else None)
        except ValueError as error:
            raise CannotStart(error_text(error)) from None
        try:
            bans.load(load_bans(path) if path is not None else ())
        except (OSError, ValueError) as error:
            raise CannotStart(
                f"the bans in {path} cannot be read: {error_text(error)} - restore the file or "
                "remove it"
            ) from None

    def startService(self) -> None:
        """Start to watch the lists."""
        super().startService()
        if any(self._lists):
            self._poll.start(POLL_SECONDS, now=False).addErrback(_unexpected)

    def stopService(self) -> Deferred[None]:
        """Save what is not saved yet; fires when the thread has ended."""
        super().stopService()
        if self._poll.running:
            self._poll.stop()
        pool, self._pool = self._pool, None
        return succeed(None) if pool is None else pool.stop()

    def _thread(self) -> BlockingRunner:
        if self._pool is None:
            self._pool = self._make_pool(self._reactor)
        return self._pool

    def save(self, bans: Sequence[Ban]) -> None:
        """Write the bans to the file, soon; the last of several changes in a row is written."""
        if self._path is None or not self.running:
            return
        is_waiting, self._unsaved = self._unsaved is not None, tuple(bans)
        if not is_waiting:
            self._thread().finish(self._save).addErrback(_cannot_save)

    def _save(self) -> None:
        """Write the last bans; in the pool's only thread."""
        bans, self._unsaved = self._unsaved, None
        assert bans is not None
        assert self._path is not None
        save_bans(self._path, bans)

    def _current_versions(self) -> tuple[FileVersion, ...]:
        return file_versions(path for path in self._lists if path is not None)

    def _read_lists(self) -> NetworkLists:
        allowed, denied = map(_networks, LIST_OPTIONS, self._lists)
        sizes = len(allowed), len(denied)
        return NetworkLists(network_set(allowed), network_set(denied), sizes)

    def _check_in_thread(self) -> Deferred[None]:
        return self._thread().run(self._changed_lists).addCallbacks(self._use, _cannot_read)

    def _changed_lists(self) -> NetworkLists | None:
        """Read the lists if a file has changed (blocks)."""
        versions = self._current_versions()
        if versions == self._versions:
            return None
        self._versions = versions
        return self._read_lists()

    def _use(self, lists: NetworkLists | None) -> None:
        if lists is not None:
            self.bans.use_networks(lists.allowed, lists.denied)
            allowed, denied = lists.sizes
            log.info(
                "networks: {allowed} allowed, {denied} denied",
                allowed=allowed,
                denied=denied,
            )


def _networks(option: str, path: Path | None) -> tuple[Network, ...]:
    """Read the networks in the file of an option; raises `ValueError` with the reason."""
    if path is None:
        return ()
    try:
        content = read_regular_file(path, MAX_LIST_BYTES, follows_links=True)
    except OSError as error:
        raise ValueError(f"{option}: {path}: {error_text(error)}") from None
    try:
        return parse_networks(content.decode("utf-8"))
    except ValueError as error:
        raise ValueError(f"{option}: {path}, {error}") from None


def _cannot_save(failure: Failure) -> None:
    log.error("the bans could not be saved: {reason}", reason=error_text(failure.value))


def _cannot_read(failure: Failure) -> None:
    log.error("{reason}; the previous networks stay in force", reason=error_text(failure.value))


def _unexpected(failure: Failure) -> None:
    log.failure("the lists of networks are no longer watched", failure)
