"""Which accounts reach a file, and how long each of them keeps it.

Accounts are compared by where their files are: the real paths of their roots and mounts. The
longest time counts, so no account deletes what another one keeps. An account without retention has
no say; one that has some keeps every file that none of its rules names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ftpservice.storage.quota.ledgers.ledger import Place
from ftpservice.storage.retention_rules import (
    KEPT,
    DirectoryRetention,
    RetentionRule,
    RetentionRules,
)
from ftpservice.wire.paths import VirtualPath

__all__ = ["FileOwners", "SharedDirectory"]


@dataclass(frozen=True)
class _Reach:
    """A directory that an account reaches at ``path``."""

    account: str
    rules: RetentionRules
    path: VirtualPath
    others: tuple[VirtualPath, ...]
    """The mount points of the account, which hide what is below them."""

    def path_of(self, below: tuple[str, ...]) -> VirtualPath | None:
        """Return the path of what is below the directory; None if a mount hides it."""
        path = VirtualPath(self.path.parts + below)
        hidden = any(
            len(other.parts) > len(self.path.parts) and path.is_within(other)
            for other in self.others
        )
        return None if hidden else path


class FileOwners:
    """The accounts with retention, by the places of their files."""

    def __init__(self) -> None:
        self._by_place: dict[Place, list[_Reach]] = {}

    def add(
        self, account: str, rules: RetentionRules, places: Sequence[tuple[VirtualPath, Place]]
    ) -> None:
        """Add an account, whose root and mounts are at these places."""
        paths = tuple(path for path, _place in places)
        for path, place in places:
            reach = _Reach(account, rules, path, paths)
            self._by_place.setdefault(place, []).append(reach)

    def directory(self, place: Place) -> SharedDirectory:
        """Return who reaches the entries of a directory, and by which rules."""
        found = list(self._reached(place))
        # The accounts of a group have the same rules, which are looked at once.
        first = {(rules, path): account for account, rules, path in reversed(found)}
        retentions = [(account, rules.at(path)) for (rules, path), account in first.items()]
        return SharedDirectory(retentions, is_shared=len(found) > 1)

    def _reached(self, place: Place) -> Iterator[tuple[str, RetentionRules, VirtualPath]]:
        """Yield each account that reaches a directory, with its rules and its path there."""
        for depth in range(len(place), 0, -1):
            for reach in self._by_place.get(place[:depth], ()):
                path = reach.path_of(tuple(map(str, place[depth:])))
                if path is not None:
                    yield reach.account, reach.rules, path


class SharedDirectory:
    """A directory with the rules of each account that reaches it."""

    def __init__(
        self, retentions: Sequence[tuple[str, DirectoryRetention]], is_shared: bool = False
    ) -> None:
        self._retentions = retentions
        self.is_shared = is_shared
        """Whether several accounts reach it, or one does by several paths."""

    def rule_for(self, name: str) -> RetentionRule | None:
        """Return the rule for a file that keeps it longest; None if an account keeps it."""
        return _longest([one.rule_for(name) for _, one in self._retentions])

    def rule_for_directory(self, name: str) -> RetentionRule | None:
        """Return the rule for an entry that is a directory; None if an account keeps it."""
        return _longest([one.rule_for_directory(name) for _, one in self._retentions])

    def account_of(self, rule: RetentionRule, name: str, is_directory: bool) -> str:
        """Return the account whose rule for an entry this is."""
        for account, one in self._retentions:
            if rule == (one.rule_for_directory(name) if is_directory else one.rule_for(name)):
                return account
        raise LookupError(name)


def _longest(rules: Sequence[RetentionRule | None]) -> RetentionRule | None:
    found = [rule for rule in rules if rule is not None and rule.seconds != KEPT]
    if not found or len(found) < len(rules):
        return None
    return max(found, key=lambda rule: rule.seconds)
