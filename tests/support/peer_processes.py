"""What several processes have of one table, in one process with one clock."""

from __future__ import annotations

import marshal
from typing import Any

from twisted.internet.task import Clock

from ftpservice.concurrency.shared_table import SharedTable
from ftpservice.session.shared.table_state import SHARED_RECORDS, TableState

__all__ = ["PeerProcesses"]


class PeerProcesses:
    """``count`` processes that share a table and send each other messages."""

    def __init__(self, count: int, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        first = SharedTable.create(SHARED_RECORDS, count + 2)
        others = [
            SharedTable.attach(first.descriptor, first.claim_column()) for _ in range(count - 1)
        ]
        self.tables = [first, *others]
        self.ended: set[int] = set()
        self.hanging: set[int] = set()
        """Those that carry out no message."""
        self.messages = 0
        """How many were sent."""
        self.states = [self._state(table) for table in self.tables]

    def _state(self, table: SharedTable) -> TableState:
        def send(column: int, message: tuple[Any, ...]) -> None:
            self.messages += 1
            frame = marshal.dumps(message)  # messages are plain values
            self.clock.callLater(0, self._arrive, table.column, column, marshal.loads(frame))

        return TableState(table, self.clock, send)

    def _arrive(self, sender: int, column: int, message: tuple[Any, ...]) -> None:
        if sender not in self.ended and column not in self.ended | self.hanging:
            self.states[column].peers.received(sender, message)

    def settle(self) -> None:
        """Let messages arrive."""
        for _ in range(10):
            self.clock.advance(0)

    def kill(self, number: int) -> None:
        """End a process without any of its own steps."""
        self.ended.add(number)
        self.tables[0].clear_column(number)
        for one, state in enumerate(self.states):
            if one not in self.ended:
                state.peers.gone(number)

    def used_slots(self, name: str) -> int:
        """Return the number of keys that have a slot in a section."""
        return self.tables[0].section(name).used_slots

    def close(self) -> None:
        """Unmap the table."""
        for table in self.tables:
            table.close()
