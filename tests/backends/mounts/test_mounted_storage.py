"""A tree from several storages: what is where, what is hidden, and what cannot be changed."""

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from ftpservice.backends.memory.storage import MemoryStorage
from ftpservice.backends.memory.tree import MemoryTree
from ftpservice.storage import errors
from ftpservice.storage.interfaces import (
    IAccess,
    IEnter,
    IFreeSpace,
    IHashes,
    IPartials,
    ISetMode,
    ISetTimes,
    WriteMode,
    WriteRequest,
)
from ftpservice.storage.trash import ITrash, TrashRule
from ftpservice.testing.contract.case import (
    begin_upload,
    create_file,
    list_directory,
    path_at,
    read_file,
)
from ftpservice.wire.entry import ENTER, READ, REMOVE, WRITE, Kind
from tests.support.mounts import down, mounted, part


def run(call):
    """Return what a call that never waits returns, or raise what it raises."""
    results = []

    async def answer():
        return await call

    Deferred.fromCoroutine(answer()).addBoth(results.append)
    [result] = results
    if isinstance(result, Failure):
        result.raiseException()
    return result


class Bare(MemoryStorage):
    """A storage without optional interfaces."""

    def __conform__(self, interface):
        return None


class Waiting(MemoryStorage):
    """A storage that does not answer."""

    def stat(self, path):
        return Deferred()


class Bench:
    def __init__(self):
        self.clock = Clock()
        self.root, self.disk, self.archive = (MemoryStorage() for _ in range(3))
        for name in ("/in", "/deep"):  # a file of the name of a mount, and of a directory above one
            run(create_file(self.root, name, b"hidden"))
        run(create_file(self.archive, "/old", b"1999"))
        self.parts = [
            part("/", self.root),
            part("/in", self.disk),
            part("/deep/er/archive", self.archive, read_only=True),
            part("/bare", Bare()),
            down("/down"),
        ]

    def storage(self, copies=False):
        return mounted(self.clock, *self.parts, copies=copies)


@pytest.fixture
def bench():
    return Bench()


def test_mount_points_are_directories_of_their_parent_and_hide_what_it_has(bench):
    run(create_file(bench.root, "/own", b"x"))
    listed = run(list_directory(bench.storage()))
    kinds = {name: entry.kind for name, entry in listed.items()}
    directories = dict.fromkeys(("in", "deep", "bare", "down"), Kind.DIRECTORY)
    assert kinds == {"own": Kind.FILE, **directories}
    assert list(run(list_directory(bench.storage(), "/deep"))) == ["er"]
    assert list(run(list_directory(bench.storage(), "/deep/er"))) == ["archive"]
    assert list(run(list_directory(bench.storage(), "/deep/er/archive"))) == ["old"]


@pytest.mark.parametrize("name", ["/in", "/deep", "/deep/er", "/deep/er/archive", "/bare"])
def test_directories_of_mounts_can_be_seen_and_entered_and_not_changed(bench, name):
    storage, path = bench.storage(), path_at(name)
    entry = run(storage.stat(path))
    assert (entry.name, entry.kind) == (path.name, Kind.DIRECTORY)
    assert not entry.access & REMOVE
    run(IEnter(storage).enter(path))
    for change in (
        storage.remove_directory(path),
        storage.remove_file(path),
        storage.rename(path, path_at("/new")),
        storage.rename(path_at("/own"), path),
    ):
        with pytest.raises(errors.MountPoint):
            run(change)
    with pytest.raises(errors.Exists):
        run(storage.make_directory(path))
    for opening in (storage.open_reading(path), storage.open_writing(path, WriteRequest())):
        with pytest.raises(errors.IsDirectory):
            run(opening)
    with pytest.raises(errors.IsDirectory):
        run(IHashes(storage).hash(path, "CRC32", 0, None))


def test_a_directory_above_a_mount_is_that_of_its_storage_if_there_is_one(bench):
    run(bench.root.remove_file(path_at("/deep")))
    run(bench.root.make_directory(path_at("/deep"), 0o700))
    storage = bench.storage()
    assert run(storage.stat(path_at("/deep"))).mode == 0o700
    run(create_file(storage, "/deep/file", b"x"))
    assert sorted(run(list_directory(storage, "/deep"))) == ["er", "file"]


