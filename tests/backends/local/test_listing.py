"""Reading directories on the disk, however large they are."""

import errno
import os
import threading
from itertools import islice

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from ftpservice.backends.local import listing as local_listing
from ftpservice.backends.local.metadata.stat import entry_of
from ftpservice.backends.local.source import LocalSource
from ftpservice.concurrency.thread_pool import BlockingPool
from ftpservice.storage import errors
from ftpservice.storage.interfaces import IListing
from ftpservice.testing.contract.case import create_file, list_directory
from ftpservice.wire.entry import Kind
from ftpservice.wire.paths import ROOT
from tests.support.local_source import Bench, run


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    assert made.open_descriptors() == []


def test_it_is_a_listing(bench):
    listing = run(bench.storage.open_listing(ROOT))
    verifyObject(IListing, listing)
    listing.close()


def test_many_entries_come_in_batches_of_bounded_size_the_first_of_them_small(bench):
    for number in range(100_000):
        os.mknod(bench.root / f"{number}")
    listing = run(bench.storage.open_listing(ROOT))
    first = run(listing.next_batch())
    assert 0 < len(first) <= 64
    names = {entry.name for entry in first}
    while batch := run(listing.next_batch()):
        assert len(batch) <= 1000
        names.update(entry.name for entry in batch)
    assert len(names) == 100_000
    listing.close()


def test_partials_are_never_listed_however_many_there_are(bench):
    for number in range(3000):
        (bench.root / f".ftpservice.{number:032x}.part").touch()
    (bench.root / ".hidden").touch()
    assert set(run(list_directory(bench.storage))) == {".hidden"}


def test_what_vanishes_meanwhile_is_left_out(bench, monkeypatch):
    for name in ("/stays", "/goes"):
        run(create_file(bench.storage, name, b"x"))

    def removing(names, size):
        found = list(islice(names, size))
        (bench.root / "goes").unlink()
        return found

    monkeypatch.setattr(local_listing, "islice", removing)
    listing = run(bench.storage.open_listing(ROOT))
    assert [entry.name for entry in run(listing.next_batch())] == ["stays"]
    listing.close()


def test_facts_are_those_of_the_disk(bench):
    run(create_file(bench.storage, "/file", b"12345"))
    os.link(bench.root / "file", bench.root / "twin")
    os.utime(bench.root / "file", (1, 1234567.5))
    os.chmod(bench.root / "file", 0o4751)
    os.mkdir(bench.root / "dir")
    entries = run(list_directory(bench.storage))
    file, twin, folder = (entries[name] for name in ("file", "twin", "dir"))
    assert (file.kind, file.size, file.modified, file.mode) == (Kind.FILE, 5, 1234567.5, 0o4751)
    assert (file.links, file.unique) == (2, twin.unique)
    assert folder.unique != file.unique
    assert (folder.kind, folder.size) == (Kind.DIRECTORY, 0)


def test_owners_without_a_name_are_numbers():
    facts = os.stat_result((0o100644, 1, 2, 1, 54321, 54322, 5, 0, 0, 0))
    entry = entry_of("file", facts)
    assert (entry.owner, entry.group) == ("54321", "54322")


def test_a_closed_listing_ends(bench):
    run(create_file(bench.storage, "/file", b"x"))
    listing = run(bench.storage.open_listing(ROOT))
    listing.close()
    listing.close()
    assert not run(listing.next_batch())


def test_an_opening_that_fails_leaves_nothing_open(bench, monkeypatch):
    def fail(*args):
        raise OSError(errno.EIO, "broken")

    with monkeypatch.context() as patch, pytest.raises(errors.Unavailable):
        patch.setattr(os, "scandir", fail)
        run(bench.storage.open_listing(ROOT))


def test_a_short_listing_takes_one_call_of_the_pool(bench, monkeypatch):
    run(create_file(bench.storage, "/file", b"x"))
    calls, run_in_pool = [], bench.pool.run

    def counted(function, *args, **more):
        calls.append(function)
        return run_in_pool(function, *args, **more)

    monkeypatch.setattr(bench.pool, "run", counted)
    monkeypatch.setattr(bench.pool, "finish", counted)
    assert set(run(list_directory(bench.storage))) == {"file"}
    assert len(calls) == 1


def test_a_first_batch_that_fails_is_an_error_of_the_first_batch(bench, monkeypatch):
    def fail(*args):
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(local_listing.LocalListing, "_entries", fail)
    listing = run(bench.storage.open_listing(ROOT))
    with pytest.raises(errors.Unavailable):
        run(listing.next_batch())
    listing.close()


@pytest_twisted.ensureDeferred
async def test_closing_waits_for_the_batch_in_progress(tmp_path, monkeypatch):
    """The thread still reads after the call is cancelled; its descriptor must stay open."""
    bench = Bench(tmp_path)
    for number in range(100):
        (bench.root / str(number)).touch()
    pool = BlockingPool(reactor, "test", threads=2)
    source = LocalSource(str(bench.root), bench.clock, pool)
    begun, gate, found = threading.Event(), threading.Event(), []
    entries = local_listing.LocalListing._entries

    def waiting(self, size):
        begun.set()
        gate.wait(10)
        batch, is_at_end = entries(self, size)
        found.extend(batch)
        return batch, is_at_end

    listing = await (await source.storage("one", ROOT)).open_listing(ROOT)
    assert len(await listing.next_batch()) == 64
    monkeypatch.setattr(local_listing.LocalListing, "_entries", waiting)
    call = Deferred.fromCoroutine(listing.next_batch())
    call.addErrback(lambda _: None)
    begun.wait(10)
    call.cancel()
    listing.close()
    gate.set()
    await pool.stop()
    assert len(found) == 36
    assert listing._descriptor == -1
