"""Which listeners other machines can reach, and the refusal of the shipped password there."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address

from twisted.cred.checkers import ICredentialsChecker
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress

from ftpservice.accounts.checkers import (
    PasswordFileChecker,
    RecordChecker,
    shipped_accounts,
)
from ftpservice.service.sessions.listeners import Listener
from ftpservice.service.settings.errors import CannotStart

__all__ = ["is_local", "refuse_shipped_passwords"]


def is_local(address: IAddress) -> bool:
    """Return whether only this machine can connect to a port with this address.

    A wildcard address is not local; neither is an address of an unknown kind.
    """
    if isinstance(address, UNIXAddress):
        return True
    if not isinstance(address, IPv4Address | IPv6Address):
        return False
    try:
        host = ip_address(address.host.partition("%")[0])
    except ValueError:
        return False
    return (getattr(host, "ipv4_mapped", None) or host).is_loopback


def refuse_shipped_passwords(
    listener: Listener, address: IAddress, checkers: Iterable[ICredentialsChecker]
) -> None:
    """Refuse logins with the shipped password if other machines can reach ``address``.

    Raises `CannotStart` if an account has that password now. An account that gets it later cannot
    log in.
    """
    if is_local(address):
        return
    for checker in checkers:
        if isinstance(checker, RecordChecker):
            checker.refuse_shipped = True
        if not isinstance(checker, PasswordFileChecker):
            continue
        for name in shipped_accounts(checker.records()):
            raise CannotStart(
                f"other machines can reach {listener.text}, and the password of {name!r} in "
                f"{checker.place} is public - change it, remove the account, or listen on "
                "127.0.0.1 only"
            )
