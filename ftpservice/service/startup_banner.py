"""The lines printed at the start: what is served, to whom, on which addresses, how to try it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress

from ftpservice import __version__
from ftpservice.accounts.checkers import (
    PasswordFileChecker,
    RecordChecker,
    shipped_accounts,
)
from ftpservice.net.tls.server import CertificateSummary
from ftpservice.service.sessions.exposure import is_local
from ftpservice.service.settings.settings import ServiceSettings
from ftpservice.session.tls_policy import ControlTLS, TLSPolicy

__all__ = ["ListeningAddress", "LoginSummary", "TLSSummary", "banner_lines", "login_summary"]

WILDCARD_ADDRESSES = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}
"""The loopback address to try instead of a wildcard address."""
MAX_NAMES = 5


@dataclass(frozen=True)
class LoginSummary:
    """Who can log in."""

    names: tuple[str, ...] = ()
    """Accounts whose names are known."""
    others: tuple[str, ...] = ()
    """Checkers that do not list their accounts."""
    anonymous: str | None = None
    """The directory that anonymous users see; None without anonymous logins."""
    demo: str | None = None
    """The account with the shipped password, which is its name; or None."""

    def lines(self) -> Iterable[str]:
        """Yield one line for each kind of login."""
        if self.names:
            shown = ", ".join(self.names[:MAX_NAMES])
            more = len(self.names) - MAX_NAMES
            yield f"{shown} and {more} more" if more > 0 else shown
        if self.others:
            yield f"accounts of {', '.join(self.others)}"
        if self.anonymous is not None:
            yield f"anonymous users (read-only, in {self.anonymous})"

    def curl_options(self) -> str:
        """Return curl's options for a login; empty for an anonymous one."""
        if self.demo is not None:
            return f"--user {self.demo}:{self.demo} "
        if self.anonymous is not None:
            return ""
        return f"--user {_quoted(self.names[0] if self.names else 'NAME')} "


def login_summary(
    settings: ServiceSettings, checkers: Sequence[ICredentialsChecker]
) -> LoginSummary:
    """Return who can log in, as far as the checkers know their accounts."""
    files = [checker for checker in checkers if isinstance(checker, PasswordFileChecker)]
    records = [record for file in files for record in file.records()]
    return LoginSummary(
        names=tuple(record.name for record in records if not record.disabled),
        others=tuple(
            checker.place if isinstance(checker, RecordChecker) else type(checker).__name__
            for checker in checkers
            if checker not in files and IUsernamePassword in checker.credentialInterfaces
        ),
        anonymous=str(settings.anonymous_root) if settings.anonymous else None,
        demo=next(iter(shipped_accounts(records)), None),
    )


@dataclass(frozen=True)
class ListeningAddress:
    """An address with a listener."""

    address: IAddress
    proxied: bool = False
    scheme: str = "ftp"
    """``ftp``, ``simple``, ``http``; or ``ftps`` and so on: the s stands for implicit TLS."""

    @property
    def implicit(self) -> bool:
        """Whether connections are encrypted from the first byte."""
        return self.scheme.endswith("s")

    @property
    def simple(self) -> bool:
        """Whether the listener is for the simple protocol."""
        return self.scheme.startswith("simple")

    def url(self) -> str:
        """Return the URL for clients."""
        if isinstance(self.address, IPv4Address | IPv6Address):
            host = WILDCARD_ADDRESSES.get(self.address.host, self.address.host)
            return f"{self.scheme}://{f'[{host}]' if ':' in host else host}:{self.address.port}/"
        if isinstance(self.address, UNIXAddress):
            return f"unix:{os.fsdecode(self.address.name or b'')}"
        return str(self.address)

    def line(self) -> str:
        """Return the URL with remarks."""
        is_wildcard = getattr(self.address, "host", None) in WILDCARD_ADDRESSES
        remarks = [
            *(["all addresses of this machine"] if is_wildcard else []),
            *(["behind a PROXY protocol load balancer"] if self.proxied else []),
        ]
        return f"{self.url()} ({', '.join(remarks)})" if remarks else self.url()


