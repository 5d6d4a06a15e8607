"""Enrolment and use of second factors: each function is the work of `FactorFile.change`."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum

from ftpservice.accounts.second_factors.factor_records import CodeSecret, SecondFactors
from ftpservice.accounts.second_factors.one_time_codes import code_step
from ftpservice.accounts.second_factors.recovery_codes import (
    new_recovery_codes,
    plain_code,
    recovery_hash,
)

__all__ = [
    "FactorKind",
    "with_code_secret",
    "with_new_recovery_codes",
    "without_code_secret",
    "without_used_code",
]

Change = Callable[[SecondFactors], tuple[SecondFactors, "list[str]"]]


class FactorKind(StrEnum):
    """What a login was completed with."""

    CODE = "one-time code"
    RECOVERY_CODE = "recovery code"
    PASSKEY = "passkey"


def without_used_code(
    code: str, now: float
) -> Callable[[SecondFactors], tuple[SecondFactors, FactorKind | None]]:
    """Return the change that uses up a code; its result is the kind, None for a wrong code.

    Neither a one-time code nor a recovery code is accepted twice.
    """
    plain = plain_code(code)

    def use(factors: SecondFactors) -> tuple[SecondFactors, FactorKind | None]:
        secret = factors.code_secret
        step = None if secret is None else code_step(secret.secret, plain, now)
        if secret is not None and step is not None:
            if step <= secret.last_step:
                return factors, None
            return replace(factors, code_secret=replace(secret, last_step=step)), FactorKind.CODE
        given = recovery_hash(plain)
        left = [one for one in factors.recovery_hashes if not hmac.compare_digest(one, given)]
        if len(left) == len(factors.recovery_hashes):
            return factors, None
        return replace(factors, recovery_hashes=tuple(left)), FactorKind.RECOVERY_CODE

    return use


def with_new_recovery_codes(factors: SecondFactors) -> tuple[SecondFactors, list[str]]:
    """Replace the recovery codes; the result is the new ones, which are kept nowhere."""
    codes = new_recovery_codes()
    return replace(factors, recovery_hashes=tuple(map(recovery_hash, codes))), codes


def with_code_secret(secret: str, now: float, step: int = 0) -> Change:
    """Return the change that adds a secret, whose code of ``step`` was used to confirm it.

    Its result is the recovery codes of an account that had no second factor; else it is empty.
    """

    def add(factors: SecondFactors) -> tuple[SecondFactors, list[str]]:
        added = replace(factors, code_secret=CodeSecret(secret, now, step))
        return (added, []) if factors.is_on else with_new_recovery_codes(added)

    return add


def without_code_secret(factors: SecondFactors) -> tuple[SecondFactors, bool]:
    """Remove the secret; recovery codes go with the last factor. The result: was there one."""
    left = replace(factors, code_secret=None)
    had = factors.code_secret is not None
    return (left if left.is_on else replace(left, recovery_hashes=())), had
