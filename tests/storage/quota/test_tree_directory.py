"""Books of several processes: every one knows every ledger, and charges it."""

from __future__ import annotations

import gc
from contextlib import contextmanager

import pytest
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ftpservice.concurrency.lock_wait import LOCKED_SECONDS
from ftpservice.concurrency.task import Task
from ftpservice.storage.errors import Busy, QuotaExceeded
from ftpservice.storage.interfaces import ISpliceTarget, WriteRequest
from ftpservice.storage.quota.account import QuotaAccount
from ftpservice.storage.quota.book import QuotaBook
from ftpservice.storage.quota.change import Change
from ftpservice.storage.quota.counted_tree import CountedTree
from ftpservice.storage.quota.ledgers import quota_log
from ftpservice.storage.quota.ledgers.ledger import QuotaLimits
from ftpservice.storage.quota.ledgers.tree_record import POLL_SECONDS
from ftpservice.storage.quota.recount_rounds import RELEASE_SECONDS
from ftpservice.storage.quota_interfaces import IQuota
from ftpservice.testing.contract.case import begin_upload, create_file, path_at, read_file
from tests.support.random_changes import run
from tests.support.shared_books import SharedBooks

LIMITS = QuotaLimits(100, 10)


@pytest.fixture
def books(tmp_path):
    made = SharedBooks(tmp_path, 3)
    yield made
    made.close()


def sums(book: QuotaBook):
    book.directory.sync()
    return {place[-1]: (tree.ledger.size, tree.ledger.files) for place, tree in book.trees.items()}


def started(coroutine):
    results: list[object] = []
    Deferred.fromCoroutine(coroutine).addBoth(results.append)
    return results


def test_an_upload_of_one_process_leaves_less_room_in_the_others(books):
    _, one, two = books.books
    first, second = books.storage(one, limits=LIMITS), books.storage(two, limits=LIMITS)
    run(create_file(first, "/a", bytes(60)))
    with pytest.raises(QuotaExceeded):
        run(create_file(second, "/b", bytes(41)))
    run(create_file(second, "/b", bytes(40)))
    assert [sums(book) for book in books.books] == 3 * [{books.root.name: (100, 2)}]


def test_what_is_held_counts_in_every_process(books):
    _, one, two = books.books
    first, second = books.storage(one, limits=LIMITS), books.storage(two, limits=LIMITS)
    writing = run(begin_upload(first, "/a", bytes(60)))
    with pytest.raises(QuotaExceeded):
        run(create_file(second, "/b", bytes(41)))
    run(writing.write(bytes(40)))
    with pytest.raises(QuotaExceeded):
        run(writing.write(b"x"))
    run(writing.abandon())
    run(create_file(second, "/b", bytes(100)))


def test_one_count_is_for_all_processes(books):
    (books.root / "there").write_bytes(bytes(30))
    main, one, two = books.books
    storages = [books.storage(book, limits=LIMITS) for book in (one, two, main)]
    assert [sums(book) for book in books.books] == 3 * [{books.root.name: (30, 1)}]
    counts = next(iter(main.trees.values())).counts
    assert (counts.begun, counts.ended) == (1, 1)
    assert tuple(run(IQuota(storages[1]).quota_state())) == (30, 1, 100, 10)


def test_a_ledger_that_another_process_has_is_charged(books):
    _, one, two = books.books
    (books.root / "in").mkdir()
    inner = books.storage(one, "ann", "/in", limits=LIMITS)
    outer = books.storage(two, "root")
    run(create_file(outer, "/in/a", bytes(90)))
    with pytest.raises(QuotaExceeded):
        run(create_file(inner, "/b", bytes(11)))
    run(outer.rename(path_at("/in/a"), path_at("/a")))
    run(create_file(inner, "/b", bytes(100)))
    run(outer.remove_file(path_at("/in/b")))
    assert sums(one) == sums(two) == {"in": (0, 0)}


def test_an_entry_of_another_version_is_passed_over(books):
    """During an upgrade, the processes may be of different versions."""
    _, one, two = books.books
    first = books.storage(one, limits=LIMITS)
    run(create_file(first, "/a", bytes(60)))
    place = next(iter(one.trees))
    with one.directory.telling(place) as tell:
        tell(("novelty", place, {"size": 1}))
        tell(("limits", place, "ann", 70, 5))
    assert [sums(book) for book in books.books] == 3 * [{books.root.name: (60, 1)}]
    assert two.trees[place].limits["ann"] == QuotaLimits(70, 5)


