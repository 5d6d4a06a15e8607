"""What a file keeps when it is uploaded anew, and what a new one gets: real ACLs, real users."""

import errno
import os
import stat
import subprocess

import pytest

from ftpservice.backends.local.metadata import extended_attributes
from ftpservice.storage import errors
from ftpservice.storage.interfaces import ISetMode, MaskedMode, WriteMode, WriteRequest
from ftpservice.testing.contract.case import (
    begin_upload,
    create_file,
    path_at,
    read_file,
    upload_file,
)
from tests.support.local_source import Bench, run
from tests.support.unprivileged import NOBODY, as_user, needs_root

OPEN = MaskedMode.of(0o666, 0o022)
"""The mode of an upload under the usual umask."""
SOMEBODY = 4321


@pytest.fixture(params=[True, False], ids=["this kernel", "before 6.13"])
def bench(request, tmp_path, monkeypatch):
    if not request.param:
        monkeypatch.setattr(extended_attributes._Kernel, "has_listxattrat", False)
    made = Bench(tmp_path)
    yield made
    assert made.open_descriptors() == []


def acl(path, *rules):
    """Set rules of an ACL, then return all of it as text."""
    if rules:
        subprocess.run(["setfacl", *rules, path], check=True)
    words = ["getfacl", "--omit-header", "--numeric", "--absolute-names", "--no-effective", path]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()


def store(bench, data=b"new", name="/file", how=WriteMode.REPLACE, mode=OPEN):
    return run(create_file(bench.storage, name, data, WriteRequest(how, mode=mode)))


