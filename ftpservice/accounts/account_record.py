"""What is on record about an account, and who can be asked for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Any

from zope.interface import Interface

from ftpservice.accounts.networks import Network
from ftpservice.storage.rights import PRESETS, Right

__all__ = [
    "AccountRecord",
    "CertificateUse",
    "IAccountRecords",
    "IStartable",
    "RecordedName",
    "is_storage_string",
]

STORAGE_STRING = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def is_storage_string(root: str) -> bool:
    """Tell whether a record's root names a storage of its own (``local:/srv/x``), not a path."""
    return STORAGE_STRING.match(root) is not None


class CertificateUse(Enum):
    """What the certificate of a client is to an account that it names."""

    REQUIRED = "required"
    """No login without it."""
    LOGIN = "login"
    """It is as good as the password."""


@dataclass(frozen=True)
class AccountRecord:
    """One account as somebody wrote it down."""

    name: str
    password_hash: str
    root: str = "/"
    """A path under the service's root, or a storage string."""
    rights: frozenset[Right] = PRESETS["full"]
    max_sessions: int | None = None
    expires: date | None = None
    """The last day on which it may log in."""
    networks: tuple[Network, ...] = ()
    """Where it may log in from; empty for anywhere."""
    tls_required: bool = False
    certificate: CertificateUse | None = None
    """What a certificate with its name is to its logins; None for nothing."""
    disabled: bool = False
    rate_down: int | None = None
    """Bytes per second, for the downloads of all its sessions together."""
    rate_up: int | None = None
    """The same for uploads."""
    line: int = 0
    """Where it stands in its file; 0 for nowhere."""


class IAccountRecords(Interface):
    """Somebody who knows accounts by name."""

    def lookup(name: str) -> AccountRecord | None:
        """Return the record of ``name`` from memory, at once.

        A name that is on record but unusable has a record that is ``disabled``.
        """


class IStartable(Interface):
    """A checker that needs a reactor and threads before it can serve."""

    def start(reactor: Any) -> None:
        """Get ready; called before the first login, on the reactor's thread."""

    def stop() -> None:
        """Let go of threads; waits for a check in progress, drops those still waiting."""


class RecordedName(bytes):
    """An avatar id that carries the record it was checked against.

    A file that changes between the check and the realm's question thus cannot hand a user who
    was let in under one record the files of another, or of none.
    """

    record: AccountRecord

    @classmethod
    def of(cls, record: AccountRecord) -> RecordedName:
        """Return the avatar id for ``record``: its name, UTF-8 with ``surrogateescape``."""
        name = cls(record.name.encode("utf-8", "surrogateescape"))
        name.record = record
        return name
