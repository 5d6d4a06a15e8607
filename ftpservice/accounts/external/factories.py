"""The strcred plugins ``ldap:``, ``pam:`` and ``http:``; imported with every command of twistd."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from twisted.cred.credentials import IUsernamePassword
from twisted.cred.strcred import ICheckerFactory, InvalidAuthArgumentString
from twisted.plugin import IPlugin
from zope.interface import implementer

from ftpservice.accounts.account_store import IReadOnlyStoreFactory

if TYPE_CHECKING:
    from ftpservice.accounts.external.external_accounts import ExternalAccounts
    from ftpservice.accounts.external.read_only_store import ReadOnlyStore
    from ftpservice.accounts.stores.store_checker import StoreChecker

__all__ = ["HTTPFactory", "LDAPFactory", "PAMFactory"]

SETTINGS_HELP = """
Settings follow after # as key=value, with & between them and %26 for & in a value. Or
name a file that ends in .toml with the same keys. The keys root, rights and those of
passwd.db hold for all accounts; {user} in the root is the name. A password or token is
in a file of its own. See docs/account-stores.md.
"""


class ExternalFactory(ABC):
    """What the factories have in common: the errors of their strings."""

    authType: str
    credentialInterfaces = (IUsernamePassword,)

    def generateChecker(self, argstring: str) -> StoreChecker:
        """Return the checker; raises `InvalidAuthArgumentString`. Does not connect."""
        from ftpservice.accounts.stores.store_checker import StoreChecker

        accounts = self._accounts(argstring)
        return StoreChecker(accounts, cache_seconds=accounts.cache_seconds)

    def openStore(self, argstring: str) -> ReadOnlyStore:
        """Return the store, whose accounts cannot be changed."""
        from ftpservice.accounts.external.read_only_store import ReadOnlyStore

        return ReadOnlyStore(self._accounts(argstring))

    def _accounts(self, argstring: str) -> ExternalAccounts:
        from ftpservice.accounts.external.store_string import BadStoreString

        try:
            return self._parsed(argstring)
        except BadStoreString as error:
            raise InvalidAuthArgumentString(f"{self.authType}: {error}") from None
        except ModuleNotFoundError as error:
            raise InvalidAuthArgumentString(
                f"{self.authType}: the Python package {error.name} is missing; "
                f"pip install 'ftpservice[{self.authType}]'"
            ) from None

    @abstractmethod
    def _parsed(self, argstring: str) -> ExternalAccounts:
        """Return the accounts; raises `BadStoreString`, `ModuleNotFoundError`."""


@implementer(ICheckerFactory, IReadOnlyStoreFactory, IPlugin)
class LDAPFactory(ExternalFactory):
    """Creates checkers of an LDAP directory."""

    authType = "ldap"
    authHelp = f"Accounts of an LDAP directory.\n{SETTINGS_HELP}"
    argStringFormat = "ldap://HOST#base=DN or ldaps://HOST#bind=uid={user},DN, or a .toml file."

    def _parsed(self, argstring: str) -> ExternalAccounts:
        from ftpservice.accounts.external.ldap_directory import LDAPDirectory
        from ftpservice.accounts.external.ldap_settings import ldap_settings

        return LDAPDirectory(ldap_settings(argstring))


@implementer(ICheckerFactory, IReadOnlyStoreFactory, IPlugin)
class PAMFactory(ExternalFactory):
    """Creates checkers of a PAM service."""

    authType = "pam"
    authHelp = f"Accounts of the system or others, by PAM.\n{SETTINGS_HELP}"
    argStringFormat = "The PAM service, as in SERVICE#root=/srv/{user}, or a .toml file."

    def _parsed(self, argstring: str) -> ExternalAccounts:
        from ftpservice.accounts.external.pam_service import PAMService, pam_settings

        return PAMService(pam_settings(argstring))


@implementer(ICheckerFactory, IReadOnlyStoreFactory, IPlugin)
class HTTPFactory(ExternalFactory):
    """Creates checkers that ask an HTTP service."""

    authType = "http"
    authHelp = f"Accounts of an HTTP service that answers in JSON.\n{SETTINGS_HELP}"
    argStringFormat = "https://HOST/PATH#token-file=FILE, or a .toml file."

    def _parsed(self, argstring: str) -> ExternalAccounts:
        from ftpservice.accounts.external.http_accounts import HTTPAccounts
        from ftpservice.accounts.external.http_settings import http_settings

        return HTTPAccounts(http_settings(argstring))
