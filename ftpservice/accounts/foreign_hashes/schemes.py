"""The forms of hashes: what a check costs, and how it is done.

Every scheme has a maximum cost, about half a second of one core as for argon2, so that a wrong
guess delays other logins by no more than that.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass
from hmac import compare_digest

from ftpservice.accounts.foreign_hashes.md5_crypt import CRYPT_ALPHABET, md5_crypt
from ftpservice.accounts.foreign_hashes.system_crypt import MAX_PHRASE_BYTES, crypt

__all__ = ["BCRYPT", "BCRYPT_BYTES", "SCHEMES", "ForeignScheme"]

MAX_BCRYPT_LOG_ROUNDS = 13
MAX_SHA_CRYPT_ROUNDS = 700_000
MAX_PBKDF2_ROUNDS = 1_000_000
"""Rounds times blocks of the digest."""
MAX_SCRYPT_KIB = 128 * 1024
"""Memory times parallelism."""
MAX_YESCRYPT_KIB = 256 * 1024
MAX_YESCRYPT_BLOCK = 48
BCRYPT_BYTES = 72
"""bcrypt ignores what follows in a password."""

HEX_ALPHABET = "0123456789abcdef"
BASE64_ALPHABET = CRYPT_ALPHABET.replace(".", "+")
IN_CRYPT = "[./0-9A-Za-z]"
DIGEST_NAMES = {"MD5": "md5", "SHA": "sha1", "SHA256": "sha256", "SHA512": "sha512"}


@dataclass(frozen=True)
class ForeignScheme:
    """One kind of hash.

    ``pattern`` has the groups ``cost``, equal for hashes that take the same time, and ``digest``.
    """

    name: str
    pattern: re.Pattern[str]
    matches: Callable[[re.Match[str], bytes], bool]
    cost_problem: Callable[[re.Match[str]], str] = lambda _: ""
    """Returns why a hash is refused, or an empty text."""
    memory_kib: Callable[[re.Match[str]], int] = lambda _: 0
    alphabet: str = BASE64_ALPHABET
    is_system_crypt: bool = False


def _limit(text: str, value: int, most: int) -> str:
    return f"costs too much to check ({text}): at most {most}" if value > most else ""


def _crypt_matches(match: re.Match[str], password: bytes) -> bool:
    computed = crypt(password, match.string)
    digest = match["digest"]
    return len(computed) > len(digest) and compare_digest(computed[-len(digest) :], digest)


def _sha_crypt_problem(match: re.Match[str]) -> str:
    rounds = int(match["rounds"] or 5000)
    return _limit(f"rounds={rounds}", rounds, MAX_SHA_CRYPT_ROUNDS)


def _yescrypt_kib(match: re.Match[str]) -> int:
    log, block = (CRYPT_ALPHABET.index(match[key]) + 1 for key in ("log", "block"))
    return (1 << log) * block // 8


def _yescrypt_problem(match: re.Match[str]) -> str:
    if CRYPT_ALPHABET.index(match["block"]) >= MAX_YESCRYPT_BLOCK:
        return "has unknown parameters"
    kib = _yescrypt_kib(match)
    return _limit(f"{kib} KiB", kib, MAX_YESCRYPT_KIB)


def _crypt_number(text: str) -> int:
    """Return a number of ``$7$``: six bits a character, the lowest first."""
    return sum(CRYPT_ALPHABET.index(digit) << 6 * at for at, digit in enumerate(text))


def _scrypt_costs(match: re.Match[str]) -> tuple[int, int, int]:
    """Return the binary logarithm of N, r and p."""
    if match.string.startswith("$7$"):
        log, block, lanes = (_crypt_number(match[key]) for key in ("log", "block", "lanes"))
    else:
        log, block, lanes = (int(match[key]) for key in ("log", "block", "lanes"))
    return log, block, lanes


def _scrypt_kib(match: re.Match[str]) -> int:
    log, block, _ = _scrypt_costs(match)
    return (1 << log) * block // 8


def _scrypt_problem(match: re.Match[str]) -> str:
    log, block, lanes = _scrypt_costs(match)
    if not log or not block or not lanes:
        return "has impossible costs"
    kib = (1 << log) * block * lanes // 8
    return _limit(f"{kib} KiB", kib, MAX_SCRYPT_KIB)


def _scrypt_matches(match: re.Match[str], password: bytes) -> bool:
    log, block, lanes = _scrypt_costs(match)
    digest = _decoded(match["digest"])
    limit = (MAX_SCRYPT_KIB + 1024) * 1024
    try:
        computed = hashlib.scrypt(
            password,
            salt=_decoded(match["salt"]),
            n=1 << log,
            r=block,
            p=lanes,
            maxmem=limit,
            dklen=len(digest),
        )
    except ValueError:  # OpenSSL refuses the costs
        return False
    return compare_digest(computed, digest)


def _decoded(text: str) -> bytes:
    """Decode base64, with or without padding, with ``.`` or ``+``."""
    plain = text.replace(".", "+").rstrip("=")
    return b64decode(plain + "=" * (-len(plain) % 4))


def _pbkdf2_parts(match: re.Match[str]) -> tuple[str, bytes, bytes]:
    """Return the digest's name, the salt and the digest."""
    is_passlib = not match["padding"]
    name = match["kind"].removeprefix("pbkdf2").rpartition("-")[2] or "sha1"
    is_encoded = is_passlib or "b64salt" in match["kind"]
    salt = _decoded(match["salt"]) if is_encoded else match["salt"].encode()
    return name, salt, _decoded(match["digest"])


