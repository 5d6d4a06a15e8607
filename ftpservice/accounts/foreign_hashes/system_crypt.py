"""The C library's ``crypt_r`` by ctypes: libxcrypt, or what the C library itself has (musl).

Other threads run during a call. There is no Python code for these hashes, because it would hold the
interpreter for as long as a hash takes.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

__all__ = ["MAX_PHRASE_BYTES", "crypt", "has_crypt_scheme"]

LIBRARIES = ("libcrypt.so.1", "libcrypt.so.2", None)
"""Debian and Ubuntu; Fedora and Arch; the process itself, where musl has the function."""
STATE_BYTES = 256 * 1024
"""Room for the ``struct crypt_data`` of every C library (glibc 2.36: 131,232 bytes)."""
MAX_PHRASE_BYTES = 256
"""libxcrypt refuses more than 511; the work of sha512-crypt grows with the length."""
SAMPLE_SETTINGS = {
    "bcrypt": "$2b$04$abcdefghijklmnopqrstuu",
    "sha512-crypt": "$6$rounds=1000$ab",
    "sha256-crypt": "$5$rounds=1000$ab",
    "yescrypt": "$y$j75$........",
    "scrypt-crypt": "$7$46..../....ab",
}
"""The cheapest setting of each scheme, to find out whether the library has it."""


def crypt(phrase: bytes, setting: str) -> str:
    """Hash a password (blocks); returns ``""`` if the library refuses the setting or the phrase.

    ``setting`` is a hash or the beginning of one, without its digest. A phrase with a NUL matches
    nothing, because C would compare only what is before it.
    """
    function = _crypt_r()
    if function is None or len(phrase) > MAX_PHRASE_BYTES:
        return ""
    state = ctypes.create_string_buffer(STATE_BYTES)
    found = function(phrase.replace(b"\0", b"\1"), setting.encode("ascii"), state)
    if found is None or found.startswith(b"*") or b"\0" in phrase:
        return ""
    return str(found, "ascii", "replace")


@cache
def has_crypt_scheme(name: str) -> bool:
    """Return whether the library has a scheme of `SAMPLE_SETTINGS`."""
    setting = SAMPLE_SETTINGS[name]
    return crypt(b"x", setting).startswith(setting)


@cache
def _crypt_r() -> Callable[..., Any] | None:
    for library in LIBRARIES:
        try:
            function = ctypes.CDLL(library).crypt_r
        except (OSError, AttributeError):
            continue
        function.restype = ctypes.c_char_p
        function.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p]
        return function
    return None
