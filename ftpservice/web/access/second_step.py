"""The second step of a login: after the password, the second factor of the account."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Collection
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from ftpservice.accounts.second_factors.factor_records import SecondFactors
from ftpservice.accounts.second_factors.passkeys import (
    Ceremony,
    assertion_options,
    has_passkey_extra,
)
from ftpservice.web.access.account_session import AccountSession
from ftpservice.web.access.factor_access import FactorAccess, known_factors
from ftpservice.web.access.login_challenges import (
    CHALLENGE_COOKIE,
    LoginChallenge,
    LoginChallenges,
)
from ftpservice.web.http.problems import Problem

__all__ = [
    "ADMINS_WORD",
    "ALL_WORD",
    "SecondStep",
    "account_name",
    "body_of",
    "new_ceremony",
    "passkey_options",
]

ALL_WORD, ADMINS_WORD = "all", "admins"
CHALLENGE_BYTES = 32
NO_FACTOR_TEXT = (
    "The account needs a second factor and has none; an administrator adds it: "
    "ftpservice user second-factor add"
)
ENDED_TEXT = "The login took too long or failed too often; begin again with the password."


def account_name(account: AccountSession) -> str:
    """Return the name of the account: a store may accept others for it."""
    avatar = account.context.portal_login.account
    return "" if avatar is None else avatar.name


def body_of(request: Any) -> dict[str, Any]:
    """Return the JSON object in the body of a request; raises `Problem`."""
    try:
        given = json.loads(request.content.getvalue() or b"{}")
    except (ValueError, RecursionError):
        raise Problem(400, "The body is not JSON.") from None
    if not isinstance(given, dict):
        raise Problem(400, "The body is not a JSON object.")
    return given


def new_ceremony(request: Any) -> Ceremony | None:
    """Return a ceremony with a passkey for the page of a request; None if none is possible.

    The header Host was accepted, and Origin has the same host: the browser signs the origin.
    """
    origin = request.getHeader("origin") or ""
    host = urlsplit(origin).hostname or ""
    if not has_passkey_extra() or not re.fullmatch(r"[a-z0-9.-]+", host):
        return None
    try:
        ip_address(host)
    except ValueError:
        return Ceremony(secrets.token_bytes(CHALLENGE_BYTES), host, origin)
    return None


def passkey_options(ceremony: Ceremony | None, factors: SecondFactors) -> dict[str, Any] | None:
    """Return what the browser needs to use a passkey of the account; None: it has none here."""
    if ceremony is None or all(one.rp_id != ceremony.rp_id for one in factors.passkeys):
        return None
    return assertion_options(ceremony, factors.passkeys)


class SecondStep:
    """Asks for the second factor of accounts that have one, and of those that are ``required``.

    ``required`` has names of accounts, of groups (``@staff``), ``admins`` and ``all``.
    """

    def __init__(
        self, factors: FactorAccess, challenges: LoginChallenges, required: Collection[str]
    ) -> None:
        self._factors = factors
        self._challenges = challenges
        self._required = frozenset(required)

    async def begin(
        self, request: Any, user: str, account: AccountSession
    ) -> dict[str, Any] | None:
        """Return what the browser has to answer; None if the password is enough.

        ``user`` is the name that was given. The session is ended by the caller, unless the browser
        has to answer. Raises `Problem`.
        """
        name = account_name(account)
        factors = await self._factors.find(name)
        account.factors = known_factors(factors)
        if not factors.is_on:
            if self._requires(name, account):
                self._factors.refuse(name, request.peer_host, "it has none, and needs one")
                raise Problem(403, NO_FACTOR_TEXT)
            return None
        challenge = LoginChallenge(user, account, new_ceremony(request))
        ceremony = challenge.ceremony
        options = await self._factors.in_thread(passkey_options, ceremony, factors)
        CHALLENGE_COOKIE.set(request, self._challenges.begin(challenge))
        return {
            "codes": factors.code_secret is not None,
            "passkey": options,
            "recovery": len(factors.recovery_hashes),
        }

    async def finish(self, request: Any) -> tuple[str, AccountSession]:
        """Return the name and the session of a login whose second factor is right.

        The session is then the caller's, to begin or to end. Raises `Problem`.
        """
        secret = CHALLENGE_COOKIE.read(request)
        challenge = self._challenges.find(secret)
        if challenge is None:
            raise Problem(410, ENDED_TEXT)
        if challenge.account.is_over:
            raise Problem(410, ENDED_TEXT)
        name, given, ceremony = account_name(challenge.account), body_of(request), None
        if "passkey" in given:
            ceremony, challenge.ceremony = challenge.ceremony, None
        try:
            await self.check(name, given, ceremony, request)
        except Problem as problem:
            if problem.status == 401:
                self._challenges.failed(secret)
            if "passkey" in given:
                problem.more["passkey"] = await self._next_passkey(name, challenge, request)
            raise
        taken = self._challenges.take(secret)
        CHALLENGE_COOKIE.set(request, "", seconds=0)
        if taken is None or taken.account.is_over:
            raise Problem(410, ENDED_TEXT)
        return taken.user, taken.account

    async def has_changed(self, account: AccountSession) -> bool:
        """Return whether an account has other second factors than at its login."""
        if account.factors is None:
            return False
        known = await self._factors.known(account_name(account))
        return known is not None and known != account.factors

    async def _next_passkey(
        self, name: str, challenge: LoginChallenge, request: Any
    ) -> dict[str, Any] | None:
        """Return what the browser needs to try a passkey once more."""
        challenge.ceremony = ceremony = new_ceremony(request)
        factors = await self._factors.find(name)
        options: dict[str, Any] | None
        options = await self._factors.in_thread(passkey_options, ceremony, factors)
        return options

    async def check(
        self, user: str, given: dict[str, Any], ceremony: Ceremony | None, request: Any
    ) -> None:
        """Return if the second factor in a body is right; raises `Problem`."""
        if "passkey" in given:
            await self._factors.check_passkey(user, given["passkey"], ceremony, request.peer_host)
        elif isinstance(given.get("code"), str):
            await self._factors.check_code(user, given["code"], request.peer_host)
        else:
            raise Problem(400, "Give the member code, a string, or passkey, an object.")

    def _requires(self, name: str, account: AccountSession) -> bool:
        required, avatar = self._required, account.context.portal_login.account
        groups = getattr(avatar, "groups", ())
        names = {ALL_WORD, name, *(f"@{group}" for group in groups)}
        return bool(names & required) or (ADMINS_WORD in required and account.is_admin)
