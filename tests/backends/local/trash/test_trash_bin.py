"""What is kept of files on the disk, where, and what stands in the way."""

import errno
import os
import threading
import time
from contextlib import contextmanager
from unittest import mock

import pytest
from twisted.internet.task import Clock

from ftpservice.backends.local.files import upload as upload_module
from ftpservice.backends.local.paths.tree import DirectoryEntry
from ftpservice.backends.local.source import LocalSource
from ftpservice.backends.local.trash import trash_bin
from ftpservice.backends.local.trash.name_locks import locked
from ftpservice.concurrency.thread_pool import InlineRunner
from ftpservice.storage import errors
from ftpservice.storage.interfaces import ILinks, WriteMode, WriteRequest
from ftpservice.storage.trash import TrashRule, with_trash
from ftpservice.testing.contract.case import (
    begin_upload,
    create_file,
    list_directory,
    path_at,
    read_file,
)
from ftpservice.wire.entry import Kind
from ftpservice.wire.paths import ROOT, VirtualPath
from tests.backends.memory.test_storage import run

RULE = TrashRule(3600, versions=3)


class Place:
    """A directory, and the storages of accounts there."""

    def __init__(self, root):
        self.root = root
        self.source = LocalSource(str(root), Clock(), InlineRunner())

    def storage(self, owner="ann", top="/", rule=RULE):
        storage = run(self.source.storage(owner, path_at(top)))
        return storage if rule is None else with_trash(storage, rule)

    def items(self):
        return sorted(path for path in self.root.rglob("*.old") if ".ftpservice.trash" in str(path))


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


@pytest.fixture
def kept(place):
    """Return a storage with one deleted file."""
    storage = place.storage()
    run(storage.make_directory(path_at("/in")))
    run(create_file(storage, "/in/file", b"data"))
    run(storage.remove_file(path_at("/in/file")))
    return storage


def other_filesystem(monkeypatch, *names):
    """Make renames and links between directories fail as they do between filesystems."""

    def refusing(real):
        def called(source, target, **directories):
            if directories["src_dir_fd"] != directories["dst_dir_fd"]:
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
            return real(source, target, **directories)

        return called

    for name in names:
        monkeypatch.setattr(os, name, refusing(getattr(os, name)))
    exclusive = trash_bin.rename_exclusive

    def rename_exclusive(source, target, source_in, target_in):
        if source_in != target_in:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        exclusive(source, target, source_in, target_in)

    monkeypatch.setattr(trash_bin, "rename_exclusive", rename_exclusive)


def test_others_cannot_look_into_the_trash(place, kept):
    trash = place.root / ".ftpservice.trash"
    assert trash.stat().st_mode & 0o777 == 0o700
    [item] = place.items()
    assert item.read_bytes() == b"data"
    assert item.relative_to(trash).parts[1:3] == ("in", "file")


def test_an_empty_trash_leaves_no_directory(place, kept):
    run(kept.discard(run(kept.trashed(ROOT))))
    assert os.listdir(place.root) == ["in"]
    run(create_file(kept, "/in/file", b"data"))
    run(kept.remove_file(path_at("/in/file")))
    [one] = run(kept.trashed(ROOT))
    run(kept.restore(one, one.path, False))
    assert os.listdir(place.root) == ["in"]


@pytest.mark.parametrize(
    "name",
    [
        ".ftpservice.trash",
        ".FTPservice.Trash",
        ".ftpservice.trash.",
        ".ftp\N{LATIN SMALL LETTER LONG S}ervice.trash",
        ".ftpservice\N{ZERO WIDTH SPACE}.trash",
        "\N{ZERO WIDTH SPACE}.ftpservice.trash",
        ".ftpservice.trash\N{VARIATION SELECTOR-1}",
    ],
)
def test_no_command_can_name_the_trash(place, kept, name):
    [item] = place.items()
    inside = VirtualPath((name, *item.relative_to(place.root).parts[1:]))
    for path in (VirtualPath((name,)), inside):
        for call in (
            kept.stat(path),
            kept.lstat(path),
            kept.open_listing(path),
            kept.open_reading(path),
            kept.hash(path, "CRC32", 0, None),
            kept.remove_file(path),
            kept.remove_directory(path),
            kept.make_directory(path),
            kept.rename(path, path_at("/stolen")),
            kept.rename(path_at("/in"), path),
            kept.open_writing(path, WriteRequest()),
            kept.open_writing(path, WriteRequest(WriteMode.CREATE)),
            kept.set_mode(path, 0o777),
            kept.enter(path),
            kept.trashed(path),
        ):
            with pytest.raises((errors.PathNotFound, errors.InvalidName)):
                run(call)
        with pytest.raises((errors.PathNotFound, errors.InvalidName)):
            run(kept.restore(run(kept.trashed(ROOT))[0], path, True))
    assert list(run(list_directory(kept))) == ["in"]
    assert place.items() == [item]


