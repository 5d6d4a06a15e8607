"""The roots of the accounts that have a quota: whose changes have to be charged too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ftpservice.accounts.account_record import AccountRecord, is_storage_string

__all__ = ["QuotaRoots", "with_shared_quotas"]


def with_shared_quotas(accounts: Mapping[str, AccountRecord]) -> dict[str, AccountRecord]:
    """Return the accounts, each with whether it shares files with one that has a quota."""
    roots = QuotaRoots(accounts.values())
    return {
        name: replace(record, shares_quota=True) if roots.may_share(record) else record
        for name, record in accounts.items()
    }


class QuotaRoots:
    """The roots of those ``records`` that have a quota, for look-ups by other roots.

    ``has_unknown``: there may be others.
    """

    def __init__(self, records: Iterable[AccountRecord] = (), has_unknown: bool = False) -> None:
        self._roots: set[str] = set()
        self._above: set[str] = set()
        self._has_mounts = has_unknown
        """Whether some have places that are not known before they are used, such as mounts."""
        for record in records:
            if record.quota_bytes is not None or record.quota_files is not None:
                *above, root = _prefixes(record.root)
                self._roots.add(root)
                self._above.update(above)
                self._has_mounts |= _has_writable_mounts(record)

    def may_share(self, record: AccountRecord) -> bool:
        """Tell whether an account may have files in common with one that has a quota."""
        if self._has_mounts or (self._roots and _has_writable_mounts(record)):
            return True
        return self.overlaps(record.root)

    def overlaps(self, root: str) -> bool:
        """Tell whether a root is one of them, contains one, or lies in one.

        Storage strings are compared as a whole.
        """
        if not self._roots:
            return False
        prefixes = _prefixes(root)
        return prefixes[-1] in self._above or not self._roots.isdisjoint(prefixes)


def _has_writable_mounts(record: AccountRecord) -> bool:
    return any(not mount.read_only for mount in record.mounts)


def _prefixes(root: str) -> list[str]:
    """Return the paths of the directories from the top to ``root``; a storage string alone."""
    if is_storage_string(root):
        return [root]
    prefixes = ["/"]
    for name in filter(None, root.split("/")):
        prefixes.append(f"{prefixes[-1].rstrip('/')}/{name}")
    return prefixes
