"""The trash of an account with gates.

What is restored under its own name has been there before. Another name may have gates that have not
been asked; so it is refused, and the file can be renamed after it was restored.
"""

from __future__ import annotations

from ftpservice.backends.gates.gate_rules import AccountGates
from ftpservice.storage.errors import RefusedByGate
from ftpservice.storage.trash import ITrash, TrashedFile, WrappedTrash
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = ["GatedTrash"]

OTHER_GATES_TEXT = "A check depends on the name; restore it under its own name, then rename it."


class GatedTrash(WrappedTrash):
    """``inner``, with ``gates`` for some paths."""

    def __init__(self, inner: ITrash, gates: AccountGates) -> None:
        super().__init__(inner)
        self._gates = gates

    async def restore(self, trashed: TrashedFile, target: VirtualPath, replace: bool) -> Entry:
        """Restore a file; raises `RefusedByGate`."""
        passed = set(self._gates.for_upload(trashed.path))
        for rule in self._gates.for_upload(target):
            if rule not in passed:
                raise RefusedByGate(target, OTHER_GATES_TEXT, rule.name)
        entry: Entry = await self._inner.restore(trashed, target, replace)
        return entry