@dataclass(frozen=True)
class TLSSummary:
    """The TLS policy and the certificates."""

    policy: TLSPolicy
    certificates: Sequence[CertificateSummary] = ()
    is_self_signed: bool = False

    def lines(self) -> Iterable[str]:
        """Yield the policy, then a line for each certificate."""
        yield self.policy.control.value
        for one in self.certificates:
            names = "self-signed" if self.is_self_signed else ", ".join(one.names)
            yield f"{names}, valid until {one.not_after:%Y-%m-%d}, SHA-256 {one.fingerprint}"

    def warnings(self, exposed: bool) -> Iterable[str]:
        """Yield what the policy means for passwords of other machines."""
        policy = self.policy
        if not exposed or policy.control in (ControlTLS.REQUIRED, ControlTLS.REQUIRED_LOGIN):
            return
        if policy.plaintext:
            yield "plaintext passwords from other machines are accepted (--allow-plaintext)"
        elif policy.control is ControlTLS.OFF:
            yield "without TLS, passwords from other machines are refused"

    def curl_options(self, listening: ListeningAddress) -> str:
        """Return curl's options for TLS, if a login needs it."""
        host = getattr(listening.address, "host", "")
        plaintext = self.policy.allows_password(False, WILDCARD_ADDRESSES.get(host, host))
        explicit = "" if plaintext or listening.implicit else "--ssl-reqd "
        return f"{explicit}--insecure " if explicit or listening.implicit else ""


def banner_lines(
    storage: str, logins: LoginSummary, listening: Iterable[ListeningAddress], tls: TLSSummary
) -> list[str]:
    """Return the lines to print when the service has started."""
    listening = list(listening)
    exposed = any(one.proxied or not is_local(one.address) for one in listening)
    return [
        f"ftpservice {__version__} is serving",
        *_column("what", [storage]),
        *_column("for", list(logins.lines()) or ["no accounts yet"]),
        *_column("at", [one.line() for one in listening]),
        *_column("tls", list(tls.lines())),
        *_column("try", _commands_to_try(logins, listening, tls)),
        *_column("note", [*_warnings(logins, listening), *tls.warnings(exposed)]),
    ]


def _warnings(logins: LoginSummary, listening: list[ListeningAddress]) -> list[str]:
    """A load balancer on this machine can forward clients from anywhere."""
    if logins.demo is None or not any(one.proxied for one in listening):
        return []
    return [f"the password of {logins.demo} is public: change it before other machines connect"]


def _commands_to_try(
    logins: LoginSummary, listening: list[ListeningAddress], tls: TLSSummary
) -> list[str]:
    for one in listening:
        if isinstance(one.address, IPv4Address | IPv6Address) and one.scheme.startswith("ftp"):
            proxy = "--haproxy-protocol " if one.proxied else ""
            url = one.url()
            options = f"{proxy}{tls.curl_options(one)}{logins.curl_options()}"
            curl = f"curl {options}{_quoted(url) if '[' in url else url}"
            return [curl, *_simple_command_to_try(logins, listening)]
    return []


def _simple_command_to_try(logins: LoginSummary, listening: list[ListeningAddress]) -> list[str]:
    """Return a command for the simple protocol, if a plaintext listener and ``demo`` exist."""
    for one in listening:
        address = one.address
        if one.scheme == "simple" and isinstance(address, IPv4Address) and logins.demo:
            host = WILDCARD_ADDRESSES.get(address.host, address.host)
            lines = f"USER {logins.demo}\\nPASS {logins.demo}\\nLIST\\nQUIT\\n"
            return [f"printf '{lines}' | curl -sS telnet://{host}:{address.port}"]
    return []


def _column(heading: str, lines: list[str]) -> list[str]:
    return [f"  {heading if not number else '':<5} {line}" for number, line in enumerate(lines)]


def _quoted(word: str) -> str:
    """Return ``word`` quoted for a shell, if it has characters that shell or curl would expand."""
    plain = word.isascii() and word.replace("-", "").replace("_", "").replace(".", "").isalnum()
    return word if plain else "'" + word.replace("'", "'\\''") + "'"
