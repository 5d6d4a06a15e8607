"""Changes to the tree, attributes, digests and readings of storage on the disk."""

import errno
import hashlib
import os

import pytest
from twisted.internet.defer import CancelledError, Deferred
from zope.interface.verify import verifyObject

from ftpservice.backends.local import operations
from ftpservice.backends.local.files import hashing
from ftpservice.storage import errors
from ftpservice.storage.interfaces import (
    IDescriptor,
    IFreeSpace,
    IHashes,
    IPartials,
    IReading,
    ISetMode,
    ISetTimes,
    IStorage,
    WriteRequest,
)
from ftpservice.testing.contract.case import (
    begin_upload,
    create_file,
    list_directory,
    path_at,
    read_file,
)
from ftpservice.wire.entry import Kind
from ftpservice.wire.paths import ROOT
from tests.support.local_source import Bench, run


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    assert made.open_descriptors() == []


def fail(*args, **kwargs):
    raise OSError(errno.EIO, "broken")


@pytest.mark.parametrize(
    "interface", [IStorage, IHashes, ISetTimes, ISetMode, IFreeSpace, IPartials]
)
def test_everything_is_offered(bench, interface):
    verifyObject(interface, interface(bench.storage))


class TestDirectories:
    def test_a_directory_that_cannot_be_completed_is_removed_again(self, bench, monkeypatch):
        opening = os.open

        def limited(name, *words, **more):
            if name in ("new", b"new"):
                raise OSError(errno.EMFILE, "Too many open files")
            return opening(name, *words, **more)

        monkeypatch.setattr(operations.os, "open", limited)
        with pytest.raises(errors.OutOfResources):
            run(bench.storage.make_directory(path_at("/new")))
        assert not list(bench.root.iterdir())

    def test_bits_that_a_directory_inherits_stay(self, bench):
        os.chmod(bench.root, 0o2755)
        run(bench.storage.make_directory(path_at("/dir"), 0o750))
        assert (bench.root / "dir").stat().st_mode & 0o7777 == 0o2750

    def test_a_directory_goes_with_the_owners_partials_in_it(self, bench):
        run(bench.storage.make_directory(path_at("/dir")))
        run(run(begin_upload(bench.storage, "/dir/file", b"x")).abandon())
        run(bench.storage.remove_directory(path_at("/dir")))
        assert bench.hidden() == []

    def test_a_directory_goes_with_partials_of_others_whose_time_is_over(self, bench):
        run(bench.storage.make_directory(path_at("/dir")))
        run(run(begin_upload(bench.owned_by("two"), "/dir/file", b"x")).abandon())
        with pytest.raises(errors.HasUploads):
            run(bench.storage.remove_directory(path_at("/dir")))
        (name,) = bench.hidden()
        os.utime(bench.root / "dir" / name, (0, 0))
        run(bench.storage.remove_directory(path_at("/dir")))

    @pytest.mark.parametrize("name", [".ftpservice.other", "file"])
    def test_a_directory_with_anything_else_stays_as_it_is(self, bench, name):
        run(bench.storage.make_directory(path_at("/dir")))
        run(run(begin_upload(bench.storage, "/dir/file", b"x")).abandon())
        (bench.root / "dir" / name).touch()
        with pytest.raises(errors.NotEmpty):
            run(bench.storage.remove_directory(path_at("/dir")))
        assert len(bench.hidden()) == 1 + name.startswith(".")

    def test_a_directory_disguised_as_a_partial_is_not_removed(self, bench):
        run(bench.storage.make_directory(path_at("/dir")))
        (bench.root / "dir" / f".ftpservice.{'0' * 32}.part").mkdir()
        with pytest.raises(errors.StorageError):
            run(bench.storage.remove_directory(path_at("/dir")))

    def test_other_failures_are_what_they_are(self, bench, monkeypatch):
        run(bench.storage.make_directory(path_at("/dir")))
        with monkeypatch.context() as patch, pytest.raises(errors.Unavailable):
            patch.setattr(os, "rmdir", fail)
            run(bench.storage.remove_directory(path_at("/dir")))


