"""Removal of what nobody has touched: races with others, interruptions, and files in use."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from ftpservice import linux
from ftpservice.backends.local.files import removal
from ftpservice.backends.local.paths.names import ASIDE_NAME, aside_name
from ftpservice.storage.conditional_removal import IConditionalRemoval
from ftpservice.storage.errors import Busy, Denied, PathNotFound, StorageError, Unavailable
from ftpservice.storage.quota_interfaces import ITreeUsage
from ftpservice.testing.contract.case import list_directory, path_at
from ftpservice.wire.paths import ROOT
from tests.support.local_source import Bench, run


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    (made.root / "file").write_bytes(b"old")
    return made


def entry_of(bench, name="file"):
    return run(list_directory(bench.storage))[name]


def remove(bench, entry, name="file"):
    run(IConditionalRemoval(bench.storage).remove_unchanged(path_at(f"/{name}"), entry))


def contents(bench):
    return {path.name: path.read_bytes() for path in bench.root.iterdir()}


@pytest.fixture
def between(monkeypatch):
    """Return what has something done around the first rename that follows."""

    def install(before=lambda: None, after=lambda: None):
        real = os.rename

        def renaming(*words, **more):
            monkeypatch.setattr(os, "rename", real)
            before()
            real(*words, **more)
            after()

        monkeypatch.setattr(os, "rename", renaming)

    return install


def test_nothing_is_left_of_a_removed_file(bench):
    remove(bench, entry_of(bench))
    assert contents(bench) == {}
    assert bench.open_descriptors() == []


@pytest.mark.parametrize("name", [b"x" * 255, b"\xff\x1b[2J\n", b"-rf", b"a'b\"c\\", b".hidden"])
def test_names_of_all_kinds(bench, name):
    (bench.root / os.fsdecode(name)).write_bytes(b"old")
    text = name.decode("utf-8", "surrogateescape")
    run(
        IConditionalRemoval(bench.storage).remove_unchanged(ROOT.child(text), entry_of(bench, text))
    )
    assert contents(bench) == {"file": b"old"}


@pytest.mark.parametrize(
    "touch",
    [
        lambda path: path.write_bytes(b"other"),
        lambda path: os.utime(path, (1, 1)),
        lambda path: path.chmod(0o600),
        lambda path: os.link(path, path.with_name("link")),
    ],
)
def test_a_file_that_was_touched_since_it_was_listed_stays(bench, touch):
    entry = entry_of(bench)
    path = bench.root / "file"
    touch(path)
    now = os.stat(path)
    with pytest.raises(Busy):
        remove(bench, entry)
    assert os.stat(path) == now, "it was not even renamed"


def test_a_file_that_is_replaced_at_the_last_moment_stays(bench, between):
    """Another program renames a new file over it between the last look and the first rename."""
    entry = entry_of(bench)

    def replace():
        (bench.root / "new").write_bytes(b"new")
        os.replace(bench.root / "new", bench.root / "file")

    between(before=replace)
    with pytest.raises(Busy):
        remove(bench, entry)
    assert contents(bench) == {"file": b"new"}


def test_a_file_that_is_written_to_at_the_last_moment_stays(bench, between):
    entry = entry_of(bench)
    os.utime(bench.root / "file", (1, 1))
    entry = entry_of(bench)

    def write():
        with open(bench.root / "file", "ab") as file:
            file.write(b", and new")

    between(before=write)
    with pytest.raises(Busy):
        remove(bench, entry)
    assert contents(bench) == {"file": b"old, and new"}


def test_a_file_that_is_opened_at_the_last_moment_stays(bench, between):
    entry = entry_of(bench)
    opened = []
    between(before=lambda: opened.append(os.open(bench.root / "file", os.O_RDONLY)))
    with pytest.raises(Busy):
        remove(bench, entry)
    os.close(opened.pop())
    assert contents(bench) == {"file": b"old"}


def test_a_new_file_under_the_name_stays_while_the_old_one_goes(bench, between):
    entry = entry_of(bench)
    between(after=lambda: (bench.root / "file").write_bytes(b"new"))
    remove(bench, entry)
    assert contents(bench) == {"file": b"new"}


def test_both_stay_if_the_old_one_is_in_use_and_its_name_is_taken(bench, between):
    entry = entry_of(bench)
    opened = []

    def use():
        opened.append(os.open(bench.root / "file", os.O_RDONLY))

    between(before=use, after=lambda: (bench.root / "file").write_bytes(b"new"))
    with pytest.raises(Busy):
        remove(bench, entry)
    os.close(opened.pop())
    assert contents(bench) == {"file": b"new", "file.1": b"old"}


def test_a_file_that_goes_at_the_last_moment_is_gone(bench, between):
    entry = entry_of(bench)
    between(before=lambda: os.unlink(bench.root / "file"))
    with pytest.raises(PathNotFound):
        remove(bench, entry)
    assert contents(bench) == {}


def test_a_link_in_its_place_is_not_followed(bench):
    entry = entry_of(bench)
    os.unlink(bench.root / "file")
    (bench.outside / "precious").write_bytes(b"precious")
    os.symlink(bench.outside / "precious", bench.root / "file")
    with pytest.raises(StorageError):
        remove(bench, entry)
    assert (bench.outside / "precious").read_bytes() == b"precious"
    assert os.path.islink(bench.root / "file")


OTHER_PROCESS = """
import sys
file = open(sys.argv[1], "rb")
print("open", flush=True)
sys.stdin.read()
"""


@contextmanager
def open_in_another_process(path):
    with subprocess.Popen(
        [sys.executable, "-c", OTHER_PROCESS, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout.readline() == b"open\n"
        yield
        process.stdin.close()


def test_a_file_that_another_process_has_open_stays_as_it_is(bench):
    path, entry = bench.root / "file", entry_of(bench)
    now = os.stat(path)
    with open_in_another_process(path):
        with pytest.raises(Busy):
            remove(bench, entry)
        assert os.stat(path).st_ctime_ns == now.st_ctime_ns
    remove(bench, entry)
    assert contents(bench) == {}


def test_a_file_that_another_process_has_locked_stays(bench):
    entry = entry_of(bench)
    with open(bench.root / "file") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        with pytest.raises(Busy, match="locked"):
            remove(bench, entry)


@pytest.fixture
def no_leases(monkeypatch):
    real = fcntl.fcntl

    def without(descriptor, command, *words):
        if command == fcntl.F_SETLEASE:
            raise OSError(errno.EINVAL, "no leases")
        return real(descriptor, command, *words)

    monkeypatch.setattr(linux.fcntl, "fcntl", without)


@pytest.mark.usefixtures("no_leases")
def test_without_leases_the_files_of_this_process_are_known(bench):
    entry = entry_of(bench)
    with open(bench.root / "file"), pytest.raises(Busy, match="open"):
        remove(bench, entry)
    remove(bench, entry)
    assert contents(bench) == {}


def test_a_lease_that_is_broken_does_not_end_the_process(bench):
    """The default of the signal for that, SIGIO, is to end the process."""
    path = str(bench.root / "file")
    opened = os.open(path, os.O_RDONLY)
    fcntl.fcntl(opened, fcntl.F_SETSIG, signal.SIGURG)
    fcntl.fcntl(opened, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    with pytest.raises(BlockingIOError):
        os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    fcntl.fcntl(opened, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    assert not linux.is_open_elsewhere(opened)
    os.close(opened)


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.EROFS])
def test_an_error_of_the_disk_leaves_the_file(bench, monkeypatch, number):
    entry = entry_of(bench)

    def failing(*_words, **_more):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", failing)
        with pytest.raises((Denied, Unavailable)):
            remove(bench, entry)
    assert contents(bench) == {"file": b"old"}
    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", failing)
        with pytest.raises((Denied, Unavailable)):
            remove(bench, entry)
    run(bench.source.sweep())
    assert contents(bench) == {"file": b"old"}
    assert bench.open_descriptors() == []


def set_aside(bench, name=b"file"):
    aside = aside_name(name)
    os.rename(bench.root / os.fsdecode(name), bench.root / os.fsdecode(aside))
    return aside


class TestFilesOfAKilledProcess:
    def test_they_get_their_names_back(self, bench):
        aside = set_aside(bench)
        assert run(list_directory(bench.storage)) == {}, "hidden"
        assert ASIDE_NAME.fullmatch(aside)[1] == b"file"
        run(bench.source.sweep())
        assert contents(bench) == {"file": b"old"}
        assert bench.open_descriptors() == []

    def test_or_a_free_name_if_that_is_taken(self, bench):
        set_aside(bench)
        (bench.root / "file").write_bytes(b"new")
        run(bench.source.sweep())
        assert contents(bench) == {"file": b"new", "file.1": b"old"}

    def test_of_the_longest_names_the_beginning_is_kept(self, bench):
        os.rename(bench.root / "file", bench.root / ("x" * 255))
        set_aside(bench, b"x" * 255)
        run(bench.source.sweep())
        [(name, data)] = contents(bench).items()
        assert (set(name), data) == ({"x"}, b"old")
        assert len(name) > 200

    def test_not_while_a_removal_is_in_progress(self, bench):
        aside = set_aside(bench)
        with open(bench.root / os.fsdecode(aside)) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            run(bench.source.sweep())
            assert set(contents(bench)) == {os.fsdecode(aside)}
        run(bench.source.sweep())
        assert set(contents(bench)) == {"file"}

    def test_a_link_or_directory_with_such_a_name_is_left_alone(self, bench):
        link, directory = (os.fsdecode(aside_name(name)) for name in (b"a", b"b"))
        os.symlink(bench.outside, bench.root / link)
        (bench.root / directory).mkdir()
        run(bench.source.sweep())
        assert {path.name for path in bench.root.iterdir()} == {"file", link, directory}

    def test_they_count_for_a_quota(self, bench):
        before = run(ITreeUsage(bench.storage).tree_usage(ROOT))
        set_aside(bench)
        assert run(ITreeUsage(bench.storage).tree_usage(ROOT)) == before

    def test_the_sweep_wins_over_a_removal_where_there_are_no_locks(self, bench, monkeypatch):
        entry, real = entry_of(bench), removal._require_moved

        def moved(*words):
            real(*words)
            [aside] = bench.hidden()
            os.rename(bench.root / aside, bench.root / "file")

        monkeypatch.setattr(removal, "_require_moved", moved)
        with pytest.raises(Busy):
            remove(bench, entry)
        assert contents(bench) == {"file": b"old"}


class TestDirectories:
    def test_an_empty_one_that_has_changed_stays(self, bench):
        (bench.root / "folder").mkdir()
        entry = entry_of(bench, "folder")
        (bench.root / "folder/new").touch()
        os.unlink(bench.root / "folder/new")
        with pytest.raises(Busy):
            remove(bench, entry, "folder")
        remove(bench, entry_of(bench, "folder"), "folder")
        assert contents(bench) == {"file": b"old"}

    def test_a_file_of_the_name_stays(self, bench):
        (bench.root / "folder").mkdir()
        entry = entry_of(bench, "folder")
        (bench.root / "folder").rmdir()
        (bench.root / "folder").write_bytes(b"new")
        with pytest.raises(Busy):
            remove(bench, entry, "folder")
        assert contents(bench) == {"file": b"old", "folder": b"new"}
