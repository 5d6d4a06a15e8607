"""The wrapper that keeps an account to rights which differ between its directories."""

import pytest
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ftpservice.backends.memory.storage import MemoryStorage
from ftpservice.backends.memory.tree import MemoryTree
from ftpservice.storage.directory_rights import (
    DirectoryRightsStorage,
    IDirectoryRights,
    RightsTable,
)
from ftpservice.storage.errors import Denied, Exists, PathNotFound
from ftpservice.storage.interfaces import IHashes, IStorage, WriteMode, WriteRequest
from ftpservice.storage.links import lstat
from ftpservice.storage.permissions import SEEING_RIGHTS
from ftpservice.storage.quota_interfaces import IQuota
from ftpservice.storage.rights import PRESETS, Right
from ftpservice.testing.contract.case import (
    create_file,
    list_directory,
    path_at,
    read_file,
)
from ftpservice.testing.storage_contract import StorageContract
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.paths import ROOT, VirtualPath
from tests.storage.test_permissions import run

FULL, READ, DROP = PRESETS["full"], PRESETS["read"], PRESETS["upload-only"]
RULES = {"/in": DROP, "/archive": READ, "/archive/mine": FULL, "/secret": frozenset()}


def table(rights=FULL, rules=None):
    given = RULES if rules is None else rules
    return RightsTable(rights, {path_at(path): held for path, held in given.items()})


class ContractTests(StorageContract, SynchronousTestCase):
    """With all rights everywhere it is a storage like any other."""

    def storage(self):
        self.tree = MemoryTree()
        return self.view("one")

    def other_owner_storage(self):
        return self.view("two")

    def view(self, owner):
        every = frozenset(Right)
        rules = {"/ruled/by": every, "/odd": every - {Right.ATTRIBUTES}}
        return DirectoryRightsStorage(MemoryStorage(self.tree, owner), table(every, rules))


@pytest.fixture
def inner():
    storage = MemoryStorage()
    for path in ("/in", "/archive", "/archive/mine", "/secret", "/plain", "/inside"):
        run(storage.make_directory(path_at(path)))
    for path in ("/in", "/archive", "/archive/mine", "/secret", "/plain", ""):
        run(create_file(storage, f"{path}/file", b"content"))
    return storage


@pytest.fixture
def storage(inner):
    return DirectoryRightsStorage(inner, table())


def names(storage, path):
    return sorted(run(list_directory(storage, path)))


def test_it_is_a_storage(storage):
    assert verifyObject(IStorage, storage)
    assert verifyObject(IDirectoryRights, storage)
    assert IQuota(storage, None) is None


@pytest.mark.parametrize(
    ("path", "rights"),
    [
        ("/", FULL),
        ("/inside", FULL),
        ("/in.txt", FULL),
        ("/in", DROP),
        ("/in/a/b/c", DROP),
        ("/archive/x", READ),
        ("/archive/mine", FULL),
        ("/archive/mine/x/y", FULL),
        ("/archive/minerals", READ),
    ],
)
def test_the_longest_ruled_path_counts_by_whole_names(path, rights):
    assert table().rights_at(path_at(path)) == rights


def test_the_right_admin_holds_everywhere():
    held = table(FULL | {Right.ADMIN}).rights_at(path_at("/secret/x"))
    assert held == {Right.ADMIN}


def test_the_names_of_a_directory_that_keep_their_place():
    assert table().fixed_names(ROOT) == {"in", "archive", "secret"}
    assert table().fixed_names(path_at("/archive")) == {"mine"}
    assert table().fixed_names(path_at("/plain")) == set()


HIDING = [frozenset(), DROP, frozenset({Right.CREATE, Right.ATTRIBUTES})]


@pytest.mark.parametrize("rights", HIDING)
def test_a_file_that_its_rights_hide_is_in_no_listing(inner, rights):
    run(create_file(inner, "/plain/other", b"x"))
    held = DirectoryRightsStorage(inner, table(rules={"/plain/file": rights, "/secret": rights}))
    assert names(held, "/plain") == ["other"]
    assert "secret" in names(held, "/")  # a directory is shown
    with pytest.raises(PathNotFound):
        run(held.stat(path_at("/plain/file")))
    with pytest.raises(PathNotFound):
        run(lstat(held, path_at("/plain/file")))
    run(inner.remove_file(path_at("/plain/other")))
    assert names(held, "/plain") == []