class TestReplacing:
    def test_the_access_list_stays(self, bench):
        file = bench.root / "file"
        file.write_bytes(b"old")
        before = acl(file, "-m", "u:4321:r,g:4322:rx,m::rx")
        store(bench)
        assert acl(file) == before
        assert file.read_bytes() == b"new"

    def test_no_group_gains_by_the_directorys_default(self, bench):
        file = bench.root / "file"
        file.write_bytes(b"old")
        file.chmod(0o664)
        before = acl(file, "-m", "g:4322:r,m::rw")
        acl(bench.root, "-d", "-m", "g:4322:rwx,m::rwx")
        store(bench)
        assert acl(file) == before

    def test_a_list_that_only_the_directory_has_is_not_given(self, bench):
        file = bench.root / "file"
        file.write_bytes(b"old")
        before = acl(file)
        acl(bench.root, "-d", "-m", "u:4321:rwx,m::rwx")
        store(bench)
        assert acl(file) == before

    def test_attributes_stay(self, bench):
        file = bench.root / "file"
        file.write_bytes(b"old")
        for name, value in (("user.origin", b"camera"), ("user.empty", b"")):
            os.setxattr(file, name, value)
        store(bench)
        assert os.getxattr(file, "user.origin") == b"camera"
        assert os.getxattr(file, "user.empty") == b""

    @needs_root
    def test_attributes_of_the_system_stay_if_the_process_may_set_them(self, bench):
        file = bench.root / "file"
        file.write_bytes(b"old")
        os.setxattr(file, "trusted.mark", b"1")
        store(bench)
        assert os.getxattr(file, "trusted.mark") == b"1"

    @needs_root
    def test_a_capability_goes_as_with_every_write(self, bench):
        file = bench.root / "file"
        file.write_bytes(b"old")
        os.setxattr(file, "security.capability", bytes.fromhex("0000000201000000" + "00" * 12))
        store(bench)
        assert "security.capability" not in os.listxattr(file)

    @needs_root
    def test_owner_group_and_bits_stay(self, bench):
        file = bench.root / "file"
        file.write_bytes(b"old")
        os.chown(file, SOMEBODY, SOMEBODY + 1)
        file.chmod(0o4750)
        old = file.stat()
        assert store(bench).mode == 0o750, "set-user-ID goes as with every write"
        new = file.stat()
        assert (new.st_uid, new.st_gid) == (SOMEBODY, SOMEBODY + 1)
        assert new.st_ino != old.st_ino, "it was swapped in"

    def test_other_names_of_the_file_have_the_new_content(self, bench):
        file, other = bench.root / "file", bench.outside / "other"
        file.write_bytes(b"old and longer")
        os.link(file, other)
        os.setxattr(file, "user.origin", b"camera")
        assert store(bench).size == 3
        assert other.read_bytes() == b"new"
        assert file.stat().st_ino == other.stat().st_ino
        assert os.getxattr(other, "user.origin") == b"camera"
        assert not bench.hidden()
        store(bench, bytes(3_000_000))
        assert other.read_bytes() == bytes(3_000_000)

    def test_an_interruption_changes_no_link_of_the_file(self, bench):
        file, other = bench.root / "file", bench.outside / "other"
        file.write_bytes(b"old")
        os.link(file, other)
        run(run(begin_upload(bench.storage, "/file", b"half")).abandon())
        assert (file.read_bytes(), other.read_bytes()) == (b"old", b"old")

    @pytest.mark.parametrize("durable", [False, True])
    def test_a_disk_too_full_for_a_copy_leaves_the_file_as_it_was(
        self, tmp_path, monkeypatch, durable
    ):
        bench = Bench(tmp_path, durable=durable)
        file = bench.root / "file"
        file.write_bytes(b"old")
        os.link(file, bench.outside / "other")

        def full(*_args):
            raise OSError(errno.ENOSPC, "full")

        monkeypatch.setattr(os, "posix_fallocate", full)
        with pytest.raises(errors.NoSpace):
            store(bench, b"new and longer")
        assert file.read_bytes() == b"old"
        monkeypatch.undo()
        store(bench, b"new and longer")
        assert file.read_bytes() == b"new and longer"

    def test_where_the_kernel_refuses_a_new_file_the_owner_the_old_file_is_written(
        self, bench, monkeypatch
    ):
        file = bench.root / "file"
        file.write_bytes(b"old")
        os.setxattr(file, "user.origin", b"camera")
        before = file.stat().st_ino

        def refuse(*_args):
            raise PermissionError(errno.EPERM, "squashed")

        monkeypatch.setattr(os, "setxattr", refuse)
        store(bench)
        assert file.read_bytes() == b"new"
        assert file.stat().st_ino == before
        assert os.getxattr(file, "user.origin") == b"camera"

    @needs_root
    def test_an_unprivileged_process_keeps_the_owner_too(self, bench):
        file = bench.root / "file"
        file.write_bytes(b"old")
        os.chown(file, SOMEBODY, NOBODY)
        file.chmod(0o664)
        bench.root.chmod(0o777)
        as_user(lambda: store(bench))
        facts = file.stat()
        assert (facts.st_uid, facts.st_gid) == (SOMEBODY, NOBODY)
        assert stat.S_IMODE(facts.st_mode) == 0o664
        assert file.read_bytes() == b"new"
        assert not bench.hidden()


class TestManyAttributes:
    def test_more_names_than_there_is_room_for_are_kept(self, bench):
        file = bench.root / "file"
        file.write_bytes(b"old")
        names = [f"user.{'x' * 100}{number}" for number in range(8)]
        for name in names:
            os.setxattr(file, name, b"1")
        store(bench)
        assert sorted(os.listxattr(file)) == sorted(names)

    def test_a_kernel_without_the_call_is_asked_once(self, bench, monkeypatch):
        asked = []

        def absent(*args):
            asked.append(args)
            raise OSError(errno.ENOSYS, "no such call")

        monkeypatch.setattr(extended_attributes._Kernel, "has_listxattrat", True)
        monkeypatch.setattr(extended_attributes, "system_call", absent)
        acl(bench.root, "-d", "-m", "g:4322:rwx,m::rwx")
        assert store(bench).mode == 0o664
        store(bench, name="/other")
        assert len(asked) == 1


