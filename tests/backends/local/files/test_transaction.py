"""Uploads to the disk are transactions: each row of the table, and what may go wrong on the way."""

import errno
import os
import stat

import pytest
from twisted.internet.defer import CancelledError, Deferred
from zope.interface.verify import verifyObject

from ftpservice.backends.local.files import open_upload
from ftpservice.backends.local.files import upload as local_upload
from ftpservice.backends.local.partials import partial_file
from ftpservice.backends.local.paths import file_ops
from ftpservice.storage import errors
from ftpservice.storage.interfaces import IDescriptor, IPartials, IWriting, WriteMode, WriteRequest
from ftpservice.testing.contract.case import (
    begin_upload,
    create_file,
    list_directory,
    partial_size,
    path_at,
    read_file,
    upload_file,
)
from tests.support.local_source import Bench, run
from tests.support.memory_transport import is_pending


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    assert made.open_descriptors() == []


def full_disk(*_args):
    raise OSError(errno.ENOSPC, "full")


def cut(bench, name, data, request=None):
    run(run(begin_upload(bench.storage, name, data, request)).abandon())


class TestTable:
    """The rows of the table in the design."""

    def test_store_under_a_new_name(self, bench):
        writing = run(begin_upload(bench.storage, "/file", b"half"))
        assert run(list_directory(bench.storage)) == {}
        run(writing.abandon())
        assert run(list_directory(bench.storage)) == {}
        assert run(partial_size(bench.storage, "/file")) == 4
        assert run(create_file(bench.storage, "/file", b"whole")).size == 5
        assert run(read_file(bench.storage, "/file")) == b"whole"
        assert not bench.hidden()

    def test_store_over_a_file(self, bench):
        run(create_file(bench.storage, "/file", b"old"))
        reading = run(bench.storage.open_reading(path_at("/file")))
        cut(bench, "/file", b"half")
        assert run(read_file(bench.storage, "/file")) == b"old"
        assert run(partial_size(bench.storage, "/file")) == 4
        run(create_file(bench.storage, "/file", b"whole and new"))
        assert run(read_file(bench.storage, "/file")) == b"whole and new"
        assert run(reading.read(0, 100)) == b"old"
        reading.close()
        assert not bench.hidden()

    def test_an_interrupted_upload_can_be_resumed(self, bench):
        run(create_file(bench.storage, "/file", b"old content"))
        cut(bench, "/file", b"01234")
        cut(bench, "/file", b"56", WriteRequest(offset=5))
        assert run(partial_size(bench.storage, "/file")) == 7
        assert run(read_file(bench.storage, "/file")) == b"old content"
        run(create_file(bench.storage, "/file", b"789", WriteRequest(offset=7)))
        assert run(read_file(bench.storage, "/file")) == b"0123456789"
        assert not bench.hidden()

    def test_resume_without_a_partial(self, bench):
        run(create_file(bench.storage, "/file", b"0123xxxx"))
        cut(bench, "/file", b"45", WriteRequest(offset=4))
        assert run(read_file(bench.storage, "/file")) == b"0123xxxx"
        assert run(partial_size(bench.storage, "/file")) == 6
        run(create_file(bench.storage, "/file", b"67", WriteRequest(offset=6)))
        assert run(read_file(bench.storage, "/file")) == b"01234567"

    def test_append_to_a_file(self, bench):
        run(create_file(bench.storage, "/file", b"old"))
        writing = run(begin_upload(bench.storage, "/file", b" and", WriteRequest(WriteMode.APPEND)))
        assert run(read_file(bench.storage, "/file")) == b"old and"
        run(writing.abandon())
        assert run(read_file(bench.storage, "/file")) == b"old and"
        assert run(upload_file(bench.storage, "/file", b" new", WriteMode.APPEND)).size == 11
        assert not bench.hidden()

    def test_store_unique(self, bench):
        run(create_file(bench.storage, "/file", b"old"))
        writing = run(begin_upload(bench.storage, "/file", b"new", WriteRequest(WriteMode.UNIQUE)))
        assert writing.path == path_at("/file.1")
        assert set(run(list_directory(bench.storage))) == {"file"}
        assert run(writing.commit()).name == "file.1"
        cut(bench, "/file", b"half", WriteRequest(WriteMode.UNIQUE))
        assert set(run(list_directory(bench.storage))) == {"file", "file.1"}
        assert not bench.hidden()


