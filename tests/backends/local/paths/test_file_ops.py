"""System calls and what takes their place, names on the disk, and errors translated."""

import errno
import os
import sys

import pytest

from ftpservice import linux as calls
from ftpservice.backends.local.paths import file_ops
from ftpservice.backends.local.paths import names as local_names
from ftpservice.backends.local.paths.tree import proc_fd_path
from ftpservice.session.error_replies import reply_for, undisclosed_detail
from ftpservice.storage import errors
from ftpservice.storage.os_errors import ERRNO_ERRORS, translate
from ftpservice.wire.paths import VirtualPath


@pytest.fixture
def here(tmp_path):
    opened = os.open(tmp_path, os.O_RDONLY)
    yield opened
    os.close(opened)


def refuse(code):
    def call(*args, **kwargs):
        raise OSError(code, os.strerror(code))

    return call


@pytest.fixture(params=[None, *calls.UNSUPPORTED_ERRNOS])
def kernel(request, monkeypatch):
    if request.param is not None:
        monkeypatch.setattr(file_ops, "_renameat2", refuse(request.param))


class TestRenameExclusive:
    @pytest.mark.parametrize("kind", ["file", "directory", "link"])
    def test_it_renames_to_a_free_name_only(self, kernel, here, tmp_path, kind):
        one, two = tmp_path / "one", tmp_path / "two"
        make = {"file": one.touch, "directory": one.mkdir, "link": lambda: one.symlink_to("none")}
        make[kind]()
        two.mkdir()
        with pytest.raises(FileExistsError):
            file_ops.rename_exclusive(b"one", b"two", here, here)
        two.rmdir()
        before = one.lstat()
        file_ops.rename_exclusive(b"one", b"two", here, here)
        assert os.path.samestat(two.lstat(), before)
        assert not os.path.lexists(one)

    @pytest.mark.parametrize("code", [*calls.UNSUPPORTED_ERRNOS, errno.EMLINK, errno.EACCES])
    def test_without_links_it_renames_too(self, here, tmp_path, monkeypatch, code):
        monkeypatch.setattr(file_ops, "_renameat2", refuse(errno.EINVAL))
        monkeypatch.setattr(os, "link", refuse(code))
        (tmp_path / "one").write_text("1")
        (tmp_path / "two").write_text("2")
        with pytest.raises(FileExistsError):
            file_ops.rename_exclusive(b"one", b"two", here, here)
        (tmp_path / "two").unlink()
        file_ops.rename_exclusive(b"one", b"two", here, here)
        assert (tmp_path / "two").read_text() == "1"

    def test_a_missing_file_is_an_error(self, kernel, here):
        with pytest.raises(FileNotFoundError):
            file_ops.rename_exclusive(b"one", b"two", here, here)

    def test_other_errors_are_what_they_are(self, here, monkeypatch):
        monkeypatch.setattr(file_ops, "_renameat2", refuse(errno.EIO))
        with pytest.raises(OSError) as caught:
            file_ops.rename_exclusive(b"one", b"two", here, here)
        assert caught.value.errno == errno.EIO


class TestUnknownMachines:
    def test_calls_whose_numbers_are_unknown_are_absent(self, here, monkeypatch):
        monkeypatch.setattr(calls, "MACHINE", "z80")
        monkeypatch.setattr(file_ops, "MACHINE", "z80")
        for call in (
            lambda: calls.open_beneath(here, b".", os.O_RDONLY),
            lambda: file_ops._renameat2(b"one", b"two", here, here),
        ):
            with pytest.raises(OSError) as caught:
                call()
            assert caught.value.errno == errno.ENOSYS

    def test_without_path_descriptors_the_descriptor_itself_is_used(self, monkeypatch):
        monkeypatch.delattr(os, "O_PATH")
        assert proc_fd_path(7) == 7


