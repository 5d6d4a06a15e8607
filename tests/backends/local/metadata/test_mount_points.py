"""Files and directories with something mounted on them: real bind mounts."""

import os
import subprocess
from contextlib import contextmanager

import pytest

from ftpservice.storage import errors
from ftpservice.storage.interfaces import WriteMode, WriteRequest
from ftpservice.testing.contract.case import (
    begin_upload,
    create_file,
    partial_size,
    path_at,
    read_file,
    upload_file,
)
from tests.scenarios.faults.test_full_disk import refused
from tests.support.failing_disk import mounted
from tests.support.local_source import Bench, run
from tests.support.raw_client import reset
from tests.support.restartable_service import RestartableService, hidden, noise
from tests.support.simple_client import SimpleWire


@contextmanager
def bound(source, target):
    """Have one file or directory mounted on another."""
    subprocess.run(["mount", "--bind", source, target], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", target], check=True)


@pytest.fixture(params=[False, True], ids=["same filesystem", "another filesystem"])
def bench(request, tmp_path):
    made = Bench(tmp_path)
    with mounted(made.outside, 8 << 20) if request.param else nothing():
        (made.outside / "file").write_bytes(b"old and mounted")
        (made.root / "file").touch()
        with bound(made.outside / "file", made.root / "file"):
            yield made
    assert made.open_descriptors() == []


@contextmanager
def nothing():
    yield


class TestFiles:
    @pytest.mark.parametrize("data", [b"new", bytes(range(256)) * 8000])
    def test_one_is_written_in_place(self, bench, data):
        before = (bench.outside / "file").stat().st_ino
        assert run(create_file(bench.storage, "/file", data)).size == len(data)
        assert (bench.outside / "file").read_bytes() == data
        assert (bench.outside / "file").stat().st_ino == before
        assert not bench.hidden()

    def test_an_interrupted_upload_leaves_it_and_can_be_resumed(self, bench):
        run(run(begin_upload(bench.storage, "/file", b"half")).abandon())
        assert (bench.outside / "file").read_bytes() == b"old and mounted"
        assert run(partial_size(bench.storage, "/file")) == 4
        run(create_file(bench.storage, "/file", b" and half", WriteRequest(offset=4)))
        assert (bench.outside / "file").read_bytes() == b"half and half"

    def test_it_is_appended_to(self, bench):
        run(upload_file(bench.storage, "/file", b", and more", WriteMode.APPEND))
        assert run(read_file(bench.storage, "/file")) == b"old and mounted, and more"

    def test_it_cannot_be_removed_renamed_or_renamed_over(self, bench):
        run(create_file(bench.storage, "/other", b"other"))
        for call in (
            lambda: bench.storage.remove_file(path_at("/file")),
            lambda: bench.storage.rename(path_at("/file"), path_at("/moved")),
            lambda: bench.storage.rename(path_at("/other"), path_at("/file")),
        ):
            with pytest.raises((errors.MountPoint, errors.OtherFilesystem)):
                run(call())
        assert run(read_file(bench.storage, "/other")) == b"other"
        assert run(read_file(bench.storage, "/file")) == b"old and mounted"

    def test_a_disk_that_fills_during_the_copy_leaves_it(self, tmp_path):
        made = Bench(tmp_path)
        (made.root / "file").touch()
        with mounted(made.outside, 64 << 10):
            (made.outside / "file").write_bytes(b"old and mounted")
            with bound(made.outside / "file", made.root / "file"):
                with pytest.raises(errors.NoSpace):
                    run(create_file(made.storage, "/file", bytes(100_000)))
                assert run(read_file(made.storage, "/file")) == b"old and mounted"


class TestDirectories:
    def test_one_cannot_be_removed_and_says_why(self, tmp_path):
        made = Bench(tmp_path)
        (made.root / "dir").mkdir()
        with bound(made.outside, made.root / "dir"), pytest.raises(errors.MountPoint):
            run(made.storage.remove_directory(path_at("/dir")))

    def test_what_is_busy_for_another_reason_still_is(self, tmp_path, monkeypatch):
        made = Bench(tmp_path)
        run(create_file(made.storage, "/file", b"x"))

        def busy(*_args, **_more):
            raise OSError(16, "busy")

        monkeypatch.setattr(os, "unlink", busy)
        with pytest.raises(errors.Busy):
            run(made.storage.remove_file(path_at("/file")))

    def test_between_filesystems_nothing_is_moved(self, tmp_path):
        made = Bench(tmp_path)
        (made.root / "disk").mkdir()
        run(create_file(made.storage, "/file", b"x"))
        with mounted(made.root / "disk", 1 << 20):
            with pytest.raises(errors.OtherFilesystem):
                run(made.storage.rename(path_at("/file"), path_at("/disk/file")))
            run(create_file(made.storage, "/disk/here", b"y"))
            with pytest.raises(errors.OtherFilesystem):
                run(made.storage.rename(path_at("/disk/here"), path_at("/file")))
        assert run(read_file(made.storage, "/file")) == b"x"


class TestReplies:
    """By real clients, on both protocols."""

    def test_a_mounted_file_can_be_stored_by_ftp(self, tmp_path):
        restartable = RestartableService(tmp_path)
        old, new = noise(300_000, 1), noise(2_000_000, 2)
        (tmp_path / "config").write_bytes(old)
        (restartable.root / "a").touch()
        with bound(tmp_path / "config", restartable.root / "a"), restartable.open() as service:
            wire = service.session()
            reset(service.begun(wire, "STOR a", new[:100_000]))
            assert wire.reply().code == 426
            assert (tmp_path / "config").read_bytes() == old
            assert wire.upload("STOR a", new).code == 226
            assert (tmp_path / "config").read_bytes() == new
            assert wire.upload("STOR a", b"small").code == 226
            assert (tmp_path / "config").read_bytes() == b"small"
            assert wire.codes("DELE a", "RNFR a", "RNTO b") == [550, 350, 550]
            assert not hidden(restartable.root)

    def test_a_mounted_file_can_be_stored_by_the_simple_protocol(self, tmp_path):
        restartable = RestartableService(tmp_path)
        (tmp_path / "config").write_bytes(b"old")
        (restartable.root / "a").touch()
        options = "--simple=tcp:0:interface=127.0.0.1"
        with (
            bound(tmp_path / "config", restartable.root / "a"),
            restartable.open(options) as service,
        ):
            port = int(service.program.line(r"simple://\S+?:(\d+)/")[1])
            wire = SimpleWire(service, service.connected(("127.0.0.1", port)))
            wire.line()
            wire.login().send("UPLD 5+ a\nwholeDELF a\n")
            assert wire.line() == "OK 5 a"
            assert wire.line().startswith("ERR DENIED")
            assert (tmp_path / "config").read_bytes() == b"whole"

    def test_between_filesystems_it_is_550(self, tmp_path):
        restartable = RestartableService(tmp_path)
        (restartable.root / "disk").mkdir()
        (restartable.root / "a").write_bytes(b"x")
        with mounted(restartable.root / "disk", 1 << 20), restartable.open() as service:
            wire = service.session()
            assert wire.codes("RNFR a", "RNTO disk/a") == [350, 550]
            assert refused(wire, "STOR disk", b"x").code == 550
