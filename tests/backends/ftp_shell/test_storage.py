"""Other people's shells as storages: Twisted's own, and some that behave in other ways."""

import os
import tempfile

import pytest
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.logger import globalLogPublisher
from twisted.protocols import ftp
from twisted.python.failure import Failure
from twisted.python.filepath import FilePath, InsecurePath, Permissions
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ftpservice.backends.ftp_shell.entries import KEYS
from ftpservice.backends.ftp_shell.errors import storage_error_for
from ftpservice.backends.ftp_shell.reading import PAUSE_AT_BYTES, ShellReading
from ftpservice.backends.ftp_shell.storage import ShellStorage
from ftpservice.storage import errors
from ftpservice.storage.interfaces import (
    IEnter,
    IHashes,
    IListing,
    IPartials,
    IReading,
    IStorage,
    IWriting,
    WriteMode,
    WriteRequest,
)
from ftpservice.storage.links import lstat
from ftpservice.testing.contract.case import (
    begin_upload,
    create_file,
    list_directory,
    path_at,
    read_file,
)
from ftpservice.testing.contract.directories import DirectoryContract, RenameContract
from ftpservice.testing.contract.stat_and_list import ListingContract, StatContract
from ftpservice.wire.entry import Entry, Kind


def run(call):
    """Return what a call that never waits returns, or raise what it raises."""
    return result_of(begun(call))


def begun(call):
    """Begin a call that may wait; return its Deferred."""

    async def answer():
        return await call

    return Deferred.fromCoroutine(answer())


def result_of(deferred):
    results = []
    deferred.addBoth(results.append)
    [result] = results
    if isinstance(result, Failure):
        result.raiseException()
    return result


@pytest.fixture
def logged():
    """The failures that are logged meanwhile."""
    failures = []

    def look(event):
        if "log_failure" in event:
            failures.append(event["log_failure"])

    globalLogPublisher.addObserver(look)
    yield failures
    globalLogPublisher.removeObserver(look)


def descriptors():
    return len(os.listdir("/proc/self/fd"))


class TwistedShellTests(
    StatContract, ListingContract, DirectoryContract, RenameContract, SynchronousTestCase
):
    """The parts of the contract that a shell without transactions can keep."""

    def storage(self):
        self.before = descriptors()
        folder = FilePath(tempfile.mkdtemp())
        self.addCleanup(folder.remove)
        return ShellStorage(ftp.FTPShell(folder))

    def check_all_closed(self):
        self.assertLessEqual(descriptors(), self.before)


@pytest.fixture
def folder(tmp_path):
    return FilePath(str(tmp_path))


@pytest.fixture
def storage(folder):
    return ShellStorage(ftp.FTPShell(folder))


