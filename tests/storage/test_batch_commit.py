"""Small transactions that end in one call of a pool."""

import pytest
from twisted.internet.defer import fail

from ftpservice.backends.memory.storage import MemoryStorage
from ftpservice.concurrency.thread_pool import PoolOverloaded
from ftpservice.storage.batch_commit import commit_batch
from ftpservice.storage.errors import BadOffset, Denied, OutOfResources, Unavailable
from ftpservice.storage.interfaces import WriteMode, WriteRequest
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath
from tests.support.local_source import Bench, run


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def begun(storage, name, content=b"hello", announced=None):
    writing = run(
        storage.open_writing(VirtualPath((name,)), WriteRequest(WriteMode.REPLACE, 0, announced))
    )
    run(writing.write(content))
    return writing


def calls(bench, monkeypatch):
    """Return a list that grows with every call of the pool."""
    seen = []
    really = bench.pool.run
    monkeypatch.setattr(
        bench.pool, "run", lambda *words, **more: (seen.append(words), really(*words, **more))[1]
    )
    return seen


def test_they_are_published_in_one_call_and_in_their_order(bench, monkeypatch):
    writings = [begun(bench.storage, name, name.encode()) for name in ("a", "b", "c")]
    seen = calls(bench, monkeypatch)
    entries = run(commit_batch(writings))
    assert [(entry.name, entry.size) for entry in entries] == [("a", 1), ("b", 1), ("c", 1)]
    assert len(seen) == 1
    assert {path.name: path.read_bytes() for path in bench.root.iterdir()} == {
        "a": b"a",
        "b": b"b",
        "c": b"c",
    }


def test_what_one_fails_with_is_in_its_place_and_the_others_are_published(bench):
    writings = [begun(bench.storage, name, announced=5 + (name == "b")) for name in ("a", "b", "c")]
    (bench.root / "c").mkdir()
    first, second, third = run(commit_batch(writings))
    assert isinstance(first, Entry)
    assert isinstance(second, BadOffset)
    assert isinstance(third, Exception)
    assert sorted(path.name for path in bench.root.glob("[!.]*")) == ["a", "c"]
    for writing in writings:
        run(writing.abandon())
    assert bench.open_descriptors() == []


def test_an_error_of_the_system_is_one_of_ours(bench, monkeypatch):
    writings = [begun(bench.storage, name) for name in ("a", "b")]

    def refuse(*_words, **_more):
        raise PermissionError(13, "no")

    monkeypatch.setattr("ftpservice.backends.local.partials.partial_file.os.rename", refuse)
    assert [type(problem) for problem in run(commit_batch(writings))] == [Denied, Denied]


def test_a_pool_that_takes_no_more_commits_none(bench, monkeypatch):
    writings = [begun(bench.storage, name) for name in ("a", "b")]
    with monkeypatch.context() as full:
        full.setattr(bench.pool, "run", lambda *_words, **_more: fail(PoolOverloaded()))
        assert [type(problem) for problem in run(commit_batch(writings))] == [OutOfResources] * 2
    bench.pool.stop()
    stopped = run(commit_batch(writings))
    assert [type(problem) for problem in stopped] == [Unavailable, Unavailable]
    for writing in writings:
        run(writing.abandon())
    assert bench.open_descriptors() == []


def test_one_alone_is_committed_as_ever(bench):
    (entry,) = run(commit_batch([begun(bench.storage, "a")]))
    assert entry.name == "a"
    assert run(commit_batch([])) == []


def test_storages_without_a_pool_commit_one_after_the_other():
    storage = MemoryStorage()
    writings = [begun(storage, name, announced=5 + (name == "b")) for name in ("a", "b", "c")]
    first, second, third = run(commit_batch(writings))
    assert isinstance(second, BadOffset)
    assert (first.name, third.name) == ("a", "c")


def test_what_belongs_in_different_pools_goes_there(bench, tmp_path_factory, monkeypatch):
    other = Bench(tmp_path_factory.mktemp("other"))
    writings = [begun(bench.storage, "a"), begun(other.storage, "b")]
    seen = calls(bench, monkeypatch)
    assert [entry.name for entry in run(commit_batch(writings))] == ["a", "b"]
    assert len(seen) == 1