@pytest.mark.parametrize("kind", ["file", "link", "open"])
def test_what_stands_in_the_way_is_an_error_and_nothing_is_deleted(place, tmp_path, kind):
    storage, trash = place.storage(), place.root / ".ftpservice.trash"
    run(create_file(storage, "/file", b"data"))
    if kind == "file":
        trash.touch()
    elif kind == "link":
        (tmp_path / "elsewhere").mkdir()
        trash.symlink_to("elsewhere")
    else:
        trash.mkdir()
        trash.chmod(0o777)
    for call in (storage.remove_file(path_at("/file")), create_file(storage, "/file", b"new")):
        with pytest.raises(errors.Unavailable):
            run(call)
    assert run(read_file(storage, "/file")) == b"data"
    assert run(list_directory(storage)).keys() <= {"file", "elsewhere"}


def test_files_of_other_filesystems_are_copied(place, kept, monkeypatch):
    other_filesystem(monkeypatch, "rename", "link", "replace")
    run(kept.discard(run(kept.trashed(ROOT))))
    run(create_file(kept, "/in/file", b"first", WriteRequest(mode=0o640)))
    os.utime(place.root / "in/file", ns=(10**18, 10**18))
    run(create_file(kept, "/in/file", b"second"))
    run(kept.remove_file(path_at("/in/file")))
    assert not (place.root / "in/file").exists()
    second, first = run(kept.trashed(ROOT))
    run(kept.restore(first, first.path, False))
    assert run(read_file(kept, "/in/file")) == b"first"
    facts = (place.root / "in/file").stat()
    assert (facts.st_mode & 0o777, facts.st_mtime_ns) == (0o640, 10**18)
    run(kept.restore(second, second.path, True))
    assert run(read_file(kept, "/in/file")) == b"second"
    [first] = run(kept.trashed(ROOT))
    assert (first.size, first.was_overwritten) == (5, True)
    assert not [path for path in place.root.rglob("*") if path.name.endswith((".copy", ".part"))]


def test_a_copy_without_space_deletes_nothing(place, kept, monkeypatch):
    other_filesystem(monkeypatch, "rename", "link")
    run(create_file(kept, "/in/file", b"data"))
    full = mock.patch("os.copy_file_range", side_effect=OSError(errno.ENOSPC, "full"))
    for call in (kept.remove_file(path_at("/in/file")), create_file(kept, "/in/file", b"new")):
        with full, pytest.raises(errors.NoSpace):
            run(call)
    assert run(read_file(kept, "/in/file")) == b"data"
    assert place.items() == []  # what was there could not make room enough
    assert not list(place.root.rglob("*.copy"))


def test_a_file_that_cannot_be_linked_is_copied(place, kept):
    run(create_file(kept, "/in/file", b"first"))
    with mock.patch("os.link", side_effect=OSError(errno.EPERM, "protected_hardlinks")):
        run(create_file(kept, "/in/file", b"second"))
    assert [one.size for one in run(kept.trashed(ROOT))] == [5, 4]


def test_a_file_with_several_names_is_kept_when_it_is_written_in_place(place, kept):
    run(create_file(kept, "/in/file", b"old"))
    os.link(place.root / "in/file", place.root / "in/other")
    run(create_file(kept, "/in/file", b"new"))
    assert run(read_file(kept, "/in/other")) == b"new"
    [one, _] = run(kept.trashed(ROOT))
    run(kept.restore(one, path_at("/copy"), False))
    assert run(read_file(kept, "/copy")) == b"old"


def test_after_a_refused_upload_nothing_is_kept(place, kept):
    run(create_file(kept, "/in/file", b"old"))
    before = run(kept.trashed(ROOT))
    writing = run(begin_upload(kept, "/in/file", b"new"))
    with (
        mock.patch("os.rename", side_effect=OSError(errno.EIO, "broken")),
        pytest.raises(errors.Unavailable),
    ):
        run(writing.commit())
    assert run(kept.trashed(ROOT)) == before
    assert run(read_file(kept, "/in/file")) == b"old"


def test_what_fails_after_the_file_was_replaced_does_not_lose_the_old_one(place, kept):
    run(create_file(kept, "/in/file", b"old"))
    writing = run(begin_upload(kept, "/in/file", b"new"))
    with mock.patch.object(trash_bin, "items_in", side_effect=OSError(errno.EMFILE, "many")):
        run(writing.commit())
        run(kept.remove_file(path_at("/in/file")))
    assert [one.size for one in run(kept.trashed(ROOT))] == [3, 3, 4]


def test_what_was_written_in_place_by_half_is_kept(place, kept):
    run(create_file(kept, "/in/file", b"old"))
    os.link(place.root / "in/file", place.root / "in/other")
    writing = run(begin_upload(kept, "/in/file", b"newer"))

    def half(_source, opened, _offset, _size):
        os.write(opened, b"ne")
        raise OSError(errno.EIO, "broken")

    with (
        mock.patch("ftpservice.backends.local.files.in_place.copy_range", half),
        pytest.raises(errors.Unavailable),
    ):
        run(writing.commit())
    [one, _] = run(kept.trashed(ROOT))
    run(kept.restore(one, path_at("/copy"), False))
    assert run(read_file(kept, "/copy")) == b"old"


