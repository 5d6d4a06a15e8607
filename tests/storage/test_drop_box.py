"""A drop box: nothing tells what is there, and attributes are those of own uploads."""

import pytest

from ftpservice.backends.memory.storage import MemoryStorage
from ftpservice.storage.errors import BadOffset, Denied, PathNotFound, StorageError
from ftpservice.storage.interfaces import (
    IEnter,
    IFreeSpace,
    ILinks,
    IPartials,
    ISetMode,
    ISetTimes,
    WriteMode,
    WriteRequest,
)
from ftpservice.storage.own_uploads import MAX_REMEMBERED_UPLOADS, IOwnUploads, OwnUploads
from ftpservice.storage.permissions import RestrictedStorage
from ftpservice.storage.rights import PRESETS, Right
from ftpservice.testing.contract.case import begin_upload, create_file, path_at, read_file
from ftpservice.wire.entry import Entry, Kind
from tests.support.local_source import Bench, run

BLIND = PRESETS["upload-only"] | {Right.RMDIR}
UNKNOWN = ("/file", "/none", "/file/x", "/none/x", "/file/x/y", "/folder/none")


@pytest.fixture(params=["memory", "local"])
def inner(request, tmp_path):
    """``/file``, ``/folder`` with another in it, and a link where there are links."""
    if request.param == "memory":
        storage = MemoryStorage()
    else:
        bench = Bench(tmp_path)
        storage = bench.storage
        (bench.root / "link").symlink_to("file")
    run(create_file(storage, "/file", b"old"))
    run(storage.make_directory(path_at("/folder")))
    run(create_file(storage, "/folder/inner", b"old"))
    return storage


LOOKS = {
    "stat": lambda storage, path: storage.stat(path),
    "enter": lambda storage, path: IEnter(storage).enter(path),
    "free space": lambda storage, path: IFreeSpace(storage).free_space(path),
}
CHANGES = {
    "list": lambda storage, path: storage.open_listing(path),
    "read": lambda storage, path: storage.open_reading(path),
    "remove": lambda storage, path: storage.remove_file(path),
    "remove directory": lambda storage, path: storage.remove_directory(path),
    "rename": lambda storage, path: storage.rename(path, path_at("/other")),
    "set time": lambda storage, path: ISetTimes(storage).set_times(path, modified=1.0),
    "set mode": lambda storage, path: ISetMode(storage).set_mode(path, 0o644),
    "close": lambda storage, path: ISetMode(storage).set_mode(path, 0o000),
}


@pytest.mark.parametrize("look", LOOKS)
def test_whoever_looks_finds_directories_and_nothing_else(inner, look):
    storage = RestrictedStorage(inner, BLIND)
    for path in ("/", "/folder"):
        run(LOOKS[look](storage, path_at(path)))
    for path in (*UNKNOWN, "/folder/inner", "/link", "/link/x"):
        with pytest.raises(PathNotFound):
            run(LOOKS[look](storage, path_at(path)))


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_refused_is_refused_alike_whatever_is_there(inner, change):
    storage = RestrictedStorage(inner, BLIND)
    for path in (*UNKNOWN, "/folder", "/link"):
        with pytest.raises(Denied):
            run(CHANGES[change](storage, path_at(path)))
    assert run(read_file(inner, "/file")) == b"old"


def test_uploads_and_directories_that_cannot_be_are_refused_alike(inner):
    storage = RestrictedStorage(inner, BLIND)
    for path in ("/file", "/folder", "/file/x", "/none/x", "/"):
        for how in (WriteMode.REPLACE, WriteMode.CREATE, WriteMode.APPEND):
            with pytest.raises(Denied):
                run(storage.open_writing(path_at(path), WriteRequest(how)))
        with pytest.raises(Denied):
            run(storage.make_directory(path_at(path)))
        with pytest.raises(BadOffset):
            run(storage.open_writing(path_at(path), WriteRequest(offset=1)))


def test_a_unique_name_does_not_tell_of_others(inner):
    storage = RestrictedStorage(inner, BLIND)
    names = {
        run(create_file(storage, path, b"x", WriteRequest(WriteMode.UNIQUE))).name
        for path in ("/file", "/file", "/none")
    }
    assert len(names) == 3
    assert {len(name) for name in names} == {len("file.") + 12}


