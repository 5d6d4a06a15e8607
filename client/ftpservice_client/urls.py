"""URLs of servers: ``scheme://user:password@host:port/path``."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from urllib.parse import SplitResult, unquote, urlsplit

from ftpservice_client.arguments import checked_argument
from ftpservice_client.errors import BadURL, InvalidArgument

__all__ = ["Destination", "Scheme", "parse_url"]


class Scheme(Enum):
    """A protocol, and how it uses TLS."""

    FTP = "ftp"
    FTPES = "ftpes"
    """FTP with explicit TLS before the login (AUTH TLS, RFC 4217), required."""
    FTPS = "ftps"
    """FTP with implicit TLS."""
    SIMPLE = "simple"
    SIMPLES = "simples"
    """The simple protocol with implicit TLS."""

    @property
    def port(self) -> int:
        """The default port."""
        return DEFAULT_PORTS[self]

    @property
    def is_simple(self) -> bool:
        """Whether this is the simple protocol."""
        return self in (Scheme.SIMPLE, Scheme.SIMPLES)

    @property
    def is_secured(self) -> bool:
        """Whether TLS is required."""
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
    """A server, the account, and the initial directory; raises `TypeError` for a wrong type."""

    scheme: Scheme
    host: str
    """A host name or an address, without brackets."""
    port: int
    user: str = ""
    """Empty: the user of the netrc file, otherwise anonymous."""
    password: str | None = field(default=None, repr=False)
    path: str = ""
    """The directory to change to after the login; empty: none. Absolute with a leading ``/``."""

    def __post_init__(self) -> None:
        for name, kind in (("scheme", Scheme), ("host", str), ("port", int), ("user", str)):
            if not isinstance(value := getattr(self, name), kind):
                raise TypeError(f"{name} is of type {kind.__name__}, not {value!r}")

    def as_user(self, user: str, password: str) -> Destination:
        """Return the destination with another user and password."""
        return replace(self, user=user, password=password)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == self.scheme.port else f":{self.port}"
        return f"{self.scheme.value}://{host}{port}/"


def parse_url(url: str) -> Destination:
    """Parse a URL; raises `BadURL`, whose text never contains the password.

    ``%XX`` stands for bytes of UTF-8. The path is relative to the directory after the login (RFC
    1738 §3.2.2): ``ftp://host/in`` is ``in`` there, ``ftp://host//in`` is ``/in``.
    """
    if not isinstance(url, str):
        raise TypeError(f"a URL is a str, not {type(url).__name__}")
    try:
        parts = urlsplit(checked_argument(url))  # urlsplit would silently drop line ends
    except InvalidArgument:
        raise BadURL("the URL is empty or contains CR, LF or NUL") from None
    except ValueError:
        raise BadURL(f"not a URL such as {URL_EXAMPLE}. {QUOTING_HINT}") from None
    _refuse_raw_password(parts)
    scheme = _scheme(parts)
    if not parts.hostname:
        raise BadURL(f"the URL has no host; an example: {URL_EXAMPLE}")
    port = _port(parts)
    try:
        user, path = _unquoted(parts.username or ""), _unquoted(_path(parts))
        password = None if parts.password is None else _unquoted(parts.password)
    except InvalidArgument:
        raise BadURL("the URL contains CR, LF or NUL") from None
    return Destination(scheme, parts.hostname, port or scheme.port, user, password, path)


def _refuse_raw_password(parts: SplitResult) -> None:
    """Refuse a URL whose password may contain an unquoted ``/``, ``?`` or ``#``.

    The part before that character, or between an ``@`` and the character, would be parsed as the
    host, looked up in the DNS and shown. The message repeats no part of the URL.
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
    """Return whether a host, perhaps with a port, is an address or ``localhost``."""
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
        raise BadURL(f"the scheme of the URL is none of {known}") from None


def _path(parts: SplitResult) -> str:
    """Return the path with ``?`` and ``#``: in FTP they are ordinary characters."""
    query = f"?{parts.query}" if parts.query else ""
    fragment = f"#{parts.fragment}" if parts.fragment else ""
    return f"{parts.path}{query}{fragment}".removeprefix("/")


def _unquoted(quoted: str) -> str:
    return checked_argument(unquote(quoted, errors="surrogateescape"), empty=True)