def _pbkdf2_problem(match: re.Match[str]) -> str:
    try:
        name, _, digest = _pbkdf2_parts(match)
    except ValueError:
        return "is not base64"
    size = hashlib.new(name).digest_size
    if not match["padding"] and len(digest) != size:
        return "has the wrong length"
    work = int(match["rounds"]) * -(-len(digest) // size)
    return _limit(f"{work} rounds", work, MAX_PBKDF2_ROUNDS)


def _pbkdf2_matches(match: re.Match[str], password: bytes) -> bool:
    name, salt, digest = _pbkdf2_parts(match)
    computed = hashlib.pbkdf2_hmac(name, password, salt, int(match["rounds"]), len(digest))
    return compare_digest(computed, digest)


def _digest_problem(match: re.Match[str]) -> str:
    size = hashlib.new(DIGEST_NAMES[match["kind"]]).digest_size
    try:
        found = len(b64decode(match["digest"] + match["padding"], validate=True))
    except ValueError:
        return "is not base64"
    is_right = found > size if match["salted"] else found == size
    return "" if is_right else "has the wrong length"


def _digest_matches(match: re.Match[str], password: bytes) -> bool:
    made = hashlib.new(DIGEST_NAMES[match["kind"]], usedforsecurity=False)
    data = _decoded(match["digest"])
    made.update(password + data[made.digest_size :])
    return compare_digest(made.digest(), data[: made.digest_size])


def _hex_problem(match: re.Match[str]) -> str:
    size = hashlib.new(DIGEST_NAMES[match["kind"]]).digest_size
    return "" if len(match["digest"]) == 2 * size else "has the wrong length"


def _hex_matches(match: re.Match[str], password: bytes) -> bool:
    made = hashlib.new(DIGEST_NAMES[match["kind"]], password, usedforsecurity=False)
    return compare_digest(made.hexdigest(), match["digest"].lower())


def _md5_crypt_matches(match: re.Match[str], password: bytes) -> bool:
    if len(password) > MAX_PHRASE_BYTES:
        return False
    computed = md5_crypt(password, match["salt"].encode(), match["cost"].encode())
    return compare_digest(computed, match["digest"])


def _sha_crypt(name: str, number: int, size: int) -> ForeignScheme:
    pattern = re.compile(
        rf"(?P<cost>\${number}\$(?:rounds=(?P<rounds>[1-9][0-9]{{3,8}})\$)?)"
        rf"{IN_CRYPT}{{0,16}}\$(?P<digest>{IN_CRYPT}{{{size}}})"
    )
    return ForeignScheme(
        name,
        pattern,
        _crypt_matches,
        _sha_crypt_problem,
        alphabet=CRYPT_ALPHABET,
        is_system_crypt=True,
    )


BCRYPT = ForeignScheme(
    "bcrypt",
    re.compile(
        rf"(?P<cost>\$2[aby]\$(?P<log>0[4-9]|[12][0-9]|3[01])\$)"
        rf"{IN_CRYPT}{{22}}(?P<digest>{IN_CRYPT}{{31}})"
    ),
    lambda match, password: _crypt_matches(match, password[:BCRYPT_BYTES]),
    lambda match: _limit(f"cost {int(match['log'])}", int(match["log"]), MAX_BCRYPT_LOG_ROUNDS),
    alphabet=CRYPT_ALPHABET,
    is_system_crypt=True,
)
YESCRYPT = ForeignScheme(
    "yescrypt",
    re.compile(
        rf"(?P<cost>\$y\$j(?P<log>{IN_CRYPT})(?P<block>{IN_CRYPT})\$)"
        rf"{IN_CRYPT}{{1,86}}\$(?P<digest>{IN_CRYPT}{{43}})"
    ),
    _crypt_matches,
    _yescrypt_problem,
    _yescrypt_kib,
    alphabet=CRYPT_ALPHABET,
    is_system_crypt=True,
)
SCRYPT_CRYPT = ForeignScheme(
    "scrypt-crypt",
    re.compile(
        rf"(?P<cost>\$7\$(?P<log>{IN_CRYPT})(?P<block>{IN_CRYPT}{{5}})(?P<lanes>{IN_CRYPT}{{5}}))"
        rf"{IN_CRYPT}{{1,86}}\$(?P<digest>{IN_CRYPT}{{43}})"
    ),
    _crypt_matches,
    _scrypt_problem,
    _scrypt_kib,
    alphabet=CRYPT_ALPHABET,
    is_system_crypt=True,
)
SCRYPT = ForeignScheme(
    "scrypt",
    re.compile(
        r"(?P<cost>\$scrypt\$ln=(?P<log>[1-9][0-9]?),r=(?P<block>[1-9][0-9]{0,5}),"
        r"p=(?P<lanes>[1-9][0-9]{0,5})\$)"
        r"(?P<salt>[A-Za-z0-9+/.]{2,128})\$(?P<digest>[A-Za-z0-9+/.]{43})"
    ),
    _scrypt_matches,
    _scrypt_problem,
    _scrypt_kib,
)
PBKDF2 = ForeignScheme(
    "pbkdf2",
    re.compile(
        r"(?P<cost>\$(?P<kind>pbkdf2(?:-sha1|-sha256|-sha512|-b64salt-sha256)?)"
        r"\$(?P<rounds>[1-9][0-9]{0,8})\$)"
        r"(?P<salt>[!-#%-9;-~]{1,128})\$(?P<digest>[A-Za-z0-9+/.]{22,86})(?P<padding>={0,2})"
    ),
    _pbkdf2_matches,
    _pbkdf2_problem,
)
MD5_CRYPT, APR1 = (
    ForeignScheme(
        name,
        re.compile(
            rf"(?P<cost>\${magic}\$)(?P<salt>{IN_CRYPT}{{0,8}})\$(?P<digest>{IN_CRYPT}{{22}})"
        ),
        _md5_crypt_matches,
        alphabet=CRYPT_ALPHABET,
    )
    for name, magic in (("md5-crypt", "1"), ("apr1", "apr1"))
)
DIGEST = ForeignScheme(
    "digest",
    re.compile(
        r"(?P<cost>\{(?P<salted>S?)(?P<kind>MD5|SHA|SHA256|SHA512)\})"
        r"(?P<digest>[A-Za-z0-9+/]{22,172})(?P<padding>={0,2})"
    ),
    _digest_matches,
    _digest_problem,
)
HEX_DIGEST = ForeignScheme(
    "hex digest",
    re.compile(
        r"(?P<cost>\{(?P<kind>MD5|SHA|SHA256|SHA512)\})"
        r"(?P<digest>[0-9a-fA-F]{128}|[0-9a-fA-F]{64}|[0-9a-fA-F]{40}|[0-9a-fA-F]{32})"
    ),
    _hex_matches,
    _hex_problem,
    alphabet=HEX_ALPHABET,
)
SCHEMES: dict[str, tuple[ForeignScheme, ...]] = {
    "$2": (BCRYPT,),
    "$6": (_sha_crypt("sha512-crypt", 6, 86),),
    "$5": (_sha_crypt("sha256-crypt", 5, 43),),
    "$y": (YESCRYPT,),
    "$7": (SCRYPT_CRYPT,),
    "$scrypt": (SCRYPT,),
    "$pbkdf2": (PBKDF2,),
    "$1": (MD5_CRYPT,),
    "$apr1": (APR1,),
    "{": (HEX_DIGEST, DIGEST),
}
"""By the beginning of a hash."""