def test_names_are_locked_for_other_processes_only_where_a_ledger_counts(books):
    _main, one, two = books.books
    (books.root / "in").mkdir()
    outer = books.storage(two, "root")
    writing = run(begin_upload(outer, "/in/a", bytes(30)))
    place = books.place("/in/a")
    names = one.shared.names

    def is_free():
        is_locked = names.try_lock(place)
        if is_locked:
            names.unlock(place)
        return is_locked

    def has_upload():
        return names.has_upload("root", place)

    assert not has_upload()
    with entered(Change(two.changes, place)):
        assert is_free()
    inner = books.storage(one, "ann", "/in", limits=LIMITS)
    books.clock.pump([0.02] * 6)
    assert has_upload(), "it was under way when the ledger was made"
    with entered(Change(two.changes, place)):
        assert not is_free()
    run(writing.commit())
    assert not has_upload()
    assert is_free()
    assert tuple(run(IQuota(inner).quota_state())) == (30, 1, 100, 10)


def test_a_change_from_before_a_ledger_excludes_those_of_its_process(books):
    _main, one, two = books.books
    place = books.place("/a")
    with entered(Change(two.changes, place)):
        books.storage(one, limits=LIMITS)
        two.directory.sync()
        assert not Change(two.changes, place).try_enter()
        [tree] = one.trees.values()
        assert not tree.counts.is_counted, "the change is still in progress"
    books.clock.pump([0.02] * 6)
    assert tree.counts.is_counted
    with entered(Change(two.changes, place)):
        pass


@contextmanager
def entered(change):
    assert change.try_enter()
    try:
        yield
    finally:
        change.leave()


def test_an_upload_in_progress_is_charged_to_a_ledger_that_another_process_makes(books):
    main, one, two = books.books
    (books.root / "in").mkdir()
    outer = books.storage(two, "root")
    writing = run(begin_upload(outer, "/in/a", bytes(30)))
    inner = books.storage(one, "ann", "/in", limits=LIMITS)
    [tree] = one.trees.values()
    assert not tree.counts.is_counted, "the other process has not read of it"
    making = started(inner.make_directory(path_at("/d")))
    books.clock.pump([0.02] * 6)
    assert making == [None]
    assert sums(main) == {"in": (30, 2)}
    run(writing.write(bytes(70)))
    with pytest.raises(QuotaExceeded):
        run(create_file(inner, "/c", b"x"))
    run(writing.commit())
    assert sums(main) == {"in": (100, 2)}


def test_a_change_in_progress_disturbs_the_count_of_another_process(books):
    main, one, two = books.books
    (books.root / "in").mkdir()
    outer = books.storage(two, "root")
    change = outer._account.change(path_at("/in/a"))
    assert change.try_enter()
    books.storage(one, "ann", "/in", limits=LIMITS)
    [tree] = one.trees.values()
    books.clock.pump([0.02] * 10)
    assert tree.counts.is_exclusive, "changes have to wait, and this one is waited for"
    (books.root / "in" / "a").write_bytes(bytes(7))
    outer._account.add(path_at("/in/a"), 7, 1)
    change.leave()
    books.clock.pump([0.02] * 2)
    assert tree.counts.is_counted
    assert sums(main) == {"in": (7, 1)}


def test_a_name_is_changed_by_one_process_at_a_time(books):
    _, one, two = books.books
    first, second = books.storage(one, limits=LIMITS), books.storage(two, limits=LIMITS)
    change = first._account.change(path_at("/a"))
    assert change.try_enter()
    assert not second._account.change(path_at("/a")).try_enter()
    assert second._account.change(path_at("/b")).try_enter()
    creating = started(create_file(second, "/a", b"other"))
    books.clock.pump([0.02] * 5)
    assert creating == []
    change.leave()
    books.clock.advance(0.02)
    assert run(read_file(second, "/a")) == b"other"


def test_a_forgotten_change_that_is_collected_within_a_lock_ends(books):
    """The garbage collector may end a coroutine wherever memory is allocated."""
    main, one, two = books.books
    first, second = books.storage(one, limits=LIMITS), books.storage(two, limits=LIMITS)

    async def forgotten():
        async with first._account.change(path_at("/a")):
            await Deferred()

    gc.collect()
    Task(forgotten())
    counts = first._account.tree.counts
    assert counts.changes == 1
    section = one.shared._section
    with section.lock(b"another tree"):
        gc.collect()
    books.clock.advance(POLL_SECONDS)
    assert counts.changes == 0
    run(create_file(second, "/a", bytes(7)))
    assert sums(main) == {books.root.name: (7, 1)}


def test_two_processes_that_write_to_one_name_leave_right_sums(books):
    main, one, two = books.books
    first, second = books.storage(one, limits=LIMITS), books.storage(two, limits=LIMITS)
    run(create_file(first, "/a", bytes(10)))
    writings = [run(begin_upload(storage, "/a", bytes(20))) for storage in (first, second)]
    run(writings[0].commit())
    run(writings[1].commit())
    assert sums(main) == {books.root.name: (20, 1)}
    writings = [run(begin_upload(storage, "/a", bytes(30))) for storage in (first, second)]
    for writing in writings:
        run(writing.abandon())
    state = started(IQuota(first).quota_state())
    books.clock.pump([0.02] * 10)
    assert state[0][:2] == (50, 2), "one partial upload of 30 bytes is kept, and the file"


