"""What a tree takes up: the arithmetic of quotas, without files and without waiting.

A ledger belongs to the tree below one directory. It holds two sums in one number: what is on the
disk and settled, and what uploads under way hold. An upload holds bytes *before* they are written,
so uploads at the same time cannot exceed a limit together. What an upload holds becomes settled
when it ends, with the size that it has then.

An upload that replaces a file needs room for the difference only. The *credit* of an upload is the
size of the file that it will replace; the file itself is freed when the new one is published.

Trees may contain each other. A change is charged to every ledger whose tree contains it; only the
limits of the account that makes the change are checked, against the ledger of its own root.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from twisted.internet.defer import Deferred

__all__ = ["NO_LIMITS", "Place", "QuotaLedger", "QuotaLimits", "UploadCharge"]

Place = tuple[object, ...]
"""Where a name is: the object that trees have in common if they can overlap, then the names."""


@dataclass(frozen=True, slots=True)
class QuotaLimits:
    """The quota of an account; None for no limit."""

    size: int | None = None
    """Bytes."""
    files: int | None = None
    """Files, directories, links and partial uploads."""


NO_LIMITS = QuotaLimits()


class QuotaLedger:
    """The usage of the tree at ``place``; ``files`` does not count the root itself."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.size = self.files = 0
        """What is settled and what is held, together."""
        self.held_size = self.held_files = 0
        """What uploads under way hold."""
        self.credit_size = self.credit_files = 0
        """What uploads under way will free by replacing files."""
        self.partials = 0
        """Kept partial uploads; 0 is certain, any other number is a hint."""
        self.changes = 0
        """Changes in progress; a count of the tree is invalid meanwhile."""
        self.generation = 0
        """How many changes have ended."""
        self._turns = 0
        self._waiting: list[Deferred[None]] = []

    def add(self, size: int, files: int) -> None:
        """Record a change of what is settled.

        It is never less than nothing: files that other programs have added since the last count
        may be deleted.
        """
        self.size = max(self.held_size, self.size + size)
        self.files = max(self.held_files, self.files + files)

    def hold(self, size: int, files: int) -> None:
        """Record that uploads hold more, or less."""
        self.size += size
        self.files += files
        self.held_size += size
        self.held_files += files

    def credit(self, size: int, files: int) -> None:
        """Record that uploads will free more, or less."""
        self.credit_size += size
        self.credit_files += files

    def counted(self, size: int, files: int, partials: int) -> None:
        """Record what a count of the tree found, without the uploads under way."""
        self.size, self.files = size + self.held_size, files + self.held_files
        self.partials = partials

    def left(self, limits: QuotaLimits) -> tuple[int | None, int | None]:
        """Return the bytes and files that ``limits`` leave, negative if exceeded.

        None stands for no limit.
        """
        size = None if limits.size is None else limits.size - self.size + self.credit_size
        files = None if limits.files is None else limits.files - self.files + self.credit_files
        return size, files

    def begin_turn(self) -> None:
        """Record that a thread may use less than its upload holds."""
        self._turns += 1

    def end_turn(self) -> None:
        """Wake the callers that wait for the space that the thread has not used."""
        self._turns -= 1
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.callback(None)

    @property
    def has_turns(self) -> bool:
        """Whether a thread may give something back within a moment."""
        return self._turns > 0

    async def turn_ended(self) -> None:
        """Wait until one of the threads has ended its turn."""
        waiter: Deferred[None] = Deferred()
        self._waiting.append(waiter)
        await waiter


