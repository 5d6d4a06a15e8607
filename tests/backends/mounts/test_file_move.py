"""Renames between storages: refused, or a copy that is complete before the original is removed."""

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from ftpservice.backends.memory.storage import MemoryStorage
from ftpservice.backends.memory.tree import MemoryTree
from ftpservice.storage import errors
from ftpservice.storage.interfaces import IPartials, ISetMode, ISetTimes
from ftpservice.testing.contract.case import create_file, list_directory, path_at, read_file
from tests.backends.mounts.test_mounted_storage import run
from tests.support.mounts import mounted, part

SOURCE, TARGET = path_at("/file"), path_at("/in/moved")
DATA = bytes(range(256)) * 10_000


class Hooked(MemoryStorage):
    """Calls ``opening_hook`` before it opens a writing, and ``hook`` before a commit."""

    hook = opening_hook = None

    async def open_writing(self, path, request):
        if self.opening_hook is not None:
            await self.opening_hook()
        writing = await super().open_writing(path, request)
        commit = writing.commit

        async def hooked():
            if self.hook is not None:
                await self.hook()
            return await commit()

        writing.commit = hooked
        return writing


class Bench:
    def __init__(self, disk=None):
        self.root, self.disk = MemoryStorage(), disk or Hooked()
        run(create_file(self.root, "/file", DATA))
        run(ISetTimes(self.root).set_times(SOURCE, 1234.0, 99.0))
        run(ISetMode(self.root).set_mode(SOURCE, 0o640))

    def storage(self, copies=True):
        parts = (part("/", self.root), part("/in", self.disk))
        return mounted(Clock(), *parts, copies=copies)

    def assert_nothing_moved(self):
        assert run(read_file(self.root, "/file")) == DATA
        assert not run(list_directory(self.disk))
        assert not run(IPartials(self.disk).all_partials())


@pytest.fixture
def bench():
    return Bench()


def test_it_is_refused_by_default(bench):
    with pytest.raises(errors.OtherFilesystem) as raised:
        run(bench.storage(copies=False).rename(SOURCE, TARGET))
    assert raised.value.path == SOURCE
    bench.assert_nothing_moved()
    with pytest.raises(errors.PathNotFound):
        run(bench.storage(copies=False).rename(path_at("/none"), TARGET))


def test_a_file_is_copied_with_times_and_mode_and_then_removed(bench):
    run(bench.storage().rename(SOURCE, TARGET))
    assert run(read_file(bench.disk, "/moved")) == DATA
    entry = run(bench.disk.stat(path_at("/moved")))
    assert (entry.modified, entry.created, entry.mode) == (1234.0, 99.0, 0o640)
    assert not (run(list_directory(bench.root)).keys() & {"file"})


def test_a_file_at_the_target_is_replaced_only_if_allowed(bench):
    run(create_file(bench.disk, "/moved", b"old"))
    with pytest.raises(errors.Exists):
        run(bench.storage().rename(SOURCE, TARGET, replace=False))
    assert run(read_file(bench.disk, "/moved")) == b"old"
    run(bench.storage().rename(SOURCE, TARGET))
    assert run(read_file(bench.disk, "/moved")) == DATA


def test_a_directory_is_refused(bench):
    run(bench.root.make_directory(path_at("/dir")))
    with pytest.raises(errors.OtherFilesystem):
        run(bench.storage().rename(path_at("/dir"), TARGET))


def test_a_failure_leaves_the_file_and_nothing_of_the_copy():
    bench = Bench(MemoryStorage(MemoryTree(capacity=len(DATA) - 1)))
    with pytest.raises(errors.NoSpace):
        run(bench.storage().rename(SOURCE, TARGET))
    bench.assert_nothing_moved()


def test_a_cancelled_one_leaves_the_file_and_nothing_of_the_copy(bench):
    waiting = Deferred()

    async def hook():
        await waiting

    bench.disk.hook = hook
    moving = Deferred.fromCoroutine(bench.storage().rename(SOURCE, TARGET))
    results = []
    moving.addErrback(lambda failure: results.append(failure.type))
    moving.cancel()
    assert results == [CancelledError]
    bench.assert_nothing_moved()


def test_a_file_that_changes_during_the_copy_is_not_moved(bench):
    async def hook():
        await create_file(bench.root, "/file", b"newer")

    run(create_file(bench.disk, "/moved", b"old"))
    bench.disk.opening_hook = hook
    with pytest.raises(errors.Busy):
        run(bench.storage().rename(SOURCE, TARGET))
    assert run(read_file(bench.root, "/file")) == b"newer"
    assert run(read_file(bench.disk, "/moved")) == b"old"
    assert not run(IPartials(bench.disk).all_partials())


def test_a_file_that_changes_when_the_copy_is_published_stays(bench):
    async def hook():
        await create_file(bench.root, "/file", b"newer")

    bench.disk.hook = hook
    with pytest.raises(errors.Busy):
        run(bench.storage().rename(SOURCE, TARGET))
    assert run(read_file(bench.root, "/file")) == b"newer"
    assert run(read_file(bench.disk, "/moved")) == DATA


def test_the_same_file_under_two_mounts_is_not_lost():
    bench = Bench()
    bench.disk = bench.root
    run(bench.storage().rename(SOURCE, path_at("/in/file")))
    assert run(read_file(bench.root, "/file")) == DATA