class TestPartials:
    def test_an_interruption_before_the_first_byte_leaves_nothing(self, bench):
        for request in (
            WriteRequest(),
            WriteRequest(WriteMode.CREATE),
            WriteRequest(WriteMode.APPEND),
        ):
            cut(bench, "/file", b"", request)
        run(create_file(bench.storage, "/file", b"0123"))
        cut(bench, "/file", b"", WriteRequest(offset=2))
        assert not bench.hidden()

    def test_a_resume_that_brings_nothing_keeps_the_partial(self, bench):
        cut(bench, "/file", b"0123")
        cut(bench, "/file", b"", WriteRequest(offset=4))
        assert run(partial_size(bench.storage, "/file")) == 4
        cut(bench, "/file", b"", WriteRequest(WriteMode.APPEND))
        assert run(partial_size(bench.storage, "/file")) == 4

    def test_an_empty_one_is_none(self, bench):
        cut(bench, "/file", b"0123")
        os.truncate(bench.root / bench.hidden()[0], 0)
        with pytest.raises(errors.PathNotFound):
            run(IPartials(bench.storage).partial(path_at("/file")))

    def test_below_a_file_there_are_none(self, bench):
        run(create_file(bench.storage, "/file", b"x"))
        with pytest.raises(errors.PathNotFound):
            run(IPartials(bench.storage).partial(path_at("/file/x")))

    def test_of_two_writers_the_second_grows_a_spare(self, bench):
        one = run(begin_upload(bench.storage, "/file", b"first"))
        two = run(begin_upload(bench.storage, "/file", b"number two"))
        assert len(bench.hidden()) == 2
        run(two.commit())
        assert run(read_file(bench.storage, "/file")) == b"number two"
        run(one.commit())
        assert run(read_file(bench.storage, "/file")) == b"first"
        assert not bench.hidden()

    def test_an_interrupted_spare_becomes_the_partial_if_that_is_free(self, bench):
        one = run(begin_upload(bench.storage, "/file", b"first"))
        two = run(begin_upload(bench.storage, "/file", b"number two"))
        run(one.commit())
        run(two.abandon())
        assert run(partial_size(bench.storage, "/file")) == 10
        assert len(bench.hidden()) == 1

    def test_an_interrupted_spare_is_removed_if_the_partial_is_being_written(self, bench):
        one = run(begin_upload(bench.storage, "/file", b"first"))
        two = run(begin_upload(bench.storage, "/file", b"number two"))
        run(two.abandon())
        assert len(bench.hidden()) == 1
        run(one.commit())
        assert run(read_file(bench.storage, "/file")) == b"first"

    def test_of_two_interrupted_uploads_the_longer_is_kept(self, bench):
        for sizes in ((5, 10), (10, 5)):
            writings = [run(begin_upload(bench.storage, "/file", b"x" * size)) for size in sizes]
            for writing in writings:
                run(writing.abandon())
            assert run(partial_size(bench.storage, "/file")) == 10
            assert len(bench.hidden()) == 1

    @pytest.mark.parametrize("how", [WriteMode.REPLACE, WriteMode.CREATE, WriteMode.APPEND])
    def test_a_resume_takes_nothing_from_who_still_writes(self, bench, how):
        in_progress = run(begin_upload(bench.storage, "/file", b"01234" * 20_000))
        offset = 0 if how is WriteMode.APPEND else 5
        with pytest.raises(errors.BeingUploaded):
            run(begin_upload(bench.storage, "/file", b"", WriteRequest(how, offset)))
        run(in_progress.commit())
        assert run(read_file(bench.storage, "/file")) == b"01234" * 20_000
        assert not bench.hidden()

    def test_a_partial_tells_owner_and_name_and_a_file_does_not(self, bench):
        cut(bench, "/file", b"0123")
        (name,) = bench.hidden()
        assert partial_file.read_mark(bench.storage._tree.root, os.fsencode(name)) == (
            "one",
            b"file",
            "",
        )
        run(create_file(bench.storage, "/file", b"x" * 100_000, WriteRequest(offset=4)))
        assert not [one for one in os.listxattr(bench.root / "file") if "ftpservice" in one]

    def test_a_partial_of_a_file_is_listed_without_extended_attributes(self, bench, monkeypatch):
        def refuse(*args):
            raise OSError(errno.ENOTSUP, "no attributes")

        monkeypatch.setattr(os, "setxattr", refuse)
        run(create_file(bench.storage, "/file", b"old"))
        cut(bench, "/file", b"0123")
        cut(bench, "/new", b"0123")
        partials = run(IPartials(bench.storage).all_partials())
        assert {one.size for one in partials} == {4}
        assert {one.owner for one in partials} == {"one"}
        assert path_at("/file") in {one.path for one in partials}
        for one in partials:
            run(IPartials(bench.storage).drop_partials(one.path))
        assert bench.hidden() == []

    def test_other_owners_have_others(self, bench):
        other = bench.owned_by("two")
        cut(bench, "/file", b"mine")
        assert run(partial_size(other, "/file")) is None
        writing = run(begin_upload(other, "/file", b"theirs", WriteRequest(WriteMode.APPEND)))
        assert writing.offset == 0
        run(writing.abandon())
        assert (run(partial_size(bench.storage, "/file")), run(partial_size(other, "/file"))) == (
            4,
            6,
        )

    def test_a_removed_file_takes_the_owners_partial_along(self, bench):
        run(create_file(bench.storage, "/file", b"old"))
        cut(bench, "/file", b"half of the new")
        other = run(begin_upload(bench.owned_by("two"), "/file", b"theirs"))
        run(bench.storage.remove_file(path_at("/file")))
        assert run(partial_size(bench.storage, "/file")) is None
        assert len(bench.hidden()) == 1
        run(other.commit())

    def test_what_is_not_ours_is_left_alone(self, bench):
        """Somebody on this machine may have put things where a partial would be."""
        cut(bench, "/file", b"mine")
        place = bench.root / bench.hidden()[0]
        victim = bench.outside / "victim"
        victim.write_bytes(b"not to be touched")

        def foreign():
            place.write_bytes(b"theirs")
            if os.geteuid() == 0:
                os.chown(place, 4321, 4321)
            else:
                os.chmod(place, 0)

        for put in (
            lambda: place.symlink_to(victim),
            lambda: os.link(victim, place),
            lambda: os.mkfifo(place),
            lambda: place.mkdir(),
            foreign,
        ):
            place.unlink()
            put()
            assert run(partial_size(bench.storage, "/file")) is None
            run(create_file(bench.storage, "/file", b"whole"))
            assert run(read_file(bench.storage, "/file")) == b"whole"
            cut(bench, "/file", b"half")
            assert bench.hidden() == [place.name]
            if place.is_dir():
                place.rmdir()
                place.touch()
        assert victim.read_bytes() == b"not to be touched"


