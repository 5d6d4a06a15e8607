"""Passwords from a netrc file, as FTP clients have always kept them."""

from __future__ import annotations

import netrc
from dataclasses import replace
from pathlib import Path

from ftpservice_client.errors import LocalProblem
from ftpservice_client.urls import Destination

__all__ = ["with_netrc"]

Account = tuple[str, str, str]
"""Name, account, password."""


def with_netrc(destination: Destination, path: Path) -> Destination:
    """Return a destination with the name and password of a file, where it has none (blocks).

    A host may have several names there: that of the destination, if it has one, else the first.
    Raises `LocalProblem` for a file that is none.
    """
    if destination.password is not None:
        return destination
    try:
        accounts = _accounts(path.expanduser(), destination.host)
    except FileNotFoundError:
        return destination
    except (OSError, UnicodeDecodeError, RuntimeError) as error:
        raise LocalProblem(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    except netrc.NetrcParseError as error:
        raise LocalProblem(f"{path}, line {error.lineno}: {error.msg}") from error
    for user, _, password in accounts:
        if destination.user in ("", user):
            return replace(destination, user=user or "", password=password)
    return destination


class _Hosts(dict[str, Account]):
    """Keeps all that is said of a host, and not the last alone."""

    def __init__(self) -> None:
        super().__init__()
        self.all: list[tuple[str, Account]] = []

    def __setitem__(self, host: str, account: Account) -> None:
        if account:  # else an entry that only begins
            self.all.append((host, account))
        super().__setitem__(host, account)


class _File(netrc.netrc):
    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, _Hosts() if name == "hosts" else value)


def _accounts(path: Path, host: str) -> list[Account]:
    """Return those of a host; those of any host if it has none."""
    hosts = _File(str(path)).hosts
    assert isinstance(hosts, _Hosts)
    own = [account for name, account in hosts.all if name == host]
    return own or [account for name, account in hosts.all if name == "default"]
