"""Every setting of the service in one table: options, TOML files and the reference read it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ftpservice.data.policy import parse_address_rule, parse_port_range
from ftpservice.storage.digests import ALGORITHMS
from ftpservice.storage.units import parse_size
from ftpservice.wire.paths import VirtualPath

__all__ = ["BY_NAME", "SETTINGS", "Kind", "Setting", "parse_digest", "parse_umask"]

MOST = 10**9
"""No count and no time is larger."""


class Kind(Enum):
    """What sort of value a setting takes; the value names it to a person."""

    TEXT = "a text"
    TEXTS = "a list of texts"
    FLAG = "true or false"
    COUNT = "a whole number, 1 or more"
    SECONDS = "a number of seconds, 0 or more"


def _as_it_is(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Setting:
    """One row: the name is that of the option and of the TOML key."""

    name: str
    kind: Kind
    default: str | int | float | tuple[str, ...] | None
    """Written as a user would write it; None where the help says what happens instead."""
    help: str
    refine: Callable[[Any], Any] = _as_it_is
    """Makes the service's value of the user's (of each one of a list); raises `ValueError`."""

    def from_text(self, text: str) -> Any:
        """Return the value of an option's argument; raises `ValueError`."""
        if self.kind is Kind.COUNT and re.fullmatch("[0-9]{1,10}", text):
            return self.checked(int(text))
        if self.kind is Kind.SECONDS and re.fullmatch(r"[0-9]{1,10}(\.[0-9]+)?", text):
            return self.checked(float(text))
        return self.checked([text] if self.kind is Kind.TEXTS else text)

    def checked(self, value: object) -> Any:
        """Return the service's value of one of the right type; raises `ValueError`.

        A TOML file's values come here as they are.
        """
        if not FITS[self.kind](value):
            raise ValueError(f"{value!r} is not {self.kind.value}")
        if isinstance(value, list):
            return tuple(self.refine(text) for text in value)
        return self.refine(value)

    @property
    def initial(self) -> Any:
        """The service's value when nobody says anything."""
        default = self.default
        if isinstance(default, tuple):
            return self.checked(list(default))
        return None if default is None else self.checked(default)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) and text for text in value)


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and 0 <= value <= MOST


FITS: dict[Kind, Callable[[object], bool]] = {
    Kind.TEXT: lambda value: isinstance(value, str) and value != "",
    Kind.TEXTS: _is_texts,
    Kind.FLAG: lambda value: isinstance(value, bool),
    Kind.COUNT: lambda value: _is_number(value) and isinstance(value, int) and value >= 1,
    Kind.SECONDS: _is_number,
}


def parse_umask(text: str) -> int:
    """Read permission bits to withhold from new files, in octal; raises `ValueError`."""
    if not re.fullmatch("0?[0-7]{1,3}", text):
        raise ValueError(f"{text!r} is not an octal mask between 000 and 777, as 022 is")
    return int(text, 8)


def parse_digest(text: str) -> str:
    """Read the name of an algorithm; "none" is empty. Raises `ValueError`."""
    name = text.upper()
    if name not in ("NONE", *ALGORITHMS):
        raise ValueError(f"{text!r} is not one of none, {', '.join(ALGORITHMS)}")
    return "" if name == "NONE" else name


SETTINGS = (
    Setting(
        "listen",
        Kind.TEXTS,
        ("tcp:2121:interface=127.0.0.1",),
        "Where clients connect: tcp:2121, tcp6:2121, unix:/run/ftp.sock, "
        "systemd:domain=INET:index=0, haproxy:tcp:2121 or any other Twisted endpoint.",
    ),
    Setting(
        "root",
        Kind.TEXT,
        None,
        "The files: a directory, or a storage string such as local:/srv/ftp or memory: "
        "(without it: files in the data directory).",
    ),
    Setting(
        "auth",
        Kind.TEXTS,
        None,
        "Who may log in: passwd:FILE, or any other kind that --help-auth lists (without it and "
        "without anonymous: passwd:passwd.db, if there is that file).",
    ),
    Setting(
        "anonymous",
        Kind.FLAG,
        False,
        "Let anybody in who logs in as anonymous or ftp, to read only.",
    ),
    Setting(
        "anonymous-root",
        Kind.TEXT,
        "/",
        "The directory under root that anonymous users see.",
        VirtualPath.parse,
    ),
    Setting(
        "passive-ports",
        Kind.TEXT,
        None,
        "The ports for passive data connections, as 50000-50100 (without it: any free port).",
        parse_port_range,
    ),
    Setting(
        "passive-address",
        Kind.TEXTS,
        (),
        "The address or DNS name that PASV tells clients, behind NAT; NETWORK=ADDRESS holds for "
        "the clients of that network only.",
        parse_address_rule,
    ),
    Setting("welcome", Kind.TEXT, "ftpservice ready", "The greeting."),
    Setting("max-sessions", Kind.COUNT, 10_000, "Sessions at a time, of all clients."),
    Setting("max-sessions-per-address", Kind.COUNT, 200, "Sessions at a time from one address."),
    Setting("max-sessions-per-user", Kind.COUNT, 200, "Sessions at a time under one name."),
    Setting("login-timeout", Kind.SECONDS, 60, "From the connection to the login; 0 for ever."),
    Setting(
        "idle-timeout",
        Kind.SECONDS,
        300,
        "A session without a command and without a transfer; 0 for ever.",
    ),
    Setting("data-timeout", Kind.SECONDS, 30, "Until a data connection is made; 0 for ever."),
    Setting("stall-timeout", Kind.SECONDS, 60, "A transfer that does not move; 0 for ever."),
    Setting(
        "rate-down",
        Kind.TEXT,
        "0",
        "Bytes per second for the downloads of each session, as 20M; 0 for no limit.",
        parse_size,
    ),
    Setting(
        "rate-up",
        Kind.TEXT,
        "0",
        "Bytes per second for the uploads of each session, as 20M; 0 for no limit.",
        parse_size,
    ),
    Setting(
        "upload-digest",
        Kind.TEXT,
        "none",
        "The digest to compute of each upload as it comes: none, CRC32, MD5, SHA-1, SHA-256 or "
        "SHA-512. HASH with this algorithm then costs nothing behind an upload.",
        parse_digest,
    ),
    Setting(
        "data-dir",
        Kind.TEXT,
        None,
        "Where the service keeps what is its own, made if missing (without it and without root: "
        "var).",
    ),
    Setting(
        "durable",
        Kind.FLAG,
        False,
        "Say that an upload is complete only when it is on the disk, not in its cache.",
    ),
    Setting(
        "grace",
        Kind.SECONDS,
        30,
        "How long transfers in progress may go on when the service is told to stop; 0 cuts them.",
    ),
    Setting("umask", Kind.TEXT, "022", "Permission bits withheld from new files.", parse_umask),
)

BY_NAME = {setting.name: setting for setting in SETTINGS}