class TestPublishing:
    def test_permission_bits_do_not_depend_on_the_umask(self, bench):
        before = os.umask(0o077)
        try:
            assert run(create_file(bench.storage, "/file", b"x")).mode == 0o644
            run(bench.storage.make_directory(path_at("/dir"), 0o775))
            assert run(bench.storage.stat(path_at("/dir"))).mode == 0o775
            assert (
                run(create_file(bench.storage, "/other", b"x", WriteRequest(mode=0o6660))).mode
                == 0o660
            )
        finally:
            os.umask(before)

    def test_a_partial_shows_no_more_than_the_file_it_replaces(self, bench):
        run(create_file(bench.storage, "/file", b"secret", WriteRequest(mode=0o400)))
        writing = run(begin_upload(bench.storage, "/file", b"new secret"))
        assert stat.S_IMODE((bench.root / bench.hidden()[0]).stat().st_mode) == 0o600
        assert run(writing.commit()).mode == 0o400

    def test_a_partial_that_was_taken_away_is_not_published(self, bench):
        writing = run(begin_upload(bench.storage, "/file", b"mine"))
        name = bench.root / bench.hidden()[0]
        name.unlink()
        name.write_bytes(b"another's")
        with pytest.raises(errors.PathNotFound):
            run(writing.commit())
        assert run(list_directory(bench.storage)) == {}
        assert name.read_bytes() == b"another's"

    def test_a_directory_removed_meanwhile_takes_what_arrived(self, bench):
        run(bench.storage.make_directory(path_at("/dir")))
        for how in (WriteMode.REPLACE, WriteMode.CREATE, WriteMode.UNIQUE):
            (bench.root / "dir").mkdir(exist_ok=True)
            committed, abandoned = (
                run(begin_upload(bench.storage, f"/dir/{name}", b"x", WriteRequest(how)))
                for name in ("one", "two")
            )
            for path in (bench.root / "dir").iterdir():
                path.unlink()
            (bench.root / "dir").rmdir()
            with pytest.raises(errors.PathNotFound):
                run(committed.commit())
            run(abandoned.abandon())

    def test_a_moved_directory_takes_the_upload_along(self, bench):
        run(bench.storage.make_directory(path_at("/dir")))
        writing = run(begin_upload(bench.storage, "/dir/file", b"x"))
        run(bench.storage.rename(path_at("/dir"), path_at("/moved")))
        run(writing.commit())
        assert run(read_file(bench.storage, "/moved/file")) == b"x"

    def test_an_append_to_a_file_that_is_replaced_is_not_confirmed(self, bench):
        run(create_file(bench.storage, "/file", b"old"))
        writing = run(begin_upload(bench.storage, "/file", b"lost", WriteRequest(WriteMode.APPEND)))
        run(create_file(bench.storage, "/file", b"new"))
        with pytest.raises(errors.PathNotFound):
            run(writing.commit())
        assert run(read_file(bench.storage, "/file")) == b"new"

    def test_an_append_to_nothing_does_not_replace_what_came_meanwhile(self, bench):
        writing = run(begin_upload(bench.storage, "/file", b"late", WriteRequest(WriteMode.APPEND)))
        run(create_file(bench.storage, "/file", b"early"))
        with pytest.raises(errors.Exists):
            run(writing.commit())
        assert run(read_file(bench.storage, "/file")) == b"early"

    def test_durable_uploads_are_synced_before_and_after_the_rename(self, tmp_path, monkeypatch):
        bench = Bench(tmp_path, durable=True)
        synced = []
        monkeypatch.setattr(
            os,
            "fsync",
            lambda fd: synced.append((stat.S_IFMT(os.fstat(fd).st_mode), bench.hidden())),
        )
        run(create_file(bench.storage, "/file", b"x"))
        (first, before), (second, after) = synced
        assert (first, len(before)) == (stat.S_IFREG, 1)
        assert (second, len(after)) == (stat.S_IFDIR, 0)
        run(upload_file(bench.storage, "/file", b"x", WriteMode.APPEND))
        assert len(synced) == 3


