"""The hashes ``$1$`` (md5-crypt) and ``$apr1$`` (htpasswd), which the C library does not all have.

It takes about a millisecond, so it may hold the interpreter.
"""

from __future__ import annotations

import hashlib

__all__ = ["CRYPT_ALPHABET", "md5_crypt"]

CRYPT_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""The base 64 of ``crypt``."""
MD5_CRYPT_ROUNDS = 1000


def md5_crypt(password: bytes, salt: bytes, magic: bytes) -> str:
    """Return the digest, 22 characters; ``magic`` is ``$1$`` or ``$apr1$``."""
    # 1. The password, the magic and the salt, and then one byte for each bit of the length
    inner = _md5(password, salt, password)
    length = len(password)
    start = password + magic + salt + (inner * (length // 16 + 1))[:length]
    bits = length
    while bits:
        start += b"\0" if bits & 1 else password[:1]
        bits >>= 1
    digest = _md5(start)
    # 2. A thousand rounds
    for number in range(MD5_CRYPT_ROUNDS):
        digest = _md5(
            password if number % 2 else digest,
            salt if number % 3 else b"",
            password if number % 7 else b"",
            digest if number % 2 else password,
        )
    # 3. The bytes in threes, in an order of their own, six bits a character
    triples = [(0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5)]
    text = ""
    for first, second, third in triples:
        number = digest[first] << 16 | digest[second] << 8 | digest[third]
        text += "".join(CRYPT_ALPHABET[number >> shift & 63] for shift in (0, 6, 12, 18))
    return text + "".join(CRYPT_ALPHABET[digest[11] >> shift & 63] for shift in (0, 6))


def _md5(*parts: bytes) -> bytes:
    return hashlib.md5(b"".join(parts), usedforsecurity=False).digest()
