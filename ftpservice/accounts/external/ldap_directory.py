"""An LDAP directory as a store of accounts: each login binds with what the client has sent.

An empty password is refused before the bind: a server takes a bind with a name and no password for
an anonymous one and answers with success (RFC 4513 §5.1.2). Names are escaped in DNs and filters.
Each login has a connection of its own, so a server that was down is in use again at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.account_store import (
    AccountListing,
    FoundAccount,
    StoreUnavailable,
)
from ftpservice.accounts.external.account_terms import (
    NO_ACCOUNT,
    is_text,
    require_plain_name,
)
from ftpservice.accounts.external.external_accounts import ExternalAccounts, not_listed
from ftpservice.accounts.external.ldap_accounts import LDAPAccounts
from ftpservice.accounts.external.ldap_connection import LDAPConnection
from ftpservice.accounts.external.ldap_settings import LDAPSettings
from ftpservice.accounts.external.recent_accounts import RecentAccounts
from ftpservice.accounts.external.store_string import is_loopback, secret_warnings

__all__ = ["LDAPDirectory"]

T = TypeVar("T")

ANSWER_SECONDS = 1.8
"""How long a login waits for all servers together."""
LISTING_SECONDS = 120.0
"""How long ``ftpservice user list`` waits for all accounts."""
WATCHED_AT_ONCE = 50
"""Accounts in one search."""


class LDAPDirectory(ExternalAccounts):
    """The accounts of one directory."""

    changed_by = "in the LDAP directory"

    def __init__(self, settings: LDAPSettings) -> None:
        self.place = settings.place
        self.cache_seconds = settings.cache_seconds
        self.finds_without_password = settings.bind is None
        self._settings = settings
        self._servers = settings.servers
        """The server that answered last comes first."""
        look = self._current_in_directory if self.finds_without_password else None
        super().__init__(RecentAccounts(look), settings.terms)

    def look_up(self, name: str, password: bytes | None) -> FoundAccount:
        """Check a password, or look an account up without one (not with direct bind)."""
        try:
            require_plain_name(name)
        except ValueError:
            return NO_ACCOUNT
        if password is None and self.finds_without_password:
            return self._ask(lambda accounts: accounts.searched(name))
        if not password or not is_text(password):
            return FoundAccount(None, False, "the password is empty or not UTF-8")
        if not self.finds_without_password:
            found = self._ask(lambda accounts: accounts.direct(name, password))
        else:
            found = self._ask(lambda accounts: accounts.search_and_bind(name, password))
        if found.is_right and found.record is not None and not found.unusable:
            self._recent.remember(found.record)
        return found

    def listing(self) -> AccountListing:
        """Search for all accounts, in pages; raises `AccountStoreError` with direct bind."""
        if not self.finds_without_password:
            reason = "with 'bind' an entry is read with the password of its client"
            raise not_listed(self.place, reason, "use the tools of the directory")
        return self._ask(lambda accounts: accounts.listing(), LISTING_SECONDS)

    def reach(self) -> None:
        """Connect, log the service account in and look at the base; raises `StoreUnavailable`."""

        def look(accounts: LDAPAccounts) -> None:
            if self.finds_without_password:
                accounts.look_at_base()

        self._ask(look)

    def warnings(self) -> list[str]:
        """Return lines about exposed passwords."""
        settings = self._settings
        lines = secret_warnings(settings.service_password_file)
        for server in settings.servers:
            if not (server.is_tls or settings.starts_tls or is_loopback(server.host)):
                lines.append(f"{server}: passwords are sent in plaintext")
        return lines

    def _ask(self, operation: Callable[[LDAPAccounts], T], seconds: float = ANSWER_SECONDS) -> T:
        """Run an operation on the first server that answers; raises `StoreUnavailable`."""
        deadline = time.monotonic() + seconds
        servers, problems = self._servers, []
        for number, server in enumerate(servers):
            share = (deadline - time.monotonic()) / (len(servers) - number)
            settings, left = self._settings, _timer(share)
            try:
                with LDAPConnection(server, settings.tls, settings.starts_tls, left) as connection:
                    result = operation(LDAPAccounts(settings, connection))
            except StoreUnavailable as error:
                problems.append(str(error))
                continue
            if number:
                self._servers = (server, *(other for other in servers if other is not server))
            return result
        raise StoreUnavailable("; ".join(problems))

    def _current_in_directory(self, names: Sequence[str]) -> dict[str, AccountRecord]:
        found: dict[str, AccountRecord] = {}

        def look(accounts: LDAPAccounts) -> None:
            accounts.bind_service()
            for first in range(0, len(names), WATCHED_AT_ONCE):
                some = frozenset(names[first : first + WATCHED_AT_ONCE])
                found.update(accounts.current_of(some))

        self._ask(look)
        return found


def _timer(seconds: float) -> Callable[[], float]:
    """Return a function for the rest of these seconds; it raises `TimeoutError` after them."""
    deadline = time.monotonic() + seconds

    def left() -> float:
        rest = deadline - time.monotonic()
        if rest <= 0:
            raise TimeoutError("no answer in time")
        return rest

    return left