class TestUnique:
    def test_numbers_are_followed_by_something_random(self, bench):
        for number in range(105):
            assert run(upload_file(bench.storage, "/file", b"x", WriteMode.UNIQUE)).size == 1, (
                number
            )
        names = set(run(list_directory(bench.storage)))
        assert {"file", "file.1", "file.99"} <= names
        assert len(names) == 105

    def test_a_long_name_is_shortened(self, bench):
        name = "ü" * 127
        run(upload_file(bench.storage, "/" + name, b"x", WriteMode.UNIQUE))
        second = run(upload_file(bench.storage, "/" + name, b"x", WriteMode.UNIQUE)).name
        assert second == "ü" * 122 + ".1"

    def test_two_at_once_are_promised_different_names(self, bench):
        request = WriteRequest(WriteMode.UNIQUE)
        one = run(begin_upload(bench.storage, "/file", b"x", request))
        two = run(begin_upload(bench.storage, "/file", b"x", request))
        assert (one.path, two.path) == (path_at("/file"), path_at("/file.1"))
        run(two.commit())
        run(one.commit())
        assert set(run(list_directory(bench.storage))) == {"file", "file.1"}

    def test_a_promised_name_that_is_taken_is_replaced_by_the_next(self, bench):
        writing = run(begin_upload(bench.storage, "/file", b"mine", WriteRequest(WriteMode.UNIQUE)))
        run(create_file(bench.storage, "/file", b"theirs"))
        assert run(writing.commit()).name == "file.1"
        assert writing.path == path_at("/file.1")
        assert run(read_file(bench.storage, "/file")) == b"theirs"

    def test_hidden_names_are_refused(self, bench):
        with pytest.raises(errors.InvalidName):
            run(upload_file(bench.storage, "/.ftpservice.x", b"x", WriteMode.UNIQUE))

    @pytest.mark.parametrize("how", [WriteMode.UNIQUE, WriteMode.APPEND])
    def test_an_offset_is_refused(self, bench, how):
        with pytest.raises(errors.NotSupported):
            run(bench.storage.open_writing(path_at("/file"), WriteRequest(how, offset=1)))


