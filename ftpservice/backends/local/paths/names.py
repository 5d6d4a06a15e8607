"""Names on the disk: their bytes, and the hidden names of partials, which no user can use."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b

from ftpservice.storage.errors import InvalidName, PathNotFound
from ftpservice.storage.name_rules.name_spellings import plain_spelling
from ftpservice.wire.paths import VirtualPath

__all__ = [
    "ASIDE_NAME",
    "PARTIAL_NAME",
    "TRASH_NAME",
    "aside_name",
    "check_new_name",
    "components",
    "decoded",
    "encoded",
    "is_hidden",
    "is_partial_of",
    "name_before_aside",
    "partial_name",
    "reserved_name",
    "spare_name",
    "unique_names",
]

HIDDEN_PREFIX = ".ftpservice."
MAX_NAME_BYTES = 255
PARTIAL_NAME = re.compile(rb"\.ftpservice\.[0-9a-f]{32}(\.[0-9a-f]{16})?\.part")
"""Matches the whole of a partial's name."""
ASIDE_NAME = re.compile(rb"\.ftpservice\.aside\.[0-9a-f]{16}\.(.+)", re.DOTALL)
"""Matches the name of a file that is about to be removed; the group is the name it had."""
MAX_ASIDE_NAME_BYTES = MAX_NAME_BYTES - len(HIDDEN_PREFIX) - len("aside.") - 17
"""The longest name that fits; of a longer one the beginning is kept."""
TRASH_NAME = ".ftpservice.trash"
"""The directory in the root of an account that holds what it has deleted."""
OWNER_SLICE = slice(0, len(HIDDEN_PREFIX) + 16)
"""The part of a partial's name that depends only on the owner: a digest."""
MAX_NUMBERED_NAMES = 99
"""Numbered names that are tried before random ones."""


def is_hidden(name: str) -> bool:
    """Return whether a name is reserved for partial uploads and the trash.

    Case makes no difference, nor does what some filesystems take for the same name besides:
    characters that are not shown, and other forms of letters.
    """
    if name.isascii():
        return name[:1] == "." and name[: len(HIDDEN_PREFIX)].lower() == HIDDEN_PREFIX
    return plain_spelling(name).casefold().startswith(HIDDEN_PREFIX)


def encoded(name: str, path: VirtualPath) -> bytes:
    """Return the bytes of a name on the disk; raises `InvalidName`."""
    try:
        data = name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise InvalidName(path, "not encodable") from None
    if not 0 < len(data) <= MAX_NAME_BYTES or name in (".", "..") or b"/" in data or b"\0" in data:
        raise InvalidName(path)
    return data


def decoded(name: str) -> str:
    """Return a name from Python's ``os`` decoded as UTF-8, whatever the locale is."""
    if name.isascii() or sys.getfilesystemencoding() == "utf-8":
        return name
    return os.fsencode(name).decode("utf-8", "surrogateescape")


def components(path: VirtualPath) -> list[bytes]:
    """Return the names in ``path``; raises `InvalidName`, and `PathNotFound` for hidden names."""
    names = []
    for part in path.parts:
        names.append(encoded(part, path))
        if (part[0] == "." or not part.isascii()) and is_hidden(part):
            raise PathNotFound(path, "hidden")
    return names


def check_new_name(path: VirtualPath) -> None:
    """Raise `InvalidName` for a hidden name: no command could use the file afterwards."""
    if is_hidden(path.name):
        raise InvalidName(path, "hidden")


def partial_name(owner: str, name: bytes) -> bytes:
    """Return the hidden name of ``owner``'s partial of ``name``, in the same directory."""
    owner_bytes = owner.encode("utf-8", "surrogatepass")
    digest = blake2b(owner_bytes + b"\0" + name, digest_size=8).hexdigest()
    return f"{HIDDEN_PREFIX}{_owner_digest(owner_bytes)}{digest}.part".encode()


def is_partial_of(owner: str, hidden: bytes) -> bool:
    """Return whether a partial is ``owner``'s, from its name."""
    ours = partial_name(owner, b"")
    return hidden[: OWNER_SLICE.stop] == ours[: OWNER_SLICE.stop]


def reserved_name(name: bytes) -> bytes:
    """Return the hidden name of the partial that promises the unique name ``name``."""
    return partial_name("", name)


def spare_name(name: bytes) -> bytes:
    """Return another hidden name, a random one, for when the partial is in use."""
    return name.removesuffix(b".part") + b"." + os.urandom(8).hex().encode() + b".part"


def aside_name(name: bytes) -> bytes:
    """Return a hidden name for a file that is about to be removed, a random one."""
    token = os.urandom(8).hex()
    return f"{HIDDEN_PREFIX}aside.{token}.".encode() + name[:MAX_ASIDE_NAME_BYTES]


def name_before_aside(aside: bytes) -> bytes:
    """Return the name that a file had before it got an `aside_name`."""
    match = ASIDE_NAME.fullmatch(aside)
    assert match is not None
    return match[1]


@lru_cache(maxsize=1024)
def _owner_digest(owner: bytes) -> str:
    return blake2b(owner, digest_size=8).hexdigest()


def unique_names(path: VirtualPath) -> Iterator[VirtualPath]:
    """Yield names like that of ``path`` without end: itself, numbered ones, random ones."""
    name = path.name
    yield path
    while len(name.encode("utf-8", "surrogateescape")) > MAX_NAME_BYTES - 10:
        name = name[:-1]
    for number in range(1, MAX_NUMBERED_NAMES + 1):
        yield path.parent.child(f"{name}.{number}")
    while True:
        yield path.parent.child(f"{name}.{os.urandom(4).hex()}")
