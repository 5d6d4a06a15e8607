"""Addresses in PORT and PASV (RFC 959), EPRT and EPSV (RFC 2428).

The one place that spells and compares addresses of peers.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

__all__ = [
    "BadAddress",
    "HostPort",
    "UnknownFamily",
    "canonical_host",
    "format_eprt",
    "format_epsv",
    "format_pasv",
    "format_port",
    "is_ipv6",
    "is_loopback",
    "parse_eprt",
    "parse_epsv_reply",
    "parse_pasv_reply",
    "parse_port",
    "same_host",
]

MAX_PORT = 65535
SIX_NUMBERS = re.compile(r"[0-9]{1,3}(?:,[0-9]{1,3}){5}")
SIX_NUMBERS_IN_TEXT = re.compile(r"(?<![0-9])[0-9]{1,3}(?: {0,2}, {0,2}[0-9]{1,3}){5}(?![0-9])")
EPRT = re.compile(r"([!-~])([0-9]{1,9})\1([0-9A-Fa-f.:]{2,45})\1([0-9]{1,5})\1")
EPSV_IN_TEXT = re.compile(r"([^\s0-9])\1\1([0-9]{1,5})\1")


class BadAddress(ValueError):
    """The text names no address that a connection could be made to."""


class UnknownFamily(BadAddress):
    """An EPRT for a network protocol other than IPv4 (1) and IPv6 (2): answer 522."""


MAX_CACHED_ADDRESSES = 1024
"""Addresses whose reading is remembered: each session asks for the same again and again."""


class HostPort(NamedTuple):
    """Where a data connection is to be made."""

    host: str
    """An IP address in canonical text, as `canonical_host` gives it."""
    port: int


def parse_port(text: str) -> HostPort:
    """Read PORT's six numbers; raises `BadAddress`."""
    text = text.strip(" ")
    if not SIX_NUMBERS.fullmatch(text):
        raise BadAddress("not six numbers separated by commas")
    return _from_six(text)


def format_port(host: str, port: int) -> str:
    """Return PORT's argument; raises `ValueError` if ``host`` is not IPv4."""
    if not 0 < port <= MAX_PORT:
        raise BadAddress("the port is not in 1-65535")
    return f"{_four_numbers(host)},{port >> 8},{port & 255}"


@lru_cache(MAX_CACHED_ADDRESSES)
def _four_numbers(host: str) -> str:
    address = _address(host)
    if not isinstance(address, IPv4Address):
        raise BadAddress("not an IPv4 address")
    return str(address).replace(".", ",")


def parse_eprt(text: str) -> HostPort:
    """Read EPRT's argument; raises `BadAddress`, `UnknownFamily`."""
    text = text.strip(" ")
    match = EPRT.fullmatch(text)
    if match is None or text.count(match[1]) != 4:
        raise _eprt_error(text)
    family, host, port = match[2], match[3], int(match[4])
    if family not in ("1", "2"):
        raise UnknownFamily("the network protocol is 1 or 2")
    try:
        address = IPv4Address(host) if family == "1" else IPv6Address(host)
    except ValueError as error:
        raise BadAddress("no address of that network protocol") from error
    return HostPort(canonical_host(str(address)), _checked_port(port))


def format_eprt(host: str, port: int) -> str:
    """Return EPRT's argument; raises `ValueError` if ``host`` is no address."""
    address = _address(host)
    if address is None:
        raise BadAddress("not an IP address")
    return f"|{1 if address.version == 4 else 2}|{address}|{_checked_port(port)}|"


format_pasv = format_port
"""The text between the parentheses of a 227 reply is that of PORT."""


def format_epsv(port: int) -> str:
    """Return what stands between the brackets of a 229."""
    return f"|||{_checked_port(port)}|"


def parse_pasv_reply(text: str) -> HostPort:
    """Find the six numbers of a 227, brackets or not (RFC 1123 §4.1.2.6); raises `BadAddress`."""
    match = SIX_NUMBERS_IN_TEXT.search(text)
    if match is None:
        raise BadAddress("no address in the reply to PASV")
    return _from_six(match[0])


def parse_epsv_reply(text: str) -> int:
    """Find the port of a 229, whatever its delimiter; raises `BadAddress`."""
    match = EPSV_IN_TEXT.search(text)
    if match is None:
        raise BadAddress("no port in the reply to EPSV")
    return _checked_port(int(match[2]))


@lru_cache(MAX_CACHED_ADDRESSES)
def canonical_host(text: str) -> str:
    """Return an IP address in its one canonical text, anything else as it is.

    An IPv4 address mapped into IPv6 becomes IPv4, a scope id is dropped.
    """
    address = _address(text)
    return text if address is None else str(address)


def same_host(a: str, b: str) -> bool:
    """Return whether two strings are the same address, in any notation."""
    return a == b or canonical_host(a) == canonical_host(b)


@lru_cache(MAX_CACHED_ADDRESSES)
def is_loopback(host: str) -> bool:
    """Return whether this is a loopback address; False for a host name."""
    address = _address(host)
    return address is not None and address.is_loopback


@lru_cache(MAX_CACHED_ADDRESSES)
def is_ipv6(host: str) -> bool:
    """Return whether this is an IPv6 address that is not IPv4 in disguise."""
    return isinstance(_address(host), IPv6Address)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    before, scope, _ = text.partition("%")
    try:
        address = ip_address(before)
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return None if scope else address
    return address.ipv4_mapped or address


def _from_six(text: str) -> HostPort:
    numbers = [int(number) for number in text.split(",")]
    if max(numbers) > 255:
        raise BadAddress("a number is over 255")
    *host, high, low = numbers
    return HostPort(".".join(map(str, host)), _checked_port(high * 256 + low))


def _checked_port(port: int) -> int:
    if not 0 < port <= MAX_PORT:
        raise BadAddress("the port is not in 1-65535")
    return port


def _eprt_error(text: str) -> BadAddress:
    """Tell a wrong shape from a family we do not know, whose addresses may look like anything."""
    parts = text.split(text[:1] or " ")
    family = parts[1] if len(parts) == 5 and not parts[4] else ""
    if family.isascii() and family.isdigit() and family not in ("1", "2"):
        return UnknownFamily("the network protocol is 1 or 2")
    return BadAddress("not a network protocol, address and port between delimiters")
