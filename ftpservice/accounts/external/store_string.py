"""The strings that describe a store of another program, and the TOML files in their place.

``TARGET`` alone, ``TARGET#key=value&key=value`` with percent-encoded values, or the path of a file
that ends in ``.toml`` and has the same keys and the target. A key may have several values: given
more than once in a string, an array in a file. Keys are those that the store knows; the others are
refused, because a restriction with a misspelled key must not be ignored; nor one without a value.
"""

from __future__ import annotations

import os
import ssl
import stat
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from ipaddress import ip_address
from typing import Any
from urllib.parse import unquote

from ftpservice.linux import read_regular_file
from ftpservice.wire.units import parse_duration

__all__ = [
    "BadStoreString",
    "StoreString",
    "is_loopback",
    "parse_store_string",
    "read_secret",
    "secret_warnings",
    "tls_context",
]

MAX_FILE_BYTES = 1024 * 1024
MAX_SECRET_BYTES = 4096
FILE_SUFFIX = ".toml"


class BadStoreString(ValueError):
    """A string or file does not describe a store; ``str`` of it is one line that says why."""


@dataclass(frozen=True)
class StoreString:
    """The target of a store, and the values by key."""

    target: str
    values: Mapping[str, tuple[str, ...]]

    def many(self, key: str) -> tuple[str, ...]:
        """Return all values of a key."""
        return self.values.get(key, ())

    def one(self, key: str) -> str | None:
        """Return the value of a key; raises `BadStoreString` if it has several."""
        found = self.many(key)
        if len(found) > 1:
            raise BadStoreString(f"{key!r} is given more than once")
        return found[0] if found else None

    def path(self, key: str) -> str | None:
        """Return the value of a key as an absolute path; the file must be readable."""
        value = self.one(key)
        if value is None:
            return None
        path = os.path.abspath(os.path.expanduser(value))
        try:
            os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))
        except OSError as error:
            raise BadStoreString(f"{key}: {path}: {error.strerror}") from None
        return path

    def seconds(self, key: str) -> float:
        """Return the duration of a key, such as ``10min``; 0 without one."""
        value = self.one(key)
        try:
            return parse_duration(value) if value is not None else 0.0
        except ValueError as error:
            raise BadStoreString(f"{key}: {error}") from None

    def word(self, key: str, words: Iterable[str]) -> str | None:
        """Return the value of a key, which must be one of ``words``."""
        value, known = self.one(key), tuple(words)
        if value is not None and value not in known:
            raise BadStoreString(f"{key!r} is one of {', '.join(known)}, not {value!r}")
        return value


def parse_store_string(text: str, target_key: str, keys: Iterable[str]) -> StoreString:
    """Parse a string, or read the file that it names (blocks); raises `BadStoreString`.

    ``target_key`` is the key of the target in a file.
    """
    text, known = text.strip(), frozenset(keys)
    if text.endswith(FILE_SUFFIX) and "#" not in text and "://" not in text:
        values = _file_values(text)
        target = values.pop(target_key, ("",))
        if len(target) != 1:
            raise BadStoreString(f"{text}: {target_key!r} has one value")
        parsed = StoreString(target[0], values)
    else:
        before, _, after = text.partition("#")
        parsed = StoreString(before, _string_values(after))
    if not parsed.target:
        raise BadStoreString(f"the {target_key} is missing")
    for key, given in parsed.values.items():
        if key not in known:
            close = get_close_matches(key, known, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(sorted(known))}"
            raise BadStoreString(f"unknown key {key!r} ({hint})")
        if not all(value.strip() for value in given) or not given:
            raise BadStoreString(f"{key!r} is empty; give a value or leave it out")
    return parsed


def read_secret(path: str) -> bytes:
    """Return the first line of a file with a password or token; raises `OSError`, `ValueError`."""
    content = read_regular_file(path, MAX_FILE_BYTES, follows_links=True)
    secret = content.partition(b"\n")[0][:MAX_SECRET_BYTES].rstrip(b"\r")
    if not secret:
        raise ValueError(f"{path} is empty")
    return secret


def secret_warnings(path: str | None) -> list[str]:
    """Return a line if other users can read a file with a password or token."""
    mode = stat.S_IMODE(os.stat(path).st_mode) if path is not None else 0
    return [f"{path}: other users can read it (mode {mode:04o}; chmod 600)"] if mode & 0o007 else []


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def tls_context(described: StoreString) -> ssl.SSLContext:
    """Return a context that verifies, by the authorities in 'ca' or those of the system."""
    path = described.path("ca")
    try:
        return ssl.create_default_context(cafile=path)
    except (OSError, ValueError) as error:
        raise BadStoreString(f"ca: {path}: {error}") from None


def _string_values(text: str) -> dict[str, tuple[str, ...]]:
    values: dict[str, tuple[str, ...]] = {}
    for pair in text.split("&") if text else ():
        key, equals, value = pair.partition("=")
        if not equals:
            raise BadStoreString(f"{key!r} has no value; write key=value, and %26 for & in a value")
        values[key] = (*values.get(key, ()), unquote(value))
    return values


def _file_values(text: str) -> dict[str, tuple[str, ...]]:
    path = os.path.expanduser(text)
    try:
        content = read_regular_file(path, MAX_FILE_BYTES, follows_links=True)
        table = tomllib.loads(content.decode())
    except OSError as error:
        raise BadStoreString(f"{path}: {error.strerror or error}") from None
    except ValueError as error:
        raise BadStoreString(f"{path}: {error}") from None
    return {key: tuple(_words(path, key, value)) for key, value in table.items()}


def _words(path: str, key: str, value: Any) -> Iterator[str]:
    for one in value if isinstance(value, list) else [value]:
        if not isinstance(one, str | int) or isinstance(one, bool):
            raise BadStoreString(f"{path}: {key!r} is a string or an array of strings")
        yield str(one)