class TestRenaming:
    def test_a_directory_gives_no_way_to_a_directory_even_if_empty(self, bench):
        for name in ("/one", "/two"):
            run(bench.storage.make_directory(path_at(name)))
        with pytest.raises(errors.Exists):
            run(bench.storage.rename(path_at("/one"), path_at("/two")))

    def test_a_directory_renamed_to_itself_stays(self, bench):
        run(bench.storage.make_directory(path_at("/dir")))
        run(bench.storage.rename(path_at("/dir"), path_at("/dir")))
        assert set(run(list_directory(bench.storage))) == {"dir"}

    def test_a_directory_does_not_move_into_itself_through_a_link(self, bench):
        (bench.root / "dir" / "inner").mkdir(parents=True)
        (bench.root / "link").symlink_to("dir/inner")
        with pytest.raises(errors.InvalidName):
            run(bench.storage.rename(path_at("/dir"), path_at("/link/dir")))

    def test_what_was_in_the_way_may_vanish_meanwhile(self, bench, monkeypatch):
        run(create_file(bench.storage, "/one", b"1"))

        def late(*args):
            raise FileExistsError(errno.EEXIST, "there")

        monkeypatch.setattr(operations, "rename_exclusive", late)
        run(bench.storage.rename(path_at("/one"), path_at("/two")))
        assert run(read_file(bench.storage, "/two")) == b"1"
        with pytest.raises(errors.PathNotFound):
            run(bench.storage.rename(path_at("/one"), path_at("/three")))


class TestAttributes:
    def test_only_the_time_of_change_is_set(self, bench):
        run(create_file(bench.storage, "/file", b"x"))
        os.utime(bench.root / "file", (1000, 2000))
        run(ISetTimes(bench.storage).set_times(path_at("/file"), 3000.25))
        facts = (bench.root / "file").stat()
        assert (facts.st_atime, facts.st_mtime) == (1000, 3000.25)
        run(ISetTimes(bench.storage).set_times(path_at("/file")))
        assert (bench.root / "file").stat().st_mtime == 3000.25

    @pytest.mark.parametrize("modified", [1e30, float("inf"), float("nan")])
    def test_times_that_are_none_are_refused(self, bench, modified):
        run(create_file(bench.storage, "/file", b"x"))
        with pytest.raises(errors.NotSupported):
            run(ISetTimes(bench.storage).set_times(path_at("/file"), modified))

    def test_only_the_lower_nine_bits_are_set(self, bench):
        run(create_file(bench.storage, "/file", b"x"))
        os.chmod(bench.root / "file", 0o4755)
        run(ISetMode(bench.storage).set_mode(path_at("/file"), 0o7600))
        assert run(bench.storage.stat(path_at("/file"))).mode == 0o600
        run(ISetMode(bench.storage).set_mode(path_at("/file"), 0o600))

    def test_they_are_set_behind_links(self, bench):
        run(create_file(bench.storage, "/file", b"x"))
        (bench.root / "link").symlink_to(bench.root / "file")
        run(ISetMode(bench.storage).set_mode(path_at("/link"), 0o611))
        run(ISetTimes(bench.storage).set_times(path_at("/link"), 5.0))
        entry = run(bench.storage.stat(path_at("/file")))
        assert (entry.mode, entry.modified) == (0o611, 5.0)

    def test_free_space_is_what_the_filesystem_says(self, bench):
        free = run(IFreeSpace(bench.storage).free_space(ROOT))
        facts = os.statvfs(bench.root)
        assert abs(free - facts.f_bavail * facts.f_frsize) < 1 << 30
        with pytest.raises(errors.PathNotFound):
            run(IFreeSpace(bench.storage).free_space(path_at("/none")))


