"""What accounts do with their own second factors on the page: add, see and remove them.

A change needs a proof in its body: the password of an account without a second factor, otherwise
a code or a passkey. A second factor that was given in the last minutes is enough to add another.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from ftpservice.accounts.second_factors.factor_changes import (
    with_code_secret,
    with_new_recovery_codes,
    without_code_secret,
)
from ftpservice.accounts.second_factors.factor_records import SecondFactors
from ftpservice.accounts.second_factors.one_time_codes import (
    TOTP_EXTRA_TEXT,
    code_step,
    enrolment_uri,
    has_totp_extra,
    new_code_secret,
    qr_of,
)
from ftpservice.accounts.second_factors.passkeys import (
    PASSKEY_EXTRA_TEXT,
    Ceremony,
    PasskeyRefused,
    has_passkey_extra,
    new_passkey,
    registration_options,
    with_passkey,
    without_passkey,
)
from ftpservice.accounts.second_factors.recovery_codes import plain_code
from ftpservice.web.access.account_session import AccountSession
from ftpservice.web.access.factor_access import FactorAccess, known_factors
from ftpservice.web.access.request_access import RequestAccess
from ftpservice.web.access.second_step import (
    account_name,
    body_of,
    new_ceremony,
    passkey_options,
)
from ftpservice.web.http.problems import Problem

__all__ = ["SecurityAccess"]

BEGUN_SECONDS = 600.0
"""Time to complete what was begun."""
PROOF_SECONDS = 300.0
"""Time for which a second factor that was given allows to add another."""
MAX_NAME_LENGTH = 60
CHANGED_TEXT = "The second factors of the account have changed meanwhile; begin again."
NO_ADDRESS_TEXT = "Passkeys need the page to be opened by a host name, not by an address."

Change = Callable[[SecondFactors], tuple[SecondFactors, Any]]
Addition = Callable[[SecondFactors], tuple[SecondFactors, list[str]]]


@dataclass(slots=True)
class Progress:
    """What a login has begun and proved; times are those of `FactorAccess.seconds`."""

    proved: float = float("-inf")
    secret: str = ""
    """Of an app that is being added."""
    begun: float = float("-inf")
    known: tuple[object, object] = (None, ())
    """The app and the passkeys that the account had then."""
    registration: Ceremony | None = None
    proof: Ceremony | None = None
    """A proof with a passkey."""


@dataclass(frozen=True)
class SecurityCall:
    """A request of an account about its second factors."""

    request: Any
    name: str
    account: AccountSession
    progress: Progress
    body: dict[str, Any] = field(default_factory=dict)

    @property
    def peer(self) -> str:
        """The address of the client."""
        return str(self.request.peer_host)


class SecurityAccess:
    """Carries out the requests below ``/login/factors``; each answer is a JSON object."""

    def __init__(self, access: RequestAccess, factors: FactorAccess) -> None:
        self._access = access
        self._factors = factors
        self._progress: WeakKeyDictionary[AccountSession, Progress] = WeakKeyDictionary()
        self._operations: dict[str, Callable[[SecurityCall], Awaitable[dict[str, Any]]]] = {
            "challenge": self._challenge,
            "app": self._begin_app,
            "app/confirm": self._confirm_app,
            "app/remove": self._remove_app,
            "passkey": self._begin_passkey,
            "passkey/confirm": self._confirm_passkey,
            "passkey/remove": self._remove_passkey,
            "recovery-codes": self._new_recovery_codes,
        }

    async def show(self, request: Any) -> dict[str, Any]:
        """Return what the account has; raises `Problem`."""
        call = await self._call(request)
        factors = await self._factors.find(call.name)
        return factors.public_json(call.name) | {
            "apps_possible": self._factors.is_possible and has_totp_extra(),
            "passkeys_possible": self._factors.is_possible and has_passkey_extra(),
        }

    async def change(self, request: Any, operation: str) -> dict[str, Any]:
        """Carry out an operation; raises `Problem`."""
        work = self._operations.get(operation)
        if work is None:
            raise Problem(404, "There is nothing at this address.")
        return await work(await self._call(request))

    async def _call(self, request: Any) -> SecurityCall:
        caller = await self._access.caller(request)
        account = caller.account
        if account is None:
            raise Problem(403, "A token has no second factors.")
        if account.context.portal_login.account.anonymous:  # type: ignore[union-attr]
            raise Problem(403, "Anonymous users have no second factors.")
        progress = self._progress.setdefault(account, Progress())
        body = {} if request.method in (b"GET", b"HEAD") else body_of(request)
        return SecurityCall(request, account_name(account), account, progress, body)

    async def _prove(self, call: SecurityCall, adds: bool = False) -> SecondFactors:
        """Check the proof in a body; return the second factors. Raises `Problem`."""
        factors, body, progress = await self._factors.find(call.name), call.body, call.progress
        now, step = self._factors.seconds(), self._access.second_step
        if not factors.is_on:
            if not isinstance(body.get("password"), str):
                raise Problem(403, "Give your password.", proof="password")
            await self._access.confirm_password(call.request, call.name, body["password"])
        elif "passkey" in body or "code" in body:
            assert step is not None
            ceremony, progress.proof = progress.proof, None
            try:
                await step.check(call.name, body, ceremony, call.request)
            except Problem as problem:  # 401 would mean that the login has ended
                status = 403 if problem.status == 401 else problem.status
                raise Problem(status, problem.detail) from None
            progress.proved = now
        elif not (adds and 0 <= now - progress.proved < PROOF_SECONDS):
            raise Problem(403, "Give a code of your app or a recovery code.", proof="factor")
        return factors

    async def _challenge(self, call: SecurityCall) -> dict[str, Any]:
        """Return what the browser needs to prove with a passkey."""
        factors = await self._factors.find(call.name)
        call.progress.proof = new_ceremony(call.request)
        ceremony = call.progress.proof
        options = await self._factors.in_thread(passkey_options, ceremony, factors)
        return {"passkey": options}

    async def _begin_app(self, call: SecurityCall) -> dict[str, Any]:
        """Return a new secret for an app, as text and as a QR code."""
        if not has_totp_extra():
            raise Problem(503, TOTP_EXTRA_TEXT)
        factors = await self._prove(call, adds=True)
        if factors.code_secret is not None:
            raise Problem(409, "The account has an app for one-time codes; remove it first.")
        issuer = urlsplit(call.request.getHeader("origin")).hostname or "ftpservice"
        shown = await self._factors.in_thread(_new_app, call.name, issuer)
        call.progress.secret, call.progress.begun = shown["secret"], self._factors.seconds()
        call.progress.known = known_factors(factors)
        return dict(shown)

    async def _confirm_app(self, call: SecurityCall) -> dict[str, Any]:
        """Add the app, whose code is in the body."""
        progress, now = call.progress, self._factors.seconds()
        if not progress.secret or not 0 <= now - progress.begun < BEGUN_SECONDS:
            raise Problem(410, "It took too long; begin again.")
        code = plain_code(str(call.body.get("code")))
        step = await self._factors.in_thread(code_step, progress.secret, code, now)
        if step is None:
            raise Problem(400, "The code is wrong; is the clock of your device right?")
        change = with_code_secret(progress.secret, now, step)
        codes = await self._change(call, _if_same(progress.known, change))
        progress.secret, progress.proved = "", now
        self._publish(call, "second factor added", "one-time codes")
        return {"recovery_codes": codes}

    async def _remove_app(self, call: SecurityCall) -> dict[str, Any]:
        """Remove the app."""
        await self._prove(call)
        if await self._change(call, without_code_secret):
            self._publish(call, "second factor removed", "one-time codes")
        return {}

    async def _begin_passkey(self, call: SecurityCall) -> dict[str, Any]:
        """Return what the browser needs to make a passkey."""
        if not has_passkey_extra():
            raise Problem(503, PASSKEY_EXTRA_TEXT)
        ceremony = new_ceremony(call.request)
        if ceremony is None:
            raise Problem(409, NO_ADDRESS_TEXT)
        factors, progress = await self._prove(call, adds=True), call.progress
        progress.registration, progress.begun = ceremony, self._factors.seconds()
        progress.known = known_factors(factors)
        known = factors.passkeys
        work = self._factors.in_thread(registration_options, call.name, ceremony, known)
        return dict(await work)

    async def _confirm_passkey(self, call: SecurityCall) -> dict[str, Any]:
        """Add the passkey that the browser has made."""
        progress, now, name = call.progress, self._factors.seconds(), call.body.get("name")
        ceremony, progress.registration = progress.registration, None
        if ceremony is None or not 0 <= now - progress.begun < BEGUN_SECONDS:
            raise Problem(410, "It took too long; begin again.")
        if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME_LENGTH:
            raise Problem(400, f"The name of a passkey has 1 to {MAX_NAME_LENGTH} characters.")
        if not name.isprintable():
            raise Problem(400, "The name of a passkey has a character that cannot be shown.")
        try:
            given = call.body.get("passkey")
            passkey = await self._factors.in_thread(new_passkey, name, given, ceremony, now)
            change = _if_same(progress.known, with_passkey(passkey))
            codes = await self._change(call, change)
        except PasskeyRefused as error:
            raise Problem(400, str(error)) from None
        progress.proved = now
        self._publish(call, "second factor added", f"passkey {name}")
        return {"recovery_codes": codes}

    async def _remove_passkey(self, call: SecurityCall) -> dict[str, Any]:
        """Remove the passkey of a name."""
        await self._prove(call)
        name = call.body.get("name")
        if not isinstance(name, str) or not await self._change(call, without_passkey(name)):
            raise Problem(404, "The account has no passkey of this name.")
        self._publish(call, "second factor removed", f"passkey {name}")
        return {}

    async def _new_recovery_codes(self, call: SecurityCall) -> dict[str, Any]:
        """Replace the recovery codes."""
        factors = await self._prove(call)
        if not factors.is_on:
            raise Problem(409, "The account has no second factor.")
        codes = await self._factors.change(call.name, with_new_recovery_codes)
        self._publish(call, "recovery codes replaced", "")
        return {"recovery_codes": codes}

    async def _change(self, call: SecurityCall, work: Change) -> Any:
        """Change the second factors: this login goes on, the others of the account end."""

        def noted(before: SecondFactors) -> tuple[SecondFactors, Any]:
            after, result = work(before)
            return after, (after, result)

        after, result = await self._factors.change(call.name, noted)
        call.account.factors = known_factors(after)
        return result

    def _publish(self, call: SecurityCall, action: str, detail: str) -> None:
        self._factors.publish(call.name, call.peer, action, call.name, detail)


def _if_same(known: tuple[object, object], change: Addition) -> Addition:
    """Return a change for an account that has what it had when that was proved; else `Problem`.

    What was proved is not enough for an account that has got, or lost, a second factor since.
    """

    def checked(factors: SecondFactors) -> tuple[SecondFactors, list[str]]:
        if known_factors(factors) != known:
            raise Problem(409, CHANGED_TEXT)
        return change(factors)

    return checked


def _new_app(name: str, issuer: str) -> dict[str, Any]:
    secret = new_code_secret()
    uri = enrolment_uri(secret, name, issuer)
    qr = qr_of(uri).svg_data_uri(scale=4, light="white")
    return {"secret": secret, "uri": uri, "qr": qr}