class TestTwistedShell:
    def test_it_is_a_storage_without_optional_capabilities(self, storage):
        verifyObject(IStorage, storage)
        assert IHashes(storage, None) is None
        assert IPartials(storage, None) is None

    def test_what_it_opens_is_as_promised(self, storage):
        run(create_file(storage, "/file", b"x"))
        reading = run(storage.open_reading(path_at("/file")))
        verifyObject(IReading, reading)
        reading.close()
        verifyObject(IListing, run(storage.open_listing(path_at("/"))))
        writing = run(storage.open_writing(path_at("/new"), WriteRequest()))
        verifyObject(IWriting, writing)
        run(writing.abandon())

    def test_facts_are_the_file_systems(self, storage, folder):
        run(create_file(storage, "/file", b"12345"))
        path = folder.child("file").path
        os.chmod(path, 0o640)
        os.utime(path, (1_000_000, 1_000_000))
        entry = run(storage.stat(path_at("/file")))
        assert entry[:5] == ("file", Kind.FILE, 5, 1_000_000, 0o640)
        assert entry.links == 1

    def test_files_are_written_and_read_whole(self, storage):
        data = bytes(range(256)) * 4000
        before = descriptors()
        entry = run(create_file(storage, "/file", data))
        assert (entry.name, entry.size) == ("file", len(data))
        assert run(read_file(storage, "/file")) == data
        run(create_file(storage, "/file", b"shorter"))
        assert run(read_file(storage, "/file")) == b"shorter"
        run(create_file(storage, "/empty"))
        assert run(read_file(storage, "/empty")) == b""
        assert descriptors() == before

    def test_reading_goes_forward_only(self, storage):
        run(create_file(storage, "/file", bytes(range(256)) * 1000))
        reading = run(storage.open_reading(path_at("/file")))
        assert run(reading.read(100_000, 3)) == (bytes(range(256)) * 1000)[100_000:100_003]
        assert run(reading.read(200_000, 3)) == (bytes(range(256)) * 1000)[200_000:200_003]
        with pytest.raises(errors.NotSupported):
            run(reading.read(0, 3))
        assert run(reading.read(300_000, 3)) == b""
        reading.close()
        with pytest.raises(errors.Unavailable):
            run(reading.read(300_000, 3))

    @pytest.mark.parametrize("bytes_read", [0, 1])
    def test_a_reading_that_is_given_up_closes_its_file(self, storage, bytes_read):
        run(create_file(storage, "/file", b"x" * 1_000_000))
        before = descriptors()
        reading = run(storage.open_reading(path_at("/file")))
        if bytes_read:
            run(reading.read(0, bytes_read))
        reading.close()
        reading.close()
        assert descriptors() == before

    def test_only_files_are_read_and_written(self, storage):
        run(storage.make_directory(path_at("/folder")))
        for path in ("/folder", "/"):
            with pytest.raises(errors.IsDirectory):
                run(storage.open_reading(path_at(path)))
            with pytest.raises(errors.IsDirectory):
                run(begin_upload(storage, path))
        with pytest.raises(errors.PathNotFound):
            run(begin_upload(storage, "/none/file"))
        with pytest.raises(errors.IsDirectory):
            run(storage.remove_file(path_at("/")))

    def test_an_interrupted_new_file_is_removed_and_an_old_one_stays(self, storage, folder):
        before = descriptors()
        writing = run(begin_upload(storage, "/new", b"half"))
        run(writing.abandon())
        run(writing.abandon())
        assert run(list_directory(storage)) == {}
        run(create_file(storage, "/old", b"old"))
        run(run(begin_upload(storage, "/old", b"new")).abandon())
        assert folder.child("old").exists()
        with pytest.raises(errors.Unavailable):
            run(writing.write(b"more"))
        with pytest.raises(errors.Unavailable):
            run(writing.commit())
        assert descriptors() == before

    def test_an_announced_size_is_held_to(self, storage):
        with pytest.raises(errors.BadOffset):
            run(create_file(storage, "/file", b"four", WriteRequest(announced=5)))
        assert run(list_directory(storage)) == {}
        run(create_file(storage, "/file", b"four", WriteRequest(announced=4)))

    def test_creating_looks_first(self, storage):
        run(create_file(storage, "/file", b"x", WriteRequest(WriteMode.CREATE)))
        with pytest.raises(errors.Exists):
            run(create_file(storage, "/file", b"y", WriteRequest(WriteMode.CREATE)))
        assert run(read_file(storage, "/file")) == b"x"

    def test_unique_names_differ(self, storage):
        run(create_file(storage, "/name", b"taken"))
        writings = [
            run(begin_upload(storage, "/name", b"x", WriteRequest(WriteMode.UNIQUE))) for _ in "123"
        ]
        names = {run(writing.commit()).name for writing in writings}
        assert names == {"name.1", "name.2", "name.3"}
        assert run(read_file(storage, "/name")) == b"taken"

    def test_unique_names_run_out_at_last(self, storage, monkeypatch):
        monkeypatch.setattr("ftpservice.backends.ftp_shell.storage.MAX_UNIQUE_TRIES", 2)
        for _ in "12":
            run(create_file(storage, "/name", b"", WriteRequest(WriteMode.UNIQUE)))
        with pytest.raises(errors.Exists):
            run(create_file(storage, "/name", b"", WriteRequest(WriteMode.UNIQUE)))
        with pytest.raises(errors.PathNotFound):
            run(create_file(storage, "/none/name", b"", WriteRequest(WriteMode.UNIQUE)))
        assert storage._promised == set()

    @pytest.mark.parametrize(
        "request_",
        [WriteRequest(WriteMode.APPEND), WriteRequest(offset=1), WriteRequest(WriteMode.CREATE, 1)],
    )
    def test_what_a_shell_cannot_do_is_unsupported(self, storage, request_):
        run(create_file(storage, "/file", b"x"))
        with pytest.raises(errors.NotSupported):
            run(storage.open_writing(path_at("/file"), request_))

    def test_a_dangling_link_does_not_hide_the_rest(self, storage, folder):
        run(create_file(storage, "/file", b"x"))
        os.symlink("/nowhere/at/all", folder.child("link").path)
        entries = run(list_directory(storage))
        assert {name: entry.kind for name, entry in entries.items()} == {
            "file": Kind.FILE,
            "link": Kind.LINK,
        }
        assert run(lstat(storage, path_at("/link"))) == entries["link"]

    def test_links_of_twisteds_shells_are_listed_as_links(self, storage, folder):
        run(storage.make_directory(path_at("/folder")))
        run(create_file(storage, "/folder/file", b"content"))
        os.symlink("folder", folder.child("link").path)
        os.symlink("folder/file", folder.child("short").path)
        os.symlink(".", folder.child("folder").child("self").path)
        entries = run(list_directory(storage))
        assert (entries["link"].kind, entries["link"].size) == (Kind.LINK, 0)
        assert (entries["short"].kind, entries["short"].size) == (Kind.LINK, 7)
        assert run(list_directory(storage, "/link"))["self"].kind is Kind.LINK
        for name in ("link", "short", "folder"):
            assert run(lstat(storage, path_at(f"/{name}"))) == entries[name]
        assert run(storage.stat(path_at("/link"))).kind is Kind.DIRECTORY
        assert run(read_file(storage, "/short")) == b"content"
        with pytest.raises(errors.StorageError):
            run(storage.remove_directory(path_at("/link")))
        assert run(read_file(storage, "/folder/file")) == b"content"

    def test_a_directory_is_entered_if_the_shell_gives_access(self, storage, folder, monkeypatch):
        run(storage.make_directory(path_at("/folder")))
        run(create_file(storage, "/file", b""))
        enter = IEnter(storage).enter
        run(enter(path_at("/folder")))
        for name, error in (("/file", errors.NotDirectory), ("/none", errors.PathNotFound)):
            with pytest.raises(error):
                run(enter(path_at(name)))
        refusal = ftp.PermissionDeniedError("folder")
        monkeypatch.setattr(storage._shell, "access", lambda path: fail(refusal))
        with pytest.raises(errors.Denied):
            run(enter(path_at("/folder")))

    def test_names_that_no_path_leads_to_are_left_out(self, storage, folder):
        folder.child("new\nline").setContent(b"x")
        folder.child("fine").setContent(b"x")
        assert set(run(list_directory(storage))) == {"fine"}
        os.symlink("/nowhere/at/all", folder.child("link").path)
        assert set(run(list_directory(storage))) == {"fine", "link"}

    def test_an_anonymous_shell_only_reads(self, storage, folder):
        run(create_file(storage, "/file", b"content"))
        run(storage.make_directory(path_at("/folder")))
        anonymous = ShellStorage(ftp.FTPAnonymousShell(folder))
        assert run(read_file(anonymous, "/file")) == b"content"
        assert set(run(list_directory(anonymous))) == {"file", "folder"}
        for change in (
            anonymous.make_directory(path_at("/new")),
            anonymous.remove_directory(path_at("/folder")),
            anonymous.remove_file(path_at("/file")),
            anonymous.rename(path_at("/file"), path_at("/new")),
            begin_upload(anonymous, "/file"),
            begin_upload(anonymous, "/new"),
        ):
            with pytest.raises(errors.Denied):
                run(change)
        assert run(read_file(storage, "/file")) == b"content"


