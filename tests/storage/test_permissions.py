"""The wrapper that keeps an account to its rights."""

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ftpservice.backends.memory.storage import MemoryStorage
from ftpservice.backends.memory.tree import MemoryTree
from ftpservice.storage.errors import BadOffset, Denied, Exists, PathNotFound
from ftpservice.storage.interfaces import (
    IDescriptor,
    IFreeSpace,
    IHashes,
    IPartials,
    ISetMode,
    ISetTimes,
    IStorage,
    WriteMode,
    WriteRequest,
)
from ftpservice.storage.permissions import RestrictedStorage, permission_facts
from ftpservice.storage.rights import PRESETS, Right
from ftpservice.testing.contract.case import (
    begin_upload,
    create_file,
    list_directory,
    partial_size,
    path_at,
    read_file,
)
from ftpservice.testing.storage_contract import StorageContract
from ftpservice.wire.entry import Entry, Kind

EVERYTHING = frozenset(Right)


def run(call):
    """Return what a call that never waits returns, or raise what it raises."""

    async def answer():
        return await call

    results = []
    Deferred.fromCoroutine(answer()).addBoth(results.append)
    [result] = results
    if isinstance(result, Failure):
        result.raiseException()
    return result


class FullyPermittedTests(StorageContract, SynchronousTestCase):
    """Who may do everything has a storage like any other."""

    def storage(self):
        self.tree = MemoryTree()
        return RestrictedStorage(MemoryStorage(self.tree, "one"), EVERYTHING)

    def other_owner_storage(self):
        return RestrictedStorage(MemoryStorage(self.tree, "two"), EVERYTHING)


def furnished(*rights):
    """Return a storage with ``/file`` and ``/folder``, and the same for one with ``rights``."""
    inner = MemoryStorage()
    run(create_file(inner, "/file", b"old"))
    run(inner.make_directory(path_at("/folder")))
    return inner, RestrictedStorage(inner, frozenset(rights))


OPERATIONS = {
    "list": lambda storage: list_directory(storage),
    "read": lambda storage: read_file(storage, "/file"),
    "create": lambda storage: create_file(storage, "/new", b"x", WriteRequest(WriteMode.CREATE)),
    "store new": lambda storage: create_file(storage, "/new", b"x"),
    "unique": lambda storage: create_file(storage, "/file", b"x", WriteRequest(WriteMode.UNIQUE)),
    "append new": lambda storage: create_file(
        storage, "/new", b"x", WriteRequest(WriteMode.APPEND)
    ),
    "append": lambda storage: create_file(storage, "/file", b"x", WriteRequest(WriteMode.APPEND)),
    "overwrite": lambda storage: create_file(storage, "/file", b"x"),
    "resume over": lambda storage: create_file(storage, "/file", b"x", WriteRequest(offset=1)),
    "delete": lambda storage: storage.remove_file(path_at("/file")),
    "rename": lambda storage: storage.rename(path_at("/file"), path_at("/new")),
    "mkdir": lambda storage: storage.make_directory(path_at("/folder/new")),
    "rmdir": lambda storage: storage.remove_directory(path_at("/folder")),
}
ALLOWED = {
    Right.LIST: {"list"},
    Right.READ: {"read"},
    Right.CREATE: {"create", "store new", "unique", "append new"},
    Right.OVERWRITE: {"overwrite", "resume over"},
    Right.APPEND: {"append"},
    Right.DELETE: {"delete"},
    Right.RENAME: {"rename"},
    Right.MKDIR: {"mkdir"},
    Right.RMDIR: {"rmdir"},
    Right.ATTRIBUTES: set(),
    Right.ADMIN: set(),
}


