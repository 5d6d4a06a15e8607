"""The one place that makes and checks password hashes (argon2id, RFC 9106).

Every call here costs tens of milliseconds and belongs in a thread, never on the reactor's.
"""

from __future__ import annotations

import re
import secrets
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable

from argon2.exceptions import Argon2Error
from argon2.low_level import Type, hash_secret, verify_secret

__all__ = [
    "HASH_BYTES",
    "MEMORY_KIB",
    "PARALLELISM",
    "SALT_BYTES",
    "TIME_COST",
    "check_hash",
    "decoy",
    "hash_password",
    "needs_rehash",
    "verify",
]

TIME_COST = 2
MEMORY_KIB = 19 * 1024
PARALLELISM = 1
SALT_BYTES = 16
HASH_BYTES = 32
COST = f"$argon2id$v=19$m={MEMORY_KIB},t={TIME_COST},p={PARALLELISM}$"

MOST_MEMORY_KIB = 1024 * 1024
MOST_TIME_COST = 100
MOST_PARALLELISM = 64

ENCODED = re.compile(
    r"(?P<cost>\$(?P<kind>argon2(?:id|i|d))\$(?:v=[0-9]{1,3}\$)?"
    r"m=(?P<memory>[0-9]{1,10}),t=(?P<time>[0-9]{1,10}),p=(?P<lanes>[0-9]{1,8})\$)"
    r"(?P<salt>[A-Za-z0-9+/]{11,86})\$(?P<digest>[A-Za-z0-9+/]{16,171})"
)
TYPES = {"argon2id": Type.ID, "argon2i": Type.I, "argon2d": Type.D}


def hash_password(password: bytes | str) -> str:
    """Return a fresh salted hash of ``password`` at today's cost."""
    secret = password.encode("utf-8", "surrogateescape") if isinstance(password, str) else password
    salt = secrets.token_bytes(SALT_BYTES)
    return hash_secret(
        secret, salt, TIME_COST, MEMORY_KIB, PARALLELISM, HASH_BYTES, Type.ID
    ).decode("ascii")


def verify(hashed: str, password: bytes) -> bool:
    """Tell whether ``password`` is the one that was hashed; a hash that is none fits nothing."""
    match = ENCODED.fullmatch(hashed)
    if match is None:
        return False
    try:
        return verify_secret(hashed.encode("ascii"), password, TYPES[match["kind"]])
    except Argon2Error:
        return False


def needs_rehash(hashed: str) -> bool:
    """Tell whether the hash was made at another cost than today's."""
    match = ENCODED.fullmatch(hashed)
    return match is None or match["cost"] != COST


def check_hash(hashed: str) -> None:
    """Raise `ValueError` saying what is wrong, if this is no hash that `verify` could use."""
    match = ENCODED.fullmatch(hashed)
    if match is None:
        raise ValueError("the password is not an argon2 hash")
    memory, time, lanes = int(match["memory"]), int(match["time"]), int(match["lanes"])
    if memory > MOST_MEMORY_KIB or time > MOST_TIME_COST or lanes > MOST_PARALLELISM:
        raise ValueError("the argon2 hash costs too much to check")
    if time < 1 or lanes < 1 or memory < 8 * lanes:
        raise ValueError("the argon2 hash has impossible costs")


def decoy(hashes: Iterable[str]) -> str:
    """Return a hash that no password fits, at the cost most common among ``hashes``.

    Checking it for a name that does not exist takes as long as for one that does.
    """
    costs = Counter(match["cost"] for match in map(ENCODED.fullmatch, hashes) if match)
    cost = costs.most_common(1)[0][0] if costs else COST
    return f"{cost}{_encoded(SALT_BYTES)}${_encoded(HASH_BYTES)}"


def _encoded(size: int) -> str:
    return b64encode(secrets.token_bytes(size)).decode("ascii").rstrip("=")