ENTRY = Entry("file", Kind.FILE, 10, 0.0)


class Scripted:
    """An `IReadFile` whose producer does what the test says."""

    def __init__(self, streaming=True, begin=None):
        self.streaming, self.begin = streaming, begin
        self.calls = []
        self.sent = Deferred(lambda _: self.calls.append("cancel"))

    def send(self, consumer):
        self.consumer = consumer
        if self.streaming is not None:
            consumer.registerProducer(self, self.streaming)
        if self.begin is not None:
            self.begin(consumer)
        return self.sent

    def resumeProducing(self):
        self.calls.append("resume")

    def pauseProducing(self):
        self.calls.append("pause")

    def stopProducing(self):
        self.calls.append("stop")

    def finish(self):
        self.consumer.unregisterProducer()
        self.sent.callback(None)


class TestReading:
    def test_a_push_producer_is_paused_while_plenty_lies_ready(self):
        file = Scripted()
        reading = ShellReading(path_at("/file"), file, ENTRY)
        first = begun(reading.read(0, 10))
        file.consumer.write(b"x" * PAUSE_AT_BYTES)
        assert result_of(first) == b"x" * 10
        assert file.calls == ["pause"]
        assert run(reading.read(10, PAUSE_AT_BYTES)) == b"x" * (PAUSE_AT_BYTES - 10)
        assert file.calls == ["pause"]
        last = begun(reading.read(PAUSE_AT_BYTES, 10))
        assert file.calls == ["pause", "resume"]
        file.consumer.write(b"end")
        assert result_of(last) == b"end"
        file.finish()
        assert run(reading.read(PAUSE_AT_BYTES + 3, 10)) == b""
        reading.close()
        assert file.calls == ["pause", "resume"]

    def test_a_pull_producer_is_asked_once_for_each_read(self):
        file = Scripted(streaming=False)
        reading = ShellReading(path_at("/file"), file, ENTRY)
        first = begun(reading.read(0, 10))
        assert file.calls == ["resume"]
        file.consumer.write(b"late")
        assert result_of(first) == b"late"
        assert file.calls == ["resume"]

    def test_a_producer_that_registers_late_is_asked_then(self):
        file = Scripted(streaming=None)
        reading = ShellReading(path_at("/file"), file, ENTRY)
        first = begun(reading.read(0, 10))
        file.consumer.registerProducer(file, False)
        assert file.calls == ["resume"]
        file.consumer.write(b"data")
        assert result_of(first) == b"data"

    def test_a_file_may_come_all_at_once(self):
        file = Scripted(streaming=None, begin=lambda consumer: consumer.write(b"0123456789"))
        file.sent.callback(None)
        reading = ShellReading(path_at("/file"), file, ENTRY)
        assert run(reading.read(0, 4)) == b"0123"
        assert run(reading.read(6, 40)) == b"6789"
        assert run(reading.read(10, 40)) == b""

    def test_what_lies_before_the_offset_is_thrown_away_as_it_comes(self):
        file = Scripted(streaming=False)
        reading = ShellReading(path_at("/file"), file, ENTRY)
        first = begun(reading.read(5, 10))
        file.consumer.write(b"0123")
        assert file.calls == ["resume", "resume"]
        file.consumer.write(b"456")
        assert result_of(first) == b"56"

    def test_a_read_that_is_cancelled_loses_nothing(self):
        file = Scripted()
        reading = ShellReading(path_at("/file"), file, ENTRY)
        first = begun(reading.read(0, 10))
        first.cancel()
        with pytest.raises(CancelledError):
            result_of(first)
        file.consumer.write(b"data")
        assert run(reading.read(0, 10)) == b"data"

    def test_a_file_that_fails_says_so_after_what_came(self):
        file = Scripted()
        reading = ShellReading(path_at("/file"), file, ENTRY)
        first = begun(reading.read(0, 10))
        file.consumer.write(b"data")
        file.sent.errback(ftp.PermissionDeniedError("no"))
        assert result_of(first) == b"data"
        with pytest.raises(errors.Denied):
            run(reading.read(4, 10))

    def test_closing_stops_the_producer_and_ends_a_read_in_progress(self):
        file = Scripted()
        reading = ShellReading(path_at("/file"), file, ENTRY)
        first = begun(reading.read(0, 10))
        reading.close()
        assert file.calls == ["stop", "cancel"]
        with pytest.raises(errors.Unavailable):
            result_of(first)
        file.consumer.write(b"too late")
        file.consumer.registerProducer(file, True)
        assert file.calls == ["stop", "cancel", "stop"]

    def test_closing_survives_a_producer_that_fails(self):
        file = Scripted()
        file.stopProducing = lambda: 1 / 0
        reading = ShellReading(path_at("/file"), file, ENTRY)
        begun(reading.read(0, 10)).addErrback(lambda _: None)
        reading.close()
        assert file.calls == ["cancel"]