def test_nothing_can_be_created_in_a_directory_that_only_mounts_are_in(bench):
    storage = bench.storage()
    for name in ("/deep/new", "/deep/er/new"):
        with pytest.raises(errors.Denied):
            run(storage.make_directory(path_at(name)))
        with pytest.raises(errors.Denied):
            run(create_file(storage, name, b"x"))
    with pytest.raises(errors.PathNotFound):
        run(create_file(storage, "/none/new", b"x"))


def test_files_are_in_the_storage_of_their_path(bench):
    storage = bench.storage()
    run(create_file(storage, "/in/file", b"data"))
    assert run(read_file(bench.disk, "/file")) == run(read_file(storage, "/in/file")) == b"data"
    assert run(storage.stat(path_at("/in/file"))).size == 4
    run(ISetTimes(storage).set_times(path_at("/in/file"), 5.0))
    run(ISetMode(storage).set_mode(path_at("/in/file"), 0o600))
    run(storage.rename(path_at("/in/file"), path_at("/in/renamed")))
    entry = run(bench.disk.stat(path_at("/renamed")))
    assert (entry.modified, entry.mode) == (5.0, 0o600)
    run(storage.remove_file(path_at("/in/renamed")))
    assert not run(list_directory(bench.disk))


def test_errors_and_uploads_have_the_paths_of_the_account(bench):
    storage = bench.storage()
    with pytest.raises(errors.PathNotFound) as raised:
        run(storage.stat(path_at("/in/none")))
    assert raised.value.path == path_at("/in/none")
    assert str(raised.value).startswith("/in/none:")
    writing = run(begin_upload(storage, "/in/new", b"x"))
    assert writing.path == path_at("/in/new")
    run(writing.abandon())


def test_a_unique_name_is_never_that_of_a_mount(bench):
    unique = WriteRequest(WriteMode.UNIQUE)
    entry = run(create_file(bench.storage(), "/in", b"x", unique))
    assert entry.name == "in.1"
    assert run(read_file(bench.root, "/in.1")) == b"x"


def test_a_read_only_mount_refuses_every_change(bench):
    storage, top = bench.storage(), "/deep/er/archive"
    old, new = path_at(f"{top}/old"), path_at(f"{top}/new")
    assert run(read_file(storage, f"{top}/old")) == b"1999"
    for change in (
        storage.make_directory(new),
        storage.remove_file(old),
        storage.remove_directory(old),
        storage.rename(old, new),
        storage.rename(old, path_at("/in/old")),
        storage.rename(path_at("/in/x"), new),
        storage.open_writing(new, WriteRequest()),
        storage.open_writing(old, WriteRequest(WriteMode.APPEND)),
        ISetTimes(storage).set_times(old, 1.0),
        ISetMode(storage).set_mode(old, 0),
    ):
        with pytest.raises(errors.Denied):
            run(change)
    for entry in (run(storage.stat(old)), run(list_directory(storage, top))["old"]):
        assert entry.access == READ | ENTER
    assert run(IAccess(storage).access(old, follow=True)) == READ | ENTER
    assert run(read_file(bench.archive, "/old")) == b"1999"


def test_a_storage_that_is_down_fails_only_its_own_paths(bench):
    storage = bench.storage()
    assert run(list_directory(storage))["down"].kind is Kind.DIRECTORY
    for call in (storage.stat(path_at("/down")), storage.open_listing(path_at("/down"))):
        with pytest.raises(errors.Unavailable):
            run(call)
    with pytest.raises(errors.Unavailable):
        run(create_file(storage, "/down/file", b"x"))
    run(create_file(storage, "/in/file", b"x"))
    assert run(IPartials(storage).all_partials()) == []


def test_a_storage_that_comes_back_is_used(bench):
    is_down, memory = [True], MemoryStorage()

    async def opens():
        if is_down[0]:
            raise errors.Unavailable(path_at("/"), "no such disk")
        return memory, (memory,)

    bench.parts[-1].opens = opens
    storage = bench.storage()
    with pytest.raises(errors.Unavailable) as raised:
        run(storage.stat(path_at("/down/file")))
    assert raised.value.path == path_at("/down")
    is_down[0] = False
    run(create_file(storage, "/down/file", b"x"))


