"""The accounts of an LDAP directory over one connection: binds, searches, groups.

With ``bind`` the client's name is put into a template (direct bind), and its entry is read as the
client. Otherwise the service account, or nobody, searches for the entry, and its DN is bound
(search and bind). The name of the account is that of the entry: LDAP ignores the case of names and
more, and ``Ann`` and ``ann`` must not be two accounts with two directories and two quotas.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.account_store import (
    AccountListing,
    FoundAccount,
    StoreUnavailable,
    UnusableAccount,
)
from ftpservice.accounts.external.account_terms import (
    NO_ACCOUNT,
    NO_HASH,
    unusable_account,
)
from ftpservice.accounts.external.group_terms import IN_NO_GROUP
from ftpservice.accounts.external.ldap_connection import (
    LDAPConnection,
    LDAPEntry,
    escape_filter_chars,
    escape_rdn,
)
from ftpservice.accounts.external.ldap_settings import (
    DN_FIELD,
    MEMBER_OF,
    USER_FIELD,
    LDAPSettings,
)
from ftpservice.accounts.external.ldap_values import option_words, same_dn
from ftpservice.accounts.external.store_string import read_secret
from ftpservice.wire.units import count_text

__all__ = ["LDAPAccounts"]


class LDAPAccounts:
    """The accounts that one connection shows; every method raises `StoreUnavailable`.

    Passwords are not empty: an empty one would be an anonymous bind.
    """

    def __init__(self, settings: LDAPSettings, connection: LDAPConnection) -> None:
        self._settings = settings
        self._connection = connection

    def look_at_base(self) -> None:
        """Log the service account in and read the base of the searches."""
        base = self._settings.base
        self.bind_service()
        if base and not self._connection.search(base, "(objectClass=*)", only_base=True):
            raise StoreUnavailable(
                f"{self._settings.place}: {base!r} does not exist or cannot be read"
            )

    def direct(self, name: str, password: bytes) -> FoundAccount:
        """Bind with the template."""
        settings = self._settings
        template = settings.bind or ""
        dn = template.replace(USER_FIELD, escape_rdn(name) if "=" in template else name)
        if self._connection.bind(dn, password) is not None:
            return FoundAccount(None, False, "the directory refuses this name or password")
        if settings.base is not None:
            entries = self._connection.search(
                settings.base, self._filter(name), self._settings.wanted_attributes
            )
        else:
            entries = self._connection.search(
                dn, "(objectClass=*)", self._settings.wanted_attributes, only_base=True
            )
        if not entries:
            return unusable_account(name, True, "the client cannot read its own entry")
        return self._found(entries, name)

    def search_and_bind(self, name: str, password: bytes) -> FoundAccount:
        """Search for the entry, and bind with its DN."""
        settings = self._settings
        base = settings.base or ""
        self.bind_service()
        entries = self._connection.search(
            base, self._filter(name), self._settings.wanted_attributes
        )
        # An unknown name costs a bind too: its DN is one that does not exist.
        dn = entries[0].dn if len(entries) == 1 else f"cn={secrets.token_hex(8)},{base}"
        is_right = self._connection.bind(dn, password) is None
        if not entries:
            return NO_ACCOUNT
        if not is_right and len(entries) == 1:
            return FoundAccount(AccountRecord(name, NO_HASH, rights=frozenset()), is_right=False)
        if settings.groups:
            self.bind_service()
        return self._found(entries, name)

    def searched(self, name: str) -> FoundAccount:
        """Search for the entry only."""
        self.bind_service()
        entries = self._connection.search(
            self._settings.base or "", self._filter(name), self._settings.wanted_attributes
        )
        found = self._found(entries, name) if entries else NO_ACCOUNT
        return replace(found, is_right=None)

    def bind_service(self) -> None:
        """Log the service account in; without one, searches are anonymous."""
        settings = self._settings
        if settings.service_dn is None or settings.service_password_file is None:
            return
        try:
            password = read_secret(settings.service_password_file)
        except (OSError, ValueError) as error:
            raise StoreUnavailable(
                f"{self._settings.place}: service-password-file: {error}"
            ) from None
        refusal = self._connection.bind(settings.service_dn, password)
        if refusal is not None:
            raise StoreUnavailable(
                f"{settings.place}: the account {settings.service_dn!r} is refused: {refusal}"
            )

    def _found(self, entries: list[LDAPEntry], name: str) -> FoundAccount:
        """Return the account of the only entry."""
        if len(entries) > 1:
            return unusable_account(name, None, "several entries match the filter")
        (entry,) = entries
        names = entry.texts(self._settings.name_attribute)
        if not names:
            attribute = self._settings.name_attribute
            return unusable_account(name, True, f"{entry.dn!r} has no attribute {attribute!r}")
        same = [one for one in names if one.casefold() == name.casefold()]
        return self._account(entry, name if name in names else [*same, *names][0])

    def _account(self, entry: LDAPEntry, name: str) -> FoundAccount:
        settings, group = self._settings, self._group_words(entry, name)
        if group is None:
            return unusable_account(name, True, IN_NO_GROUP)
        try:
            words = option_words(entry, settings.attributes)
        except ValueError as error:
            return unusable_account(name, True, f"{entry.dn!r}: {error}")
        # Who may change an entry must not choose a storage: that is for the settings.
        return settings.terms.found(name, group | words, trusts_storages="root" not in words)

    def _group_words(self, entry: LDAPEntry, name: str) -> dict[str, list[str]] | None:
        """Return what the first group of an entry gives; None if it is in no group and must be."""
        settings = self._settings
        own = entry.texts(MEMBER_OF)
        for group in settings.groups:
            is_member = any(same_dn(group.name, dn) for dn in own) or self._connection.search(
                group.name, self._group_filter(entry.dn, name), only_base=True
            )
            if is_member:
                return group.words
        return None if settings.groups and settings.terms.rights is None else {}

    def _filter(self, name: str) -> str:
        return self._settings.filter.replace(USER_FIELD, escape_filter_chars(name))

    def _group_filter(self, dn: str, name: str) -> str:
        text = self._settings.group_filter.replace(DN_FIELD, escape_filter_chars(dn))
        return text.replace(USER_FIELD, escape_filter_chars(name))

    def listing(self) -> AccountListing:
        """Return the account of every entry that the filter matches for any name."""
        settings = self._settings
        any_name = settings.filter.replace(USER_FIELD, "*")
        self.bind_service()
        entries, is_complete = self._connection.search_all(
            settings.base or "", any_name, settings.wanted_attributes
        )
        records: dict[str, AccountRecord] = {}
        unusable: dict[str, UnusableAccount] = {}
        problems = []
        for entry in entries:
            found = self._found([entry], "")
            record, reason = found.record, found.unusable
            if reason == IN_NO_GROUP or record is None:
                continue
            if not reason and (record.name in records or record.name in unusable):
                reason = f"another entry has the name {record.name!r}, too"
            if reason:
                problems.append(f"{settings.place}, {entry.dn!r}: {reason}")
                record = records.pop(record.name, record)
                unusable[record.name] = UnusableAccount(record, reason)
            else:
                records[record.name] = record
        if not is_complete:
            listed = count_text(len(entries), "entry")
            problems.append(
                f"{settings.place}: the list ends after {listed}, at a size limit of the "
                "directory; raise the limit for the account of service-dn"
            )
        unusable.pop("", None)  # an entry without a name
        return AccountListing(tuple(records.values()), problems, tuple(unusable.values()))

    def current_of(self, names: frozenset[str]) -> Iterator[tuple[str, AccountRecord]]:
        """Yield names that are still there, and their records."""
        settings = self._settings
        either = f"(|{''.join(map(self._filter, names))})"
        most = 2 * len(names)
        for entry in self._connection.search(
            settings.base or "", either, self._settings.wanted_attributes, most=most
        ):
            for name in names.intersection(entry.texts(settings.name_attribute)):
                record = self._account(entry, name).record
                if record is not None:
                    yield name, record