class Shell:
    """An `IFTPShell` that answers what the test says."""

    def __init__(self, **answers):
        self.answers = answers
        self.asked = []

    def __getattr__(self, name):
        def method(*arguments):
            self.asked.append(name)
            answer = self.answers[name]
            if isinstance(answer, Exception):
                raise answer
            return answer(*arguments) if callable(answer) else answer

        return method


FILE_VALUES = [5, False, 0o100640, 2, 1_000_000, b"me", 100]
FOLDER_VALUES = [4096, True, Permissions(0o750), 2, 1_000_000.5, "me", "us"]


class TestValues:
    def test_values_may_be_numbers_bytes_or_objects(self):
        storage = ShellStorage(Shell(stat=succeed(FILE_VALUES)))
        assert run(storage.stat(path_at("/file"))) == Entry(
            "file", Kind.FILE, 5, 1_000_000.0, 0o640, "me", "100", 2
        )
        storage = ShellStorage(Shell(stat=succeed(FOLDER_VALUES)))
        assert run(storage.stat(path_at("/folder"))) == Entry(
            "folder", Kind.DIRECTORY, 0, 1_000_000.5, 0o750, "me", "us", 2
        )

    def test_names_may_be_bytes(self):
        rows = [(b"caf\xe9", FILE_VALUES), ("ü", FILE_VALUES), ("a/b", FILE_VALUES)]
        storage = ShellStorage(Shell(stat=succeed(FOLDER_VALUES), list=succeed(rows)))
        assert set(run(list_directory(storage))) == {"caf\udce9", "ü"}

    @pytest.mark.parametrize("values", [[], None, ["big", *FILE_VALUES[1:]], [1, 2, 3]])
    def test_values_that_cannot_be_meant_make_it_unavailable(self, values, logged):
        assert len(KEYS) == len(FILE_VALUES)
        with pytest.raises(errors.Unavailable):
            run(ShellStorage(Shell(stat=succeed(values))).stat(path_at("/file")))
        [failure] = logged
        assert failure.check(TypeError, ValueError)

    @pytest.mark.parametrize(
        ("error", "kind"),
        [
            (ftp.FileNotFoundError("x"), errors.PathNotFound),
            (ftp.AnonUserDeniedError(), errors.Denied),
            (ftp.CmdNotImplementedError("x"), errors.NotSupported),
            (ftp.BadCmdSequenceError("x"), errors.Unavailable),
            (OSError(28, "full"), errors.NoSpace),
            (FileNotFoundError(2, "gone"), errors.PathNotFound),
            (OSError("odd"), errors.Unavailable),
            (InsecurePath("x"), errors.Denied),
            (UnicodeEncodeError("ascii", "ü", 0, 1, "x"), errors.InvalidName),
            (ZeroDivisionError("x"), errors.Unavailable),
        ],
    )
    def test_failures_become_storage_errors(self, error, kind, logged):
        assert type(storage_error_for(error, path_at("/file"))) is kind
        for answer in (error, fail(error)):
            with pytest.raises(kind) as caught:
                run(ShellStorage(Shell(stat=answer)).stat(path_at("/file")))
            assert caught.value.path == path_at("/file")
        expected = 3 if kind is errors.Unavailable else 0
        assert [failure.value for failure in logged] == [error] * expected

    def test_what_a_shell_raises_unexpectedly_is_logged_with_its_traceback(self, logged):
        def stat(*_arguments):
            return {}["missing"]

        with pytest.raises(errors.Unavailable):
            run(ShellStorage(Shell(stat=stat)).stat(path_at("/file")))
        [failure] = logged
        assert 'return {}["missing"]' in failure.getTraceback()