def test_the_log_has_the_reason_that_the_account_does_not_see(inner):
    storage = RestrictedStorage(inner, BLIND)
    with pytest.raises(Denied) as caught:
        run(storage.make_directory(path_at("/file")))
    assert "already" in str(caught.value) or "exists" in str(caught.value)


def test_a_missing_file_has_no_second_reason_in_the_log(inner):
    with pytest.raises(PathNotFound) as caught:
        run(RestrictedStorage(inner, BLIND).stat(path_at("/none")))
    assert "no such file" not in caught.value.detail


def test_other_accounts_see_the_real_errors(inner):
    storage = RestrictedStorage(inner, PRESETS["upload-only"] | {Right.LIST})
    assert run(storage.stat(path_at("/file"))).kind is Kind.FILE
    assert run(IFreeSpace(storage).free_space(path_at("/file"))) > 0
    with pytest.raises(PathNotFound):
        run(storage.stat(path_at("/none")))
    run(ISetMode(storage).set_mode(path_at("/file"), 0o600))
    assert IOwnUploads(storage, None) is None


def uploaded(storage, path, data=b"mine"):
    """Upload as a session does, which tells the storage."""
    entry = run(create_file(storage, path, data))
    IOwnUploads(storage).remember(path_at(path), entry)


@pytest.mark.parametrize("more", [(), (Right.APPEND,), (Right.DELETE, Right.OVERWRITE)])
def test_attributes_are_those_of_own_uploads(inner, more):
    storage = RestrictedStorage(inner, PRESETS["upload-only"] | set(more))
    uploaded(storage, "/mine")
    run(ISetMode(storage).set_mode(path_at("/mine"), 0o640))
    run(ISetTimes(storage).set_times(path_at("/mine"), modified=86_400.0))
    entry = run(inner.stat(path_at("/mine")))
    assert (entry.mode, entry.modified) == (0o640, 86_400.0)
    for path in ("/file", "/folder", "/", "/none"):
        with pytest.raises(Denied):
            run(ISetTimes(storage).set_times(path_at(path), modified=1.0))
        with pytest.raises(Denied):
            run(ISetMode(storage).set_mode(path_at(path), 0o777))


@pytest.mark.parametrize("mode", [0o000, 0o400, 0o277, 0o077])
def test_a_mode_leaves_the_owner_its_access(inner, mode):
    storage = RestrictedStorage(inner, PRESETS["upload-only"])
    uploaded(storage, "/mine")
    with pytest.raises(Denied):
        run(ISetMode(storage).set_mode(path_at("/mine"), mode))


def test_another_file_of_the_same_name_is_not_ones_own(inner):
    storage = RestrictedStorage(inner, PRESETS["upload-only"])
    uploaded(storage, "/mine")
    run(create_file(inner, "/theirs", b"theirs"))
    run(inner.rename(path_at("/theirs"), path_at("/mine")))
    with pytest.raises(Denied):
        run(ISetMode(storage).set_mode(path_at("/mine"), 0o644))
    run(inner.remove_file(path_at("/mine")))
    with pytest.raises(Denied):
        run(ISetMode(storage).set_mode(path_at("/mine"), 0o644))


def test_the_next_login_owns_nothing(inner):
    uploaded(RestrictedStorage(inner, PRESETS["upload-only"]), "/mine")
    with pytest.raises(Denied):
        run(
            ISetMode(RestrictedStorage(inner, PRESETS["upload-only"])).set_mode(
                path_at("/mine"), 0o644
            )
        )


def test_what_is_remembered_is_bounded():
    own = OwnUploads(MemoryStorage())
    for number in range(MAX_REMEMBERED_UPLOADS + 2):
        own.remember(
            path_at(f"/{number}"), Entry(str(number), Kind.FILE, 0, 0.0, unique=str(number))
        )
    assert len(own._known) == MAX_REMEMBERED_UPLOADS
    with pytest.raises(StorageError):
        run(own.require(path_at("/0")))


def test_nothing_slips_past_and_partials_are_ones_own(inner):
    storage = RestrictedStorage(inner, BLIND)
    assert ILinks(storage, None) is None
    run(run(begin_upload(storage, "/new", b"012")).abandon())
    assert run(IPartials(storage).partial(path_at("/new"))).size == 3
    run(create_file(storage, "/new", b"34", WriteRequest(offset=3)))
    assert run(read_file(inner, "/new")) == b"01234"
