"""Recognises the callers of the API by their tokens.

A failed attempt is an event as that of an FTP login, and counts for the ban of its address. Beyond
some of an address, also of this machine, the answers are delayed, then refused without an event.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ftpservice.accounts.defence.login_attempts import LoginAttempts, TooManyAttempts
from ftpservice.concurrency.thread_pool import BlockingRunner
from ftpservice.events import Event, LoginFailed, LoginRefusal
from ftpservice.web.access.account_session import HTTP_SESSION
from ftpservice.web.access.random_secrets import hash_of
from ftpservice.web.access.scopes import Caller
from ftpservice.web.access.token_file import ApiToken, TokenFile, TokenFileError
from ftpservice.web.http.problems import Problem

__all__ = ["TokenAccess"]

log = Logger("ftpservice.web")

LOOK_SECONDS = 0.5
"""Time between two looks whether the file has changed."""
SCHEME = "Bearer "
UNREADABLE_TEXT = "API tokens cannot be checked at the moment; see the log of the service."


class TokenAccess:
    """The tokens of a file, which is read in ``pool``; ``file`` is None without one."""

    def __init__(
        self,
        file: TokenFile | None,
        pool: BlockingRunner,
        publish: Callable[[Event], object],
        seconds: Callable[[], float],
        clock: IReactorTime,
    ) -> None:
        self._file = file
        self._pool = pool
        self._publish = publish
        self._seconds = seconds
        self._attempts = LoginAttempts(clock)
        """Wrong tokens by address, apart from wrong passwords: a token cannot be guessed."""
        self._tokens: dict[str, ApiToken] = {}
        self._version: tuple[int, ...] | None = None
        self._looked = float("-inf")
        self._problem = ""
        self._waiting: list[Deferred[None]] | None = None
        """The requests that wait for the look in progress; None: there is none."""

    async def caller(self, request: Any) -> Caller | None:
        """Return the caller of a request with a token, None for one without; raises `Problem`."""
        header = request.getHeader("authorization")
        if header is None:
            return None
        if not header.startswith(SCHEME):
            raise Problem(401, "Authorization has the form: Bearer TOKEN.")
        if await self.look():
            raise Problem(503, UNREADABLE_TEXT)
        now = self._seconds()
        token = self._tokens.get(hash_of(header.removeprefix(SCHEME).strip()))
        peer = request.peer_host
        if token is None:
            await self._wait_for_turn(peer)
            self._failed(peer, "", LoginRefusal.REFUSED, "an API token that does not exist")
            raise Problem(401, "The token is not valid.")
        if token.expires is not None and token.expires <= now:
            await self._wait_for_turn(peer)
            self._failed(peer, token.name, LoginRefusal.EXPIRED, "an API token")
            raise Problem(401, "The token has expired.")
        return Caller(f"token {token.name}", token.scopes)

    async def _wait_for_turn(self, peer: str) -> None:
        """Count a wrong token; wait, or raise `Problem`, beyond what an address may send."""
        try:
            await self._attempts.admit(peer)
        except TooManyAttempts:
            raise Problem(429, "Too many wrong API tokens from your address.") from None
        self._attempts.failed(peer)

    def _failed(self, peer: str, name: str, reason: LoginRefusal, detail: str) -> None:
        event = LoginFailed(self._seconds(), 0, peer, name, reason, detail, info=HTTP_SESSION)
        self._publish(event)

    async def look(self) -> str:
        """Read the file, if it has changed; return why it cannot be used, empty if it can."""
        await self._look()
        return self._problem

    async def _look(self) -> None:
        if self._waiting is not None:
            waiter: Deferred[None] = Deferred()
            self._waiting.append(waiter)
            await waiter
            await self._look()  # the look may have been given up
        elif self._file is not None and not 0 <= self._seconds() - self._looked < LOOK_SECONDS:
            self._waiting = []
            try:
                version, tokens = await self._pool.run(self._read, self._version)
                self._looked = self._seconds()
                if tokens is not None:
                    self._version, self._tokens, self._problem = version, tokens, ""
            except TokenFileError as error:
                self._failed_to_read(str(error))
            finally:
                waiting, self._waiting = self._waiting, None
                for waiter in waiting:
                    waiter.callback(None)

    def _read(self, known: tuple[int, ...] | None) -> tuple[Any, dict[str, ApiToken] | None]:
        assert self._file is not None
        version = self._file.version()
        if version == known:
            return version, None
        return version, self._file.read()

    def _failed_to_read(self, reason: str) -> None:
        """Note that the file cannot be read; it is tried again, and logged once."""
        self._looked, self._version = self._seconds(), None
        if reason != self._problem:
            log.error("no API token is accepted: {reason}", reason=reason)
        self._problem = reason
