"""Logins whose password was right, and that still need a second factor.

Each has a random cookie of its own, which is good for nothing else, and ends after a short time.
"""

from __future__ import annotations

from dataclasses import dataclass

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ftpservice.accounts.second_factors.passkeys import Ceremony
from ftpservice.web.access.account_session import AccountSession
from ftpservice.web.access.login_cookie import LoginCookie
from ftpservice.web.access.random_secrets import hash_of, new_secret

__all__ = ["CHALLENGE_COOKIE", "LoginChallenge", "LoginChallenges"]

LIFE_SECONDS = 300.0
MAX_TRIES = 5
"""Wrong codes, after which the password is asked for again."""
MAX_CHALLENGES = 1000
MAX_CHALLENGES_PER_USER = 10
CHALLENGE_COOKIE = LoginCookie("ftpservice-step")


@dataclass(slots=True, eq=False)
class LoginChallenge:
    """A login that needs a second factor."""

    user: str
    account: AccountSession
    """Its session, which has not begun; it ends with the challenge."""
    ceremony: Ceremony | None = None
    """The login with a passkey, good for one try; None if that is not possible."""
    tries: int = 0


class LoginChallenges:
    """The challenges that have not ended."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._challenges: dict[str, tuple[LoginChallenge, IDelayedCall]] = {}

    def begin(self, challenge: LoginChallenge) -> str:
        """Begin a challenge; return the value of its cookie."""
        own = [key for key, (one, _) in self._challenges.items() if one.user == challenge.user]
        if len(own) >= MAX_CHALLENGES_PER_USER:
            self._end(own[0])
        elif len(self._challenges) >= MAX_CHALLENGES:
            self._end(next(iter(self._challenges)))
        secret = new_secret()
        timer = self._clock.callLater(LIFE_SECONDS, self._end, hash_of(secret))
        self._challenges[hash_of(secret)] = challenge, timer
        return secret

    def find(self, secret: str) -> LoginChallenge | None:
        """Return the challenge of a cookie; None if there is none or it has ended."""
        found = self._challenges.get(hash_of(secret))
        return None if found is None else found[0]

    def failed(self, secret: str) -> None:
        """Count a wrong answer; the challenge ends after some."""
        challenge = self.find(secret)
        if challenge is not None:
            challenge.tries += 1
            if challenge.tries >= MAX_TRIES:
                self._end(hash_of(secret))

    def take(self, secret: str) -> LoginChallenge | None:
        """Take a challenge out, whose session is then the caller's; None if it has ended."""
        found = self._challenges.pop(hash_of(secret), None)
        if found is None:
            return None
        challenge, timer = found
        timer.cancel()
        return challenge

    def stop(self) -> None:
        """End all."""
        for key in tuple(self._challenges):
            self._end(key)

    def _end(self, key: str) -> None:
        found = self._challenges.pop(key, None)
        if found is not None:
            challenge, timer = found
            if timer.active():
                timer.cancel()
            challenge.account.end("")
