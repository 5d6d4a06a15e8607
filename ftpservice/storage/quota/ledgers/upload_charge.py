"""What one upload holds in the ledgers of the trees around it.

Trees may contain each other. A change is charged to every ledger whose tree contains it; only the
limits of the account that makes the change are checked, against the ledger of its own root.
"""

from __future__ import annotations

from collections.abc import Sequence

from ftpservice.storage.quota.ledgers.ledger import NO_LIMITS, Holding, ILedger, Place, QuotaLimits

__all__ = ["UploadCharge"]

GROW_ATTEMPTS = 10
"""Other uploads may take what was left before this one holds it."""


class UploadCharge:
    """What one upload, or one new directory, holds in ``ledgers``; those of the own root first.

    ``limits`` are checked against the first ledger.
    """

    def __init__(self, place: Place, ledgers: Sequence[ILedger], limits: QuotaLimits) -> None:
        self.place = place
        self.ledgers = list(ledgers)
        self.limits = limits
        self.own: ILedger | None = None
        """The ledger of the account, which ``limits`` hold for."""
        self.has_partial = True
        """Whether it is for an upload that grows in a partial upload."""
        self.is_in_place = False
        """Whether it is for an append to a file, which may be renamed meanwhile."""
        self.is_marked = False
        """Whether other processes are told of it."""
        self.size = self.files = 0
        """What is held."""
        self.taken_over = 0
        """Bytes of an earlier upload that it has taken over."""
        self.reserved = 0
        """Bytes that are expected, so they stay held until the end."""
        self.replaced: int | None = None
        """Bytes of the file that it will replace, as far as is known; None for no file."""

    def move(self, place: Place, ledgers: Sequence[ILedger], is_outside: bool = False) -> None:
        """Charge other ledgers: there is another one, or the directory of the upload was renamed.

        ``is_outside``: it has left the tree that the limits are for.
        """
        held = self._holding()
        for ledger in self.ledgers:
            if ledger not in ledgers:
                ledger.hold(Holding(*(-number for number in held)))
        for ledger in ledgers:
            if ledger not in self.ledgers:
                ledger.hold(held)
        self.place, self.ledgers = place, list(ledgers)
        if is_outside:
            self.limits = NO_LIMITS

    def _credit(self) -> tuple[int, int]:
        if self.replaced is None:
            return 0, 0
        return min(self.replaced, self.size), min(1, self.files)

    def _holding(self) -> Holding:
        return Holding(self.size, self.files, *self._credit())

    def take_over(self, size: int, files: int) -> None:
        """Hold what is settled so far: a partial upload that is resumed or replaced."""
        if not size and not files:
            return
        self.taken_over += size
        change = self._grown(size, files)
        for ledger in self.ledgers:
            ledger.settle(change, -size, -files)

    def settle_part(self, size: int) -> None:
        """Make bytes that are held settled: they are in a file that others see."""
        change = self._grown(-size, 0)
        for ledger in self.ledgers:
            ledger.settle(change, size, 0)

    def _grown(self, size: int, files: int, replaced: int | None = None) -> Holding:
        """Hold more or less; return the change, which the ledgers have yet to be told."""
        if self.replaced is None and replaced is None:
            self.size += size
            self.files += files
            return Holding(size, files, 0, 0)
        before = self._credit()
        self.size += size
        self.files += files
        if replaced is not None:
            self.replaced = replaced if replaced >= 0 else None
        after = self._credit()
        return Holding(size, files, after[0] - before[0], after[1] - before[1])

    def will_replace(self, size: int | None) -> None:
        """Record the size of the file that the upload will replace; None for no file."""
        if size == self.replaced:
            return
        change = self._grown(0, 0, -1 if size is None else size)
        for ledger in self.ledgers:
            ledger.hold(change)

    def _checked_limits(self) -> tuple[int | None, int | None]:
        """Return the limits to which this contributes, of bytes and files."""
        credit_size, credit_files = self._credit()
        return (
            self.limits.size if self.size > credit_size else None,
            self.limits.files if self.files > credit_files else None,
        )

    @property
    def is_exceeded(self) -> bool:
        """Whether limits are exceeded to which this contributes."""
        if not self.ledgers or self.limits is NO_LIMITS:
            return False
        checked = zip(self.ledgers[0].used(), self._checked_limits(), strict=True)
        return any(limit is not None and used > limit for used, limit in checked)

    def try_grow(self, size: int, files: int = 0) -> bool:
        """Hold more if the limits allow it; tell whether they do. Raises `Busy`."""
        if size <= 0 and files <= 0:
            return True
        return self._try_grow(size, files)

    def _try_grow(self, size: int, files: int, is_turn: bool = False) -> bool:
        """Hold more if the limits allow it; for a turn, which begins, that of bytes."""
        change, ledgers = self._grown(size, files), self.ledgers
        is_held = False
        try:
            size_limit, files_limit = self._checked_limits()
            files_limit = None if is_turn else files_limit
            is_held = not ledgers or ledgers[0].try_hold(change, size_limit, files_limit, is_turn)
        finally:
            if not is_held:
                self._grown(-size, -files)
        if is_held:
            for ledger in ledgers[1:]:
                ledger.hold(change)
                if is_turn:
                    ledger.begin_turn()
        return is_held

    def grow_up_to(self, size: int) -> int:
        """Hold up to ``size`` bytes more for a turn, which begins unless it is none; return them.

        Others see both at once, so whoever finds no room knows that some may be given back.
        """
        for _ in range(GROW_ATTEMPTS):
            left, most = None, size
            if self.ledgers:
                left, _files = self.ledgers[0].left(self.limits)
            if left is not None:
                if self.replaced is not None:  # the rest of the credit grows with what is held
                    left += max(0, self.replaced - self.size)
                most = max(0, min(size, left))
            if not most or self._try_grow(most, 0, is_turn=True):
                return most
        return 0

    def shrink_to(self, size: int) -> None:
        """Hold no more than ``size`` bytes."""
        if size < self.size:
            change = self._grown(size - self.size, 0)
            for ledger in self.ledgers:
                ledger.hold(change)

    def settle(self, size: int, files: int) -> None:
        """Hold nothing any more; what remains of it is ``size`` bytes in ``files`` files."""
        change = self._grown(-self.size, -self.files, None if self.replaced is None else -1)
        for ledger in self.ledgers:
            ledger.settle(change, size, files)
