"""Accounts (the avatars of the realm) and the credentials of a login."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from twisted.cred.credentials import ICredentials, IUsernamePassword
from zope.interface import Attribute, Interface, implementer

from ftpservice.events import NO_SESSION
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
    """The avatar of a login."""

    name = Attribute("The name of the login, a str.")
    storage = Attribute("Its `IStorage`, which enforces the permissions.")
    rights = Attribute("A frozenset of `Right`.")
    home = Attribute("The `VirtualPath` of the first working directory.")
    max_sessions = Attribute("The maximum number of sessions of this account, or None.")
    anonymous = Attribute("Whether the login was anonymous, a bool.")
    rate_down = Attribute("The limit of all its downloads together in bytes per second, or None.")
    rate_up = Attribute("The limit of all its uploads together in bytes per second, or None.")
    tls_required = Attribute("Whether its data connections must be encrypted too, a bool.")
    umask = Attribute("The umask of its sessions, or None for that of the settings.")
    ascii = Attribute("Whether TYPE A converts line ends, or None for the setting.")
    groups = Attribute("A tuple of the names of its groups, for events.")
    storage_name = Attribute("Returns the storage's own name of a path, as `SessionInfo` has it.")


@implementer(IAccount)
@dataclass(frozen=True)
class Account:
    """The default `IAccount`."""

    name: str
    storage: IStorage
    rights: frozenset[Right]
    home: VirtualPath = ROOT
    max_sessions: int | None = None
    anonymous: bool = False
    rate_down: int | None = None
    rate_up: int | None = None
    tls_required: bool = False
    umask: int | None = None
    ascii: bool | None = None
    groups: tuple[str, ...] = ()
    storage_name: Callable[[str], str | None] = NO_SESSION.storage_name


class IPeerCredentials(IUsernamePassword):
    """A name and password, and how the client is connected."""

    peer = Attribute("The client's IP address, a str; None for a UNIX socket.")
    secured = Attribute("Whether the control connection is encrypted, a bool.")
    certificate_names = Attribute("A frozenset of the names in the client's verified certificate.")
    protocol = Attribute("The protocol of the session: ftp, simple or http; empty: not known.")


@implementer(IPeerCredentials)
class PeerCredentials:
    """Credentials that a checker can refuse by address or for lack of TLS.

    ``username`` and ``password`` are bytes, as Twisted's checkers expect.
    """

    protocol = ""

    def __init__(
        self,
        username: bytes,
        password: bytes,
        peer: str | None,
        secured: bool,
        certificate_names: frozenset[str] = frozenset(),
    ) -> None:
        self.username = username
        self.password = password
        self.peer = peer
        self.secured = secured
        self.certificate_names = certificate_names

    def checkPassword(self, password: bytes) -> bool:
        """Compare with a plaintext password (`IUsernamePassword`)."""
        return self.password == password


class ICertificateCredentials(ICredentials):
    """A name that is also in the client's certificate; there is no password."""

    username = Attribute("The name, bytes.")
    peer = Attribute("The client's IP address, a str; None for a UNIX socket.")
    certificate_names = Attribute("A frozenset of the names in the client's verified certificate.")


@implementer(ICertificateCredentials)
@dataclass(frozen=True)
class CertificateCredentials:
    """The credentials of a login by certificate alone."""

    username: bytes
    peer: str | None
    certificate_names: frozenset[str]
