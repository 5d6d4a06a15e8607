"""Places on servers, as URLs: ``scheme://user:password@host:port/path``."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from urllib.parse import SplitResult, unquote, urlsplit

from ftpservice_client.arguments import checked_argument
from ftpservice_client.errors import BadURL, InvalidArgument

__all__ = ["Destination", "Scheme", "parse_url"]


class Scheme(Enum):
    """A protocol, and how it is secured."""

    FTP = "ftp"
    FTPES = "ftpes"
    """FTP with explicit TLS before the login (AUTH TLS, RFC 4217), required."""
    FTPS = "ftps"
    """FTP under TLS from the first byte."""
    SIMPLE = "simple"
    SIMPLES = "simples"
    """The simple protocol under TLS from the first byte."""

    @property
    def port(self) -> int:
        """The port that it has where none is said."""
        return DEFAULT_PORTS[self]

    @property
    def is_simple(self) -> bool:
        """Whether this is the simple protocol."""
        return self in (Scheme.SIMPLE, Scheme.SIMPLES)

    @property
    def is_secured(self) -> bool:
        """Whether it is under TLS."""
        return self in (Scheme.FTPES, Scheme.FTPS, Scheme.SIMPLES)


DEFAULT_PORTS = {
    Scheme.FTP: 21,
    Scheme.FTPES: 21,
    Scheme.FTPS: 990,
    Scheme.SIMPLE: 1452,
    Scheme.SIMPLES: 1453,
}


URL_EXAMPLE = "ftp://user@host:port/path"
QUOTING_HINT = (
    "In a user name or a password write / as %2F, ? as %3F, # as %23, @ as %40, : as %3A, [ as %5B,"
    " ] as %5D and % as %25"
)


@dataclass(frozen=True, slots=True)
class Destination:
    """A server, who to be there and where to begin."""

    scheme: Scheme
    host: str
    """A name or an address, without brackets."""
    port: int
    user: str = ""
    """Empty: anonymous, unless netrc knows better."""
    password: str | None = field(default=None, repr=False)
    path: str = ""
    """Where to go after the login; empty: nowhere. With a leading ``/`` it is from the root."""

    def as_user(self, user: str, password: str) -> Destination:
        """Return the same place for somebody else."""
        return replace(self, user=user, password=password)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == self.scheme.port else f":{self.port}"
        return f"{self.scheme.value}://{host}{port}/"


def parse_url(url: str) -> Destination:
    """Read a URL; raises `BadURL`, whose text has no password.

    ``%XX`` stands for bytes of UTF-8. The path is relative to where the login leads, as RFC 1738
    §3.2.2 has it: ``ftp://host/in`` is ``in`` there, ``ftp://host//in`` is ``/in``.
    """
    try:
        parts = urlsplit(checked_argument(url))  # which would drop line ends without a word
    except InvalidArgument:
        raise BadURL("the URL holds CR, LF or NUL, or nothing at all") from None
    except ValueError:
        raise BadURL(f"that is not a URL such as {URL_EXAMPLE}. {QUOTING_HINT}") from None
    _refuse_raw_password(parts)
    scheme = _scheme(parts)
    if not parts.hostname:
        raise BadURL(f"the URL names no host, as {URL_EXAMPLE} does")
    port = _port(parts)
    try:
        user, path = _unquoted(parts.username or ""), _unquoted(_path(parts))
        password = None if parts.password is None else _unquoted(parts.password)
    except InvalidArgument:
        raise BadURL("the URL holds CR, LF or NUL") from None
    return Destination(scheme, parts.hostname, port or scheme.port, user, password, path)


def _refuse_raw_password(parts: SplitResult) -> None:
    """Refuse what may be a password with ``/``, ``?`` or ``#`` in it, cut off at that character.

    What stands before the character, or between an ``@`` and the character, would be taken for the
    host, be looked up in the DNS and be shown. The message repeats no part of the URL.
    """
    if "@" not in f"{parts.path}{parts.query}{parts.fragment}":
        return
    login, at, place = parts.netloc.rpartition("@")
    if at and ":" not in login:
        return
    is_in_path = parts.path and "@" not in f"{parts.query}{parts.fragment}"
    if is_in_path and (_is_literal_host(place) or not (at or ":" in place)):
        return
    raise BadURL(
        f"an @ follows the first /, ? or # of the URL. {QUOTING_HINT}; in a path write @ as %40"
    )


def _is_literal_host(place: str) -> bool:
    """Tell whether a host, perhaps with its port, is an address or this machine."""
    host = place if place.endswith("]") else place.partition(":")[0]
    is_name = not place.startswith("[") and not host.replace(".", "").isdigit()
    return not is_name or host.lower() == "localhost"


def _port(parts: SplitResult) -> int | None:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise BadURL(f"the port of the URL is not a number from 1 to 65535. {QUOTING_HINT}")
    return port


def _scheme(parts: SplitResult) -> Scheme:
    try:
        return Scheme(parts.scheme)
    except ValueError:
        known = ", ".join(f"{scheme.value}://" for scheme in Scheme)
        raise BadURL(f"the URL begins with none of {known}") from None


def _path(parts: SplitResult) -> str:
    """Return the path as it was written: to FTP, ``?`` and ``#`` are letters of a name."""
    query = f"?{parts.query}" if parts.query else ""
    fragment = f"#{parts.fragment}" if parts.fragment else ""
    return f"{parts.path}{query}{fragment}".removeprefix("/")


def _unquoted(quoted: str) -> str:
    return checked_argument(unquote(quoted, errors="surrogateescape"), empty=True)