class TestOperations:
    @pytest.mark.parametrize("operation", OPERATIONS)
    @pytest.mark.parametrize("right", Right)
    def test_one_right_allows_its_operations_and_nothing_else(self, right, operation):
        inner, storage = furnished(right)
        before = run(list_directory(inner))
        if operation in ALLOWED[right]:
            run(OPERATIONS[operation](storage))
            return
        with pytest.raises((Denied, Exists, BadOffset)):
            run(OPERATIONS[operation](storage))
        assert run(list_directory(inner)) == before
        assert run(read_file(inner, "/file")) == b"old"

    @pytest.mark.parametrize("preset", PRESETS)
    @pytest.mark.parametrize("operation", OPERATIONS)
    def test_a_preset_allows_what_its_rights_allow(self, preset, operation):
        _, storage = furnished(*PRESETS[preset])
        allowed = set().union(*(ALLOWED[right] for right in PRESETS[preset]))
        try:
            run(OPERATIONS[operation](storage))
        except (Denied, Exists, BadOffset):
            assert operation not in allowed
        else:
            assert operation in allowed

    def test_the_wrapper_is_a_storage(self):
        verifyObject(IStorage, furnished()[1])

    def test_renaming_over_a_file_needs_the_right_to_overwrite(self):
        inner, storage = furnished(Right.RENAME)
        run(create_file(inner, "/other", b"other"))
        with pytest.raises(Exists):
            run(storage.rename(path_at("/file"), path_at("/other")))
        assert run(read_file(inner, "/other")) == b"other"
        allowed = RestrictedStorage(inner, frozenset({Right.RENAME, Right.OVERWRITE}))
        run(allowed.rename(path_at("/file"), path_at("/other")))
        assert run(read_file(inner, "/other")) == b"old"

    def test_an_upload_that_may_not_replace_does_not_when_the_file_comes_later(self):
        inner, storage = furnished(Right.CREATE)
        writing = run(begin_upload(storage, "/new", b"mine"))
        run(create_file(inner, "/new", b"theirs"))
        with pytest.raises(Exists):
            run(writing.commit())
        assert run(read_file(inner, "/new")) == b"theirs"


class TestAppending:
    def test_an_account_that_may_only_create_resumes_its_partial_upload(self):
        inner, storage = furnished(Right.CREATE)
        run(run(begin_upload(inner, "/new", b"012")).abandon())
        writing = run(begin_upload(storage, "/new", b"34", WriteRequest(WriteMode.APPEND)))
        assert writing.offset == 3
        run(writing.commit())
        assert run(read_file(inner, "/new")) == b"01234"

    def test_who_may_only_create_never_appends(self):
        inner, storage = furnished(Right.CREATE)
        writing = run(begin_upload(storage, "/new", b"mine", WriteRequest(WriteMode.APPEND)))
        run(create_file(inner, "/new", b"theirs"))
        with pytest.raises(Exists):
            run(writing.commit())
        assert run(read_file(inner, "/new")) == b"theirs"

    def test_a_storage_without_partials_starts_at_nothing(self):
        inner, _ = furnished()
        hidden = RestrictedStorage(inner, frozenset({Right.LIST}))  # it offers no IPartials
        hidden.open_writing = inner.open_writing
        storage = RestrictedStorage(hidden, frozenset({Right.CREATE}))
        run(create_file(storage, "/new", b"x", WriteRequest(WriteMode.APPEND)))
        assert run(read_file(inner, "/new")) == b"x"

    @pytest.mark.parametrize("how", [WriteMode.APPEND, WriteMode.REPLACE])
    def test_a_file_that_goes_while_it_is_opened_is_not_made(self, how):
        inner, _ = furnished()

        class Vanishing(MemoryStorage):
            async def open_writing(self, path, request):
                await inner.remove_file(path)
                return await inner.open_writing(path, request)

            async def stat(self, path):
                return await inner.stat(path)

        storage = RestrictedStorage(Vanishing(), frozenset({Right.OVERWRITE, Right.APPEND}))
        with pytest.raises(Denied):
            run(storage.open_writing(path_at("/file"), WriteRequest(how)))
        assert set(run(list_directory(inner))) == {"folder"}

    def test_a_cancelled_opening_leaves_nothing_open(self):
        inner, _ = furnished()
        abandoned = []

        class Slow(MemoryStorage):
            asked = 0

            async def stat(self, path):
                self.asked += 1
                if self.asked == 2:
                    await Deferred()
                return await inner.stat(path)

            async def open_writing(self, path, request):
                writing = await inner.open_writing(path, request)
                ended = writing.abandon
                writing.abandon = lambda: abandoned.append(path) or ended()
                return writing

        storage = RestrictedStorage(Slow(), frozenset({Right.OVERWRITE}))
        opening = Deferred.fromCoroutine(storage.open_writing(path_at("/file"), WriteRequest()))
        opening.cancel()
        failures = []
        opening.addErrback(failures.append)
        assert failures[0].check(CancelledError)
        assert abandoned == [path_at("/file")]


