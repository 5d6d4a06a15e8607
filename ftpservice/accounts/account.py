"""Accounts (the avatars of the realm), names of their files, and the credentials of a login."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from twisted.cred.credentials import ICredentials, IUsernamePassword
from zope.interface import Attribute, Interface, implementer

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.events import NO_SESSION
from ftpservice.storage.interfaces import IStorage, IStorageSource
from ftpservice.storage.rights import Right
from ftpservice.storage.source_strings import INamedSource, IPathNamedSource
from ftpservice.wire.paths import ROOT, BadPath, VirtualPath

__all__ = [
    "Account",
    "CertificateCredentials",
    "IAccount",
    "ICertificateCredentials",
    "IPeerCredentials",
    "PeerCredentials",
    "RootOf",
    "StorageNames",
    "owner_of",
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
    owner = Attribute("The owner of its files for the storages; empty: its name.")


@implementer(IAccount)
@dataclass(frozen=True, slots=True)
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
    owner: str = ""


def owner_of(account: IAccount) -> str:
    """Return the owner of the files of an account for the storages."""
    return str(account.owner or account.name)


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


RootOf = Callable[[str, str], tuple[VirtualPath, IStorageSource | None]]
"""Takes a root of a record, and who holds it; returns where that is.

That is a path below the root of a source, and the source: None while it is not open.
"""


class StorageNames:
    """The names that the storage of an account has for its paths, such as those on the disk."""

    __slots__ = ("_before", "_record", "_root_of")

    def __init__(self, root_of: RootOf, record: AccountRecord) -> None:
        self._root_of = root_of
        self._record = record
        self._before: str | None = None
        """What all names begin with, once that is known."""

    def __call__(self, text: str) -> str | None:
        """Return the storage's own name of a path.

        None for a storage without names, or one that is not open, and for a text that is no path,
        such as that of a command that was refused for it. Nothing is looked up, in any thread.
        """
        if (
            self._before is not None
            and text[:1] == "/"
            and text[-1] != "/"
            and "//" not in text
            and "/." not in text
            and text.isprintable()
        ):
            return self._before + text
        try:
            path = VirtualPath.parse(text)
        except BadPath:
            return None
        record, below = self._record, 0
        root, holder = record.root, record.name
        for mount in record.mounts:
            at = VirtualPath.parse(mount.path)
            if path.is_within(at) and len(at.parts) > below:
                root, below = mount.storage, len(at.parts)
                holder = f"{record.name}:{mount.path}"
        home, source = self._root_of(root, holder)
        named = INamedSource(source, None)
        if named is None:
            return None
        if not record.mounts and IPathNamedSource.providedBy(named):
            self._before = named.storage_name(home).rstrip("/")
        return named.storage_name(VirtualPath(path.parts[below:]).below(home))