def test_a_partial_upload_is_resumed_in_another_process(books):
    main, one, two = books.books
    first, second = books.storage(one, limits=LIMITS), books.storage(two, limits=LIMITS)
    run(run(begin_upload(first, "/a", bytes(60))).abandon())
    assert sums(main) == {books.root.name: (60, 1)}
    writing = run(begin_upload(second, "/a", bytes(40), WriteRequest(offset=60)))
    assert run(writing.commit()).size == 100
    assert sums(main) == {books.root.name: (100, 1)}


def test_an_upload_follows_a_directory_that_another_process_renames(books):
    main, one, two = books.books
    (books.root / "d").mkdir()
    (books.root / "in").mkdir()
    first, second = books.storage(one, limits=LIMITS), books.storage(two, limits=LIMITS)
    books.storage(two, "ann", "/in", limits=LIMITS)
    writing = run(begin_upload(first, "/d/a", bytes(60)))
    run(second.rename(path_at("/d"), path_at("/in/e")))
    books.clock.advance(0.1)
    assert sums(main)["in"] == (60, 2)
    run(writing.abandon())
    assert sums(main) == {books.root.name: (60, 3), "in": (60, 2)}
    run(second.remove_directory(path_at("/in/e")))
    assert sums(main) == {books.root.name: (0, 1), "in": (0, 0)}


def test_what_a_killed_process_held_is_found_by_a_count_before_anybody_is_refused(books):
    main, one, two = books.books
    first, second = books.storage(one, limits=LIMITS), books.storage(two, limits=LIMITS)
    writing = run(begin_upload(first, "/a", bytes(90)))
    del first
    books.end(one)
    writing.inner.abandon_in_thread()
    (books.root / next(one.name for one in books.root.iterdir())).unlink()
    assert sums(main) == {books.root.name: (90, 1)}, "what has arrived may be there"
    run(create_file(second, "/b", bytes(100)))
    assert sums(main) == {books.root.name: (100, 1)}


def test_a_process_that_ends_while_it_counts_keeps_nobody_waiting(books):
    main, one, two = books.books
    blocked = books.storage(main, "root")
    writing = run(begin_upload(blocked, "/a", b"x"))
    first = books.storage(one, limits=LIMITS)
    [tree] = one.trees.values()
    assert tree.counts.is_counting
    second = books.storage(two, limits=LIMITS)
    creating = started(create_file(second, "/b", bytes(100)))
    books.clock.advance(0.02)
    del first
    books.end(one)
    books.clock.pump([0.02] * 20)
    assert creating and creating[0].check(QuotaExceeded), "1 byte is held"
    run(writing.abandon())


def test_a_new_process_knows_the_ledgers(books):
    _, one, _ = books.books
    storage = books.storage(one, limits=LIMITS)
    run(create_file(storage, "/a", bytes(60)))
    late = books.add_process()
    other = books.storage(late, limits=LIMITS)
    with pytest.raises(QuotaExceeded):
        run(create_file(other, "/b", bytes(41)))
    assert [tree.limits for tree in late.counted()] == [{"ann": LIMITS}]


def test_a_tree_is_forgotten_when_no_process_uses_it(books):
    main, one, two = books.books
    first, second = books.storage(one, limits=LIMITS), books.storage(two, limits=LIMITS)
    del first
    books.clock.advance(RELEASE_SECONDS)
    books.clock.advance(600)
    assert len(sums(one)) == len(sums(two)) == 1
    del second
    books.clock.advance(RELEASE_SECONDS)
    books.clock.advance(600)
    assert [sums(book) for book in books.books] == [{}, {}, {}]
    third = books.storage(one, limits=LIMITS)
    run(create_file(third, "/a", bytes(100)))
    assert sums(main) == {books.root.name: (100, 1)}


def test_a_login_counts_again_after_a_time_without_a_session_in_any_process(books):
    _, one, two = books.books
    first = books.storage(one, limits=LIMITS)
    (books.root / "b").write_bytes(bytes(9))
    books.clock.advance(61)
    second = books.storage(two, limits=LIMITS)
    assert sums(two) == {books.root.name: (0, 0)}
    del first, second
    books.clock.advance(RELEASE_SECONDS)
    third = books.storage(two, limits=LIMITS)
    assert sums(one) == {books.root.name: (9, 1)}
    del third


