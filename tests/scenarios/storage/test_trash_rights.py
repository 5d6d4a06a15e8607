"""The trash through the rights of an account, of its directories, and its patterns of names."""

import pytest

from ftpservice.backends.memory.storage import MemoryStorage
from ftpservice.backends.memory.tree import MemoryTree
from ftpservice.storage import errors
from ftpservice.storage.directory_rights import DirectoryRightsStorage, RightsTable
from ftpservice.storage.name_rules.filtered_storage import FilteredStorage
from ftpservice.storage.name_rules.name_patterns import NameRules
from ftpservice.storage.permissions import RestrictedStorage
from ftpservice.storage.rights import PRESETS, Right
from ftpservice.storage.trash import ITrash, TrashRule
from ftpservice.testing.contract.case import create_file, path_at, read_file
from tests.backends.memory.test_storage import run

RULE = TrashRule(3600)


@pytest.fixture
def kept():
    """Return a storage with a deleted and an overwritten file in each of two directories."""
    storage = MemoryStorage(MemoryTree(), "ann").with_trash(RULE)
    for directory in ("/in", "/out"):
        run(storage.make_directory(path_at(directory)))
        run(create_file(storage, f"{directory}/gone", b"gone"))
        run(storage.remove_file(path_at(f"{directory}/gone")))
        for content in (b"first", b"second"):
            run(create_file(storage, f"{directory}/file", content))
    return storage


def trashed(storage, path="/"):
    found = run(ITrash(storage).trashed(path_at(path)))
    return {str(one.path): one for one in found}


def restoring(storage, one, target, replace=False):
    return run(ITrash(storage).restore(one, path_at(target), replace))


@pytest.mark.parametrize("preset", ["read", "upload-only"])
def test_an_account_that_can_neither_overwrite_nor_sees_files_has_no_trash(kept, preset):
    rights = PRESETS[preset] - {Right.OVERWRITE}
    assert ITrash(RestrictedStorage(kept, rights), None) is None


def test_restoring_needs_the_right_to_create_or_to_overwrite(kept):
    full = RestrictedStorage(kept, PRESETS["full"])
    files = trashed(full)
    creates = RestrictedStorage(kept, PRESETS["full"] - {Right.OVERWRITE})
    with pytest.raises(errors.Exists):
        restoring(creates, files["/in/file"], "/in/file", replace=True)
    restoring(creates, files["/in/file"], "/in/other")
    overwrites = RestrictedStorage(kept, PRESETS["full"] - {Right.CREATE})
    with pytest.raises(errors.Denied, match="create"):
        restoring(overwrites, files["/in/gone"], "/in/gone")
    restoring(overwrites, files["/out/file"], "/out/file", replace=True)
    assert run(read_file(kept, "/out/file")) == b"first"
    with pytest.raises(errors.Denied, match="delete"):
        keeps = RestrictedStorage(kept, PRESETS["full"] - {Right.DELETE})
        run(ITrash(keeps).discard([files["/in/gone"]]))


def ruled(kept, **by_directory):
    rules = {path_at(f"/{name}"): rights for name, rights in by_directory.items()}
    return DirectoryRightsStorage(kept, RightsTable(PRESETS["full"], rules))


def test_each_directory_has_its_own_rights_to_the_trash(kept):
    storage = ruled(kept, out=PRESETS["read"])
    files = trashed(storage)
    assert set(files) == {"/in/gone", "/in/file"}
    with pytest.raises(errors.Denied):
        restoring(storage, files["/in/gone"], "/out/gone")
    with pytest.raises(errors.Denied):
        run(ITrash(storage).discard([trashed(kept)["/out/gone"]]))
    restoring(storage, files["/in/gone"], "/in/gone")


def test_nothing_becomes_readable_by_being_restored_elsewhere(kept):
    storage = ruled(kept, out=frozenset({Right.CREATE, Right.OVERWRITE, Right.DELETE}))
    one = trashed(storage)["/out/file"]
    with pytest.raises(errors.Denied, match="readable"):
        restoring(storage, one, "/in/stolen")
    with pytest.raises(errors.Denied, match="rights of its own"):
        restoring(storage, one, "/out", replace=True)
    restoring(storage, one, "/out/file", replace=True)
    assert run(read_file(kept, "/out/file")) == b"first"


def test_a_hidden_file_is_hidden_in_the_trash_too(kept):
    storage = FilteredStorage(kept, NameRules.of(("gone",), ("*.exe",)))
    files = trashed(storage)
    assert set(files) == {"/in/file", "/out/file"}
    hidden = trashed(kept)["/in/gone"]
    for call in (
        lambda: trashed(storage, "/in/gone"),
        lambda: restoring(storage, hidden, "/in/new"),
        lambda: run(ITrash(storage).discard([hidden])),
    ):
        with pytest.raises(errors.PathNotFound):
            call()
    with pytest.raises(errors.NameRefused):
        restoring(storage, files["/in/file"], "/in/a.exe")
    restoring(storage, files["/in/file"], "/in/a")


def test_another_account_with_the_same_files_does_not_see_what_was_deleted(kept):
    other = MemoryStorage(kept._tree, "ben").with_trash(RULE)
    assert trashed(other) == {}
    with pytest.raises(errors.PathNotFound):
        restoring(other, trashed(kept)["/in/gone"], "/in/gone")
