"""What the process may do with files decides, and is reported: a service that is not root's."""

import os
import re
import subprocess

import pytest
from twisted.internet.task import Clock

from ftpservice.backends.local.metadata import access as local_access
from ftpservice.backends.local.source import LocalSource
from ftpservice.concurrency.thread_pool import InlineRunner
from ftpservice.storage import errors
from ftpservice.storage.interfaces import IAccess, WriteMode, WriteRequest
from ftpservice.storage.permissions import permission_facts
from ftpservice.storage.rights import PRESETS
from ftpservice.testing.contract.case import (
    begin_upload,
    create_file,
    list_directory,
    path_at,
    read_file,
    upload_file,
)
from ftpservice.wire.paths import ROOT
from tests.support.failing_disk import mounted, remount
from tests.support.ftp_dialogue import FTPDialogue
from tests.support.local_source import Bench, run
from tests.support.unprivileged import NOBODY, as_user, needs_root

AT_ONCE = True
SOMEBODY, GROUP = 4321, 4322
DIRECTORIES = {"open": 0o777, "pass": 0o711, "see": 0o744, "shut": 0o700}
FULL = PRESETS["full"]


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    assert made.open_descriptors() == []


def put(path, mode, user=SOMEBODY, group=SOMEBODY):
    """Make a file or directory as somebody has it."""
    if not path.exists():
        path.write_bytes(b"old")
    os.chown(path, user, group)
    path.chmod(mode)
    return path


def permissions_of(bench):
    """Return the ``perm`` of all entries, as a listing and as single ones tell it."""
    entries = run(list_directory(bench.storage))
    for name, entry in entries.items():
        access = run(IAccess(bench.storage).access(path_at(f"/{name}"), True))
        assert access == entry.access, name
    return {name: permission_facts(FULL, entry) for name, entry in entries.items()}


@needs_root
class TestStoring:
    @pytest.mark.parametrize("mode", [0o444, 0o644, 0o600, 0o400])
    @pytest.mark.parametrize("data", [b"new", bytes(200_000)])
    def test_a_file_that_is_not_writable_is_not_replaced(self, bench, mode, data):
        file = put(bench.root / "file", mode)
        bench.root.chmod(0o777)

        def steps():
            for request in (WriteRequest(), WriteRequest(offset=1), WriteRequest(WriteMode.APPEND)):
                with pytest.raises(errors.Denied):
                    run(begin_upload(bench.storage, "/file", data, request))

        as_user(steps)
        assert file.read_bytes() == b"old"
        assert (file.stat().st_uid, file.stat().st_mode & 0o777) == (SOMEBODY, mode)
        assert not bench.hidden()

    def test_ones_own_file_without_its_write_bit_neither(self, bench):
        put(bench.root / "file", 0o444, NOBODY)
        bench.root.chmod(0o777)

        def steps():
            with pytest.raises(errors.Denied):
                run(bench.storage.open_writing(path_at("/file"), WriteRequest()))

        as_user(steps)

    def test_one_that_appears_during_the_upload_neither(self, bench):
        bench.root.chmod(0o777)

        def steps():
            writing = run(begin_upload(bench.storage, "/file", bytes(200_000)))
            root = bench.storage._tree.root
            os.rename("appears", "file", src_dir_fd=root, dst_dir_fd=root)
            with pytest.raises(errors.Denied):
                run(writing.commit())

        put(bench.root / "appears", 0o444)
        as_user(steps)
        assert (bench.root / "file").read_bytes() == b"old"

    def test_an_access_list_counts(self, bench):
        bench.root.chmod(0o777)
        file = put(bench.root / "file", 0o600)
        subprocess.run(["setfacl", "-m", f"u:{NOBODY}:rw", file], check=True)
        as_user(lambda: run(create_file(bench.storage, "/file", b"new")))
        assert file.read_bytes() == b"new"
        assert file.stat().st_uid == SOMEBODY

    @pytest.mark.parametrize("data", [b"new", bytes(200_000)])
    def test_a_file_in_a_directory_that_takes_no_partial(self, bench, data):
        (bench.root / "dir").mkdir()
        file = put(bench.root / "dir" / "file", 0o666)

        def steps():
            run(create_file(bench.storage, "/dir/file", data))
            run(run(begin_upload(bench.storage, "/dir/file", b"half")).abandon())
            with pytest.raises(errors.Denied):
                run(create_file(bench.storage, "/dir/other", data))
            run(upload_file(bench.storage, "/dir/file", b"!", WriteMode.REPLACE, 2))
            assert run(read_file(bench.storage, "/dir/file")) == data[:2] + b"!"

        as_user(steps)
        assert file.stat().st_uid == SOMEBODY
        assert not bench.hidden()

    def test_a_file_of_another_in_a_sticky_directory_is_written_in_place(self, bench):
        bench.root.chmod(0o1777)
        file = put(bench.root / "file", 0o664, SOMEBODY, NOBODY)
        put(bench.root / "closed", 0o644)

        def steps():
            run(create_file(bench.storage, "/file", b"new"))
            with pytest.raises(errors.Denied):
                run(create_file(bench.storage, "/closed", b"new"))

        as_user(steps)
        assert file.stat().st_uid == SOMEBODY
        assert not bench.hidden()

    def test_where_a_sandbox_hides_the_answer_the_file_is_opened(self, bench, monkeypatch):
        put(bench.root / "file", 0o666)
        bench.root.chmod(0o777)
        monkeypatch.setattr(os, "access", lambda *_args, **_more: False)
        as_user(lambda: run(create_file(bench.storage, "/file", b"new")))
        assert (bench.root / "file").read_bytes() == b"new"


