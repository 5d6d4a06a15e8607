"""The storage contract on filesystems that lack calls: FUSE and overlayfs."""

import contextlib
import errno
import itertools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ftpservice.backends.local.source import LocalSource
from ftpservice.concurrency.thread_pool import InlineRunner
from ftpservice.linux import UNSUPPORTED_ERRNOS
from ftpservice.storage import errors
from ftpservice.storage.interfaces import IFreeSpace, ISetMode, ISetTimes, WriteMode, WriteRequest
from ftpservice.testing.contract.case import (
    begin_upload,
    create_file,
    list_directory,
    partial_size,
    path_at,
    read_file,
    upload_file,
)
from ftpservice.testing.storage_contract import StorageContract
from ftpservice.wire.paths import ROOT
from tests.scenarios.storage.test_local_contract import open_descriptors
from tests.support.fuse_mount import OPTIONAL, mounted_loopback
from tests.support.local_source import run
from tests.support.run_watcher import unmount_with_run

CODES = ("ENOSYS", "EOPNOTSUPP", "EPERM", "EINVAL", "EXDEV")
WORKING = ("rename_directory",)
"""What cannot be done in another way, and is not part of the contract here."""
numbers = itertools.count()


class Mounted(StorageContract):
    """The contract in new directories of one mounted filesystem."""

    durable = False
    refused = ""

    @classmethod
    def mounting(cls, folder):
        """Return a context manager that mounts the filesystem below ``folder``."""
        return mounted_loopback(folder)

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp())
        cls.mount = cls.mounting(cls.folder)
        cls.top = cls.mount.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.mount.__exit__(None, None, None)
        shutil.rmtree(cls.folder)

    def storage(self):
        folder = self.top / (self.refused or "all") / str(next(numbers))
        folder.mkdir(parents=True)
        source = LocalSource(str(folder), Clock(), InlineRunner(), self.durable)
        self.source, self.before = source, open_descriptors()
        return source.storage("one", ROOT)

    def other_owner_storage(self):
        return self.source.storage("two", ROOT)

    def check_all_closed(self):
        assert open_descriptors() <= self.before + 1


class OnFuse(Mounted):
    """An open file that is removed leaves ``.fuse_hidden*`` in its directory."""

    test_a_directory_removed_meanwhile_takes_the_file = None


class FuseTests(OnFuse, SynchronousTestCase):
    """All calls work."""


def all_refused(code):
    return ",".join(f"{call}={code}" for call in OPTIONAL if call not in ("statfs", *WORKING))


class LackingTests(OnFuse, SynchronousTestCase):
    """No optional call is supported."""

    refused = all_refused("ENOSYS")
    durable = True

    # what cannot be done at all, of which the last test here is
    test_a_replaced_file_keeps_its_permission_bits = None
    test_permission_bits_can_be_set = None
    test_the_owner_keeps_access_to_the_root = None
    test_the_modification_time_can_be_set = None

    def test_missing_calls_are_reported_as_unsupported(self):
        storage = run(self.storage())
        run(create_file(storage, "/file", b"x"))
        run(refuses(ISetMode(storage).set_mode(path_at("/file"), 0o640)))
        run(refuses(ISetTimes(storage).set_times(path_at("/file"), 5.0)))


class UnsupportedTests(LackingTests):
    refused = all_refused("EOPNOTSUPP")


class InvalidTests(LackingTests):
    refused = all_refused("EINVAL")


class CrossingTests(LackingTests):
    refused = all_refused("EXDEV")


class ForbiddenTests(LackingTests):
    refused = all_refused("EPERM")


async def refuses(call):
    with pytest.raises((errors.FilesystemUnsupported, errors.Denied)):
        await call


class OverlayTests(Mounted, SynchronousTestCase):
    """In a directory of the lower layer."""

    refused = "old"

    @classmethod
    def mounting(cls, folder):
        return mounted_overlay(folder)


@contextlib.contextmanager
def mounted_overlay(folder):
    """Mount an overlay on a tmpfs: an overlay cannot be the upper layer of another."""
    base = folder / "base"
    base.mkdir()
    for place in (base, base / "merged"):
        unmount_with_run(place)
    subprocess.run(["mount", "-t", "tmpfs", "none", base], check=True)
    try:
        for name in ("lower/old/inner", "upper", "work", "merged"):
            (base / name).mkdir(parents=True)
        (base / "lower" / "old" / "file").write_bytes(b"from below")
        layers = ",".join(f"{name}dir={base / name}" for name in ("lower", "upper", "work"))
        words = ["mount", "-t", "overlay", "-o", f"{layers},redirect_dir=off", "none"]
        subprocess.run([*words, base / "merged"], check=True)
        try:
            yield base / "merged"
        finally:
            subprocess.run(["umount", "--lazy", base / "merged"], check=True)
    finally:
        subprocess.run(["umount", "--lazy", base], check=True)


@pytest.fixture(scope="module")
def fuse(tmp_path_factory):
    with mounted_loopback(tmp_path_factory.mktemp("fuse")) as top:
        yield top


