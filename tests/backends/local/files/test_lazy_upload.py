"""An upload that is promised begins with its first bytes on the disk, and ends like any other."""

import os

import pytest

from ftpservice.backends.local.files import lazy_upload
from ftpservice.backends.local.files.transaction import LazyUploadWriter
from ftpservice.storage import errors
from ftpservice.storage.interfaces import IDescriptor, ISpliceTarget, WriteRequest
from ftpservice.wire.paths import VirtualPath
from tests.support.local_source import Bench, open_descriptors, run

AT_ONCE = True

FILE = VirtualPath(("directory", "file"))


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    (made.root / "directory").mkdir()
    return made


def begin(bench, path=FILE):
    return run(bench.storage.open_writing(path, WriteRequest()))


def content(bench):
    return (bench.root / "directory" / "file").read_bytes()


def names(bench):
    return os.listdir(bench.root / "directory")


def test_nothing_is_there_before_the_first_bytes(bench):
    writing = begin(bench)
    assert isinstance(writing, LazyUploadWriter)
    assert (names(bench), writing.path, writing.offset) == ([], FILE, 0)
    run(writing.write(b"small"))
    assert names(bench) == []
    assert run(writing.commit()).size == 5
    assert content(bench) == b"small"


def test_there_is_no_descriptor_to_ask_for(bench):
    writing = begin(bench)
    assert IDescriptor(writing, None) is None and ISpliceTarget(writing, None) is not None
    with pytest.raises(errors.Unavailable):
        writing.fileno()
    run(writing.abandon())


def test_an_empty_file_is_made(bench):
    run(begin(bench).commit())
    assert content(bench) == b""


def test_the_kernel_fills_it_from_the_first_byte_on(bench):
    writing = begin(bench)
    run(writing.write(b"first "))
    assert run(writing.with_descriptor(lambda descriptor: os.write(descriptor, b"second"))) == 6
    run(writing.commit())
    assert content(bench) == b"first second"


def test_what_is_replaced_keeps_its_mode(bench):
    (bench.root / "directory" / "file").write_bytes(b"old")
    (bench.root / "directory" / "file").chmod(0o640)
    writing = begin(bench)
    run(writing.write(b"new"))
    assert run(writing.commit()).mode == 0o640
    assert content(bench) == b"new"


def test_nothing_is_left_of_one_that_got_nothing(bench):
    before = open_descriptors()
    writing = begin(bench)
    run(writing.abandon())
    run(writing.abandon())
    assert (names(bench), open_descriptors()) == ([], before)
    with pytest.raises(errors.Unavailable):
        run(writing.commit())


def test_an_interrupted_lazy_upload_can_be_resumed(bench):
    writing = begin(bench)
    run(writing.write(b"half"))
    run(writing.abandon())
    writing = run(bench.storage.open_writing(FILE, WriteRequest(offset=4)))
    run(writing.write(b" and half"))
    run(writing.commit())
    assert (content(bench), names(bench)) == (b"half and half", ["file"])


def test_an_older_partial_is_not_in_the_way(bench):
    for text in (b"a longer one that was cut", b"short"):
        writing = begin(bench)
        run(writing.write(text))
        run(writing.abandon() if text != b"short" else writing.commit())
    assert (content(bench), names(bench)) == (b"short", ["file"])


@pytest.mark.parametrize(
    ("path", "error"),
    [
        (("directory",), errors.IsDirectory),
        (("none", "file"), errors.PathNotFound),
        (("directory", "plain", "file"), errors.NotDirectory),
        (("directory", ".ftpservice.x"), errors.InvalidName),
        (("directory", "x" * 256), errors.InvalidName),
        (("directory", "queue"), errors.Denied),
    ],
    ids=["directory", "no directory", "in a file", "hidden", "long", "no file"],
)
def test_what_is_certain_is_refused_at_once(bench, path, error):
    (bench.root / "directory" / "plain").write_bytes(b"")
    os.mkfifo(bench.root / "directory" / "queue")
    before = open_descriptors()
    with pytest.raises(error):
        begin(bench, VirtualPath(path))
    assert open_descriptors() == before


def test_a_link_is_followed(bench):
    os.symlink("../file", bench.root / "directory" / "file")
    writing = begin(bench)
    assert not isinstance(writing, LazyUploadWriter)
    run(writing.write(b"beyond"))
    run(writing.commit())
    assert (bench.root / "file").read_bytes() == b"beyond"


def test_so_is_one_that_came_meanwhile(bench):
    writing = begin(bench)
    run(writing.write(b"beyond"))
    os.symlink("../file", bench.root / "directory" / "file")
    run(writing.commit())
    assert (bench.root / "file").read_bytes() == b"beyond"
    assert os.readlink(bench.root / "directory" / "file") == "../file"


def test_a_link_out_that_came_meanwhile_is_refused(bench):
    writing = begin(bench)
    run(writing.write(b"beyond"))
    os.symlink(bench.outside / "file", bench.root / "directory" / "file")
    with pytest.raises(errors.Denied):
        run(writing.commit())
    assert os.listdir(bench.outside) == []


def test_a_directory_that_came_meanwhile_stays(bench):
    before = open_descriptors()
    writing = begin(bench)
    run(writing.write(b"file"))
    (bench.root / "directory" / "file").mkdir()
    with pytest.raises(errors.IsDirectory):
        run(writing.commit())
    run(writing.abandon())
    assert (names(bench), open_descriptors()) == (["file"], before)


def test_its_directory_may_go_meanwhile(bench):
    before = open_descriptors()
    writing = begin(bench)
    run(writing.write(b"file"))
    (bench.root / "directory").rmdir()
    with pytest.raises(errors.PathNotFound):
        run(writing.commit())
    run(writing.abandon())
    assert open_descriptors() == before


def test_abandoning_after_the_directory_was_removed_leaves_nothing_open(bench):
    before = open_descriptors()
    writing = begin(bench)
    run(writing.write(b"file"))
    (bench.root / "directory").rmdir()
    run(writing.abandon())
    assert open_descriptors() == before


def test_nothing_is_promised_where_nothing_may_be_written(bench, monkeypatch):
    """Then the pool finds out what the matter is."""
    monkeypatch.setattr(lazy_upload.os, "access", lambda *_, **__: False)
    writing = begin(bench)
    assert not isinstance(writing, LazyUploadWriter)
    run(writing.abandon())


def test_nor_where_the_disk_would_have_to_be_asked(bench, monkeypatch):
    monkeypatch.setattr(
        "ftpservice.backends.local.paths.tree.DirectoryTree.open_if_cached", lambda *_: None
    )
    writing = begin(bench)
    assert not isinstance(writing, LazyUploadWriter)
    run(writing.commit())
    assert content(bench) == b""


def test_its_directory_stays(bench):
    """Its first bytes wait in memory, and there is no partial that the kernel would see."""
    writing = begin(bench)
    run(writing.write(b"small"))
    assert names(bench) == []
    with pytest.raises(errors.HasUploads):
        run(bench.storage.remove_directory(FILE.parent))
    run(writing.commit())
    assert content(bench) == b"small"
    run(bench.storage.remove_file(FILE))
    run(begin(bench).abandon())
    run(bench.storage.remove_directory(FILE.parent))
    assert os.listdir(bench.root) == []
