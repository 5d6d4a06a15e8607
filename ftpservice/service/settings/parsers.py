"""What settings are made of: masks, places, names of hosts and of algorithms, choices."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from typing import TypeVar

from ftpservice.wire.digests import ALGORITHMS

__all__ = ["enum_parser", "parse_digest", "parse_host", "parse_listen_address", "parse_umask"]

Choice = TypeVar("Choice", bound=Enum)
LISTEN_ADDRESS = re.compile(
    r"(?P<endpoint>(haproxy:)?tcp6?:)?((?P<host>[0-9.]+):)?(?P<port>[0-9]+)(?(endpoint)(:.*)?)"
)
"""Ports that need no resolving to be seen as wrong, and places that are not quite endpoints."""
MAX_PORT = 65535


def parse_umask(text: str) -> int:
    """Read permission bits to withhold from new files, in octal; raises `ValueError`.

    The digits are octal however they are written: 22, "022" and 0o22 are one mask.
    """
    if not re.fullmatch("(0o)?0?[0-7]{1,3}", text):
        raise ValueError(f"{text!r} is not an octal mask between 000 and 777, such as 022")
    return int(text.removeprefix("0o"), 8)


def parse_listen_address(text: str) -> str:
    """Return where to listen as an endpoint; a port alone, or one with an address, is TCP."""
    match = LISTEN_ADDRESS.fullmatch(text)
    if match is None:
        return text
    if int(match["port"]) > MAX_PORT:
        raise ValueError(f"{text!r}: a port is a number from 1 to {MAX_PORT}, as in tcp:2121")
    if match["endpoint"]:
        return text
    return f"tcp:{match['port']}" + (f":interface={match['host']}" if match["host"] else "")


def parse_host(text: str) -> str:
    """Read the name of a host; raises `ValueError`."""
    if not re.fullmatch(r"[A-Za-z0-9._:\[\]-]{1,255}", text):
        raise ValueError(f"{text!r} is not the name of a host")
    return text.lower().rstrip(".")


def parse_digest(text: str) -> str:
    """Read the name of an algorithm; "none" is empty. Raises `ValueError`."""
    names = {_letters(name): name for name in ALGORITHMS} | {"NONE": ""}
    if _letters(text) not in names:
        raise ValueError(f"{text!r} is not one of none, {', '.join(ALGORITHMS)}")
    return names[_letters(text)]


def _letters(name: str) -> str:
    """Return the name of an algorithm without what people leave out: sha256 is SHA-256."""
    return name.upper().replace("-", "").replace("_", "")


def enum_parser(kind: type[Choice]) -> Callable[[str], Choice]:
    """Return what reads the value of a member of ``kind``; it raises `ValueError`."""

    def parse(text: str) -> Choice:
        values = [member.value for member in kind]
        if text.lower() not in values:
            raise ValueError(f"{text!r} is not one of {', '.join(values)}")
        return kind(text.lower())

    return parse