@pytest.mark.skipif(sys.platform != "linux", reason="openat2 is Linux's")
class TestOpenBeneath:
    def test_an_interrupted_call_is_repeated(self, here, monkeypatch):
        codes = iter([errno.EINTR, errno.EINTR, None])
        real = calls._libc.syscall

        class Libc:
            @staticmethod
            def syscall(*args):
                code = next(codes)
                if code is None:
                    return real(*args)
                calls.ctypes.set_errno(code)
                return -1

        monkeypatch.setattr(calls, "_libc", Libc)
        os.close(calls.open_beneath(here, b".", os.O_RDONLY))

    def test_descriptors_are_not_inherited(self, here):
        opened = calls.open_beneath(here, b".", os.O_RDONLY)
        assert not os.get_inheritable(opened)
        os.close(opened)


class TestCopying:
    @pytest.mark.parametrize("code", [None, errno.EXDEV, errno.ENOSYS])
    def test_a_stretch_is_copied_to_the_same_place(self, tmp_path, monkeypatch, code):
        if code is not None:
            monkeypatch.setattr(os, "copy_file_range", refuse(code))
            monkeypatch.setattr(file_ops, "COPY_SIZE", 3)
        (tmp_path / "source").write_bytes(b"0123456789")
        with open(tmp_path / "source", "rb") as source, open(tmp_path / "target", "wb") as target:
            assert file_ops.copy_range(source.fileno(), target.fileno(), 0, 4) == 4
            assert file_ops.copy_range(source.fileno(), target.fileno(), 4, 99) == 10
        assert (tmp_path / "target").read_bytes() == b"0123456789"

    def test_where_there_is_no_such_call_bytes_are_copied(self, tmp_path, monkeypatch):
        monkeypatch.delattr(os, "copy_file_range")
        self.test_a_stretch_is_copied_to_the_same_place(tmp_path, monkeypatch, None)

    def test_a_full_disk_is_an_error(self, tmp_path, monkeypatch):
        monkeypatch.setattr(os, "copy_file_range", refuse(errno.ENOSPC))
        with pytest.raises(OSError) as caught:
            file_ops.copy_range(0, 1, 0, 10)
        assert caught.value.errno == errno.ENOSPC


class TestErrors:
    @pytest.mark.parametrize(("code", "kind"), ERRNO_ERRORS.items())
    def test_each_code_is_one_kind(self, code, kind):
        path = VirtualPath(("file",))
        error = translate(OSError(code, os.strerror(code)), path)
        assert type(error) is kind
        assert error.path == path
        assert errno.errorcode[code] in error.detail

    @pytest.mark.parametrize("error", [OSError("odd"), OSError(errno.EIO, "x"), OSError(9999, "x")])
    def test_the_rest_is_a_storage_that_failed(self, error):
        assert type(translate(error, VirtualPath())) is errors.Unavailable


class TestNames:
    def test_names_come_as_utf8_in_any_locale(self, monkeypatch):
        assert local_names.decoded("ü") == "ü"
        monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "iso8859-1")
        monkeypatch.setattr(os, "fsencode", lambda name: name.encode("iso8859-1"))
        assert local_names.decoded("\xc3\xbc") == "ü"
        assert local_names.decoded("\xfc") == "\udcfc"

    def test_partials_differ_by_owner_and_name(self):
        name = local_names.partial_name
        names = {name("one", b"a"), name("two", b"a"), name("one", b"b"), name("on", b"ea")}
        names.add(local_names.reserved_name(b"a"))
        names.add(local_names.spare_name(name("one", b"a")))
        assert len(names) == 6
        assert all(local_names.PARTIAL_NAME.fullmatch(each) for each in names)


@pytest.mark.parametrize(
    "name",
    ["ENOENT", "EEXIST", "EISDIR", "ENOTDIR", "ENOTEMPTY", "EACCES", "EPERM", "ENOSPC", "EDQUOT"],
)
def test_the_log_does_not_repeat_the_reply(name: str) -> None:
    """``550 That is not a directory. (Not a directory (ENOTDIR))`` says the same twice."""
    code = getattr(errno, name)
    error = translate(OSError(code, os.strerror(code)), VirtualPath())
    answer = reply_for(error)
    assert answer is not None
    assert undisclosed_detail(error, answer.lines[-1]) == name