def test_a_link_is_kept_as_a_link(place, kept):
    (place.root / "in/link").symlink_to("nowhere")
    run(kept.remove_file(path_at("/in/link")))
    one = run(kept.trashed(path_at("/in/link")))[0]
    assert (one.kind, one.size) == (Kind.LINK, 0)
    run(kept.restore(one, one.path, False))
    assert run(ILinks(kept).lstat(one.path)).kind is Kind.LINK


@pytest.mark.parametrize(
    "name", ["\udcff\udcfe", "%2e%2e", "a b\tc", "x" * 255, "-rf", "\N{RIGHT-TO-LEFT OVERRIDE}txt"]
)
def test_any_name_can_be_restored(place, name):
    storage, path = place.storage(), VirtualPath((name,))
    writing = run(storage.open_writing(path, WriteRequest()))
    run(writing.write(b"data"))
    run(writing.commit())
    run(storage.remove_file(path))
    [one] = run(storage.trashed(path))
    assert one.path == path
    run(storage.restore(one, path, False))
    assert list(run(list_directory(storage))) == [name]


def test_accounts_with_one_root_and_with_one_above_have_their_own_trash(place, kept):
    run(create_file(place.storage("ben"), "/in/file", b"ben's"))
    run(place.storage("ben", "/in").remove_file(path_at("/file")))
    assert [one.size for one in run(place.storage("ben", "/in").trashed(ROOT))] == [5]
    assert run(place.storage("ben").trashed(ROOT)) == []
    assert [one.size for one in run(kept.trashed(ROOT))] == [4]
    assert len(place.items()) == 2


def test_a_directory_that_has_the_trash_of_an_account_is_not_removed(place, kept):
    inner = place.storage("ben", "/in")
    run(create_file(inner, "/file", b"data"))
    run(inner.remove_file(path_at("/file")))
    with pytest.raises(errors.HasTrash):
        run(kept.remove_directory(path_at("/in")))
    run(inner.discard(run(inner.trashed(ROOT))))
    (place.root / "in/.ftpservice.trash/left/behind").mkdir(parents=True)
    run(kept.remove_directory(path_at("/in")))
    assert run(list_directory(kept)) == {}


def test_a_file_that_comes_while_a_missing_one_is_removed_stays(place, kept):
    uploaded = place.storage()
    facts = DirectoryEntry.facts

    def facts_of_before(entry):
        found = facts(entry)
        monkeypatch.undo()
        run(create_file(uploaded, "/in/file", b"new"))
        return found

    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr(DirectoryEntry, "facts", facts_of_before)
    with monkeypatch.context(), pytest.raises(errors.PathNotFound):
        run(kept.remove_file(path_at("/in/file")))
    assert run(read_file(kept, "/in/file")) == b"new"


@pytest.mark.parametrize("rule", [RULE, None], ids=["trash", "no trash"])
def test_a_file_that_is_about_to_be_replaced_and_kept_is_not_written_in_place(place, kept, rule):
    """It has two names until it is replaced."""
    run(create_file(kept, "/in/file", b"old"))
    file, other = place.root / "in/file", place.root / "in/other"
    upload = run(begin_upload(place.storage(rule=rule), "/in/file", b"new"))
    os.link(file, other)
    waiting, results = threading.Event(), []

    def waits(entry, path):
        waiting.set()
        return locked(entry, path)

    with place_of(file.parent, b"file") as entry, mock.patch.object(upload_module, "locked", waits):
        with locked(entry, path_at("/in/file")):
            thread = threading.Thread(target=lambda: results.append(run(upload.commit())))
            thread.start()
            try:
                assert waiting.wait(60)
                (place.root / "in/next").write_bytes(b"next")
                (place.root / "in/next").rename(file)
            finally:
                waiting.set()
        thread.join()
    assert [entry.size for entry in results] == [3]
    assert (file.read_bytes(), other.read_bytes()) == (b"new", b"old")
    assert file.stat().st_nlink == 1


@contextmanager
def place_of(folder, name):
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield DirectoryEntry(opened, name)
    finally:
        os.close(opened)


def test_a_sweep_between_making_a_directory_and_using_it_loses_nothing(place, kept):
    run(create_file(kept, "/in/new", b"data"))
    real, calls = os.rename, []

    def swept(source, target, **directories):
        if not calls:
            calls.append(os.rmdir(place.root / f".ftpservice.trash/{owner()}/in/new"))
        return real(source, target, **directories)

    def owner():
        [name] = os.listdir(place.root / ".ftpservice.trash")
        return name

    with mock.patch("os.rename", swept):
        run(kept.remove_file(path_at("/in/new")))
    assert [one.size for one in run(kept.trashed(path_at("/in/new")))] == [4]


def test_deletions_of_the_same_moment_are_in_their_order(kept):
    for number in range(40):
        run(create_file(kept, f"/{number}", b"x" * number))
        run(kept.remove_file(path_at(f"/{number}")))
    found = run(kept.trashed(ROOT))
    assert [one.size for one in found[:40]] == list(range(39, -1, -1))
    assert abs(found[0].deleted - time.time()) < 60
