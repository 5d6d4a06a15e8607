"""Recovery codes: each replaces a second factor that was lost, once.

A code has 80 random bits, so a fast hash is enough: there is nothing to guess.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets

__all__ = ["new_recovery_codes", "plain_code", "recovery_hash"]

CODES = 10
CODE_BYTES = 10
GROUP = 4


def new_recovery_codes() -> list[str]:
    """Return new codes, as they are shown: ``ABCD-EFGH-IJKL-MNOP``."""
    texts = [base64.b32encode(secrets.token_bytes(CODE_BYTES)).decode() for _ in range(CODES)]
    return ["-".join(re.findall("." * GROUP, text)) for text in texts]


def plain_code(given: str) -> str:
    """Return a code, of any kind, without what people put between its characters."""
    return re.sub(r"[\s-]+", "", given).upper()


def recovery_hash(code: str) -> str:
    """Return what is kept of a code."""
    return hashlib.sha256(plain_code(code).encode("utf-8", "replace")).hexdigest()
