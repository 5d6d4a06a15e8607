"""Passkeys as second factors (WebAuthn level 2), by ``webauthn`` of the extra ``passkeys``.

A challenge is of the caller: random, and used once. ``origin`` is what the browser calls our page,
and ``rp_id`` the host name in it; a passkey is for one host name, which cannot be an address.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from typing import Any

from ftpservice.accounts.second_factors.factor_changes import FactorKind, with_new_recovery_codes
from ftpservice.accounts.second_factors.factor_records import Passkey, SecondFactors

__all__ = [
    "MAX_PASSKEYS",
    "PASSKEY_EXTRA_TEXT",
    "Ceremony",
    "PasskeyRefused",
    "assertion_options",
    "has_passkey_extra",
    "new_passkey",
    "registration_options",
    "with_passkey",
    "with_used_passkey",
    "without_passkey",
]

MAX_PASSKEYS = 20
TIMEOUT_MILLISECONDS = 120_000
PASSKEY_EXTRA_TEXT = "passkeys need the extra passkeys: pip install 'ftpservice[passkeys]'"


class PasskeyRefused(Exception):
    """What the browser sent is not accepted; ``str`` of it says why."""


@dataclass(frozen=True)
class Ceremony:
    """One registration or login with a passkey."""

    challenge: bytes
    rp_id: str
    origin: str


@cache
def has_passkey_extra() -> bool:
    """Return whether passkeys are possible; imports nothing."""
    return find_spec("webauthn") is not None


def registration_options(user: str, ceremony: Ceremony, known: Iterable[Passkey]) -> dict[str, Any]:
    """Return what the browser needs to make a passkey."""
    import webauthn
    from webauthn.helpers.structs import (
        AuthenticatorSelectionCriteria,
        ResidentKeyRequirement,
        UserVerificationRequirement,
    )

    name = user.encode("utf-8", "replace").decode()
    options = webauthn.generate_registration_options(
        rp_id=ceremony.rp_id,
        rp_name=ceremony.rp_id,
        user_name=name,
        user_id=hashlib.sha256(user.encode("utf-8", "surrogateescape")).digest(),
        challenge=ceremony.challenge,
        timeout=TIMEOUT_MILLISECONDS,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.DISCOURAGED,
            user_verification=UserVerificationRequirement.PREFERRED,
        ),
        exclude_credentials=_descriptors(known, ceremony.rp_id),
    )
    return dict(json.loads(webauthn.options_to_json(options)))


def new_passkey(name: str, credential: Any, ceremony: Ceremony, now: float) -> Passkey:
    """Return the passkey that a browser has made; raises `PasskeyRefused`."""
    import webauthn
    from webauthn.helpers import bytes_to_base64url

    try:
        made = webauthn.verify_registration_response(
            credential=_object(credential),
            expected_challenge=ceremony.challenge,
            expected_rp_id=ceremony.rp_id,
            expected_origin=ceremony.origin,
        )
    except Exception as error:  # noqa: BLE001 - of WebAuthn, CBOR, JSON and base64
        raise PasskeyRefused(f"the passkey is not accepted: {error}") from None
    return Passkey(
        name,
        bytes_to_base64url(made.credential_id),
        bytes_to_base64url(made.credential_public_key),
        ceremony.rp_id,
        now,
        made.sign_count,
    )


def assertion_options(ceremony: Ceremony, known: Iterable[Passkey]) -> dict[str, Any]:
    """Return what the browser needs to log in with one of the passkeys."""
    import webauthn

    options = webauthn.generate_authentication_options(
        rp_id=ceremony.rp_id,
        challenge=ceremony.challenge,
        timeout=TIMEOUT_MILLISECONDS,
        allow_credentials=_descriptors(known, ceremony.rp_id),
    )
    return dict(json.loads(webauthn.options_to_json(options)))


def with_used_passkey(
    credential: Any, ceremony: Ceremony
) -> Callable[[SecondFactors], tuple[SecondFactors, FactorKind | None]]:
    """Return the change that notes a login with a passkey; its result is None if it is wrong."""

    def use(factors: SecondFactors) -> tuple[SecondFactors, FactorKind | None]:
        given = credential.get("id") if isinstance(credential, Mapping) else None
        found = [one for one in factors.passkeys if one.id == given and one.rp_id == ceremony.rp_id]
        count = _sign_count(found[0], credential, ceremony) if found else None
        if count is None:
            return factors, None
        used = replace(found[0], sign_count=count)
        passkeys = tuple(used if one is found[0] else one for one in factors.passkeys)
        return replace(factors, passkeys=passkeys), FactorKind.PASSKEY

    return use


def with_passkey(
    passkey: Passkey,
) -> Callable[[SecondFactors], tuple[SecondFactors, list[str]]]:
    """Return the change that adds a passkey; raises `PasskeyRefused`.

    Its result is the recovery codes of an account that had no second factor; else it is empty.
    """

    def add(factors: SecondFactors) -> tuple[SecondFactors, list[str]]:
        if any(one.id == passkey.id for one in factors.passkeys):
            raise PasskeyRefused("the account has this passkey already")
        if any(one.name == passkey.name for one in factors.passkeys):
            raise PasskeyRefused("the account has a passkey of this name already")
        if len(factors.passkeys) >= MAX_PASSKEYS:
            raise PasskeyRefused(f"the account has {MAX_PASSKEYS} passkeys already")
        added = replace(factors, passkeys=(*factors.passkeys, passkey))
        return (added, []) if factors.is_on else with_new_recovery_codes(added)

    return add


def without_passkey(name: str) -> Callable[[SecondFactors], tuple[SecondFactors, bool]]:
    """Return the change that removes a passkey; its result is whether there was one."""

    def remove(factors: SecondFactors) -> tuple[SecondFactors, bool]:
        kept = tuple(one for one in factors.passkeys if one.name != name)
        left = replace(factors, passkeys=kept)
        had = len(kept) < len(factors.passkeys)
        return (left if left.is_on else replace(left, recovery_hashes=())), had

    return remove


def _sign_count(passkey: Passkey, credential: Any, ceremony: Ceremony) -> int | None:
    """Return the new counter of a passkey after a right signature; None after a wrong one."""
    import webauthn
    from webauthn.helpers import base64url_to_bytes

    try:
        found = webauthn.verify_authentication_response(
            credential=_object(credential),
            expected_challenge=ceremony.challenge,
            expected_rp_id=ceremony.rp_id,
            expected_origin=ceremony.origin,
            credential_public_key=base64url_to_bytes(passkey.public_key),
            credential_current_sign_count=passkey.sign_count,
        )
    except Exception:  # noqa: BLE001 - of WebAuthn, CBOR, JSON and base64
        return None
    return found.new_sign_count


def _object(credential: Any) -> dict[str, Any]:
    if not isinstance(credential, dict):
        raise PasskeyRefused("a passkey is a JSON object, as the browser makes it")
    return credential


def _descriptors(known: Iterable[Passkey], rp_id: str) -> list[Any]:
    from webauthn.helpers import base64url_to_bytes
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor

    return [
        PublicKeyCredentialDescriptor(id=base64url_to_bytes(one.id))
        for one in known
        if one.rp_id == rp_id
    ]