@needs_root
class TestTelling:
    def files(self, bench):
        bench.root.chmod(0o755)
        put(bench.root / "public", 0o644)
        put(bench.root / "secret", 0o600)
        put(bench.root / "shared", 0o660, SOMEBODY, GROUP)
        put(bench.root / "drop", 0o666)
        put(bench.root / "mine", 0o640, NOBODY, NOBODY)
        put(bench.root / "minenot", 0o066, NOBODY, NOBODY)
        for name, mode in DIRECTORIES.items():
            (bench.root / name).mkdir()
            put(bench.root / name, mode)

    def test_letters_are_what_works(self, bench):
        self.files(bench)
        expected = {
            "public": "r",
            "secret": "",
            "shared": "arw",
            "drop": "arw",
            "mine": "arw",
            "minenot": "",
            "open": "celmp",
            "pass": "e",
            "see": "",
            "shut": "",
        }

        def steps():
            assert permissions_of(bench) == expected

        as_user(steps, groups=[GROUP])

    def test_reported_access_agrees_with_what_works(self, bench):
        self.files(bench)
        subprocess.run(["setfacl", "-m", f"u:{NOBODY}:---", bench.root / "public"], check=True)
        subprocess.run(["setfacl", "-m", f"u:{NOBODY}:r", bench.root / "secret"], check=True)
        subprocess.run(["setfacl", "-m", f"u:{NOBODY}:rwx", bench.root / "shut"], check=True)

        def steps():
            letters = permissions_of(bench)
            for name, perm in letters.items():
                path = path_at(f"/{name}")
                if name in DIRECTORIES:
                    works = attempted(bench.storage.open_listing, path)
                    assert works == ("l" in perm or name == "see"), name
                else:
                    assert attempted(bench.storage.open_reading, path) == ("r" in perm), name
                    request = WriteRequest()
                    assert attempted(bench.storage.open_writing, path, request) == ("w" in perm)
            assert (letters["public"], letters["secret"], letters["shut"]) == ("", "r", "celmp")

        as_user(steps)

    def test_a_directory_that_may_be_changed_gives_its_entries_away(self, bench):
        self.files(bench)
        bench.root.chmod(0o777)

        def steps():
            letters = permissions_of(bench)
            assert (letters["secret"], letters["shut"], letters["mine"]) == ("df", "df", "adfrw")

        as_user(steps)

    def test_unless_it_is_sticky(self, bench):
        self.files(bench)
        bench.root.chmod(0o1777)

        def steps():
            letters = permissions_of(bench)
            assert (letters["secret"], letters["shut"], letters["mine"]) == ("", "", "adfrw")

        as_user(steps)

    def test_root_may_do_all(self, bench):
        self.files(bench)
        letters = permissions_of(bench)
        assert (letters["secret"], letters["shut"]) == ("adfrw", "cdeflmp")

    def test_root_without_its_capabilities_may_not(self, bench, monkeypatch):
        put(bench.root / "file", 0o066, 0, 0)
        local_access._credentials.cache_clear()
        monkeypatch.setattr(local_access, "_capabilities", lambda _user: 0)
        try:
            assert permission_facts(FULL, run(list_directory(bench.storage))["file"]) == "df"
        finally:
            local_access._credentials.cache_clear()

    def test_on_a_disk_that_is_read_only_nothing_is_written(self, tmp_path):
        with mounted(tmp_path / "root", 1 << 20) as done:
            assert done
            (tmp_path / "root" / "file").write_bytes(b"x")
            source = LocalSource(str(tmp_path / "root"), Clock(), InlineRunner())
            storage = run(source.storage("one", ROOT))
            remount(tmp_path / "root", "ro")
            entry = run(list_directory(storage))["file"]
            assert permission_facts(FULL, entry) == "r"

    def test_mlst_and_mlsd_say_the_same(self, bench):
        self.files(bench)

        def steps():
            talk = FTPDialogue()
            talk.realm.storage = bench.storage
            talk.login()
            for name, perm in permissions_of(bench).items():
                [_, line, _] = talk.say(f"MLST {name}")
                assert re.search(r";perm=(\w*);", line)[1] == perm
            [_, line, _] = talk.say("MLST")
            assert re.search(r";perm=(\w*);", line)[1] == "el"

        as_user(steps)


def attempted(function, path, *more):
    """Return whether something can be opened; it is closed again."""
    try:
        opened = run(function(path, *more))
    except errors.Denied:
        return False
    if hasattr(opened, "abandon"):
        run(opened.abandon())
    else:
        opened.close()
    return True
