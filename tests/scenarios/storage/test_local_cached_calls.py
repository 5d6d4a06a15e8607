"""Calls of `local:` without its pool, on cached files."""

from __future__ import annotations

import os

import pytest
from twisted.internet.defer import CancelledError, Deferred

from ftpservice.backends.local.metadata import stat as local_facts
from ftpservice.linux import is_cached
from ftpservice.storage import errors
from ftpservice.storage.interfaces import WriteMode, WriteRequest
from ftpservice.wire.entry import Kind
from ftpservice.wire.paths import VirtualPath
from tests.support.local_source import Bench, run

AT_ONCE = True

FILE = VirtualPath.parse("/file")


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    made.let_all_go()
    assert made.open_descriptors() == []


@pytest.fixture
def known(bench):
    """A file whose owner names are known, and a paused pool."""
    (bench.root / "file").write_bytes(b"0123456789")
    run(bench.storage.stat(FILE))
    local_facts.entry_of("", os.stat(bench.root / "file"))
    bench.pool.held = True
    return bench


def test_a_cached_file_is_opened_read_and_closed(known):
    reading = run(known.storage.open_reading(FILE))
    assert reading.entry.size == 10
    assert run(reading.read(2, 3)) == b"234"
    assert run(reading.read(8, 100)) == b"89"
    assert run(reading.read(10, 100)) == b""
    reading.close()
    with pytest.raises(errors.Unavailable):
        run(reading.read(0, 1))


def test_entries_of_cached_files(known):
    assert run(known.storage.stat(FILE)).size == 10


def test_errors_equal_those_of_the_pool(known):
    (known.root / "dir").mkdir()
    os.mkfifo(known.root / "fifo")
    with pytest.raises(errors.IsDirectory):
        run(known.storage.open_reading(VirtualPath.parse("/dir")))
    with pytest.raises(errors.Denied):
        run(known.storage.open_reading(VirtualPath.parse("/fifo")))


def test_links_out_of_the_tree_use_the_pool(known):
    (known.root / "out").symlink_to(known.outside)
    opening = Deferred.fromCoroutine(known.storage.open_reading(VirtualPath.parse("/out")))
    assert not opening.called
    known.let_all_go()
    with pytest.raises(errors.Denied):
        run(opening)


def test_unknown_owner_names_use_the_pool(known, monkeypatch):
    monkeypatch.setattr(local_facts, "_known_shared", {})
    asking = Deferred.fromCoroutine(known.storage.stat(FILE))
    assert not asking.called
    opening = Deferred.fromCoroutine(known.storage.open_reading(FILE))
    assert not opening.called
    known.let_all_go()
    assert run(asking).kind is Kind.FILE
    run(opening).close()


def test_uncached_files_are_read_in_the_pool(known, monkeypatch):
    monkeypatch.setattr("ftpservice.backends.local.files.reading.is_cached", lambda *_: False)
    reading = run(known.storage.open_reading(FILE))
    asking = Deferred.fromCoroutine(reading.read(0, 4))
    assert not asking.called
    known.let_all_go()
    assert run(asking) == b"0123"
    reading.close()


def test_a_file_being_read_in_the_pool_is_closed_there(known, monkeypatch):
    monkeypatch.setattr("ftpservice.backends.local.files.reading.is_cached", lambda *_: False)
    reading = run(known.storage.open_reading(FILE))
    with reading._lock:
        reading.close()
    assert reading.fileno() >= 0
    known.let_all_go()
    with pytest.raises(errors.Unavailable):
        reading.fileno()


def test_the_kernel_reports_cached_pages(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 10_000)
    with path.open("rb") as file:
        file.read()
        assert is_cached(file.fileno(), 0, 10_000)
        assert is_cached(file.fileno(), 9_000, 1_000)
        assert is_cached(file.fileno(), 5, 0)
        assert not is_cached(file.fileno(), 0, 1_000_000)
    assert not is_cached(-1, 0, 10)


def test_a_small_upload_takes_one_call(bench):
    calls = []
    take = bench.pool._take
    bench.pool._take = lambda call: (calls.append(call), take(call))
    writing = run(bench.storage.open_writing(FILE, WriteRequest()))
    run(writing.write(b"small "))
    run(writing.write(b"file"))
    run(writing.commit())
    run(writing.abandon())
    assert len(calls) == 1
    assert (bench.root / "file").read_bytes() == b"small file"


def test_the_beginning_of_an_interrupted_upload_is_kept(bench):
    writing = run(bench.storage.open_writing(FILE, WriteRequest()))
    run(writing.write(b"half"))
    with pytest.raises(errors.Unavailable):
        writing.fileno()
    run(writing.abandon())
    resumed = run(bench.storage.open_writing(FILE, WriteRequest(offset=4)))
    run(resumed.write(b" and half"))
    run(resumed.commit())
    assert (bench.root / "file").read_bytes() == b"half and half"


def test_what_follows_the_beginning_is_written_at_once(bench):
    writing = run(bench.storage.open_writing(FILE, WriteRequest()))
    run(writing.write(b"x" * 70_000))
    run(writing.write(b"y"))
    assert os.fstat(writing.fileno()).st_size == 70_001
    run(writing.abandon())


def test_an_append_is_visible_at_once(bench):
    (bench.root / "file").write_bytes(b"one ")
    writing = run(bench.storage.open_writing(FILE, WriteRequest(WriteMode.APPEND)))
    run(writing.write(b"two"))
    assert (bench.root / "file").read_bytes() == b"one two"
    run(writing.commit())


def test_a_small_upload_cancelled_during_publication(bench):
    writing = run(bench.storage.open_writing(FILE, WriteRequest()))
    run(writing.write(b"small"))
    bench.pool.held = True
    committing = Deferred.fromCoroutine(writing.commit())
    committing.cancel()
    with pytest.raises(CancelledError):
        run(committing)
    abandoning = Deferred.fromCoroutine(writing.abandon())
    bench.let_all_go()
    run(abandoning)
