"""The storage of an account that does not see some names, or cannot create them."""

import pytest
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ftpservice.backends.memory.storage import MemoryStorage
from ftpservice.backends.memory.tree import MemoryTree
from ftpservice.storage.errors import NameRefused, NotEmpty, PathNotFound
from ftpservice.storage.interfaces import (
    IFreeSpace,
    IHashes,
    IPartials,
    ISetMode,
    ISetTimes,
    IStorage,
    IWithoutLinks,
    WriteMode,
    WriteRequest,
)
from ftpservice.storage.name_rules.filtered_capabilities import CAPABILITIES
from ftpservice.storage.name_rules.filtered_storage import FilteredStorage
from ftpservice.storage.name_rules.name_patterns import NameRules
from ftpservice.storage.permissions import RestrictedStorage
from ftpservice.storage.quota_interfaces import IQuota
from ftpservice.storage.rights import PRESETS
from ftpservice.testing.contract.case import (
    begin_upload,
    create_file,
    list_directory,
    path_at,
    read_file,
)
from ftpservice.testing.storage_contract import StorageContract
from tests.storage.test_permissions import run

RULES = NameRules.of((".git", "*.tmp"), ("*.exe",))
NEW = WriteRequest(WriteMode.CREATE)


class FilteredContractTests(StorageContract, SynchronousTestCase):
    """With patterns that match none of its names it is a storage like any other."""

    def storage(self):
        self.tree = MemoryTree()
        return self.view("one")

    def other_owner_storage(self):
        return self.view("two")

    def view(self, owner):
        rules = NameRules.of(("*.none",), ("*.never",))
        return FilteredStorage(MemoryStorage(self.tree, owner), rules)


@pytest.fixture
def inner():
    storage = MemoryStorage()
    for path in ("/.git", "/work", "/work/.git", "/only", "/bin.exe"):
        run(storage.make_directory(path_at(path)))
    for path in (
        "/.git/config",
        "/work/.git/config",
        "/work/plain",
        "/only/a.tmp",
        "/setup.exe",
        "/bin.exe/x",
    ):
        run(create_file(storage, path, b"content"))
    return storage


@pytest.fixture
def storage(inner):
    return FilteredStorage(inner, RULES)


def test_it_is_a_storage_and_offers_what_the_inner_one_does(storage, inner):
    assert verifyObject(IStorage, storage)
    for interface in CAPABILITIES:
        assert (interface(storage, None) is None) is (interface(inner, None) is None)
    assert IQuota(storage, None) is None
    assert IWithoutLinks(storage, None) is None


def test_hidden_names_are_not_listed(storage):
    assert sorted(run(list_directory(storage, "/"))) == ["bin.exe", "only", "setup.exe", "work"]
    assert sorted(run(list_directory(storage, "/work"))) == ["plain"]
    assert run(list_directory(storage, "/only")) == {}


HIDDEN = ["/.git", "/.GIT", "/.git/config", "/work/.git/config", "/only/a.tmp", "/only/none.tmp"]
READS = {
    "stat": lambda storage, path: storage.stat(path),
    "list": lambda storage, path: storage.open_listing(path),
    "read": lambda storage, path: storage.open_reading(path),
    "hash": lambda storage, path: IHashes(storage).hash(path, "MD5", 0, None),
    "times": lambda storage, path: ISetTimes(storage).set_times(path, 1.0),
    "mode": lambda storage, path: ISetMode(storage).set_mode(path, 0o600),
    "space": lambda storage, path: IFreeSpace(storage).free_space(path),
    "partial": lambda storage, path: IPartials(storage).partial(path),
    "drop": lambda storage, path: IPartials(storage).drop_partials(path),
    "remove file": lambda storage, path: storage.remove_file(path),
    "remove directory": lambda storage, path: storage.remove_directory(path),
    "rename": lambda storage, path: storage.rename(path, path_at("/work/new")),
}


@pytest.mark.parametrize("call", READS.values(), ids=READS)
@pytest.mark.parametrize("path", HIDDEN)
def test_what_is_hidden_is_as_if_it_did_not_exist(storage, call, path):
    with pytest.raises(PathNotFound):
        run(call(storage, path_at(path)))


CREATIONS = {
    "STOR": lambda storage, path: storage.open_writing(path, WriteRequest(WriteMode.REPLACE)),
    "create": lambda storage, path: storage.open_writing(path, NEW),
    "APPE": lambda storage, path: storage.open_writing(path, WriteRequest(WriteMode.APPEND)),
    "STOU": lambda storage, path: storage.open_writing(path, WriteRequest(WriteMode.UNIQUE)),
    "MKD": lambda storage, path: storage.make_directory(path),
    "RNTO": lambda storage, path: storage.rename(path_at("/work/plain"), path),
}