def test_a_listing_does_not_wait_long_for_a_mount_that_hangs(bench):
    bench.parts.append(part("/hangs", Waiting()))
    results = []
    Deferred.fromCoroutine(list_directory(bench.storage())).addBoth(results.append)
    assert not results
    bench.clock.advance(3)
    assert results[0]["hangs"].kind is Kind.DIRECTORY
    assert not bench.clock.getDelayedCalls()


def test_capabilities_are_those_of_the_storage_of_the_path(bench):
    storage = bench.storage()
    for name in ("/in/file", "/bare/file"):
        run(create_file(storage, name, b"x"))
    assert run(IHashes(storage).hash(path_at("/in/file"), "CRC32", 0, 1))
    bare = path_at("/bare/file")
    for call in (
        IHashes(storage).hash(bare, "CRC32", 0, 1),
        ISetTimes(storage).set_times(bare, 1.0),
        ISetMode(storage).set_mode(bare, 0),
        IFreeSpace(storage).free_space(path_at("/bare")),
    ):
        with pytest.raises(errors.NotSupported):
            run(call)
    with pytest.raises(errors.PathNotFound):
        run(IPartials(storage).partial(bare))
    assert run(IAccess(storage).access(bare, follow=True)) & WRITE
    run(IEnter(storage).enter(path_at("/bare")))
    with pytest.raises(errors.NotDirectory):
        run(IEnter(storage).enter(bare))


def test_free_space_is_that_of_the_storage_of_the_path(bench):
    bench.parts[1] = part("/in", MemoryStorage(MemoryTree(capacity=1000)))
    space = IFreeSpace(bench.storage())
    assert run(space.free_space(path_at("/in"))) == 1000
    assert run(space.free_space(path_at("/"))) > 1000
    assert run(space.free_space(path_at("/deep/er"))) == run(space.free_space(path_at("/")))


def test_partial_uploads_of_all_storages_are_found_and_removed(bench):
    storage, partials = bench.storage(), IPartials(bench.storage())
    for name in ("/own", "/in/other"):
        run(run(begin_upload(storage, name, b"part")).abandon())
    assert run(partials.partial(path_at("/in/other"))).size == 4
    assert {str(one.path) for one in run(partials.all_partials())} == {"/own", "/in/other"}
    [dropped] = run(partials.drop_partials(path_at("/in/other")))
    assert dropped.path == path_at("/in/other")
    assert [str(one.path) for one in run(partials.drop_partials())] == ["/own"]


def test_an_interrupted_upload_to_a_mount_is_resumed(bench):
    storage = bench.storage()
    run(run(begin_upload(storage, "/in/file", b"1234")).abandon())
    run(create_file(storage, "/in/file", b"56", WriteRequest(offset=4)))
    assert run(read_file(storage, "/in/file")) == b"123456"


def test_each_storage_keeps_what_is_deleted_there(bench):
    rule = TrashRule(3600)
    bench.parts[1] = part("/in", bench.disk.with_trash(rule))
    storage = bench.storage()
    assert ITrash(storage).rule is None
    bench.parts[0] = part("/", bench.root.with_trash(rule))
    storage = bench.storage()
    for name in ("/top", "/in/low", "/bare/x"):
        run(create_file(storage, name, b"data"))
        run(storage.remove_file(path_at(name)))
    low, top = run(ITrash(storage).trashed(path_at("/")))
    assert (str(top.path), str(low.path)) == ("/top", "/in/low")
    assert ITrash(storage).rule == rule
    assert run(ITrash(storage).trashed(path_at("/in"))) == [low]
    with pytest.raises(errors.OtherFilesystem):
        run(ITrash(storage).restore(low, path_at("/elsewhere"), False))
    with pytest.raises(errors.MountPoint):
        run(ITrash(storage).restore(top, path_at("/in"), True))
    with pytest.raises(errors.Denied):
        run(ITrash(storage).restore(top, path_at("/deep/er/archive/x"), False))
    run(ITrash(storage).restore(low, path_at("/in/again"), False))
    assert run(read_file(storage, "/in/again")) == b"data"
    assert run(ITrash(storage).discard([top, low])) == [top]
    lost = top._replace(path=path_at("/bare/x"))
    with pytest.raises(errors.NotSupported):
        run(ITrash(storage).restore(lost, path_at("/bare/y"), False))
