"""Who may log in, as far as it can be known; and that nobody does so with a shipped password."""

from __future__ import annotations

from collections.abc import Iterable

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.internet.interfaces import IListeningPort

from ftpservice.accounts.checkers import PasswordFileChecker, shipped_accounts
from ftpservice.service.listeners import Listener
from ftpservice.service.local_address import is_local
from ftpservice.service.settings.errors import CannotStart
from ftpservice.service.settings.settings import ServiceSettings
from ftpservice.service.startup_banner import LoginSummary

__all__ = ["login_summary", "refuse_shipped_passwords"]


def login_summary(
    settings: ServiceSettings, checkers: Iterable[ICredentialsChecker]
) -> LoginSummary:
    """Return who may log in."""
    checkers = list(checkers)
    files = _password_files(checkers)
    return LoginSummary(
        names=tuple(
            record.name for file in files for record in file.records() if not record.disabled
        ),
        others=tuple(
            type(checker).__name__
            for checker in checkers
            if checker not in files and IUsernamePassword in checker.credentialInterfaces
        ),
        anonymous=str(settings.anonymous_root) if settings.session.anonymous else None,
        demo=next((name for file in files for name in shipped_accounts(file.records())), None),
    )


def refuse_shipped_passwords(
    place: Listener, port: IListeningPort, checkers: Iterable[ICredentialsChecker]
) -> None:
    """Close accounts with the shipped password where other machines can connect.

    Raises `CannotStart` if there is one now; one that comes later cannot log in.
    """
    if is_local(port.getHost()):
        return
    for file in _password_files(checkers):
        file.refuse_shipped = True
        for name in shipped_accounts(file.records()):
            raise CannotStart(
                f"other machines can reach {place.text}, and everybody knows the password of "
                f"{name!r} in {file.file.path} - change it, take the account out, or listen on "
                "127.0.0.1 only"
            )


def _password_files(checkers: Iterable[ICredentialsChecker]) -> list[PasswordFileChecker]:
    return [checker for checker in checkers if isinstance(checker, PasswordFileChecker)]
