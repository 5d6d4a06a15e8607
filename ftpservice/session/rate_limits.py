"""The rate limits of a session."""

from __future__ import annotations

from collections.abc import Iterator

from twisted.internet.interfaces import IReactorTime

from ftpservice.accounts.account import IAccount
from ftpservice.session.settings import SessionSettings
from ftpservice.stream.rate_limit import RateLimiter, RateLimiters, SharedRateLimiters

__all__ = ["SessionRateLimits"]

Key = tuple[str, bool]
"""An account's name and whether the limit is of its uploads."""


class SessionRateLimits:
    """The limits of one session: its own, and those that the sessions of its account share."""

    def __init__(
        self, clock: IReactorTime, settings: SessionSettings, shared: SharedRateLimiters
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._shared = shared
        self._own: dict[bool, RateLimiter] = {}
        self._joined: dict[Key, RateLimiter] = {}

    def rate_limiters(self, account: IAccount, upload: bool) -> RateLimiters | None:
        """Return the limits of uploads or of downloads; None without any."""
        limits = [*self._of_session(upload), *self._of_user(account, upload)]
        return RateLimiters(*limits) if limits else None

    def leave(self) -> None:
        """Leave the shared limits at the end of a login."""
        while self._joined:
            key, _limiter = self._joined.popitem()
            self._shared.leave(key)

    def _of_session(self, upload: bool) -> Iterator[RateLimiter]:
        rate = self._settings.rate_up if upload else self._settings.rate_down
        if rate:
            if upload not in self._own:
                self._own[upload] = RateLimiter(self._clock, rate)
            yield self._own[upload]

    def _of_user(self, account: IAccount, upload: bool) -> Iterator[RateLimiter]:
        rate = account.rate_up if upload else account.rate_down
        if rate:
            key = (account.name, upload)
            if key not in self._joined:
                self._joined[key] = self._shared.join(key, rate)
            yield self._joined[key]