class TestDropBox:
    """``upload-only``: a place to leave things in, unseen."""

    def test_directories_are_seen_and_files_are_not(self):
        _, storage = furnished(*PRESETS["upload-only"])
        assert run(storage.stat(path_at("/folder"))).kind is Kind.DIRECTORY
        assert run(storage.stat(path_at("/"))).kind is Kind.DIRECTORY
        with pytest.raises(PathNotFound):
            run(storage.stat(path_at("/file")))
        with pytest.raises(PathNotFound):
            run(storage.stat(path_at("/none")))

    def test_an_interrupted_upload_of_a_drop_box_can_be_resumed(self):
        inner, storage = furnished(*PRESETS["upload-only"])
        run(run(begin_upload(storage, "/new", b"012")).abandon())
        assert run(partial_size(storage, "/new")) == 3
        run(create_file(storage, "/new", b"34", WriteRequest(offset=3)))
        assert run(read_file(inner, "/new")) == b"01234"

    def test_only_a_partial_upload_can_be_resumed(self):
        _, storage = furnished(*PRESETS["upload-only"])
        for name in ("/file", "/none", "/file/x", "/folder"):
            with pytest.raises(BadOffset):
                run(begin_upload(storage, name, b"", WriteRequest(offset=1)))

    def test_any_right_to_files_shows_their_facts(self):
        for right in (Right.LIST, Right.READ, Right.OVERWRITE, Right.APPEND, Right.DELETE):
            _, storage = furnished(right)
            assert run(storage.stat(path_at("/file"))).size == 3


class TestCapabilities:
    @pytest.mark.parametrize(
        ("capability", "rights"),
        [
            (IHashes, {Right.READ}),
            (ISetTimes, {Right.ATTRIBUTES}),
            (ISetMode, {Right.ATTRIBUTES}),
            (IPartials, {Right.CREATE, Right.OVERWRITE, Right.APPEND, Right.ADMIN}),
        ],
    )
    def test_a_capability_is_forwarded_to_those_who_have_a_right_to_it(self, capability, rights):
        for right in Right:
            _, storage = furnished(right)
            offered = capability(storage, None)
            assert (offered is not None) == (right in rights), right

    def test_free_space_is_forwarded_always(self):
        _, storage = furnished()
        assert run(IFreeSpace(storage).free_space(path_at("/"))) > 0

    def test_nothing_else_slips_past(self):
        _, storage = furnished(*Right)
        assert IDescriptor(storage, None) is None
        assert IStorage(storage) is storage

    def test_what_the_inner_storage_lacks_is_not_offered(self):
        _, nobody = furnished()
        assert IHashes(RestrictedStorage(nobody, EVERYTHING), None) is None


class TestFacts:
    FILE = Entry("file", Kind.FILE, 1, 0.0)
    FOLDER = Entry("folder", Kind.DIRECTORY, 0, 0.0)
    ROOT = Entry("", Kind.DIRECTORY, 0, 0.0)

    @pytest.mark.parametrize(
        ("preset", "file", "folder", "root"),
        [
            ("read", "r", "el", "el"),
            ("full", "adfrw", "cdeflmp", "celmp"),
            ("upload-only", "", "cem", "cem"),
            ("read-append", "ar", "celm", "celm"),
        ],
    )
    def test_presets_are_spelled(self, preset, file, folder, root):
        rights = PRESETS[preset]
        assert permission_facts(rights, self.FILE) == file
        assert permission_facts(rights, self.FOLDER) == folder
        assert permission_facts(rights, self.ROOT) == root

    def test_what_is_no_plain_file_can_only_be_removed_or_renamed(self):
        for kind in (Kind.LINK, Kind.OTHER):
            assert permission_facts(EVERYTHING, Entry("odd", kind, 0, 0.0)) == "df"

    def test_no_rights_still_enter_directories(self):
        assert permission_facts(frozenset(), self.FOLDER) == "e"
        assert permission_facts(frozenset(), self.FILE) == ""