class TestDescriptors:
    def test_what_is_written_to_the_descriptor_is_counted(self, bench):
        cut(bench, "/file", b"01234")
        writing = run(
            begin_upload(bench.storage, "/file", b"", WriteRequest(offset=3, announced=4))
        )
        verifyObject(IWriting, writing)
        verifyObject(IDescriptor, writing)
        os.write(writing.fileno(), b"3456")
        run(writing.commit())
        assert run(read_file(bench.storage, "/file")) == b"0123456"
        with pytest.raises(errors.Unavailable):
            writing.fileno()

    def test_so_is_what_is_appended_to_it(self, bench):
        run(create_file(bench.storage, "/file", b"old"))
        request = WriteRequest(WriteMode.APPEND, announced=4)
        writing = run(begin_upload(bench.storage, "/file", b"", request))
        verifyObject(IDescriptor, writing)
        os.write(writing.fileno(), b" new")
        assert run(writing.commit()).size == 7


class TestTrouble:
    @pytest.mark.parametrize(
        ("code", "kind"),
        [
            (errno.EROFS, errors.Denied),
            (errno.EIO, errors.Unavailable),
        ],
    )
    def test_a_write_that_fails_keeps_what_arrived(self, bench, monkeypatch, code, kind):
        writing = run(begin_upload(bench.storage, "/file", b"0123"))

        def fail(*args):
            raise OSError(code, os.strerror(code))

        with monkeypatch.context() as patch, pytest.raises(kind):
            patch.setattr(file_ops.os, "write", fail)
            run(writing.write(b"4567"))
        run(writing.abandon())
        assert run(partial_size(bench.storage, "/file")) == 4

    @pytest.mark.parametrize("offset", [0, 4])
    @pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
    def test_without_space_nothing_is_kept(self, bench, monkeypatch, code, offset):
        cut(bench, "/file", b"0123")
        request = WriteRequest(offset=offset)
        writing = run(begin_upload(bench.storage, "/file", b"4567", request))

        def fail(*args):
            raise OSError(code, os.strerror(code))

        with monkeypatch.context() as patch, pytest.raises(errors.StorageError):
            patch.setattr(file_ops.os, "write", fail)
            run(writing.write(b"x" * 100_000))
        run(writing.abandon())
        assert bench.hidden() == []

    def test_a_full_device_is_an_error(self, bench):
        with open("/dev/full", "wb", buffering=0) as full, pytest.raises(OSError) as caught:
            file_ops.write_all(full.fileno(), b"x")
        assert caught.value.errno == errno.ENOSPC

    def test_short_writes_are_continued(self, bench, monkeypatch):
        write = os.write
        monkeypatch.setattr(file_ops.os, "write", lambda fd, data: write(fd, data[:3]))
        run(create_file(bench.storage, "/file", b"0123456789"))
        assert run(read_file(bench.storage, "/file")) == b"0123456789"

    def test_a_sync_that_fails_publishes_and_keeps_nothing(self, tmp_path, monkeypatch):
        bench = Bench(tmp_path, durable=True)

        def fail(*args):
            raise OSError(errno.ENOSPC, "delayed")

        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(errors.NoSpace):
            run(create_file(bench.storage, "/file", b"0123"))
        assert run(list_directory(bench.storage)) == {}
        assert not bench.hidden()

    def test_an_abandon_that_fails_still_lets_go(self, bench, monkeypatch):
        writing = run(begin_upload(bench.storage, "/file", b""))

        def fail(*args, **kwargs):
            raise OSError(errno.EIO, "broken")

        with monkeypatch.context() as patch, pytest.raises(errors.Unavailable):
            patch.setattr(os, "unlink", fail)
            run(writing.abandon())

    def test_a_directory_that_is_not_writable_is_denied(self, bench, monkeypatch):
        real = os.open

        def refuse(name, flags, *args, **kwargs):
            if flags & os.O_CREAT:
                raise PermissionError(errno.EACCES, "read-only directory")
            return real(name, flags, *args, **kwargs)

        monkeypatch.setattr(os, "open", refuse)
        for how in (WriteMode.REPLACE, WriteMode.UNIQUE):
            with pytest.raises(errors.Denied):
                run(bench.storage.open_writing(path_at("/file"), WriteRequest(how)))

    @pytest.mark.parametrize(
        ("how", "name"),
        [
            (WriteMode.REPLACE, "fstat"),
            (WriteMode.CREATE, "fstat"),
            (WriteMode.UNIQUE, "fstat"),
            (WriteMode.UNIQUE, "dup"),
        ],
    )
    def test_a_beginning_that_fails_leaves_nothing_open(self, bench, monkeypatch, how, name):
        def fail(*args):
            raise OSError(errno.EIO, "broken")

        with monkeypatch.context() as patch, pytest.raises(errors.Unavailable):
            patch.setattr(os, name, fail)
            run(bench.storage.open_writing(path_at("/file"), WriteRequest(how)))
        assert bench.open_descriptors() == []

    @pytest.mark.parametrize("how", [WriteMode.REPLACE, WriteMode.CREATE])
    @pytest.mark.parametrize("name", ["ftruncate", "fchmod", "lseek"])
    def test_nor_does_one_that_finds_a_partial(self, bench, monkeypatch, how, name):
        def fail(*args):
            raise OSError(errno.EIO, "broken")

        cut(bench, "/file", b"half")
        with monkeypatch.context() as patch, pytest.raises(errors.Unavailable):
            patch.setattr(os, name, fail)
            run(bench.storage.open_writing(path_at("/file"), WriteRequest(how)))
        assert bench.open_descriptors() == []

    def test_an_append_whose_beginning_fails_leaves_nothing_open(self, bench, monkeypatch):
        run(create_file(bench.storage, "/file", b"x"))

        def fail(*args):
            raise OSError(errno.EIO, "broken")

        with monkeypatch.context() as patch, pytest.raises(errors.Unavailable):
            patch.setattr(os, "fstat", fail)
            run(bench.storage.open_writing(path_at("/file"), WriteRequest(WriteMode.APPEND)))

    def test_a_file_that_shrinks_while_it_is_copied_is_a_bad_offset(self, bench, monkeypatch):
        run(create_file(bench.storage, "/file", b"0123"))
        monkeypatch.setattr(local_upload, "copy_range", lambda *args: 1)
        with pytest.raises(errors.BadOffset):
            run(begin_upload(bench.storage, "/file", b"", WriteRequest(offset=4)))
        assert not bench.hidden()

    def test_there_is_no_going_on_from_what_is_no_file(self, bench):
        with pytest.raises(errors.BadOffset):
            run(begin_upload(bench.storage, "/file", b"", WriteRequest(offset=4)))

    def test_a_file_that_turns_into_something_else_is_not_resumed(self, bench, monkeypatch):
        run(create_file(bench.storage, "/file", b"0123"))
        claim = open_upload.claim_partial

        def swapping(place, name):
            (bench.root / "file").unlink()
            os.mkfifo(bench.root / "file")
            return claim(place, name)

        monkeypatch.setattr(open_upload, "claim_partial", swapping)
        with pytest.raises(errors.BadOffset):
            run(begin_upload(bench.storage, "/file", b"", WriteRequest(offset=4)))


