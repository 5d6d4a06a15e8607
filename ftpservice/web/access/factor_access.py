"""Checks the second factors of accounts, with the delays, events and bans of wrong passwords.

A code has six digits: beyond some wrong ones of an account, from any addresses, the next one has
to wait, so that nobody who knows the password can try all.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.logger import Logger

from ftpservice.accounts.defence.login_attempts import TooManyAttempts, delay_after
from ftpservice.accounts.second_factors.factor_changes import FactorKind, without_used_code
from ftpservice.accounts.second_factors.factor_file import FactorFile, FactorFileError
from ftpservice.accounts.second_factors.factor_records import SecondFactors
from ftpservice.accounts.second_factors.one_time_codes import TOTP_EXTRA_TEXT, has_totp_extra
from ftpservice.accounts.second_factors.passkeys import (
    PASSKEY_EXTRA_TEXT,
    Ceremony,
    has_passkey_extra,
    with_used_passkey,
)
from ftpservice.concurrency.thread_pool import BlockingRunner, PoolOverloaded
from ftpservice.control.factory import FTPFactory
from ftpservice.events import AdminAction, LoginFailed, LoginRefusal
from ftpservice.state_files.disk_space import is_out_of_space
from ftpservice.web.access.account_session import HTTP_SESSION
from ftpservice.web.http.problems import NO_SPACE_REASON, Problem

__all__ = ["FactorAccess", "known_factors"]

log = Logger("ftpservice.web")

FREE_FAILURES = 5
"""Wrong codes of an account in a row, after which each one has to wait."""
MAX_WAIT_SECONDS = 900.0
MAX_ACCOUNTS = 10_000
WRONG_TEXT = "The code is wrong or was used before."
WRONG_PASSKEY_TEXT = "The passkey is not accepted."
FULL_TEXT = "The disk of the second factors is full; see the log of the service."
UNAVAILABLE_TEXT = "Second factors cannot be checked at the moment; see the log of the service."

Change = Callable[[SecondFactors], tuple[SecondFactors, Any]]


def known_factors(factors: SecondFactors) -> tuple[object, object]:
    """Return what differs when an app or a passkey was added or removed."""
    secret = factors.code_secret
    return secret and secret.secret, tuple(one.id for one in factors.passkeys)


@dataclass(slots=True)
class WrongCodes:
    """The wrong codes of an account in a row, and the time before which none is checked."""

    count: int = 0
    not_before: float = 0.0


class FactorAccess:
    """The second factors in ``file`` (None: there are none), which is read in ``pool``.

    ``pause`` returns what to await for a time.
    """

    def __init__(
        self,
        file: FactorFile | None,
        pool: BlockingRunner,
        factory: FTPFactory,
        pause: Callable[[float], Any],
        seconds: Callable[[], float] = time.time,
    ) -> None:
        self._file = file
        self._pool = pool
        self._factory = factory
        self._pause = pause
        self.seconds = seconds
        self._wrong: dict[str, WrongCodes] = {}

    @property
    def is_possible(self) -> bool:
        """Whether there is a place for second factors."""
        return self._file is not None

    async def find(self, user: str) -> SecondFactors:
        """Return the second factors of an account; raises `Problem`."""
        if self._file is None:
            return SecondFactors()
        found: SecondFactors = await self._told(self._file.find, user)
        return found

    async def known(self, user: str) -> object:
        """Return `known_factors` of an account; None if they cannot be read now."""
        if self._file is None:
            return None
        try:
            return known_factors(await self._pool.run(self._file.find, user))
        except (FactorFileError, PoolOverloaded):
            return None

    async def all(self) -> dict[str, SecondFactors]:
        """Return the second factors by account; raises `Problem`."""
        return {} if self._file is None else await self._told(self._file.read)

    async def change(self, user: str, work: Change) -> Any:
        """Change the second factors of an account, as `FactorFile.change`; raises `Problem`."""
        if self._file is None:
            raise Problem(404, "The service has no data directory for second factors.")
        return await self._told(self._file.change, user, work)

    async def remove(self, user: str) -> bool:
        """Remove the second factors of an account; return whether it had any."""
        return self._file is not None and bool(await self._told(self._file.remove, user))

    async def in_thread(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Return what ``work`` returns in a thread: the libraries are large."""
        return await self._pool.run(work, *arguments)

    async def check_code(self, user: str, code: str, peer: str) -> FactorKind:
        """Return the kind of a right code, which cannot be used again; raises `Problem`."""
        factors = await self.find(user)
        if factors.code_secret is not None and not has_totp_extra():
            log.error("the login of {user} fails: {text}", user=user, text=TOTP_EXTRA_TEXT)
            raise Problem(503, UNAVAILABLE_TEXT)
        wrong = self._wrong[user] = self._wrong.pop(user, WrongCodes())
        if len(self._wrong) > MAX_ACCOUNTS:
            del self._wrong[next(iter(self._wrong))]
        now = self.seconds()
        if now < wrong.not_before <= now + MAX_WAIT_SECONDS:
            self._failed(user, peer, LoginRefusal.THROTTLED, "wrong second factors")
            left = int(wrong.not_before - now) + 1
            raise Problem(429, f"Too many wrong codes for the account; wait {left} s.")
        earlier = wrong.not_before
        wrong.count += 1  # before the check: others may come meanwhile
        if wrong.count > FREE_FAILURES:
            wait = 2.0 ** min(wrong.count - FREE_FAILURES, 20)
            wrong.not_before = now + min(wait, MAX_WAIT_SECONDS)
        try:
            kind = await self._use(user, without_used_code(code, now), peer, WRONG_TEXT)
        except (Problem, PoolOverloaded) as problem:
            if not isinstance(problem, Problem) or problem.status != 401:  # it was not checked
                wrong.count -= 1
                wrong.not_before = min(wrong.not_before, earlier)
            raise
        self._wrong.pop(user, None)
        return kind

    async def check_passkey(
        self, user: str, credential: Any, ceremony: Ceremony | None, peer: str
    ) -> FactorKind:
        """Return if a login with a passkey is right; raises `Problem`."""
        if not has_passkey_extra():
            log.error("the login of {user} fails: {text}", user=user, text=PASSKEY_EXTRA_TEXT)
            raise Problem(503, UNAVAILABLE_TEXT)
        if ceremony is None:
            raise Problem(400, "No passkey was asked for.")
        return await self._use(
            user, with_used_passkey(credential, ceremony), peer, WRONG_PASSKEY_TEXT
        )

    async def _use(self, user: str, work: Change, peer: str, text: str) -> FactorKind:
        """Use a factor, and count the attempt of the address; raises `Problem`."""
        attempts = self._factory.services().login_attempts
        try:
            await attempts.admit(peer)
        except TooManyAttempts:
            self._failed(user, peer, LoginRefusal.THROTTLED, "of this address")
            raise Problem(429, "Too many failed logins from your address.") from None
        ended = attempts.abandoned
        try:
            kind: FactorKind | None = await self.change(user, work)
            ended = attempts.failed if kind is None else attempts.succeeded
        finally:
            ended(peer)
        if kind is None:
            self._failed(user, peer, LoginRefusal.WRONG_FACTOR, "")
            await self._pause(delay_after(1))
            raise Problem(401, text)
        if kind is FactorKind.RECOVERY_CODE:
            self.publish(user, peer, "recovery code used", user)
        return kind

    def refuse(self, user: str, peer: str, detail: str) -> None:
        """Publish that a login is refused for want of a second factor."""
        self._failed(user, peer, LoginRefusal.NO_FACTOR, detail)

    def publish(self, user: str, peer: str, action: str, subject: str, detail: str = "") -> None:
        """Publish what somebody has done with second factors."""
        event = AdminAction(self.seconds(), 0, peer, user, action, subject, detail)
        self._factory.event_sink.events.publish(event)

    def _failed(self, user: str, peer: str, reason: LoginRefusal, detail: str) -> None:
        event = LoginFailed(self.seconds(), 0, peer, user, reason, detail, info=HTTP_SESSION)
        self._factory.event_sink.events.publish(event)

    async def _told(self, work: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return await self._pool.run(work, *arguments)
        except FactorFileError as error:
            log.error("second factors: {reason}", reason=str(error))
            if is_out_of_space(error):
                raise Problem(507, FULL_TEXT, reason=NO_SPACE_REASON) from None
            raise Problem(503, UNAVAILABLE_TEXT) from None
