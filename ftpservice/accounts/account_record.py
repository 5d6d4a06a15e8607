"""Account records, and the interfaces of what stores them.

Storages know the owner of trash and interrupted uploads by a name. An account that is renamed keeps
the name that it had for that; another account that gets this name has an owner of its own.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import Enum
from typing import Any

from zope.interface import Interface

from ftpservice.accounts.defence.networks import Network
from ftpservice.accounts.terms.login_hours import LoginHours
from ftpservice.backends.mounts.account_mount import AccountMount, check_mounts
from ftpservice.storage.retention_rules import RetentionRules
from ftpservice.storage.rights import PRESETS, DirectoryRights, Right
from ftpservice.storage.trash import TrashRule

__all__ = [
    "AccountRecord",
    "CertificateUse",
    "IAccountRecords",
    "IRemoteRecords",
    "IStartable",
    "RecordedName",
    "check_owner",
    "claimed_owners",
    "has_records",
    "is_storage_string",
    "renamed",
    "unusable_record",
    "with_free_owner",
]

STORAGE_STRING = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def is_storage_string(root: str) -> bool:
    """Return whether a record's root is a storage string (``local:/srv/x``) and not a path."""
    return STORAGE_STRING.match(root) is not None


class CertificateUse(Enum):
    """How an account uses a client certificate with its name."""

    REQUIRED = "required"
    """A login needs the certificate and the password."""
    LOGIN = "login"
    """The certificate can replace the password."""


@dataclass(frozen=True)
class AccountRecord:
    """One account of a store of accounts, or a group of it.

    As the store has it, a root that is empty and no rights at all stand for those of its groups.
    """

    name: str
    password_hash: str
    root: str = "/"
    """A path below the service's root, or a storage string."""
    rights: frozenset[Right] = PRESETS["full"]
    directory_rights: tuple[DirectoryRights, ...] = field(default=(), kw_only=True)
    """Other rights to directories below its root; the longest path counts."""
    max_sessions: int | None = None
    expires: date | None = None
    """The last day of logins."""
    networks: tuple[Network, ...] = ()
    """The networks to accept logins from; empty for all."""
    tls_required: bool = False
    certificate: CertificateUse | None = None
    """The use of client certificates; None for no use."""
    disabled: bool = False
    rate_down: int | None = None
    """The limit of all its downloads together in bytes per second."""
    rate_up: int | None = None
    """The limit of all its uploads together in bytes per second."""
    quota_bytes: int | None = None
    """The limit of the bytes of all files below its root."""
    quota_files: int | None = None
    """The limit of the files, directories, links and partial uploads below its root."""
    mounts: tuple[AccountMount, ...] = ()
    """Other storages in its tree, each at a path of its own."""
    umask: int | None = field(default=None, kw_only=True)
    """The permission bits that its new files and directories do not get; else by the setting."""
    ascii: bool | None = field(default=None, kw_only=True)
    """Whether TYPE A converts line ends; else by the setting."""
    hours: LoginHours | None = field(default=None, kw_only=True)
    """When it may log in; its sessions end with these hours."""
    hidden_names: tuple[str, ...] | None = field(default=None, kw_only=True)
    """Patterns of names that it does not see; see `ftpservice.storage.name_rules`."""
    refused_names: tuple[str, ...] | None = field(default=None, kw_only=True)
    """Patterns of names that it cannot create."""
    retention: RetentionRules | None = field(default=None, kw_only=True)
    """How long its files are kept; None: for ever, but other accounts may delete them."""
    trash: TrashRule | None = field(default=None, kw_only=True)
    """How long what it deletes and overwrites is kept; None: not at all."""
    owner: str = field(default="", kw_only=True)
    """The name that its trash and its interrupted uploads are kept under; empty: its own."""
    groups: tuple[str, ...] = field(default=(), kw_only=True)
    """The groups whose values it inherits, in order; see `ftpservice.accounts.groups`."""
    without: frozenset[str] = field(default=frozenset(), kw_only=True)
    """The fields that are not set, whatever its groups have."""
    inherited: tuple[tuple[str, str], ...] = field(
        default=(), compare=False, repr=False, kw_only=True
    )
    """The fields with a value of a group, and that group."""
    shares_quota: bool = field(default=False, compare=False)
    """Whether an account with a quota may have files in common with this one."""
    line: int = 0
    """The line number in its file; 0 without a file."""

    def __post_init__(self) -> None:
        if self.mounts:
            check_mounts(self.mounts)

    @property
    def files_owner(self) -> str:
        """The owner of its files for the storages."""
        return self.owner or self.name


def unusable_record(name: str) -> AccountRecord:
    """Return the record of an account of which the store has nothing that can be used."""
    return AccountRecord(name, "", root="", rights=frozenset(), disabled=True)


class IAccountRecords(Interface):
    """A store of account records."""

    def lookup(name: str) -> AccountRecord | None:
        """Return the record of ``name``, from memory; never blocks.

        A record that exists but cannot be used is returned as ``disabled``.
        """


class IRemoteRecords(Interface):
    """A store of account records that are not in memory."""

    def fetch(name: str) -> Any:
        """Return a Deferred of the record of ``name``, or of None.

        Fails with `ftpservice.accounts.checkers.LoginUnavailable` if the store is down.
        """


def has_records(checker: object) -> bool:
    """Return whether a checker has account records, for the realm."""
    return bool(IAccountRecords.providedBy(checker) or IRemoteRecords.providedBy(checker))


class IStartable(Interface):
    """A checker that needs the reactor or threads."""

    def start(reactor: Any) -> None:
        """Prepare for logins; called on the reactor thread before the first one."""

    def stop() -> None:
        """Stop the threads; waits for checks in progress and drops those that wait."""


class RecordedName(bytes):
    """An avatar id with the record that the login was checked against.

    The file of accounts may change between the check and the realm. With the record in the avatar
    id, a login that one record allowed cannot get the files of another.
    """

    record: AccountRecord

    @classmethod
    def of(cls, record: AccountRecord) -> RecordedName:
        """Return the avatar id for a record: its name, UTF-8 with ``surrogateescape``."""
        name = cls(record.name.encode("utf-8", "surrogateescape"))
        name.record = record
        return name


def renamed(record: AccountRecord, new_name: str) -> Mapping[str, Any]:
    """Return the fields that change with the name of an account."""
    return {"name": new_name, "owner": "" if record.files_owner == new_name else record.files_owner}


def claimed_owners(records: Iterable[AccountRecord]) -> dict[str, str]:
    """Return the names by which accounts of other names own files, and the names of these."""
    return {one.owner: one.name for one in records if one.owner and one.owner != one.name}


def with_free_owner(record: AccountRecord, claimed: Mapping[str, str]) -> AccountRecord:
    """Return a new account, with an owner of its own if another one has its name as owner."""
    if record.owner or claimed.get(record.name, record.name) == record.name:
        return record
    return replace(record, owner=f"{record.name}.{secrets.token_hex(4)}")


def check_owner(record: AccountRecord, claimed: Mapping[str, str]) -> None:
    """Raise `ValueError` if an account would get what another one has deleted."""
    other = claimed.get(record.files_owner, record.name)
    if other != record.name:
        raise ValueError(
            f"the trash under the name {record.files_owner!r} is that of the account {other!r}; "
            "give this account another owner, such as owner=" + record.name + ".2"
        )
