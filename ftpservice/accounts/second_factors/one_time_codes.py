"""One-time codes (TOTP, RFC 6238), by ``pyotp``; their QR codes by ``segno``.

Both are in the extra ``totp``, and are imported when the first code is needed.
"""

from __future__ import annotations

import hmac
from functools import cache
from importlib.util import find_spec
from typing import Any

__all__ = [
    "TOTP_EXTRA_TEXT",
    "code_step",
    "enrolment_uri",
    "has_totp_extra",
    "new_code_secret",
    "qr_of",
]

STEP_SECONDS = 30
STEPS_AROUND = 1
"""How many steps the clock of the app may be wrong."""
DIGITS = 6
TOTP_EXTRA_TEXT = "one-time codes need the extra totp: pip install 'ftpservice[totp]'"


@cache
def has_totp_extra() -> bool:
    """Return whether one-time codes are possible; imports nothing."""
    return all(find_spec(name) is not None for name in ("pyotp", "segno"))


def new_code_secret() -> str:
    """Return a new random secret in base32, of 160 bits."""
    import pyotp

    return pyotp.random_base32()


def code_step(secret: str, code: str, now: float) -> int | None:
    """Return the time step that a code belongs to; None for a wrong code.

    It takes the same time for every code.
    """
    import pyotp

    generator, found = pyotp.TOTP(secret, digits=DIGITS, interval=STEP_SECONDS), None
    given, current = code.encode("utf-8", "replace"), int(now) // STEP_SECONDS
    for step in range(current - STEPS_AROUND, current + STEPS_AROUND + 1):
        if hmac.compare_digest(generator.generate_otp(step).encode(), given):
            found = step
    return found


def enrolment_uri(secret: str, user: str, issuer: str) -> str:
    """Return the address that an app reads from the QR code; ``issuer`` is what it shows."""
    import pyotp

    name, place = (text.encode("utf-8", "replace").decode() for text in (user, issuer))
    return pyotp.TOTP(secret, digits=DIGITS, interval=STEP_SECONDS).provisioning_uri(
        name=name.replace(":", " "), issuer_name=place.replace(":", " ")
    )


def qr_of(uri: str) -> Any:
    """Return the QR code of an address: an object of ``segno``."""
    import segno

    return segno.make(uri, error="m", micro=False)
