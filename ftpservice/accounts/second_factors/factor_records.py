"""What is kept of the second factors of an account, as frozen values and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["CodeSecret", "Passkey", "SecondFactors"]


@dataclass(frozen=True)
class CodeSecret:
    """The secret of an app for one-time codes (TOTP, RFC 6238)."""

    secret: str
    """In base32, as the app has it: codes cannot be checked by a hash of it."""
    added: float
    last_step: int = 0
    """The time step of the last code that was accepted: none of it or before is accepted again."""


@dataclass(frozen=True)
class Passkey:
    """The public part of a passkey (WebAuthn)."""

    name: str
    id: str
    """In base64url."""
    public_key: str
    """In base64url, as COSE has it."""
    rp_id: str
    """The host name that it is for."""
    added: float
    sign_count: int = 0


@dataclass(frozen=True)
class SecondFactors:
    """The second factors of one account."""

    code_secret: CodeSecret | None = None
    passkeys: tuple[Passkey, ...] = ()
    recovery_hashes: tuple[str, ...] = ()
    """Of the recovery codes that have not been used."""

    @property
    def is_on(self) -> bool:
        """Whether a login needs a second factor."""
        return self.code_secret is not None or bool(self.passkeys)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)

    def public_json(self, user: str) -> dict[str, Any]:
        """Return what everybody who administers accounts may know."""
        secret = self.code_secret
        return {
            "user": user,
            "app_since": None if secret is None else secret.added,
            "passkeys": [
                {"name": one.name, "host": one.rp_id, "added": one.added} for one in self.passkeys
            ],
            "recovery_codes": len(self.recovery_hashes),
        }

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> SecondFactors:
        """Return what `to_json` gave; raises `TypeError` and `KeyError`."""
        secret = entry["code_secret"]
        return cls(
            None if secret is None else CodeSecret(**secret),
            tuple(Passkey(**one) for one in entry["passkeys"]),
            tuple(map(str, entry["recovery_hashes"])),
        )