def test_a_tree_is_counted_once_in_a_round(books):
    main, one, two = books.books
    storages = [books.storage(book, limits=LIMITS) for book in (one, two)]
    (books.root / "b").write_bytes(bytes(9))
    books.clock.advance(600)
    assert sums(main) == {books.root.name: (9, 1)}
    assert next(iter(main.trees.values())).counts.begun == 2
    assert len(storages) == 2


def test_a_long_log_is_shortened_and_a_process_that_was_away_knows_all(tmp_path, monkeypatch):
    monkeypatch.setattr(quota_log, "MIN_LONG_BYTES", 2000)
    books = SharedBooks(tmp_path, 3)
    main, one, two = books.books
    kept = []
    for number in range(100):
        (books.root / f"d{number}").mkdir()
        kept.append(books.storage(one, f"user{number}", f"/d{number}", limits=LIMITS))
        if number == 20:
            assert len(sums(two)) == 21
            gone = kept.pop(0)
            del gone
            books.clock.advance(RELEASE_SECONDS)
            one.directory.forget(next(place for place in one.trees if place[-1] == "d0"))
    log = one.shared.log
    assert log._words[quota_log.START] > quota_log.HEADER_BYTES
    assert len(log._memory) == quota_log.HEADER_BYTES
    assert sums(two) == sums(one) == sums(main) == {f"d{n}": (0, 0) for n in range(1, 100)}
    late = books.add_process()
    assert sums(late) == sums(one)
    assert len([tree for tree in late.counted() if tree.limits]) == 99
    books.close()


def test_nothing_is_refused_because_a_turn_of_another_process_begins_just_now(books, monkeypatch):
    """A turn holds all that is left, and gives back what it does not use; others begin at once."""
    _, one, two = books.books
    first, second = books.storage(one, limits=LIMITS), books.storage(two, limits=LIMITS)
    charge = run(begin_upload(first, "/a", b"x")).room.charge

    def end_turn():
        charge.shrink_to(1)
        charge.ledgers[0].end_turn()

    find_room, is_recent = QuotaAccount.find_room, CountedTree.is_recent.fget

    async def found(account, path, size=0, files=0):
        end_turn()
        await find_room(account, path, size, files)
        end_turn()

    monkeypatch.setattr(QuotaAccount, "find_room", found)
    monkeypatch.setattr(
        CountedTree, "is_recent", property(lambda tree: charge.grow_up_to(99) and is_recent(tree))
    )
    assert charge.grow_up_to(99) == 99
    writing = run(begin_upload(second, "/b", request=WriteRequest(announced=99)))
    run(writing.write(bytes(99)))
    run(writing.commit())
    assert sums(one) == {books.root.name: (100, 2)}


@contextmanager
def locked(books, book):
    """Keep the numbers of the only tree, as a process without a processor does."""
    book.directory.sync()
    [tree] = book.trees.values()
    record = tree.counts.record
    with record._section.lock(record._key):
        yield tree


def test_whoever_needs_room_waits_for_a_process_that_keeps_the_lock(books):
    _, one, two = books.books
    first, second = books.storage(one, limits=LIMITS), books.storage(two, limits=LIMITS)
    writing = run(begin_upload(first, "/a", b"x"))
    target = ISpliceTarget(run(begin_upload(first, "/s", b"x")))
    with locked(books, two):
        waiting = [
            started(writing.write(bytes(9))),
            started(begin_upload(first, "/b")),
            started(first.make_directory(path_at("/d"))),
            started(target.with_descriptor(lambda _descriptor, most: (0, most))),
            started(IQuota(first).quota_state()),
            started(one.trees[next(iter(one.trees))].count()),
        ]
        books.clock.pump([0.1] * 20)
        assert [*waiting[:4], waiting[5]] == 5 * [[]]
    books.clock.pump([0.02] * 20)
    assert [len(one) for one in waiting] == 6 * [1]
    assert [one for [one] in waiting if isinstance(one, Failure)] == []
    assert second is not None


def test_nobody_waits_for_ever_for_a_process_that_was_stopped_with_a_lock(books):
    _, one, two = books.books
    first = books.storage(one, limits=LIMITS)
    writing = run(begin_upload(first, "/a", b"x"))
    with locked(books, two):
        waiting = started(writing.write(b"y"))
        books.clock.pump([0.1] * int(10 * LOCKED_SECONDS + 2))
        assert waiting[0].check(Busy)
    run(writing.write(b"z"))


def test_what_a_killed_process_held_is_settled_though_another_one_keeps_the_lock(books):
    main, one, two = books.books
    first, second = books.storage(one, limits=LIMITS), books.storage(two, limits=LIMITS)
    run(begin_upload(first, "/a", bytes(90)))
    del first
    with locked(books, two) as tree:
        books.end(one)
    books.clock.advance(POLL_SECONDS)
    assert tree.counts.is_in_doubt
    assert sums(main) == sums(two) == {books.root.name: (90, 1)}
    assert second is not None
