"""The optional interfaces of a storage whose directories have different rights."""

import pytest

from ftpservice.backends.memory.storage import MemoryStorage
from ftpservice.backends.memory.tree import MemoryTree
from ftpservice.storage.directory_rights import DirectoryRightsStorage, RightsTable
from ftpservice.storage.errors import Denied, NotDirectory, PathNotFound
from ftpservice.storage.interfaces import (
    IAccess,
    IEnter,
    IFreeSpace,
    IHashes,
    IPartials,
    ISetMode,
    ISetTimes,
)
from ftpservice.storage.own_uploads import IOwnUploads
from ftpservice.storage.rights import PRESETS, Right
from ftpservice.testing.contract.case import begin_upload, create_file, path_at
from tests.storage.test_permissions import run

FULL, READ, DROP = PRESETS["full"], PRESETS["read"], PRESETS["upload-only"]


def view(tree, rights=FULL, owner="ann"):
    rules = {path_at("/in"): DROP, path_at("/archive"): READ}
    return DirectoryRightsStorage(MemoryStorage(tree, owner), RightsTable(rights, rules))


@pytest.fixture
def tree():
    tree = MemoryTree()
    plain = MemoryStorage(tree, "ann")
    for path in ("/in", "/archive", "/out"):
        run(plain.make_directory(path_at(path)))
        run(create_file(plain, f"{path}/file", b"content"))
    return tree


async def interrupted(tree, path, owner="ann"):
    writing = await begin_upload(MemoryStorage(tree, owner), path, b"half")
    await writing.abandon()


def test_attributes_change_where_the_rights_allow_it(tree):
    storage = view(tree)
    run(ISetTimes(storage).set_times(path_at("/out/file"), 5.0))
    assert run(storage.stat(path_at("/out/file"))).modified == 5.0
    for call in (
        lambda: ISetTimes(storage).set_times(path_at("/archive/file"), 5.0),
        lambda: ISetMode(storage).set_mode(path_at("/archive/file"), 0o600),
        lambda: ISetTimes(storage).set_times(path_at("/in/file"), 5.0),
        lambda: IHashes(storage).hash(path_at("/in/file"), "MD5", 0, None),
    ):
        with pytest.raises(Denied):
            run(call())


def test_a_drop_box_sets_the_times_of_what_was_uploaded_in_this_login(tree):
    storage = view(tree)
    entry = run(create_file(storage, "/in/new", b"x"))
    entry = entry or run(MemoryStorage(tree, "ann").stat(path_at("/in/new")))
    IOwnUploads(storage).remember(path_at("/in/new"), entry)
    IOwnUploads(storage).remember(path_at("/out/new"), entry)
    run(ISetTimes(storage).set_times(path_at("/in/new"), 7.0))
    assert run(MemoryStorage(tree, "ann").stat(path_at("/in/new"))).modified == 7.0


def test_all_directories_can_be_entered_but_files_of_a_drop_box_cannot_be_told_apart(tree):
    storage = view(tree)
    for path in ("/", "/in", "/archive", "/out"):
        run(IEnter(storage).enter(path_at(path)))
    for path in ("/in/file", "/in/none"):
        with pytest.raises(PathNotFound):
            run(IEnter(storage).enter(path_at(path)))
    with pytest.raises((NotDirectory, PathNotFound)):
        run(IEnter(storage).enter(path_at("/out/file")))


def test_what_the_storage_lacks_is_not_offered(tree):
    assert (IAccess(view(tree), None) is None) == (IAccess(MemoryStorage(tree), None) is None)


def test_the_free_space_is_that_of_visible_directories(tree):
    storage = view(tree)
    if IFreeSpace(MemoryStorage(tree), None) is None:
        assert IFreeSpace(storage, None) is None
        return
    run(IFreeSpace(storage).free_space(path_at("/in")))
    with pytest.raises(PathNotFound):
        run(IFreeSpace(storage).free_space(path_at("/in/file")))


def test_partial_uploads_are_those_of_directories_that_allow_uploads(tree):
    for path in ("/in/a", "/archive/b", "/out/c"):
        run(interrupted(tree, path))
    run(interrupted(tree, "/out/d", "ben"))
    partials = IPartials(view(tree))
    assert run(partials.partial(path_at("/in/a"))).size == 4
    with pytest.raises(PathNotFound):
        run(partials.partial(path_at("/archive/b")))
    with pytest.raises(PathNotFound):
        run(partials.drop_partials(path_at("/archive/b")))
    found = run(partials.all_partials())
    assert sorted(str(one.path) for one in found) == ["/in/a", "/out/c"]
    assert sorted(str(one.path) for one in run(partials.drop_partials())) == ["/in/a", "/out/c"]
    [left] = run(IPartials(MemoryStorage(tree, "ann")).all_partials())
    assert str(left.path) == "/archive/b"


def test_an_administrator_removes_the_partial_uploads_of_all_accounts_everywhere(tree):
    run(interrupted(tree, "/archive/b", "ben"))
    run(interrupted(tree, "/out/c", "ben"))
    partials = IPartials(view(tree, FULL | {Right.ADMIN}))
    assert len(run(partials.drop_partials(None, everybody=True))) == 2
