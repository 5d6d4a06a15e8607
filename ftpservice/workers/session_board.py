"""Numbers of each process that the others can read: memory that all map, a column for each.

A process writes its own column only. What is read of others may be a moment old: it serves to share
out connections, not to count against limits.
"""

from __future__ import annotations

import mmap
import os
from typing import Self

__all__ = ["BoardColumn", "SessionBoard"]

FIELDS = 8
SESSIONS, NUMBER, EVENTS, ACCEPTS, FULL, BEGINNING = range(6)
WORD_BYTES = 8


class SessionBoard:
    """The columns; ``descriptor`` is that of the memory."""

    def __init__(self, descriptor: int, columns: int) -> None:
        self.descriptor = descriptor
        self.columns = columns
        self._memory = mmap.mmap(descriptor, columns * FIELDS * WORD_BYTES)
        self.words = memoryview(self._memory).cast("q")

    @classmethod
    def create(cls, columns: int) -> Self:
        """Make one."""
        descriptor = os.memfd_create("ftpservice-sessions", os.MFD_CLOEXEC)
        os.ftruncate(descriptor, columns * FIELDS * WORD_BYTES)
        return cls(descriptor, columns)

    def column(self, number: int) -> BoardColumn:
        """Return a column; that of the main process is 0."""
        return BoardColumn(self, number)

    def close(self) -> None:
        """Release the memory."""
        self.words.release()
        self._memory.close()
        os.close(self.descriptor)


class BoardColumn:
    """The numbers of one process."""

    def __init__(self, board: SessionBoard, column: int) -> None:
        self._board = board
        self._words = board.words
        self._start = column * FIELDS
        self.number = column

    def clear(self) -> None:
        """Forget a process that has ended, but not the last number that it gave to a session."""
        self._words[self._start + SESSIONS] = 0
        self._words[self._start + ACCEPTS] = 0
        self._words[self._start + EVENTS] = 0
        self._words[self._start + FULL] = 0
        self._words[self._start + BEGINNING] = 0

    @property
    def sessions(self) -> int:
        """The number of sessions."""
        return self._words[self._start + SESSIONS]

    @sessions.setter
    def sessions(self, count: int) -> None:
        self._words[self._start + SESSIONS] = count

    def count_beginning(self, change: int) -> None:
        """Count connections whose session has not begun."""
        self._words[self._start + BEGINNING] += change

    @property
    def events(self) -> int:
        """The number of events published."""
        return self._words[self._start + EVENTS]

    @events.setter
    def events(self, count: int) -> None:
        self._words[self._start + EVENTS] = count

    @property
    def accepts(self) -> bool:
        """Whether the process accepts connections."""
        return bool(self._words[self._start + ACCEPTS])

    @accepts.setter
    def accepts(self, does: bool) -> None:
        self._words[self._start + ACCEPTS] = does

    @property
    def is_full(self) -> bool:
        """Whether the process has too few descriptors for further sessions."""
        return bool(self._words[self._start + FULL])

    @is_full.setter
    def is_full(self, is_it: bool) -> None:
        self._words[self._start + FULL] = is_it

    def others_accept(self) -> bool:
        """Return whether another process accepts connections, and has descriptors for them."""
        words = self._words
        return any(
            words[start + ACCEPTS] and not words[start + FULL]
            for start in range(0, len(words), FIELDS)
            if start != self._start
        )

    def __next__(self) -> int:
        """Return a number for a session, which no other process gives, nor one in this column."""
        words, place = self._words, self._start + NUMBER
        words[place] += 1
        return (words[place] - 1) * self._board.columns + self.number + 1

    def __iter__(self) -> Self:
        return self

    def fewest_sessions(self) -> int:
        """Return the fewest sessions of a process that accepts connections, and is not full.

        Those count that are about to begin, too.
        """
        words = self._words
        return min(
            (
                words[start + SESSIONS] + words[start + BEGINNING]
                for start in range(0, len(words), FIELDS)
                if words[start + ACCEPTS] and not words[start + FULL]
            ),
            default=0,
        )