class UploadCharge:
    """What one upload, or one new directory, holds in ``ledgers``; those of the own root first.

    ``limits`` are checked against the first ledger.
    """

    def __init__(self, place: Place, ledgers: Sequence[QuotaLedger], limits: QuotaLimits) -> None:
        self.place = place
        self.ledgers = list(ledgers)
        self.limits = limits
        self.own: QuotaLedger | None = None
        """The ledger of the account, which ``limits`` hold for."""
        self.has_partial = True
        """Whether it is for an upload that grows in a partial upload."""
        self.is_in_place = False
        """Whether it is for an append to a file, which may be renamed meanwhile."""
        self.size = self.files = 0
        """What is held."""
        self.taken_over = 0
        """Bytes of an earlier upload that it has taken over."""
        self.reserved = 0
        """Bytes that are expected, so they stay held until the end."""
        self.replaced: int | None = None
        """Bytes of the file that it will replace, as far as is known; None for no file."""

    def join(self, ledger: QuotaLedger) -> None:
        """Charge another ledger too, which was made meanwhile."""
        self.ledgers.append(ledger)
        ledger.hold(self.size, self.files)
        ledger.credit(*self._credit())

    def move(self, place: Place, ledgers: Sequence[QuotaLedger], is_outside: bool) -> None:
        """Charge other ledgers: the directory of the upload was renamed to another place.

        ``is_outside``: it has left the tree that the limits are for.
        """
        credit = self._credit()
        for ledger in self.ledgers:
            if ledger not in ledgers:
                ledger.hold(-self.size, -self.files)
                ledger.credit(-credit[0], -credit[1])
        for ledger in ledgers:
            if ledger not in self.ledgers:
                ledger.hold(self.size, self.files)
                ledger.credit(*credit)
        self.place, self.ledgers = place, list(ledgers)
        if is_outside:
            self.limits = NO_LIMITS

    def _credit(self) -> tuple[int, int]:
        if self.replaced is None:
            return 0, 0
        return min(self.replaced, self.size), min(1, self.files)

    def take_over(self, size: int, files: int) -> None:
        """Hold what is settled so far: a partial upload that is resumed or replaced."""
        self.taken_over += size
        for ledger in self.ledgers:
            ledger.add(-size, -files)
        self._change(size, files)

    def settle_part(self, size: int) -> None:
        """Make bytes that are held settled: they are in a file that others see."""
        self._change(-size, 0)
        for ledger in self.ledgers:
            ledger.add(size, 0)

    def _change(self, size: int, files: int, replaced: int | None = None) -> None:
        before = self._credit()
        self.size += size
        self.files += files
        if replaced is not None:
            self.replaced = replaced if replaced >= 0 else None
        after = self._credit()
        for ledger in self.ledgers:
            ledger.hold(size, files)
            ledger.credit(after[0] - before[0], after[1] - before[1])

    def will_replace(self, size: int | None) -> None:
        """Record the size of the file that the upload will replace; None for no file."""
        self._change(0, 0, -1 if size is None else size)

    @property
    def is_exceeded(self) -> bool:
        """Whether limits are exceeded to which this contributes."""
        if not self.ledgers or self.limits is NO_LIMITS:
            return False
        credit = self._credit()
        size_left, files_left = self.ledgers[0].left(self.limits)
        size_exceeded = size_left is not None and size_left < 0 and self.size > credit[0]
        files_exceeded = files_left is not None and files_left < 0 and self.files > credit[1]
        return size_exceeded or files_exceeded

    @property
    def left_size(self) -> int | None:
        """The bytes that the limit leaves, negative if it is exceeded; None without a limit."""
        return self.ledgers[0].left(self.limits)[0] if self.ledgers else None

    def try_grow(self, size: int, files: int = 0) -> bool:
        """Hold more if the limits allow it; tell whether they do."""
        if size <= 0 and files <= 0:
            return True
        self._change(size, files)
        if not self.is_exceeded:
            return True
        self._change(-size, -files)
        return False

    def grow_up_to(self, size: int) -> int:
        """Hold up to ``size`` bytes more; return how many."""
        left = self.left_size
        if left is not None:
            if self.replaced is not None:  # the rest of the credit grows with what is held
                left += max(0, self.replaced - self.size)
            size = max(0, min(size, left))
        self._change(size, 0)
        return size

    def shrink_to(self, size: int) -> None:
        """Hold no more than ``size`` bytes."""
        if size < self.size:
            self._change(size - self.size, 0)

    def settle(self, size: int, files: int) -> None:
        """Hold nothing any more; what remains of it is ``size`` bytes in ``files`` files."""
        self.will_replace(None)
        self._change(-self.size, -self.files)
        for ledger in self.ledgers:
            ledger.add(size, files)
