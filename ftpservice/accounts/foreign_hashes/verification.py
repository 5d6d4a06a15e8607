r"""Password hashes of other programs: verified, never written.

====================  ==========================================  =================================
scheme                form                                        found in
====================  ==========================================  =================================
bcrypt                ``$2a$ $2b$ $2y$``                          SFTPGo, htpasswd, ProFTPD
sha512-, sha256-crypt ``$6$ $5$``                                 shadow, ProFTPD, Pure-FTPd
yescrypt              ``$y$``                                     shadow of Debian and Fedora
scrypt                ``$7$`` (libsodium), ``$scrypt$ln=``        Pure-FTPd; passlib
pbkdf2                ``$pbkdf2-sha256$rounds$salt$digest``       SFTPGo, passlib
md5-crypt, apr1       ``$1$ $apr1$``                              old shadow files, htpasswd
digests               ``{SHA} {SSHA} {SHA512}`` and the like      htpasswd, LDAP, SFTPGo
====================  ==========================================  =================================

SFTPGo's pbkdf2 takes the salt as it is written and pads the digest with ``=``; passlib's encodes
both in base64 with ``.`` for ``+`` and without padding. ``$pbkdf2-b64salt-sha256$`` is SFTPGo's
with a salt in base64.

Traditional DES crypt is not accepted: it ignores all but eight characters of a password.
"""

from __future__ import annotations

import re
import secrets

from ftpservice.accounts.foreign_hashes.schemes import (
    BCRYPT,
    BCRYPT_BYTES,
    SCHEMES,
    ForeignScheme,
)
from ftpservice.accounts.foreign_hashes.system_crypt import has_crypt_scheme

__all__ = [
    "check_foreign_hash",
    "foreign_cost",
    "foreign_decoy",
    "foreign_scheme",
    "is_whole_password_hashed",
    "verify_foreign",
]

PREFIX = re.compile(r"\{[A-Z]+[0-9]*\}|\$[a-z0-9]+")


def foreign_scheme(hashed: str) -> str:
    """Return the name of the scheme of a hash; empty for an unknown one, also for argon2."""
    found = _find(hashed)
    return found[0].name if found else ""


def check_foreign_hash(hashed: str) -> None:
    """Raise `ValueError` with the reason if `verify_foreign` could not use this hash."""
    found = _find(hashed)
    if found is None:
        raise ValueError("the password is not a hash of a known kind")
    scheme, match = found
    problem = scheme.cost_problem(match)
    if problem:
        raise ValueError(f"the {scheme.name} hash {problem}")
    if scheme.is_system_crypt and not has_crypt_scheme(scheme.name):
        raise ValueError(f"the C library of this machine (libcrypt) does not have {scheme.name}")


def verify_foreign(hashed: str, password: bytes) -> bool:
    """Return whether ``password`` matches (blocks); False for a hash of an unknown kind."""
    found = _find(hashed)
    if found is None or found[0].cost_problem(found[1]):
        return False
    scheme, match = found
    # HMAC and C do not distinguish a password from the same with a NUL
    return scheme.matches(match, password) and b"\0" not in password


def foreign_cost(hashed: str) -> tuple[str, int]:
    """Return a key that is equal for hashes of equal cost, and the memory of a check in KiB."""
    found = _find(hashed)
    if found is None:
        return "", 0
    scheme, match = found
    return f"{scheme.name} {match['cost']}", scheme.memory_kib(match)


def foreign_decoy(hashed: str) -> str:
    """Return a hash of the same cost that no password matches."""
    found = _find(hashed)
    assert found is not None
    start, end = found[1].span("digest")
    digest = "".join(secrets.choice(found[0].alphabet) for _ in range(end - start))
    return hashed[:start] + digest + hashed[end:]


def is_whole_password_hashed(hashed: str, password: bytes) -> bool:
    """Return whether a hash covers all of ``password``, not only its first bytes (bcrypt)."""
    return foreign_scheme(hashed) != BCRYPT.name or len(password) <= BCRYPT_BYTES


def _find(hashed: str) -> tuple[ForeignScheme, re.Match[str]] | None:
    prefix = PREFIX.match(hashed)
    for scheme in SCHEMES.get(_family(prefix[0]), ()) if prefix else ():
        match = scheme.pattern.fullmatch(hashed)
        if match is not None:
            return scheme, match
    return None


def _family(prefix: str) -> str:
    if prefix.startswith("{"):
        return "{"
    return "$2" if prefix in ("$2a", "$2b", "$2y") else prefix
