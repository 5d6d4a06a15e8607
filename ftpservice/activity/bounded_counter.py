"""Counts by name, in bounded memory: clients can invent any number of names."""

from __future__ import annotations

from collections.abc import Sequence

from ftpservice.wire.units import count_text

__all__ = ["MAX_NAMES", "BoundedCounter"]

MAX_NAMES = 1000
"""Names with a row; beyond that the half with the smallest counts is merged into one row."""
MAX_NAME_LENGTH = 64


class BoundedCounter:
    """One row of ``width`` counts for each name."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._rows: dict[str, list[int]] = {}
        self._others = [0] * width
        self._others_names = 0

    def add(self, name: str, *amounts: int) -> None:
        """Add amounts, one for each column, to the row of ``name``."""
        row = self._rows.get(name)
        if row is None:
            row = self._new_row(name)
        for column, amount in enumerate(amounts):
            row[column] += amount

    def row(self, name: str) -> list[int]:
        """Return the row of ``name``, to add to now: later it may be among the others."""
        row = self._rows.get(name)
        return self._new_row(name) if row is None else row

    def _new_row(self, name: str) -> list[int]:
        if len(name) > MAX_NAME_LENGTH:
            name = name[: MAX_NAME_LENGTH - 1] + "\N{HORIZONTAL ELLIPSIS}"
        if name not in self._rows and len(self._rows) >= MAX_NAMES:
            for least in self._names_by_sum()[MAX_NAMES // 2 :]:
                self._add_row(self._others, self._rows.pop(least))
                self._others_names += 1
        return self._rows.setdefault(name, [0] * self._width)

    def top(self, most: int) -> list[tuple[str, Sequence[int]]]:
        """Return the ``most`` largest rows, then one for the others, if there are any."""
        names = self._names_by_sum()
        rows: list[tuple[str, Sequence[int]]] = [
            (name, tuple(self._rows[name])) for name in names[:most]
        ]
        others = list(self._others)
        for name in names[most:]:
            self._add_row(others, self._rows[name])
        count = self._others_names + len(names[most:])
        if count:
            rows.append((f"({count_text(count, 'other')})", tuple(others)))
        return rows

    def totals(self) -> tuple[int, ...]:
        """Return the sum of each column."""
        totals = list(self._others)
        for row in self._rows.values():
            self._add_row(totals, row)
        return tuple(totals)

    def _names_by_sum(self) -> list[str]:
        return sorted(self._rows, key=lambda name: (-sum(self._rows[name]), name))

    @staticmethod
    def _add_row(total: list[int], row: Sequence[int]) -> None:
        total[:] = map(sum, zip(total, row, strict=True))