@pytest.mark.parametrize("call", CREATIONS.values(), ids=CREATIONS)
@pytest.mark.parametrize(
    "path",
    ["/.git", "/new.tmp", "/only/a.tmp", "/setup.exe", "/new.EXE", "/bin.exe/x", "/bin.exe/y"],
)
def test_no_name_of_a_pattern_is_created(storage, call, path):
    with pytest.raises(NameRefused):
        run(call(storage, path_at(path)))


@pytest.mark.parametrize("call", CREATIONS.values(), ids=CREATIONS)
@pytest.mark.parametrize("path", ["/.git/new", "/.git/config", "/none/.git/new"])
def test_in_a_hidden_directory_nothing_is_created(storage, call, path):
    with pytest.raises(PathNotFound):
        run(call(storage, path_at(path)))


def test_what_is_refused_may_be_read_and_removed(storage):
    assert run(read_file(storage, "/setup.exe")) == b"content"
    assert run(read_file(storage, "/bin.exe/x")) == b"content"
    run(storage.rename(path_at("/bin.exe/x"), path_at("/x")))
    run(storage.remove_directory(path_at("/bin.exe")))
    run(storage.remove_file(path_at("/setup.exe")))
    assert sorted(run(list_directory(storage, "/"))) == ["only", "work", "x"]


def test_a_directory_with_hidden_files_only_is_not_removed(storage, inner):
    with pytest.raises(NotEmpty):
        run(storage.remove_directory(path_at("/only")))
    assert run(read_file(inner, "/only/a.tmp")) == b"content"


def test_a_directory_moves_with_the_hidden_files_in_it(storage, inner):
    run(storage.rename(path_at("/work"), path_at("/moved")))
    assert run(read_file(inner, "/moved/.git/config")) == b"content"


def test_a_unique_name_that_becomes_one_of_a_pattern_is_refused(inner):
    storage = FilteredStorage(inner, NameRules.of((), ("*.1",)))
    run(create_file(inner, "/report", b"first"))
    with pytest.raises(NameRefused):
        run(storage.open_writing(path_at("/report"), WriteRequest(WriteMode.UNIQUE)))
    assert sorted(run(list_directory(inner, "/work"))) == [".git", "plain"]
    assert run(IPartials(inner).all_partials()) == []


def test_partial_uploads_of_hidden_names_are_neither_shown_nor_dropped(storage, inner):
    for path in ("/work/seen", "/.git/partial", "/only/b.tmp"):
        run(run(begin_upload(inner, path, b"12345")).abandon())
    partials = IPartials(storage)
    assert [str(one.path) for one in run(partials.all_partials())] == ["/work/seen"]
    assert [str(one.path) for one in run(partials.drop_partials())] == ["/work/seen"]
    left = {str(one.path) for one in run(IPartials(inner).all_partials())}
    assert left == {"/.git/partial", "/only/b.tmp"}


def test_with_refused_names_only_reading_is_the_inner_storage_s_own(inner):
    storage = FilteredStorage(inner, NameRules.of((), ("*.exe",)))
    assert storage.stat == inner.stat
    assert storage.open_reading == inner.open_reading
    run(run(begin_upload(inner, "/x", b"12345")).abandon())
    assert [str(one.path) for one in run(IPartials(storage).drop_partials())] == ["/x"]


def test_uploads_are_the_inner_storage_s_own(storage, inner):
    writing = run(storage.open_writing(path_at("/work/a"), NEW))
    assert type(writing) is type(run(inner.open_writing(path_at("/work/b"), NEW)))


@pytest.mark.parametrize("preset", ["full", "read", "upload-only", "read-append"])
@pytest.mark.parametrize("call", [*READS.values(), *CREATIONS.values()], ids=[*READS, *CREATIONS])
def test_with_any_rights_a_hidden_file_has_the_errors_of_none(inner, preset, call):
    storage = RestrictedStorage(FilteredStorage(inner, RULES), PRESETS[preset])

    def outcome(path):
        try:
            run(call(storage, path_at(path)))
        except Exception as error:  # noqa: BLE001 - the kind is compared
            return type(error)
        return None

    for existing, missing in (
        ("/.git", "/none.tmp"),
        ("/.git/config", "/.git/none"),
        ("/only/a.tmp", "/only/none.tmp"),
    ):
        assert outcome(existing) is outcome(missing), (existing, missing)