class TestBirth:
    """New files and directories are as the kernel makes them for everybody."""

    DEFAULTS = [
        ("g:4322:rwx,m::rwx",),
        ("u:4321:rw,g::rx,m::rwx,o::-",),
        ("g::rwx,o::rx",),
        ("u::rx,g::r,o::r",),
    ]

    @pytest.mark.parametrize("rules", DEFAULTS)
    @pytest.mark.parametrize(
        "how", [WriteMode.REPLACE, WriteMode.CREATE, WriteMode.APPEND, WriteMode.UNIQUE]
    )
    def test_a_default_list_takes_the_umasks_place(self, bench, rules, how):
        acl(bench.root, "-d", "-m", *rules)
        os.close(os.open(bench.root / "like", os.O_CREAT | os.O_WRONLY, 0o666))
        store(bench, how=how)
        assert acl(bench.root / "file") == acl(bench.root / "like")

    @pytest.mark.parametrize("rules", DEFAULTS)
    def test_it_does_for_directories(self, bench, rules):
        acl(bench.root, "-d", "-m", *rules)
        (bench.root / "like").mkdir(0o777)
        run(bench.storage.make_directory(path_at("/dir"), MaskedMode.of(0o777, 0o022)))
        assert acl(bench.root / "dir") == acl(bench.root / "like")

    def test_who_asks_for_few_bits_gets_no_more(self, bench):
        acl(bench.root, "-d", "-m", "u:4321:rwx,m::rwx")
        os.close(os.open(bench.root / "like", os.O_CREAT | os.O_WRONLY, 0o640))
        (bench.root / "likedir").mkdir(0o700)
        store(bench, mode=0o640)
        run(bench.storage.make_directory(path_at("/dir"), 0o700))
        assert acl(bench.root / "file") == acl(bench.root / "like")
        assert acl(bench.root / "dir") == acl(bench.root / "likedir")

    def test_elsewhere_the_umask_holds(self, bench):
        assert store(bench, mode=MaskedMode.of(0o666, 0o027)).mode == 0o640
        run(bench.storage.make_directory(path_at("/dir"), MaskedMode.of(0o777, 0o027)))
        assert (bench.root / "dir").stat().st_mode & 0o777 == 0o750

    def test_a_partial_grants_nothing(self, bench):
        acl(bench.root, "-d", "-m", "u:4321:rwx,m::rwx,o::rwx")
        for offset in (0, 3):
            writing = run(begin_upload(bench.storage, "/file", b"abc", WriteRequest(offset=offset)))
            assert (bench.root / bench.hidden()[0]).stat().st_mode & 0o777 == 0o600
            run(writing.abandon())


class TestSetID:
    @pytest.mark.parametrize("mode", [0o4755, 0o2755, 0o6755])
    def test_bytes_that_are_appended_clear_it(self, bench, mode):
        file = bench.root / "file"
        file.write_bytes(b"old")
        file.chmod(mode)
        run(upload_file(bench.storage, "/file", b" and new", WriteMode.APPEND))
        assert stat.S_IMODE(file.stat().st_mode) == 0o755
        assert run(read_file(bench.storage, "/file")) == b"old and new"

    @pytest.mark.parametrize("how", [WriteMode.REPLACE])
    def test_a_file_written_in_place_loses_it(self, bench, how):
        file = bench.root / "file"
        file.write_bytes(b"old")
        os.link(file, bench.outside / "other")
        file.chmod(0o6755)
        assert store(bench, how=how).mode == 0o755

    def test_setting_the_bits_of_a_file_clears_it(self, bench):
        file = bench.root / "file"
        file.write_bytes(b"old")
        file.chmod(0o7711)
        run(ISetMode(bench.storage).set_mode(path_at("/file"), 0o700))
        assert stat.S_IMODE(file.stat().st_mode) == 0o1700

    def test_a_directory_keeps_it(self, bench):
        (bench.root / "dir").mkdir()
        (bench.root / "dir").chmod(0o2755)
        run(ISetMode(bench.storage).set_mode(path_at("/dir"), 0o770))
        assert stat.S_IMODE((bench.root / "dir").stat().st_mode) == 0o2770
