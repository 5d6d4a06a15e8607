"""Passwords from a netrc file, as FTP clients have always kept them."""

from __future__ import annotations

import netrc
from dataclasses import replace
from pathlib import Path

from ftpservice_client.errors import LocalProblem
from ftpservice_client.urls import Destination

__all__ = ["with_netrc"]


def with_netrc(destination: Destination, path: Path) -> Destination:
    """Return a destination with the name and password of a file, where it has none (blocks).

    Raises `LocalProblem` for a file that is none.
    """
    if destination.password is not None:
        return destination
    try:
        known = netrc.netrc(str(path.expanduser())).authenticators(destination.host)
    except FileNotFoundError:
        return destination
    except (OSError, UnicodeDecodeError, RuntimeError) as error:
        raise LocalProblem(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    except netrc.NetrcParseError as error:
        raise LocalProblem(f"{path}, line {error.lineno}: {error.msg}") from error
    if known is None or (destination.user and known[0] != destination.user):
        return destination
    return replace(destination, user=known[0] or "", password=known[2])