@pytest.mark.parametrize("right", sorted(SEEING_RIGHTS, key=str))
def test_a_file_whose_facts_its_rights_show_is_listed(inner, right):
    held = DirectoryRightsStorage(inner, table(rules={"/plain/file": frozenset({right})}))
    assert names(held, "/plain") == ["file"]
    assert run(held.stat(path_at("/plain/file"))).size == 7


def test_a_listing_without_hidden_files_ends_and_is_closed():
    class Batches:
        def __init__(self):
            self.batches = [[entry("a")], [entry("b"), entry("c")], [entry("a")], []]
            self.is_closed = False

        async def next_batch(self):
            return self.batches.pop(0)

        def close(self):
            self.is_closed = True

    def entry(name):
        return Entry(name, Kind.FILE, 0, 0.0)

    class Listed(MemoryStorage):
        async def open_listing(self, path):
            return batches

    batches = Batches()
    held = DirectoryRightsStorage(Listed(), table(rules={"/a": frozenset()}))
    listing = run(held.open_listing(ROOT))
    assert [one.name for one in run(listing.next_batch())] == ["b", "c"]
    assert not run(listing.next_batch())
    listing.close()
    assert batches.is_closed


def test_each_directory_allows_what_its_rights_do(storage):
    assert run(read_file(storage, "/plain/file")) == b"content"
    assert run(read_file(storage, "/archive/file")) == b"content"
    run(create_file(storage, "/in/new", b"x", WriteRequest(WriteMode.CREATE)))
    run(create_file(storage, "/archive/mine/file", b"changed"))
    run(storage.make_directory(path_at("/in/sub")))
    run(storage.remove_file(path_at("/archive/mine/file")))


@pytest.mark.parametrize(
    "call",
    [
        lambda storage: read_file(storage, "/in/file"),
        lambda storage: list_directory(storage, "/in"),
        lambda storage: list_directory(storage, "/secret"),
        lambda storage: read_file(storage, "/secret/file"),
        lambda storage: create_file(storage, "/secret/new", b"x"),
        lambda storage: create_file(storage, "/archive/new", b"x"),
        lambda storage: create_file(storage, "/archive/file", b"x"),
        lambda storage: create_file(storage, "/archive/file", b"x", WriteRequest(WriteMode.APPEND)),
        lambda storage: create_file(storage, "/archive/f", b"x", WriteRequest(WriteMode.UNIQUE)),
        lambda storage: create_file(storage, "/in/file", b"x"),
        lambda storage: storage.make_directory(path_at("/archive/new")),
        lambda storage: storage.remove_file(path_at("/archive/file")),
        lambda storage: storage.remove_file(path_at("/in/file")),
        lambda storage: storage.remove_directory(path_at("/archive")),
        lambda storage: IHashes(storage).hash(path_at("/in/file"), "MD5", 0, None),
        lambda storage: IHashes(storage).hash(path_at("/secret/file"), "MD5", 0, None),
    ],
)
def test_what_the_rights_to_a_directory_lack_is_denied(storage, call):
    with pytest.raises(Denied):
        run(call(storage))


def test_a_drop_box_reveals_nothing_of_its_files(storage):
    for path in ("/in/file", "/in/none", "/secret/file", "/secret/none"):
        with pytest.raises(PathNotFound):
            run(storage.stat(path_at(path)))
    assert run(storage.stat(path_at("/in"))).kind is Kind.DIRECTORY
    assert names(storage, "/") == ["archive", "file", "in", "inside", "plain", "secret"]


