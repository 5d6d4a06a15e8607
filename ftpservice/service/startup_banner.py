"""The words at the start: what is served, to whom, on which addresses, and how to try it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress

from ftpservice import __version__
from ftpservice.net.tls.server import CertificateSummary
from ftpservice.service.local_address import is_local
from ftpservice.session.tls_policy import ControlTLS, TLSPolicy

__all__ = ["ListeningAddress", "LoginSummary", "banner_lines"]

WILDCARD_ADDRESSES = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}
MAX_NAMES = 5


@dataclass(frozen=True)
class LoginSummary:
    """Who may log in."""

    names: tuple[str, ...] = ()
    """Accounts that are known by name."""
    others: tuple[str, ...] = ()
    """Checkers that do not tell their names."""
    anonymous: str | None = None
    """The directory that anonymous users see, or None."""
    demo: str | None = None
    """The account whose password is its name, as shipped, or None."""

    def lines(self) -> Iterable[str]:
        """Say who it is, a line for each kind."""
        if self.names:
            shown = ", ".join(self.names[:MAX_NAMES])
            more = len(self.names) - MAX_NAMES
            yield f"{shown} and {more} more" if more > 0 else shown
        if self.others:
            yield f"accounts of {', '.join(self.others)}"
        if self.anonymous is not None:
            yield f"anonymous users, to read only, from {self.anonymous}"

    def login(self) -> str:
        """Return curl's option for logging in as one of them; empty for anonymous."""
        if self.demo is not None:
            return f"--user {self.demo}:{self.demo} "
        if self.anonymous is not None:
            return ""
        return f"--user {_quoted(self.names[0] if self.names else 'NAME')} "


@dataclass(frozen=True)
class ListeningAddress:
    """An address that is listened on."""

    address: IAddress
    proxied: bool = False
    scheme: str = "ftp"
    """``ftp``, ``ftps``, ``simple`` or ``simples``: the last letter says that TLS comes first."""

    @property
    def implicit(self) -> bool:
        """Whether TLS comes first."""
        return self.scheme.endswith("s")

    @property
    def simple(self) -> bool:
        """Whether the simple protocol is spoken."""
        return self.scheme.startswith("simple")

    def url(self) -> str:
        """Return where clients find it."""
        if isinstance(self.address, IPv4Address | IPv6Address):
            host = WILDCARD_ADDRESSES.get(self.address.host, self.address.host)
            return f"{self.scheme}://{f'[{host}]' if ':' in host else host}:{self.address.port}/"
        if isinstance(self.address, UNIXAddress):
            return f"unix:{os.fsdecode(self.address.name or b'')}"
        return str(self.address)

    def line(self) -> str:
        """Say where it is."""
        anywhere = getattr(self.address, "host", None) in WILDCARD_ADDRESSES
        remarks = [
            *(["every address of this machine"] if anywhere else []),
            *(["behind a PROXY-protocol balancer"] if self.proxied else []),
        ]
        return f"{self.url()} ({', '.join(remarks)})" if remarks else self.url()


@dataclass(frozen=True)
class TLSSummary:
    """What is under TLS, and with which certificates."""

    policy: TLSPolicy
    certificates: Sequence[CertificateSummary] = ()
    own: bool = False
    """Whether the certificate was made here, and nobody vouches for it."""

    def lines(self) -> Iterable[str]:
        """Say what is asked of clients, and how they know the service."""
        yield self.policy.control.value
        for one in self.certificates:
            whose = "self-signed" if self.own else ", ".join(one.names)
            yield f"{whose}, until {one.not_after:%Y-%m-%d}, SHA-256 {one.fingerprint}"

    def warnings(self, exposed: bool) -> Iterable[str]:
        """Say what clients of other machines have to expect in clear."""
        policy = self.policy
        if not exposed or policy.control in (ControlTLS.REQUIRED, ControlTLS.REQUIRED_LOGIN):
            return
        if policy.plaintext:
            yield "passwords of other machines are taken in clear (--allow-plaintext)"
        elif policy.control is ControlTLS.OFF:
            yield "no password of another machine is taken in clear, and there is no TLS"

    def curl(self, place: ListeningAddress) -> str:
        """Return curl's options for TLS, where a login needs them."""
        host = getattr(place.address, "host", "")
        clear = self.policy.allows_password(False, WILDCARD_ADDRESSES.get(host, host))
        explicit = "" if clear or place.implicit else "--ssl-reqd "
        return f"{explicit}--insecure " if explicit or place.implicit else ""


def banner_lines(
    what: str, audience: LoginSummary, places: Iterable[ListeningAddress], security: TLSSummary
) -> list[str]:
    """Return the lines to print when the service has started."""
    places = list(places)
    return [
        f"ftpservice {__version__} is serving",
        *_column("what", [what]),
        *_column("for", list(audience.lines()) or ["nobody yet"]),
        *_column("at", [place.line() for place in places]),
        *_column("tls", list(security.lines())),
        *_column("try", _trial(audience, places, security)),
        *_column("note", [*_warnings(audience, places), *security.warnings(_exposed(places))]),
    ]


def _warnings(audience: LoginSummary, places: list[ListeningAddress]) -> list[str]:
    """A balancer on this machine can let in clients from everywhere."""
    if audience.demo is None or not any(place.proxied for place in places):
        return []
    return [f"everybody knows the password of {audience.demo}: change it before others get in"]


def _exposed(places: Iterable[ListeningAddress]) -> bool:
    return any(place.proxied or not is_local(place.address) for place in places)


def _trial(
    audience: LoginSummary, places: list[ListeningAddress], security: TLSSummary
) -> list[str]:
    for place in places:
        if isinstance(place.address, IPv4Address | IPv6Address) and not place.simple:
            proxy = "--haproxy-protocol " if place.proxied else ""
            url = place.url()
            options = f"{proxy}{security.curl(place)}{audience.login()}"
            curl = f"curl {options}{_quoted(url) if '[' in url else url}"
            return [curl, *_simple_trial(audience, places)]
    return []


def _simple_trial(audience: LoginSummary, places: list[ListeningAddress]) -> list[str]:
    """Return how to try the simple protocol, where that is easy: by hand, in clear."""
    for place in places:
        address = place.address
        if place.scheme == "simple" and isinstance(address, IPv4Address) and audience.demo:
            host = WILDCARD_ADDRESSES.get(address.host, address.host)
            words = f"USER {audience.demo}\\nPASS {audience.demo}\\nLIST\\nQUIT\\n"
            return [f"printf '{words}' | curl -sS telnet://{host}:{address.port}"]
    return []


def _column(word: str, lines: list[str]) -> list[str]:
    return [f"  {word if not number else '':<5} {line}" for number, line in enumerate(lines)]


def _quoted(word: str) -> str:
    """Return ``word`` as a shell reads it, globbing of curl and shell kept away."""
    plain = word.isascii() and word.replace("-", "").replace("_", "").replace(".", "").isalnum()
    return word if plain else "'" + word.replace("'", "'\\''") + "'"