class Received:
    """An `IWriteFile` and its consumer in one."""

    def __init__(self):
        self.calls = []
        self.data = b""
        self.received = succeed(self)
        self.closed = succeed(None)

    def receive(self):
        return self.received

    def close(self):
        self.calls.append("close")
        return self.closed

    def registerProducer(self, producer, streaming):
        self.producer = producer
        assert streaming

    def unregisterProducer(self):
        self.calls.append("unregister")

    def write(self, data):
        self.data += data


def writing_shell(file, **answers):
    """Return a shell in which every name is free, which takes uploads into ``file``."""
    given = {
        "stat": lambda *_: fail(ftp.FileNotFoundError("x")),
        "openForWriting": lambda _: succeed(file),
        "removeFile": lambda _: succeed(None),
    }
    return Shell(**{**given, **answers})


class TestWriting:
    def test_a_shell_that_tells_nothing_of_the_file_still_gets_it(self):
        file = Received()
        storage = ShellStorage(writing_shell(file), seconds=lambda: 99.0)
        assert run(create_file(storage, "/file", b"data")) == Entry("file", Kind.FILE, 4, 99.0)
        assert (file.data, file.calls) == (b"data", ["unregister", "close"])

    def test_writes_wait_while_the_consumer_wants_nothing(self):
        file = Received()
        writing = run(begin_upload(ShellStorage(writing_shell(file)), "/file"))
        file.producer.pauseProducing()
        waiting = begun(writing.write(b"data"))
        assert file.data == b""
        file.producer.resumeProducing()
        result_of(waiting)
        assert file.data == b"data"

    def test_a_waiting_write_may_be_cancelled(self):
        file = Received()
        writing = run(begin_upload(ShellStorage(writing_shell(file)), "/file"))
        file.producer.pauseProducing()
        waiting = begun(writing.write(b"lost"))
        waiting.cancel()
        with pytest.raises(CancelledError):
            result_of(waiting)
        file.producer.resumeProducing()
        run(writing.write(b"data"))
        assert file.data == b"data"

    def test_abandoning_ends_a_waiting_write_without_completing_the_file(self):
        file = Received()
        shell = writing_shell(file)
        writing = run(begin_upload(ShellStorage(shell), "/file"))
        file.producer.pauseProducing()
        waiting = begun(writing.write(b"data"))
        run(writing.abandon())
        with pytest.raises(errors.Unavailable):
            result_of(waiting)
        assert file.calls == ["unregister"]
        assert shell.asked[-1] == "removeFile"

    def test_a_consumer_that_wants_no_more_refuses_writes(self):
        file = Received()
        writing = run(begin_upload(ShellStorage(writing_shell(file)), "/file"))
        file.producer.stopProducing()
        with pytest.raises(errors.Unavailable):
            run(writing.write(b"data"))
        run(writing.abandon())

    def test_a_consumer_that_is_full_says_so(self):
        file = Received()

        def write(data):
            raise OSError(28, "No space left on device")

        file.write = write
        with pytest.raises(errors.NoSpace):
            run(create_file(ShellStorage(writing_shell(file)), "/file", b"data"))
        assert file.calls == ["unregister"]

    def test_a_close_that_fails_takes_the_new_file_away(self):
        file = Received()
        file.closed = fail(ftp.PermissionDeniedError("no"))
        shell = writing_shell(file, removeFile=lambda _: fail(ftp.PermissionDeniedError("no")))
        with pytest.raises(errors.Denied):
            run(create_file(ShellStorage(shell), "/file", b"data"))
        assert shell.asked[-1] == "removeFile"

    def test_a_shell_that_will_not_say_what_is_there_takes_uploads(self):
        file = Received()
        shell = writing_shell(file, stat=lambda *_: fail(ftp.PermissionDeniedError("no")))
        run(run(begin_upload(ShellStorage(shell), "/file", b"data")).abandon())
        assert "removeFile" not in shell.asked
        with pytest.raises(errors.Denied):
            run(begin_upload(ShellStorage(shell), "/file", b"", WriteRequest(WriteMode.CREATE)))

    def test_a_file_that_cannot_receive_is_let_go(self):
        file = Received()
        file.received = fail(ftp.PermissionDeniedError("no"))
        shell = writing_shell(file)
        with pytest.raises(errors.Denied):
            run(begin_upload(ShellStorage(shell), "/file"))
        assert shell.asked[-1] == "removeFile"

    @pytest.mark.parametrize("stage", ["opening", "receiving"])
    def test_a_cancelled_opening_closes_what_comes_late(self, stage):
        file, late = Received(), Deferred()
        if stage == "opening":
            shell = writing_shell(file, openForWriting=lambda _: late)
        else:
            file.received, shell = late, writing_shell(file)
        opening = begun(begin_upload(ShellStorage(shell), "/file"))
        opening.cancel()
        with pytest.raises(CancelledError):
            result_of(opening)
        late.callback(file)
        assert file.calls == ["unregister"]
        assert shell.asked[-1] == "removeFile"

    def test_a_late_failure_is_ignored(self):
        late = Deferred()
        opening = begun(
            begin_upload(
                ShellStorage(writing_shell(Received(), openForWriting=lambda _: late)), "/file"
            )
        )
        opening.cancel()
        opening.addErrback(lambda _: None)
        late.errback(ftp.PermissionDeniedError("no"))

    def test_a_late_reading_is_closed(self):
        late, file = Deferred(), Scripted()
        shell = Shell(stat=succeed(FILE_VALUES), openForReading=late)
        opening = begun(ShellStorage(shell).open_reading(path_at("/file")))
        opening.cancel()
        opening.addErrback(lambda _: None)
        late.callback(file)
        assert file.calls == ["stop", "cancel"]