@pytest.mark.parametrize("path", ["/in", "/archive", "/archive/mine", "/secret"])
def test_ruled_directories_and_those_above_keep_their_place(inner, path):
    """They hold nothing here, so that only the rule can be in the way."""
    everything = frozenset(Right)
    rules = {one: everything for one in RULES}
    storage = DirectoryRightsStorage(inner, table(everything, rules))
    calls = [
        lambda: storage.rename(path_at(path), path_at("/plain/moved")),
        lambda: storage.rename(path_at("/inside"), path_at(path)),
        lambda: storage.remove_directory(path_at(path)),
        lambda: storage.remove_file(path_at(path)),
        lambda: create_file(storage, path, b"x"),
    ]
    for call in calls:
        with pytest.raises(Denied):
            run(call())


def test_a_directory_cannot_take_the_place_of_a_ruled_one_that_is_missing():
    inner = MemoryStorage()
    run(inner.make_directory(path_at("/mine")))
    storage = DirectoryRightsStorage(inner, table())
    with pytest.raises(Denied):
        run(storage.rename(path_at("/mine"), path_at("/archive")))
    run(storage.make_directory(path_at("/archive")))
    with pytest.raises(Denied):
        run(storage.make_directory(path_at("/archive/mine")))


def test_a_unique_name_is_not_that_of_a_ruled_directory():
    inner = MemoryStorage()
    run(create_file(inner, "/x", b"first"))
    [taken] = {name for name in run(_unique_names(inner)) if name not in ("x",)}
    fresh = MemoryStorage()
    run(create_file(fresh, "/x", b"first"))
    storage = DirectoryRightsStorage(fresh, table(FULL, {f"/{taken}": READ}))
    with pytest.raises(Exists):
        run(create_file(storage, "/x", b"y", WriteRequest(WriteMode.UNIQUE)))
    assert names(fresh, "/") == ["x"]


async def _unique_names(inner):
    await create_file(inner, "/x", b"second", WriteRequest(WriteMode.UNIQUE))
    return sorted(await list_directory(inner, "/"))


RENAMES = [
    ("/file", "/plain/new", True),
    ("/file", "/archive/mine/new", True),
    ("/file", "/in/new", True),
    ("/file", "/archive/new", False),
    ("/file", "/secret/new", False),
    ("/in/file", "/new", False),
    ("/archive/file", "/new", False),
    ("/archive/mine/file", "/archive/new", False),
    ("/plain", "/archive/mine/plain", True),
    ("/plain", "/archive/plain", False),
]


@pytest.mark.parametrize(("source", "target", "works"), RENAMES)
def test_a_rename_needs_the_rights_at_both_ends(inner, storage, source, target, works):
    before = run(inner.stat(path_at(source)))
    if works:
        run(storage.rename(path_at(source), path_at(target)))
        assert run(inner.stat(path_at(target))).kind is before.kind
        return
    with pytest.raises(Denied):
        run(storage.rename(path_at(source), path_at(target)))
    assert run(inner.stat(path_at(source))) == before


def test_a_rename_into_a_drop_box_neither_replaces_nor_reveals(inner, storage):
    for target in ("/in/file", "/in/file/below"):
        with pytest.raises(Denied):
            run(storage.rename(path_at("/file"), path_at(target)))
    assert run(read_file(inner, "/in/file")) == b"content"


def test_a_rename_makes_nothing_readable(inner):
    blind = FULL - {Right.READ}
    storage = DirectoryRightsStorage(inner, table(FULL, {"/plain": blind}))
    with pytest.raises(Denied):
        run(storage.rename(path_at("/plain/file"), path_at("/new")))
    assert run(read_file(inner, "/plain/file")) == b"content"


def test_the_perm_fact_is_that_of_the_path():
    directory = Entry("x", Kind.DIRECTORY, 0, 0.0)
    found = {
        path: table().permissions(path_at(path), directory)
        for path in ("/plain", "/in", "/archive", "/archive/mine", "/secret")
    }
    assert found == {
        "/plain": "cdeflmp",
        "/in": "cem",
        "/archive": "el",
        "/archive/mine": "celmp",
        "/secret": "e",
    }
    assert table().permissions(VirtualPath(("in", "x")), Entry("x", Kind.FILE, 0, 0.0)) == ""