def storage_in(folder, owner="one"):
    folder.mkdir(parents=True, exist_ok=True)
    source = LocalSource(str(folder), Clock(), InlineRunner(), durable=True)
    return run(source.storage(owner, ROOT))


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("call", OPTIONAL)
def test_one_refused_call_is_tolerated(fuse, call, code):
    folder = fuse / f"{call}={code}"
    storage = storage_in(folder)
    assert run(create_file(storage, "/file", b"first")).size == 5
    run(run(begin_upload(storage, "/file", b"sec")).abandon())
    assert run(partial_size(storage, "/file")) == 3
    run(upload_file(storage, "/file", b"ond", WriteMode.REPLACE, 3))
    run(upload_file(storage, "/file", b", more", WriteMode.APPEND))
    run(create_file(storage, "/file", bytes(300_000), WriteRequest(WriteMode.UNIQUE)))
    if "xattr" not in call:
        with contextlib.suppress(OSError):  # one ENOSYS, and the kernel asks that mount never again
            os.setxattr(folder / "file", "user.x", b"1")
    run(create_file(storage, "/file", b"over that"))
    if call != "chown":
        os.chown(folder / "file", 4321, 4322)
    run(create_file(storage, "/file", b"over another's"))
    run(create_file(storage, "/new", b"x", WriteRequest(WriteMode.CREATE)))
    run(refuses_as_there(create_file(storage, "/new", b"x", WriteRequest(WriteMode.CREATE))))
    run(storage.rename(path_at("/new"), path_at("/newer"), False))
    run(storage.rename(path_at("/newer"), path_at("/file.1")))
    run(storage.make_directory(path_at("/dir")))
    assert set(run(list_directory(storage))) == {"dir", "file", "file.1"}
    assert run(read_file(storage, "/file")) == b"over another's"
    assert run(read_file(storage, "/file.1")) == b"x"
    run(storage.remove_file(path_at("/file.1")))
    run(storage.remove_directory(path_at("/dir")))
    run(storage.remove_file(path_at("/file")))
    assert os.listdir(folder) == []


async def refuses_as_there(call):
    with pytest.raises(errors.Exists):
        await call


@pytest.mark.parametrize("code", CODES)
def test_a_directory_that_cannot_be_renamed(fuse, code):
    storage = storage_in(fuse / f"rename_directory={code}" / "moving")
    run(storage.make_directory(path_at("/dir")))
    run(create_file(storage, "/dir/file", b"x"))
    kinds = (
        errors.OtherFilesystem,
        errors.FilesystemUnsupported,
        errors.Denied,
        errors.InvalidName,
    )
    with pytest.raises(kinds):
        run(storage.rename(path_at("/dir"), path_at("/moved")))
    assert run(read_file(storage, "/dir/file")) == b"x"


def test_unknown_free_space_is_unsupported(fuse):
    storage = storage_in(fuse / "statfs=EOPNOTSUPP" / "space")
    with pytest.raises(errors.FilesystemUnsupported):
        run(IFreeSpace(storage).free_space(ROOT))


def test_two_writers_without_file_locks(fuse):
    storage = storage_in(fuse / "flock=EOPNOTSUPP" / "locks")
    one = run(begin_upload(storage, "/file", b"first"))
    two = run(begin_upload(storage, "/file", b"number two"))
    run(two.commit())
    run(one.commit())
    assert run(read_file(storage, "/file")) == b"first"
    assert os.listdir(fuse / "flock=EOPNOTSUPP" / "locks") == ["file"]


class TestOverlay:
    @pytest.fixture
    def overlay(self, tmp_path):
        with mounted_overlay(tmp_path) as top:
            yield storage_in(top / "old")

    def test_files_of_the_lower_layer(self, overlay):
        run(upload_file(overlay, "/file", b", above", WriteMode.APPEND))
        assert run(read_file(overlay, "/file")) == b"from below, above"
        run(create_file(overlay, "/file", b"new"))
        run(overlay.rename(path_at("/file"), path_at("/other"), False))
        assert run(read_file(overlay, "/other")) == b"new"
        run(overlay.remove_file(path_at("/other")))
        assert set(run(list_directory(overlay))) == {"inner"}

    def test_a_directory_of_the_lower_layer_cannot_be_renamed(self, overlay):
        with pytest.raises(errors.OtherFilesystem):
            run(overlay.rename(path_at("/inner"), path_at("/moved")))
        assert set(run(list_directory(overlay))) == {"file", "inner"}


def test_all_error_codes_of_missing_calls_are_tested():
    assert {getattr(errno, code) for code in CODES} == set(UNSUPPORTED_ERRNOS)


@pytest.mark.parametrize("code", ["EPERM", "ENOENT", "ESTALE", "EACCES"])
def test_an_upload_after_its_directory_vanished(tmp_path, monkeypatch, code):
    """JuiceFS returns EPERM, NFS ESTALE."""
    storage = storage_in(tmp_path / "root")
    run(storage.make_directory(path_at("/dir")))
    writing = run(
        begin_upload(storage, "/dir/file", request=WriteRequest(write_mode=WriteMode.APPEND))
    )
    shutil.rmtree(tmp_path / "root" / "dir")
    real, vanished = os.stat, getattr(errno, code)

    def fail(*args, dir_fd=None, **more):
        if dir_fd is not None:
            raise OSError(vanished, os.strerror(vanished))
        return real(*args, **more)

    monkeypatch.setattr(os, "stat", fail)
    run(writing.abandon())
