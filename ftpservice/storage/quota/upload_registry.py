"""The uploads under way, by who uploads to which name, and what each holds in the ledgers."""

from __future__ import annotations

from collections.abc import Iterator

from ftpservice.storage.quota.counted_tree import CountedTree
from ftpservice.storage.quota.ledger_roots import LedgerRoots
from ftpservice.storage.quota.ledgers.ledger import NO_LIMITS, ILedger, Place, QuotaLimits
from ftpservice.storage.quota.ledgers.upload_charge import UploadCharge
from ftpservice.storage.quota.shared_quotas import SharedQuotas

__all__ = ["UploadRegistry"]


class UploadRegistry:
    """What is charged to the ledgers of ``roots``; ``shared`` with those of other processes."""

    def __init__(self, roots: LedgerRoots, shared: SharedQuotas | None) -> None:
        self._roots = roots
        self._shared = shared
        self._charges: dict[tuple[str, Place], list[UploadCharge]] = {}

    def begin(
        self,
        owner: str,
        place: Place,
        own: CountedTree | None = None,
        limits: QuotaLimits = NO_LIMITS,
    ) -> UploadCharge:
        """Begin to hold for an upload of ``owner``, whose limits hold for the ledger ``own``."""
        ledger = None if own is None else own.ledger
        charge = UploadCharge(place, self._ledgers(place, ledger), limits)
        charge.own = ledger
        self._charges.setdefault((owner, place), []).append(charge)
        if self._shared is not None:
            self._shared.begin()
        return charge

    def _ledgers(self, place: Place, own: ILedger | None) -> list[ILedger]:
        """Return the ledgers around a place, ``own`` first."""
        around = [tree.ledger for tree in self._roots.around(place)]
        return sorted(around, key=lambda ledger: ledger is not own)

    def settle(self, owner: str, charge: UploadCharge, size: int, files: int) -> None:
        """End what `begin` began; ``size`` bytes in ``files`` files remain."""
        charge.settle(size, files)
        key = owner, charge.place
        charges = self._charges.get(key, [])
        if charge in charges:
            charges.remove(charge)
            self._unmark(owner, charge)
            if not charges:
                del self._charges[key]
            if self._shared is not None:
                self._shared.log.activity.end()

    def mark(self, owner: str, charge: UploadCharge) -> None:
        """Tell other processes of an upload that grows in a partial upload, if that is counted."""
        if self._shared is not None and charge.has_partial and charge.ledgers:
            charge.is_marked = True
            self._shared.names.mark_upload(owner, charge.place)

    def _unmark(self, owner: str, charge: UploadCharge) -> None:
        if self._shared is not None and charge.is_marked:
            charge.is_marked = False
            others = self._charges.get((owner, charge.place), ())
            if not any(one.is_marked for one in others):
                self._shared.names.unmark_upload(owner, charge.place)

    def has(self, owner: str, place: Place, besides: UploadCharge | None = None) -> bool:
        """Tell whether an upload of ``owner`` to the name at ``place`` is under way."""
        charges = self._charges.get((owner, place), ())
        if any(one is not besides and one.has_partial for one in charges):
            return True
        if self._shared is None or not self._roots.around(place):
            return False
        return self._shared.names.has_upload(owner, place)

    def move(self, source: Place, target: Place) -> None:
        """Charge uploads at their new place, after a rename of a directory around them."""
        depth = len(source)
        for owner, place in [key for key in self._charges if key[1][:depth] == source]:
            now, charges = target + place[depth:], self._charges.pop((owner, place))
            # An upload to the name itself keeps that name; an append follows the file.
            staying = [one for one in charges if place == source and not one.is_in_place]
            if staying:
                self._charges[owner, place] = staying
            for charge in (one for one in charges if one not in staying):
                self._unmark(owner, charge)
                around = self._ledgers(now, charge.own)
                charge.move(now, around, charge.own not in around)
                self._charges.setdefault((owner, now), []).append(charge)
                self.mark(owner, charge)

    def join(self, tree: CountedTree, root: Place) -> None:
        """Charge uploads below ``root`` to a ledger that counts it since now."""
        depth = len(root)
        below = (key for key in self._charges if len(key[1]) > depth and key[1][:depth] == root)
        for owner, place in below:
            for charge in self._charges[owner, place]:
                if tree.ledger not in charge.ledgers:
                    charge.move(place, [*charge.ledgers, tree.ledger])
                    self.mark(owner, charge)

    def ask_again(self, ledger: ILedger) -> None:
        """Have uploads that a ledger limits ask for room before they write on."""
        for charge in self._all():
            if charge.own is ledger:
                charge.reserved = 0
                charge.shrink_to(0)

    def _all(self) -> Iterator[UploadCharge]:
        return (charge for charges in self._charges.values() for charge in charges)
