"""What a node asks about trees, without a database."""

from __future__ import annotations

import json
from collections.abc import Sequence

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from ftpservice.cluster.quotas.quota_statements import RoomClaim, RoomGrant
from ftpservice.cluster.quotas.tree_rooms import MAX_LOOKS, TreeRooms
from ftpservice.concurrency.shared_table import SharedTable
from ftpservice.concurrency.table_layout import RecordLayout
from ftpservice.storage.quota.counted_tree import CountedTree
from ftpservice.storage.quota.ledgers.ledger import QuotaLimits
from ftpservice.storage.quota.ledgers.tree_record import LEASED_QUOTA_RECORD, POLL_SECONDS
from ftpservice.storage.quota.shared_quotas import SharedQuotas

RECORD = RecordLayout("quotas", LEASED_QUOTA_RECORD.fields, LEASED_QUOTA_RECORD.values, 128)


class Rooms:
    """The rooms of a node, and what they ask."""

    def __init__(self) -> None:
        self.clock = Clock()
        table = SharedTable.create([RECORD], 2)
        self._quotas = SharedQuotas.create(table, self.clock)
        self.other = SharedTable.attach(table.descriptor, 1).section(RECORD.name)
        """The numbers as a worker has them."""
        self.asked: list[RoomClaim] = []
        self.answers: list[Deferred[list[RoomGrant]]] = []
        self.rooms = TreeRooms(self._ask, self.clock)
        self.rooms.connected()

    def _ask(self, claims: Sequence[RoomClaim]) -> Deferred[list[RoomGrant]]:
        self.asked += claims
        self.answers.append(Deferred())
        return self.answers[-1]

    def tree(self, name: str) -> CountedTree:
        return self._quotas.tree(("local", name))


def test_uploads_that_wait_for_room_are_one_question() -> None:
    made, limits = Rooms(), QuotaLimits(1000)
    tree = made.tree("ann")
    for size in (10, 20):
        Deferred.fromCoroutine(made.rooms.want(tree, limits, size, 1))
    Deferred.fromCoroutine(made.rooms.want(tree, QuotaLimits(50), 5, 1))
    made.clock.advance(0)
    (claim,) = made.asked
    assert (claim.needed_size, claim.needed_files, claim.size_limit) == (30, 2, 1000)
    grant = RoomGrant(7, 100, 3, 30, 2, 0, 0, 1.0, False, True)
    made.answers[0].callback([grant])
    made.clock.advance(0)
    assert (made.asked[1].needed_size, made.asked[1].size_limit) == (5, 50)
    assert tree.ledger.left(limits) == (30, None)
    assert tree.ledger.used() == (100, 3)


def test_a_directory_that_only_this_process_has_is_not_told_to_others() -> None:
    made = Rooms()
    tree = made.tree("ann")
    tree.roots = {("local", "ann"), (object(), "tmp")}
    Deferred.fromCoroutine(made.rooms.want(tree))
    made.clock.advance(0)
    assert json.loads(made.asked[0].roots) == [["local", "ann"]]


def test_without_the_database_who_waits_is_answered_and_nothing_may_be_added() -> None:
    made, limits, found = Rooms(), QuotaLimits(1000), list[object]()
    tree = made.tree("ann")
    Deferred.fromCoroutine(made.rooms.want(tree, limits, 10, 1)).addCallback(found.append)
    made.rooms.alone()
    assert found == [None]
    Deferred.fromCoroutine(made.rooms.want(tree, limits, 10, 1)).addCallback(found.append)
    assert found == [None, None]
    assert tree.ledger.left(limits) == (0, None)


def test_of_very_many_trees_all_are_looked_at_in_turn() -> None:
    made = Rooms()
    tree = made.tree("ann")
    looked: list[int] = []

    class Looked(TreeRooms):
        def of(self, tree: CountedTree):  # type: ignore[no-untyped-def]
            looked.append(tree.number)  # type: ignore[attr-defined]
            return super().of(tree)

    rooms = Looked(made._ask, made.clock)
    count = MAX_LOOKS + 500
    trees = {}
    for number in range(count):
        one = CountedTree(("local", number), made.clock, (tree.ledger, tree.counts))
        one.number = number  # type: ignore[attr-defined]
        trees[one.place] = one
    rooms.settle(trees)
    rooms.settle(trees)
    assert set(looked) == set(range(count))
    assert len(looked) == 2 * MAX_LOOKS


def test_who_waits_for_room_goes_on_waiting_while_a_worker_keeps_the_lock() -> None:
    made, limits, found = Rooms(), QuotaLimits(1000), list[object]()
    tree = made.tree("ann")
    key = json.dumps(tree.place).encode()
    Deferred.fromCoroutine(made.rooms.want(tree, limits, 10, 1)).addCallback(found.append)
    with made.other.lock(key):
        made.clock.pump([0, POLL_SECONDS, 0])
        assert (made.asked, found) == ([], [])
    made.clock.pump([POLL_SECONDS, 0])
    assert (len(made.asked), made.asked[0].needed_size) == (1, 10)
    grant = RoomGrant(7, 100, 3, 30, 2, 0, 0, 1.0, False, True)
    with made.other.lock(key):
        made.answers[0].callback([grant])
        assert found == [], "the answer could not be used"
    made.clock.pump([POLL_SECONDS, 0])
    made.answers[1].callback([grant])
    assert found == [grant]
    assert tree.ledger.left(limits) == (30, None)


def test_who_waits_for_room_is_answered_whatever_the_failure_of_a_question_leads_to() -> None:
    made = Rooms()
    found: list[RoomGrant | None] = []
    Deferred.fromCoroutine(made.rooms.want(made.tree("ann"))).addCallback(found.append)
    made.clock.advance(0)
    made.rooms.failed = Failure.raiseException
    made.answers[0].addErrback(lambda failure: failure.trap(ValueError))
    made.answers[0].errback(Failure(ValueError("no text of the database")))
    assert found == [None]