class TestReadings:
    def test_they_are_descriptors_too(self, bench):
        run(create_file(bench.storage, "/file", b"x"))
        reading = run(bench.storage.open_reading(path_at("/file")))
        verifyObject(IReading, reading)
        verifyObject(IDescriptor, reading)
        assert os.pread(reading.fileno(), 10, 0) == b"x"
        reading.close()
        reading.close()
        with pytest.raises(errors.Unavailable):
            reading.fileno()
        with pytest.raises(errors.Unavailable):
            run(reading.read(0, 1))

    def test_what_is_appended_meanwhile_is_not_read(self, bench):
        run(create_file(bench.storage, "/file", b"old"))
        reading = run(bench.storage.open_reading(path_at("/file")))
        with open(bench.root / "file", "ab") as file:
            file.write(b" and new")
        assert run(reading.read(0, 100)) == b"old"
        assert run(reading.read(3, 100)) == b""
        reading.close()

    @pytest.mark.parametrize("begun", [False, True])
    def test_an_opening_that_is_cancelled_leaves_nothing_open(self, bench, begun):
        run(create_file(bench.storage, "/file", b"x"))
        bench.pool.held, bench.pool.begun = True, begun
        for opening in (
            bench.storage.open_reading(path_at("/file")),
            bench.storage.open_listing(ROOT),
        ):
            call = Deferred.fromCoroutine(opening)
            call.cancel()
            with pytest.raises(CancelledError):
                run(call)
        bench.let_all_go()

    def test_a_stopped_pool_is_an_error(self, bench):
        run(bench.pool.stop())
        with pytest.raises(errors.Unavailable):
            run(bench.storage.stat(ROOT))


class TestDigests:
    def test_a_long_one_is_computed_in_turns(self, bench, monkeypatch):
        monkeypatch.setattr(hashing, "BYTES_PER_TURN", 1000)
        monkeypatch.setattr(hashing, "READ_SIZE", 300)
        data = bytes(range(250)) * 13
        run(create_file(bench.storage, "/file", data))
        bench.pool.held = True
        call = Deferred.fromCoroutine(IHashes(bench.storage).hash(path_at("/file"), "MD5", 1, None))
        for _ in range(5):
            assert not call.called
            bench.pool.release()
        assert run(call) == hashlib.md5(data[1:], usedforsecurity=False).hexdigest()
        bench.let_all_go()

    def test_cancelling_ends_it(self, bench, monkeypatch):
        monkeypatch.setattr(hashing, "BYTES_PER_TURN", 1000)
        run(create_file(bench.storage, "/file", b"x" * 100_000))
        bench.pool.held = True
        call = Deferred.fromCoroutine(IHashes(bench.storage).hash(path_at("/file"), "MD5", 0, None))
        for _ in range(5):
            bench.pool.release()
        call.cancel()
        with pytest.raises(CancelledError):
            run(call)
        bench.let_all_go()

    def test_a_file_that_shrinks_meanwhile_has_none(self, bench, monkeypatch):
        monkeypatch.setattr(hashing, "BYTES_PER_TURN", 1000)
        run(create_file(bench.storage, "/file", b"x" * 3000))
        bench.pool.held = True
        call = Deferred.fromCoroutine(IHashes(bench.storage).hash(path_at("/file"), "MD5", 0, None))
        bench.pool.release()
        os.truncate(bench.root / "file", 500)
        bench.let_all_go()
        with pytest.raises(errors.Unavailable):
            run(call)

    def test_an_unknown_algorithm_is_unsupported(self, bench):
        run(create_file(bench.storage, "/file", b"x"))
        with pytest.raises(errors.NotSupported):
            run(IHashes(bench.storage).hash(path_at("/file"), "MD2", 0, None))


def test_a_full_pool_is_an_error(tmp_path):
    from ftpservice.concurrency.thread_pool import InlineRunner, PoolOverloaded
    from ftpservice.storage.blocking_calls import in_pool

    def overloaded():
        raise PoolOverloaded

    with pytest.raises(errors.OutOfResources):
        run(in_pool(InlineRunner(), ROOT, overloaded))


def test_a_partial_upload_has_the_entry_of_its_file(bench):
    run(run(begin_upload(bench.storage, "/file", b"x", WriteRequest())).abandon())
    entry = run(IPartials(bench.storage).partial(path_at("/file")))
    assert (entry.name, entry.kind) == ("file", Kind.FILE)
