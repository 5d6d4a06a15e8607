"""Counts by name, bounded however many names strangers invent."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["MAX_NAMES", "BoundedCounter"]

MAX_NAMES = 1000
"""Names counted singly; above that the smallest half is joined into the others."""
MAX_NAME_LENGTH = 64


class BoundedCounter:
    """Rows of counts, one for each name, with ``width`` counts in a row."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._rows: dict[str, list[int]] = {}
        self._others = [0] * width
        self._others_names = 0

    def add(self, name: str, *amounts: int) -> None:
        """Add ``amounts``, one for each column, to the row of ``name``."""
        if len(name) > MAX_NAME_LENGTH:
            name = name[: MAX_NAME_LENGTH - 1] + "\N{HORIZONTAL ELLIPSIS}"
        row = self._rows.setdefault(name, [0] * self._width)
        row[:] = map(sum, zip(row, amounts, strict=True))
        if len(self._rows) > MAX_NAMES:
            for name in self._by_weight()[MAX_NAMES // 2 :]:
                self._join(self._others, self._rows.pop(name))
                self._others_names += 1

    def top(self, most: int) -> list[tuple[str, Sequence[int]]]:
        """Return the ``most`` heaviest rows, then one for all the others if there are any."""
        names = self._by_weight()
        rows: list[tuple[str, Sequence[int]]] = [
            (name, tuple(self._rows[name])) for name in names[:most]
        ]
        others = list(self._others)
        for name in names[most:]:
            self._join(others, self._rows[name])
        count = self._others_names + len(names[most:])
        if count:
            rows.append((f"({count} others)", tuple(others)))
        return rows

    def totals(self) -> tuple[int, ...]:
        """Return the sum of each column."""
        totals = list(self._others)
        for row in self._rows.values():
            self._join(totals, row)
        return tuple(totals)

    def _by_weight(self) -> list[str]:
        return sorted(self._rows, key=lambda name: (-sum(self._rows[name]), name))

    @staticmethod
    def _join(total: list[int], row: Sequence[int]) -> None:
        total[:] = map(sum, zip(total, row, strict=True))