class TestCuts:
    def test_copying_an_old_file_takes_turns_and_can_be_cancelled(self, bench, monkeypatch):
        monkeypatch.setattr(local_upload, "COPY_BYTES_PER_TURN", 3)
        run(create_file(bench.storage, "/file", b"0123456789"))
        writing = run(begin_upload(bench.storage, "/file", b"x", WriteRequest(offset=8)))
        run(writing.commit())
        assert run(read_file(bench.storage, "/file")) == b"01234567x"

        bench.pool.held = bench.pool.begun = True
        opening = bench.storage.open_writing(path_at("/file"), WriteRequest(offset=8))
        call = Deferred.fromCoroutine(opening)
        for _ in range(2):
            bench.pool.release()
        call.cancel()
        bench.let_all_go()
        with pytest.raises(CancelledError):
            run(call)
        assert not bench.hidden()

    @pytest.mark.parametrize("begun", [False, True])
    def test_an_opening_that_is_cancelled_leaves_nothing(self, bench, begun):
        bench.pool.held, bench.pool.begun = True, begun
        call = Deferred.fromCoroutine(bench.storage.open_writing(path_at("/file"), WriteRequest()))
        call.cancel()
        bench.let_all_go()
        with pytest.raises(CancelledError):
            run(call)
        assert not bench.hidden()

    def test_an_abandon_ends_when_it_is_done_however_often_it_is_cancelled(self, bench):
        writing = run(begin_upload(bench.storage, "/file", b"half"))
        bench.pool.held = True
        call = Deferred.fromCoroutine(writing.abandon())
        for _ in range(2):
            call.cancel()
            assert is_pending(call)  # another upload to the name could not go on with the partial
        bench.let_all_go()
        with pytest.raises(CancelledError):
            run(call)
        assert run(partial_size(bench.storage, "/file")) == 4

    @pytest.mark.parametrize("cancelled", [False, True])
    def test_what_still_waited_for_a_thread_is_kept(self, bench, cancelled):
        big = bytes(range(256)) * 400
        writing = run(begin_upload(bench.storage, "/file", b"first"))
        bench.pool.held = True
        one = Deferred.fromCoroutine(writing.write(big))
        if cancelled:
            one.cancel()
            one.addErrback(lambda failure: failure.trap(CancelledError))
        Deferred.fromCoroutine(writing.abandon())
        bench.let_all_go()
        run(create_file(bench.storage, "/file", b"last", WriteRequest(offset=len(big) + 5)))
        assert run(read_file(bench.storage, "/file")) == b"first" + big + b"last"

    def test_nothing_is_written_behind_what_could_not_be(self, bench, monkeypatch):
        writing = run(begin_upload(bench.storage, "/file", b"first"))
        with monkeypatch.context() as patch, pytest.raises(errors.NoSpace):
            patch.setattr(file_ops.os, "write", full_disk)
            run(writing.write(bytes(100_000)))
        with pytest.raises(errors.Unavailable, match="an earlier write failed"):
            run(writing.write(b"behind"))
        with pytest.raises(errors.Unavailable, match="an earlier write failed"):
            run(writing.commit())
        assert run(list_directory(bench.storage)) == {}
