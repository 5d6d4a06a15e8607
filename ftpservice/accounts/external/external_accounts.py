"""The accounts of another program, which checks their passwords: what all kinds have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence

from zope.interface import Attribute, implementer

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.account_store import (
    AccountListing,
    AccountStoreError,
    FoundAccount,
    IAccountLookup,
)
from ftpservice.accounts.external.account_terms import NO_HASH, AccountTerms
from ftpservice.accounts.external.recent_accounts import RecentAccounts

__all__ = ["ExternalAccounts", "IExternalAccounts", "not_listed"]


def not_listed(place: str, reason: str, advice: str = "") -> AccountStoreError:
    """Return the error of a store that cannot list its accounts."""
    return AccountStoreError(
        "; ".join(filter(None, [f"{place}: accounts cannot be listed: {reason}", advice]))
    )


class IExternalAccounts(IAccountLookup):
    """The accounts of another program."""

    changed_by = Attribute("Where accounts are changed, for messages: 'in the LDAP directory'.")
    cache_seconds = Attribute("How long a login may be accepted from memory while it is down.")
    finds_without_password = Attribute("Whether ``look_up`` works without a password.")

    def listing() -> AccountListing:
        """Return all accounts, and a line for each that cannot be used.

        Raises `StoreUnavailable`; `AccountStoreError` with the reason if they cannot be listed.
        """

    def reach() -> None:
        """Return if the program answers and accepts the settings; raises `StoreUnavailable`."""

    def warnings() -> Sequence[str]:
        """Return lines about settings that are probably wrong."""


@implementer(IExternalAccounts)
class ExternalAccounts(ABC):
    """What does not depend on the program; methods may be called in several threads."""

    place: str
    changed_by: str
    cache_seconds: float
    finds_without_password: bool

    def __init__(self, recent: RecentAccounts, terms: AccountTerms) -> None:
        self._recent = recent
        self._terms = terms

    def decoy_hash(self, name: str) -> str:  # noqa: ARG002 - the interface has it
        """Return no hash: the program checks passwords."""
        return NO_HASH

    def current(self, names: Collection[str]) -> Mapping[str, AccountRecord]:
        """Ask for the accounts; where that is not possible, return those of the last logins."""
        return self._recent.current(names)

    def problems(self) -> Sequence[str]:
        """Return lines about the settings, if the program answers; raises `StoreUnavailable`."""
        self.reach()
        found = (*self.warnings(), *self._terms.storage_problems())
        return [f"{self.place}: {line}" for line in found]

    def interrupt(self, seconds: float) -> None:  # noqa: ARG002 - the interface has it
        """Do nothing: calls end by time-outs of their own."""
        return

    def close(self) -> None:
        """Close nothing: each call has a connection of its own."""
        return

    @abstractmethod
    def look_up(self, name: str, password: bytes | None) -> FoundAccount:
        """Check a password, or look an account up without one."""

    @abstractmethod
    def listing(self) -> AccountListing:
        """Return all accounts; raises `AccountStoreError` if they cannot be listed."""

    @abstractmethod
    def reach(self) -> None:
        """Return if the program answers and accepts the settings; raises `StoreUnavailable`."""

    @abstractmethod
    def warnings(self) -> Sequence[str]:
        """Return lines about settings that are probably wrong."""
