"""The login of a session through the portal, and its logout, however the session ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.cred.credentials import Anonymous
from twisted.internet.defer import Deferred
from twisted.protocols.ftp import IFTPShell
from zope.interface import Interface

from ftpservice.accounts.account import (
    Account,
    CertificateCredentials,
    IAccount,
    PeerCredentials,
)
from ftpservice.backends.ftp_shell.storage import ShellStorage
from ftpservice.storage.permissions import RestrictedStorage
from ftpservice.storage.rights import PRESETS

__all__ = ["PortalLogin", "avatar_account"]

Granted = tuple[type[Interface], Any, Callable[[], None]]


def avatar_account(interface: type[Interface], avatar: Any, name: str) -> IAccount:
    """Return an avatar as an account; an `IFTPShell` is wrapped in one with all rights."""
    if interface is IAccount:
        return IAccount(avatar)
    rights = PRESETS["full"]
    return Account(name, RestrictedStorage(ShellStorage(avatar), rights), rights)


class PortalLogin:
    """The avatar that the portal granted; its logout is called exactly once."""

    __slots__ = ("_ended", "account", "avatar_logout", "client")

    def __init__(self) -> None:
        self.account: IAccount | None = None
        self.client: object = None
        """What the realm is told of the client: its ``mind``."""
        self.avatar_logout: Callable[[], None] | None = None
        """What `logout` will call; None without a login."""
        self._ended = False

    async def login(
        self,
        portal: Any,
        credentials: PeerCredentials | CertificateCredentials | Anonymous,
        name: str,
    ) -> IAccount:
        """Log in; fails with what the portal fails with.

        Cancelling does not stop the portal; an avatar that it grants afterwards is logged out.
        """
        asked = portal.login(credentials, self.client, IAccount, IFTPShell)
        if asked.called and not asked.paused:  # answered at once
            interface, avatar, self.avatar_logout = await asked
            self.account = avatar_account(interface, avatar, name)
            return self.account
        answer: Deferred[IAccount] = Deferred()

        def granted(result: Granted) -> None:
            interface, avatar, logout = result
            if answer.called or self._ended:
                logout()
                return
            self.avatar_logout = logout
            self.account = avatar_account(interface, avatar, name)
            answer.callback(self.account)

        asked.addCallback(granted).addErrback(answer.errback)
        return await answer

    def logout(self) -> None:
        """Log out; does nothing without a login."""
        logout, self.avatar_logout, self.account = self.avatar_logout, None, None
        if logout is not None:
            logout()

    def end(self) -> None:
        """Log out for good, also from what the portal still grants."""
        self._ended = True
        self.logout()
