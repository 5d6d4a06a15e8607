"""Parsers of single values: listen addresses, host names, digests, enumerations."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import time
from enum import Enum
from typing import TypeVar

from ftpservice.accounts.groups.home_template import has_fields
from ftpservice.service.settings.processors import processor_count
from ftpservice.service.settings.setting import COUNT, SettingKind
from ftpservice.wire.digests import ALGORITHMS
from ftpservice.wire.paths import VirtualPath

__all__ = [
    "WORKERS",
    "enum_parser",
    "parse_anonymous_root",
    "parse_digest",
    "parse_host",
    "parse_listen_address",
    "parse_time_of_day",
]

Choice = TypeVar("Choice", bound=Enum)
LISTEN_ADDRESS = re.compile(
    r"(?P<endpoint>(haproxy:)?tcp6?:)?((?P<host>[0-9.]+):)?(?P<port>[0-9]+)(?(endpoint)(:.*)?)"
)
"""A port, an address and port, or a TCP endpoint string."""
MAX_PORT = 65535
MAX_WORKERS = 256
ALL_PROCESSORS = "auto"


def parse_listen_address(text: str) -> str:
    """Return an endpoint string; a port, or address:port, becomes TCP. Raises `ValueError`."""
    match = LISTEN_ADDRESS.fullmatch(text)
    if match is None:
        return text
    if int(match["port"]) > MAX_PORT:
        raise ValueError(f"{text!r}: a port is a number from 1 to {MAX_PORT}, as in tcp:2121")
    if match["endpoint"]:
        return text
    return f"tcp:{match['port']}" + (f":interface={match['host']}" if match["host"] else "")


def parse_anonymous_root(text: str) -> VirtualPath:
    """Return the directory of anonymous users; raises `ValueError`."""
    if has_fields(text):
        raise ValueError(f"{text!r}: anonymous users have no name to put in; use a directory")
    return VirtualPath.parse(text)


def parse_host(text: str) -> str:
    """Return a host name in lower case without a final dot; raises `ValueError`."""
    if not re.fullmatch(r"[A-Za-z0-9._:\[\]-]{1,255}", text):
        raise ValueError(f"{text!r} is not a host name")
    return text.lower().rstrip(".")


def parse_digest(text: str) -> str:
    """Return the name of a digest algorithm, "" for "none"; raises `ValueError`."""
    names = {_simplified(name): name for name in ALGORITHMS} | {"NONE": ""}
    if _simplified(text) not in names:
        raise ValueError(f"{text!r} is not one of none, {', '.join(ALGORITHMS)}")
    return names[_simplified(text)]


def _simplified(name: str) -> str:
    """Return a name without the characters that users may omit: sha256 is SHA-256."""
    return name.upper().replace("-", "").replace("_", "")


def parse_time_of_day(text: str) -> time | None:
    """Return a time of the day, None for "none"; raises `ValueError`."""
    if text == "none":
        return None
    match = re.fullmatch(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", text, re.ASCII)
    if match is None:
        raise ValueError(f"{text!r} is not a time of the day such as 03:00, and not none")
    return time(int(match[1]), int(match[2]))


def enum_parser(kind: type[Choice]) -> Callable[[str], Choice]:
    """Return a function that parses the value of a member; it raises `ValueError`."""

    def parse(text: str) -> Choice:
        values = [member.value for member in kind]
        if text.lower() not in values:
            raise ValueError(f"{text!r} is not one of {', '.join(values)}")
        return kind(text.lower())

    return parse


def _workers(value: object) -> int:
    """Return a number of processes; ``auto`` is that of the processors. Raises `ValueError`."""
    if value == ALL_PROCESSORS:
        return min(processor_count(), MAX_WORKERS)
    count: int = COUNT.convert(value)
    if count > MAX_WORKERS:
        raise ValueError
    return count


WORKERS = SettingKind(
    f"whole number from 1 to {MAX_WORKERS}, or auto",
    f'a whole number from 1 to {MAX_WORKERS}, or "{ALL_PROCESSORS}"',
    _workers,
)
