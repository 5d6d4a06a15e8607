"""Password hashes: argon2id (RFC 9106), and those of other programs (package `foreign_hashes`).

New hashes are always argon2id. `hash_password` and `verify` take tens of milliseconds: call them in
a thread, not on the reactor thread.
"""

from __future__ import annotations

import re
import secrets
from base64 import b64encode
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from hashlib import blake2b
from itertools import accumulate

from argon2.exceptions import Argon2Error
from argon2.low_level import Type, hash_secret, verify_secret

from ftpservice.accounts.foreign_hashes.verification import (
    check_foreign_hash,
    foreign_cost,
    foreign_decoy,
    foreign_scheme,
    verify_foreign,
)

__all__ = [
    "HASH_BYTES",
    "MEMORY_KIB",
    "PARALLELISM",
    "SALT_BYTES",
    "TIME_COST",
    "DecoyHashes",
    "check_hash",
    "cost_of",
    "hash_password",
    "hash_scheme",
    "is_costly",
    "needs_rehash",
    "verify",
]

TIME_COST = 2
MEMORY_KIB = 19 * 1024
PARALLELISM = 1
SALT_BYTES = 16
HASH_BYTES = 32
COST_PREFIX = f"$argon2id$v=19$m={MEMORY_KIB},t={TIME_COST},p={PARALLELISM}$"

MAX_MEMORY_KIB = 256 * 1024
MAX_WORK_KIB = 512 * 1024
"""Memory times passes of an ordinary check, about half a second. A wrong guess delays other logins
by no more than that."""
MAX_COSTLY_WORK_KIB = 4 * MAX_WORK_KIB
"""Memory times passes of any check: enough for the hashes of Pure-FTPd (m=8192,t=255)."""
MAX_PARALLELISM = 64
DECOY_SECRET = secrets.token_bytes(32)
"""The key that assigns decoys to names; new in every process."""

ENCODED = re.compile(
    r"(?P<cost>\$(?P<kind>argon2(?:id|i|d))\$(?:v=[0-9]{1,3}\$)?"
    r"m=(?P<memory>[0-9]{1,10}),t=(?P<time>[0-9]{1,10}),p=(?P<lanes>[0-9]{1,8})\$)"
    r"(?P<salt>[A-Za-z0-9+/]{11,86})\$(?P<digest>[A-Za-z0-9+/]{16,171})"
)
TYPES = {"argon2id": Type.ID, "argon2i": Type.I, "argon2d": Type.D}


def hash_password(password: bytes | str) -> str:
    """Return a salted hash of ``password`` with the current cost parameters (blocks)."""
    secret = password.encode("utf-8", "surrogateescape") if isinstance(password, str) else password
    salt = secrets.token_bytes(SALT_BYTES)
    return hash_secret(
        secret, salt, TIME_COST, MEMORY_KIB, PARALLELISM, HASH_BYTES, Type.ID
    ).decode("ascii")


def verify(hashed: str, password: bytes) -> bool:
    """Return whether ``password`` matches (blocks); False for a malformed hash."""
    match = ENCODED.fullmatch(hashed)
    if match is None:
        return verify_foreign(hashed, password)
    try:
        return verify_secret(hashed.encode("ascii"), password, TYPES[match["kind"]])
    except Argon2Error:
        return False


def hash_scheme(hashed: str) -> str:
    """Return the name of the scheme of a hash, such as ``argon2id``; empty for an unknown one."""
    match = ENCODED.fullmatch(hashed)
    return match["kind"] if match is not None else foreign_scheme(hashed)


def needs_rehash(hashed: str) -> bool:
    """Return whether a hash is not argon2id, so that `hash_password` makes a better one."""
    return not hashed.startswith("$argon2id$")


def check_hash(hashed: str) -> None:
    """Raise `ValueError` with the reason if `verify` could not use this hash."""
    match = ENCODED.fullmatch(hashed)
    if match is None:
        check_foreign_hash(hashed)
        return
    memory, time, lanes = int(match["memory"]), int(match["time"]), int(match["lanes"])
    work = memory * time
    if memory > MAX_MEMORY_KIB or work > MAX_COSTLY_WORK_KIB or lanes > MAX_PARALLELISM:
        raise ValueError(
            f"the argon2 hash costs too much to check (m={memory},t={time},p={lanes}): at most "
            f"m={MAX_MEMORY_KIB}, m times t={MAX_COSTLY_WORK_KIB}, p={MAX_PARALLELISM}"
        )
    if time < 1 or lanes < 1 or memory < 8 * lanes:
        raise ValueError("the argon2 hash has impossible costs")


def cost_of(hashed: str) -> tuple[int, int]:
    """Return the memory in KiB and the passes of a hash; (0, 0) for a malformed one.

    Hashes that are not argon2 have one pass.
    """
    match = ENCODED.fullmatch(hashed)
    if match is not None:
        return int(match["memory"]), int(match["time"])
    key, memory = foreign_cost(hashed)
    return (memory, 1) if key else (0, 0)


def is_costly(hashed: str) -> bool:
    """Return whether a check takes longer than an ordinary one; at most one such at a time."""
    memory, passes = cost_of(hashed)
    return memory * passes > MAX_WORK_KIB


class DecoyHashes:
    """Hashes that no password matches, to be checked for unknown names.

    Their costs are those of ``hashes``, in the same proportions. A name always gets the same
    decoy. So the time of a login does not reveal that a name is unknown, neither by its length nor
    by a change from one attempt to the next.
    """

    def __init__(self, hashes: Iterable[str] = ()) -> None:
        counts: Counter[str] = Counter()
        samples: dict[str, str] = {}
        for hashed in hashes:
            key = _cost_key(hashed)
            if key:
                counts[key] += 1
                samples.setdefault(key, hashed)
        if not counts:
            counts[COST_PREFIX], samples[COST_PREFIX] = 1, COST_PREFIX
        self._ends = list(accumulate(counts.values()))
        self._hashes = [_decoy(key, samples[key]) for key in counts]

    def hash_for(self, name: str) -> str:
        """Return the decoy for ``name``."""
        digest = blake2b(name.encode("utf-8", "surrogateescape"), key=DECOY_SECRET, digest_size=8)
        position = int.from_bytes(digest.digest()) % self._ends[-1]
        return self._hashes[bisect_right(self._ends, position)]


def _cost_key(hashed: str) -> str:
    """Return a text that is equal for hashes of equal cost; empty for a malformed hash."""
    if not hashed.startswith("$argon2"):
        return foreign_cost(hashed)[0]
    match = ENCODED.fullmatch(hashed)
    return match["cost"] if match is not None else ""


def _decoy(key: str, sample: str) -> str:
    if sample.startswith(key):  # argon2
        return f"{key}{_random_base64(SALT_BYTES)}${_random_base64(HASH_BYTES)}"
    return foreign_decoy(sample)


def _random_base64(size: int) -> str:
    return b64encode(secrets.token_bytes(size)).decode("ascii").rstrip("=")
