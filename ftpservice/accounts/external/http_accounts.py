"""Accounts of an HTTP service: a POST with JSON for each login, answered in JSON.

Only an answer with status 200 and a JSON object says anything of an account; whatever else comes, a
redirect or the page of a proxy, means that the service cannot be used at the moment. So a service
that is misconfigured refuses nobody's password.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from zope.interface import implementer

from ftpservice.accounts.account import IPeerCredentials
from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.account_store import (
    AccountListing,
    FoundAccount,
    IPeerAccountLookup,
    StoreUnavailable,
)
from ftpservice.accounts.external.account_terms import (
    ACCOUNT_KEYS,
    GROUPS,
    NO_ACCOUNT,
    NO_HASH,
    require_plain_name,
    unusable_account,
)
from ftpservice.accounts.external.external_accounts import ExternalAccounts, not_listed
from ftpservice.accounts.external.http_client import AccountsHTTPClient
from ftpservice.accounts.external.http_settings import HTTPSettings
from ftpservice.accounts.external.recent_accounts import RecentAccounts
from ftpservice.accounts.external.store_string import secret_warnings

__all__ = ["REFUSED_WORDS", "HTTPAccounts"]

REFUSED_WORDS = ("wrong-password", "unknown-name", "disabled")
WRONG_PASSWORD, UNKNOWN_NAME, DISABLED = REFUSED_WORDS
NAME = "name"
KNOWN_KEYS = (*ACCOUNT_KEYS, GROUPS)


@implementer(IPeerAccountLookup)
class HTTPAccounts(ExternalAccounts):
    """The accounts of one service."""

    changed_by = "in the HTTP service"

    def __init__(self, settings: HTTPSettings) -> None:
        super().__init__(RecentAccounts(self._shown if settings.watches else None), settings.terms)
        self.place = settings.place
        self.cache_seconds = settings.cache_seconds
        self.finds_without_password = settings.watches
        self._settings = settings
        self._service = AccountsHTTPClient(settings)

    def look_up(self, name: str, password: bytes | None) -> FoundAccount:
        """Ask for a login or, without a password, for the account."""
        return self._looked_up(name, password, {})

    def look_up_from(self, name: str, password: bytes, peer: IPeerCredentials) -> FoundAccount:
        """Ask for a login, and tell how the client is connected."""
        connection = {"peer": peer.peer, "protocol": peer.protocol, "secured": peer.secured}
        return self._looked_up(name, password, connection)

    def listing(self) -> AccountListing:
        """Refuse: the service knows requests for single names only."""
        shown = "ftpservice user show NAME shows one" if self.finds_without_password else ""
        raise not_listed(self.place, "the HTTP service is asked for single names only", shown)

    def reach(self) -> None:
        """Connect; raises `StoreUnavailable`. Asks nothing: any name could be one of an account."""
        self._service.reach()

    def warnings(self) -> list[str]:
        """Return lines about exposed passwords."""
        return secret_warnings(self._settings.token_file)

    def _looked_up(
        self, name: str, password: bytes | None, peer: Mapping[str, Any]
    ) -> FoundAccount:
        try:
            require_plain_name(name)
            text = password.decode() if password is not None else None
        except ValueError:
            return NO_ACCOUNT
        if text is None:
            if not self.finds_without_password:
                return NO_ACCOUNT
            record = self._shown([name]).get(name)
            return FoundAccount(record)
        if not text:
            return FoundAccount(None, False, "the password is empty")
        question = {"action": "login", NAME: name, "password": text, **peer}
        found = self._answered(name, self._service.ask(question))
        if found.is_right and found.record is not None and not found.unusable:
            self._recent.remember(found.record)
        return found

    def _answered(self, name: str, answer: Mapping[str, Any]) -> FoundAccount:
        account, refused = answer.get("account"), answer.get("refused")
        if isinstance(account, dict) and refused is None:
            return self._account(name, account)
        if account is None and refused == WRONG_PASSWORD:
            return FoundAccount(AccountRecord(name, NO_HASH, rights=frozenset()), is_right=False)
        if account is None and refused == UNKNOWN_NAME:
            return NO_ACCOUNT
        if account is None and refused == DISABLED:
            record = AccountRecord(name, NO_HASH, rights=frozenset(), disabled=True)
            return FoundAccount(record, is_right=True)
        raise StoreUnavailable(f"{self.place}: the answer has no 'account' and no known 'refused'")

    def _account(self, name: str, account: Mapping[str, Any]) -> FoundAccount:
        given = account.get(NAME, name)
        try:
            if not isinstance(given, str):
                raise ValueError("'name' is no string")
            words = {
                key: _words(key, value)
                for key, value in account.items()
                if key != NAME and (value is not None or key not in KNOWN_KEYS)
            }
        except ValueError as error:
            return unusable_account(name, True, f"the answer: {error}")
        return self._settings.terms.found(given, words, trusts_storages=True)

    def _shown(self, names: Sequence[str]) -> dict[str, AccountRecord]:
        """Return the accounts of these names that the service has."""
        accounts = self._service.ask({"action": "show", "names": names}).get("accounts")
        if not isinstance(accounts, dict):
            raise StoreUnavailable(f"{self.place}: the answer has no 'accounts'")
        found = {}
        for name in names:
            account = accounts.get(name)
            if isinstance(account, dict):
                record = self._account(name, account).record
                if record is not None:
                    found[name] = replace(record, name=name)
        return found


def _words(key: str, value: Any) -> list[str]:
    """Return a value of an account as its words in ``passwd.db``; raises `ValueError`."""
    if key not in KNOWN_KEYS:
        raise ValueError(f"unknown key {key!r} (known: {', '.join(KNOWN_KEYS)})")
    values = value if isinstance(value, list) else [value]
    if key == GROUPS and values == []:
        return []
    if any(isinstance(one, str) and not one.strip() for one in values) or not values:
        raise ValueError(f"{key!r} is empty; leave it out for the value of the settings")
    if key == "disabled":
        if not all(isinstance(one, bool) for one in values):
            raise ValueError("'disabled' is true or false")
        return [""] if any(values) else []
    if any(isinstance(one, bool) or not isinstance(one, str | int) for one in values):
        raise ValueError(f"{key!r} is a string, a number or an array of strings")
    return [str(one) for one in values]
