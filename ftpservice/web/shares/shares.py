"""The share links in force, read again when their file has changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.logger import Logger

from ftpservice.accounts.password_hash import hash_password, verify
from ftpservice.concurrency.thread_pool import BlockingRunner
from ftpservice.state_files.disk_space import is_out_of_space
from ftpservice.state_files.private_json import DocumentUnavailable
from ftpservice.web.access.random_secrets import hash_of
from ftpservice.web.http.problems import NO_SPACE_REASON, Problem
from ftpservice.web.shares.share_file import Share, ShareFile, ShareFileError

__all__ = ["Shares"]

log = Logger("ftpservice.web")

LOOK_SECONDS = 0.5
"""Time between two looks whether the file has changed."""
UNREADABLE_TEXT = "Share links cannot be read at the moment; see the log of the service."
UNCHANGEABLE_TEXT = "Share links cannot be changed at the moment; see the log of the service."
NO_FILE_TEXT = "The service has no data directory, so it keeps no share links."

T = TypeVar("T")


class Shares:
    """The links of ``file`` (None: there are none), which is read and written in ``pool``."""

    def __init__(
        self, file: ShareFile | None, pool: BlockingRunner, seconds: Callable[[], float]
    ) -> None:
        self._file = file
        self._pool = pool
        self._seconds = seconds
        self._shares: dict[str, Share] = {}
        self._version: tuple[int, ...] | None = None
        self._looked = float("-inf")
        self._problem = ""

    async def find(self, secret: str) -> Share | None:
        """Return a link that is in force; raises `Problem` if the file cannot be read."""
        await self._require_readable()
        share = self._shares.get(hash_of(secret))
        return share if share is not None and share.expires > self._seconds() else None

    async def was_removed(self, share: Share) -> bool:
        """Return whether a link is gone before its end; raises `Problem`."""
        await self._require_readable()
        return share.hash not in self._shares and share.expires > self._seconds()

    async def of(self, user: str) -> list[Share]:
        """Return the links of an account, the latest first; raises `Problem`."""
        await self._require_readable()
        own = [one for one in self._shares.values() if one.user == user]
        return sorted(
            (one for one in own if one.expires > self._seconds()),
            key=lambda one: -one.created,
        )

    async def users(self) -> set[str]:
        """Return the accounts that have links; raises `Problem`."""
        await self._require_readable()
        return {one.user for one in self._shares.values() if one.expires > self._seconds()}

    async def add(self, user: str, path: str, seconds: float, password: str) -> tuple[str, Share]:
        """Add a link; return its secret and the link. Raises `Problem`."""

        def add(file: ShareFile) -> tuple[str, Share]:
            return file.add(user, path, seconds, hash_password(password) if password else "")

        return await self._change(add)

    async def remove(self, user: str, id: str) -> Share:
        """Remove a link of an account; raises `Problem`."""
        if all(share.id != id for share in await self.of(user)):
            raise Problem(404, "There is no such share link.")
        return await self._change(lambda file: file.remove(id, user))

    async def remove_of(self, user: str) -> None:
        """Remove all links of an account that is removed; raises `Problem`."""
        if await self.of(user):
            await self._change(lambda file: file.remove_of(user))

    async def accepts(self, share: Share, password: str) -> bool:
        """Return whether a password opens a link."""
        given = password.encode("utf-8", "surrogateescape")
        return await self._pool.run(verify, share.password, given)

    async def _change(self, work: Callable[[ShareFile], T]) -> T:
        if self._file is None:
            raise Problem(404, NO_FILE_TEXT)
        try:
            found: T = await self._pool.run(work, self._file)
        except ShareFileError as error:
            if isinstance(error.__cause__, DocumentUnavailable):
                log.error("share links: {reason}", reason=str(error))
                raise Problem(503, UNCHANGEABLE_TEXT) from None
            text = str(error).rpartition("/")[2]
            if is_out_of_space(error):
                raise Problem(507, text, reason=NO_SPACE_REASON) from None
            raise Problem(503 if isinstance(error.__cause__, OSError) else 409, text) from None
        self._looked = float("-inf")
        return found

    async def _require_readable(self) -> None:
        if await self.look():
            raise Problem(503, UNREADABLE_TEXT)

    async def look(self) -> str:
        """Read the file, if it has changed; return why it cannot be used, empty if it can."""
        if self._file is None or 0 <= self._seconds() - self._looked < LOOK_SECONDS:
            return self._problem
        try:
            version, shares = await self._pool.run(_read, self._file, self._version)
            problem = ""
        except ShareFileError as error:
            version, shares, problem = None, None, str(error)
            if problem != self._problem:
                log.error("no share link works: {reason}", reason=problem)
        self._version, self._looked, self._problem = version, self._seconds(), problem
        if shares is not None:
            self._shares = shares
        return problem


def _read(file: ShareFile, known: tuple[int, ...] | None) -> tuple[Any, dict[str, Share] | None]:
    version = file.version()
    return version, None if version == known else file.read()
