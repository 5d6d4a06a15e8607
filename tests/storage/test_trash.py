"""The rule of a trash, and restoring files where their directories are gone."""

import pytest
from twisted.internet.task import Clock

from ftpservice.backends.memory.storage import MemoryStorage
from ftpservice.storage.errors import (
    Denied,
    Exists,
    NameRefused,
    NotSupported,
    PathNotFound,
    QuotaExceeded,
)
from ftpservice.storage.name_rules.filtered_storage import FilteredStorage
from ftpservice.storage.name_rules.name_patterns import NamePatterns, NameRules
from ftpservice.storage.permissions import RestrictedStorage
from ftpservice.storage.quota.account import QuotaAccount
from ftpservice.storage.quota.book import QuotaBook
from ftpservice.storage.quota.ledgers.ledger import QuotaLimits
from ftpservice.storage.quota.metered_storage import MeteredStorage
from ftpservice.storage.rights import PRESETS, Right
from ftpservice.storage.trash import (
    IKeepsTrash,
    ITrash,
    TrashRule,
    find_trashed,
    parse_trash,
    restore,
    with_trash,
)
from ftpservice.testing.contract.case import create_file, list_directory, path_at, read_file
from tests.backends.memory.test_storage import run


@pytest.mark.parametrize(
    ("text", "seconds", "shown"),
    [("12h", 43_200, "12h"), ("30d", 2_592_000, "30d"), ("8 w", 4_838_400, "56d")],
)
def test_a_time_is_given_with_its_unit(text, seconds, shown):
    rule = parse_trash(text)
    assert (rule.seconds, str(rule)) == (seconds, shown)
    assert parse_trash(shown) == rule


@pytest.mark.parametrize("text", ["", "30", "0d", "-1d", "1.5h", "30days", "off", "999999w", "3m"])
def test_what_is_no_time(text):
    with pytest.raises(ValueError, match=r"hours, days or weeks, .*8w, or 'none' to keep nothing"):
        parse_trash(text)


@pytest.fixture
def kept():
    return with_trash(MemoryStorage(), TrashRule(3600))


def test_a_storage_without_a_trash_is_not_used_as_if_it_had_one():
    plain = RestrictedStorage(MemoryStorage(), PRESETS["full"])
    assert IKeepsTrash(plain, None) is None
    with pytest.raises(NotSupported, match="cannot keep deleted files"):
        with_trash(plain, TrashRule(3600))


def test_missing_directories_are_created(kept):
    for path in ("/a", "/a/b"):
        run(kept.make_directory(path_at(path)))
    run(create_file(kept, "/a/b/file", b"data"))
    run(kept.remove_file(path_at("/a/b/file")))
    run(kept.remove_directory(path_at("/a/b")))
    run(kept.remove_directory(path_at("/a")))
    found = run(find_trashed(kept, path_at("/a/b/file")))
    assert run(restore(kept, found)).size == 4
    assert run(read_file(kept, "/a/b/file")) == b"data"
    with pytest.raises(PathNotFound):
        run(find_trashed(kept, path_at("/a/b/file")))


def deleted_with_its_directories(kept):
    for path in ("/a", "/a/b"):
        run(kept.make_directory(path_at(path)))
    run(create_file(kept, "/a/b/file", b"data"))
    run(kept.remove_file(path_at("/a/b/file")))
    for path in ("/a/b", "/a"):
        run(kept.remove_directory(path_at(path)))
    return run(find_trashed(kept, path_at("/a/b/file")))


@pytest.mark.parametrize(
    ("wrapped", "error"),
    [
        (lambda kept: RestrictedStorage(kept, PRESETS["full"] - {Right.CREATE}), Denied),
        (
            lambda kept: FilteredStorage(kept, NameRules(NamePatterns(()), NamePatterns(("f*",)))),
            NameRefused,
        ),
        (lambda kept: RestrictedStorage(kept, PRESETS["full"] - {Right.MKDIR}), Denied),
    ],
)
def test_a_refused_restore_creates_no_directories(kept, wrapped, error):
    found = deleted_with_its_directories(kept)
    with pytest.raises(error):
        run(restore(wrapped(kept), found, replace=False))
    assert run(list_directory(kept)) == {}


def test_a_file_that_is_gone_from_the_trash_creates_no_directories(kept):
    found = deleted_with_its_directories(kept)
    run(ITrash(kept).discard([found]))
    with pytest.raises(PathNotFound):
        run(restore(kept, found))
    assert run(list_directory(kept)) == {}


def test_a_restore_that_fails_half_way_removes_what_it_has_created(kept):
    found = deleted_with_its_directories(kept)
    account = QuotaAccount.of(kept, QuotaBook(Clock()), "one", ("memory",), QuotaLimits(files=2))
    with pytest.raises(QuotaExceeded):
        run(restore(MeteredStorage(account), found, path_at("/c/d/e/f")))
    assert run(list_directory(kept)) == {}


def test_a_file_is_found_by_its_id_or_the_latest_by_its_name(kept):
    for content in (b"1", b"22", b"333"):
        run(create_file(kept, "/file", content))
    first = run(ITrash(kept).trashed(path_at("/")))[-1]
    assert run(find_trashed(kept, path_at("/file"))).size == 2
    assert run(find_trashed(kept, number=first.id)) == first
    assert run(find_trashed(kept, path_at("/file"), first.id)) == first
    for path, number in ((path_at("/none"), ""), (path_at("/none"), first.id), (None, "0")):
        with pytest.raises(PathNotFound):
            run(find_trashed(kept, path, number))
    with pytest.raises(Exists):
        run(restore(kept, first))
    run(restore(kept, first, path_at("/copy")))
    assert sorted(run(list_directory(kept))) == ["copy", "file"]
