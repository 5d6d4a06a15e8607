"""An account, and what a login knows besides name and password."""

from __future__ import annotations

from dataclasses import dataclass

from twisted.cred.credentials import ICredentials, IUsernamePassword
from zope.interface import Attribute, Interface, implementer

from ftpservice.storage.interfaces import IStorage
from ftpservice.storage.rights import Right
from ftpservice.wire.paths import ROOT, VirtualPath

__all__ = [
    "Account",
    "CertificateCredentials",
    "IAccount",
    "ICertificateCredentials",
    "IPeerCredentials",
    "PeerCredentials",
]


class IAccount(Interface):
    """The avatar of a logged-in user: who it is, which files, what it may do."""

    name = Attribute("The name it logged in with, a str.")
    storage = Attribute("Its `IStorage`, permissions already wrapped around it.")
    rights = Attribute("A frozenset of `Right`.")
    home = Attribute("The `VirtualPath` it starts in.")
    max_sessions = Attribute("Sessions at a time under this name, or None.")
    anonymous = Attribute("Whether anybody may be this account, a bool.")
    rate_down = Attribute("Bytes per second for the downloads of all its sessions, or None.")
    rate_up = Attribute("Bytes per second for the uploads of all its sessions, or None.")
    tls_required = Attribute("Whether its data, too, goes under TLS only, a bool.")


@implementer(IAccount)
@dataclass(frozen=True)
class Account:
    """The plain `IAccount`."""

    name: str
    storage: IStorage
    rights: frozenset[Right]
    home: VirtualPath = ROOT
    max_sessions: int | None = None
    anonymous: bool = False
    rate_down: int | None = None
    rate_up: int | None = None
    tls_required: bool = False


class IPeerCredentials(IUsernamePassword):
    """A name and password, with where they came from."""

    peer = Attribute("The client's IP address, a str; None if it has none (a UNIX socket).")
    secured = Attribute("Whether the control connection is under TLS, a bool.")
    certificate_names = Attribute("A frozenset of the names in the client's certificate, checked.")


@implementer(IPeerCredentials)
class PeerCredentials:
    """Credentials that a checker can refuse by address or by lack of TLS.

    ``username`` and ``password`` are bytes, as Twisted's own checkers want them.
    """

    def __init__(
        self,
        username: bytes,
        password: bytes,
        peer: str | None,
        secured: bool,
        certified: frozenset[str] = frozenset(),
    ) -> None:
        self.username = username
        self.password = password
        self.peer = peer
        self.secured = secured
        self.certificate_names = certified

    def checkPassword(self, password: bytes) -> bool:
        """Compare with a plain-text password (for `IUsernamePassword`)."""
        return self.password == password


class ICertificateCredentials(ICredentials):
    """A name that the client's certificate has too; there is no password."""

    username = Attribute("The name, as bytes.")
    peer = Attribute("The client's IP address, a str; None if it has none (a UNIX socket).")
    certificate_names = Attribute("A frozenset of the names in the client's certificate, checked.")


@implementer(ICertificateCredentials)
@dataclass(frozen=True)
class CertificateCredentials:
    """What a login by certificate alone brings along."""

    username: bytes
    peer: str | None
    certificate_names: frozenset[str]
