"""What a caller of the HTTP server may do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ftpservice.web.access.account_session import AccountSession

__all__ = ["Caller", "Scope", "parse_scopes"]


class Scope(StrEnum):
    """One part of what can be done."""

    READ = "read"
    """See sessions, transfers, events, bans, quotas, certificates and storage."""
    STEER = "steer"
    """End sessions, ban and lift bans, drain, count quotas again, renew certificates."""
    ACCOUNTS = "accounts"
    """See and change accounts and groups."""


@dataclass(frozen=True)
class Caller:
    """Who makes a request; ``name`` is for the log and for events."""

    name: str
    scopes: frozenset[Scope]
    """Empty for an account without the right ``admin``."""
    account: AccountSession | None = None
    """The session of a browser; None for a token, which has no files."""


def parse_scopes(texts: Iterable[str]) -> frozenset[Scope]:
    """Return scopes by their names; raises `ValueError`."""
    try:
        found = frozenset(Scope(text) for text in texts)
    except ValueError as error:
        known = ", ".join(Scope)
        raise ValueError(f"{str(error).partition(' is not')[0]} is not one of {known}") from None
    if not found:
        raise ValueError("a token needs at least one scope")
    return found
