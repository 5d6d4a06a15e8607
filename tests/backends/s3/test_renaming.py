"""Renaming: what fails in the middle goes on, and large files are copied in parts."""

from contextlib import suppress
from unittest import mock

import pytest

from ftpservice.backends.s3 import renaming
from ftpservice.backends.s3.api.failures import S3Failure
from ftpservice.backends.s3.tree import object_copy
from ftpservice.storage.errors import Exists, InvalidName, NotEmpty, PathNotFound, Unavailable
from ftpservice.storage.interfaces import IHashes, ISetTimes
from ftpservice.storage.quota_interfaces import ITreeUsage
from ftpservice.storage.trash import TrashRule
from ftpservice.testing.contract.case import (
    begin_upload,
    create_file,
    list_directory,
    path_at,
    read_file,
)
from ftpservice.wire.entry import Kind
from tests.support.buckets import InlineBucket, result
from tests.support.killed_calls import Killed, kill_after
from tests.support.restartable_service import noise


def rename(storage, source, target):
    result(storage.rename(path_at(source), path_at(target)))


def test_a_rename_that_failed_goes_on_when_it_is_repeated(bucket):
    storage = bucket.storage()
    for name in ("a", "b", "sub/c"):
        bucket.write(f"old/{name}", name.encode())
    copy = renaming.copy_object

    def failing(served, source, target, metadata=None):
        if target.endswith("b"):
            raise S3Failure(500, "InternalError")
        return copy(served, source, target, metadata)

    with mock.patch.object(renaming, "copy_object", failing), pytest.raises(Unavailable):
        rename(storage, "/old", "/new")
    assert "old/b" in bucket.names()
    rename(storage, "/old", "/new")
    assert sorted(bucket.names()) == ["new/a", "new/b", "new/sub/c"]
    assert bucket.hidden() == []
    bucket.write("other/x")
    with pytest.raises(NotEmpty):
        rename(storage, "/other", "/new")


def test_a_rename_of_a_killed_process_goes_on_at_any_call_when_it_is_repeated(bucket):
    """With several pages, and an interrupted upload, which moves with the directory."""
    names = ("", "a", "b", "sub/", "sub/c", "sub/deep/d")
    calls, was_killed = 0, True
    while was_killed:
        other = InlineBucket(bucket.options.endpoint)
        for name in names:
            other.write(f"old/{name}", b"" if name.endswith("/") or not name else name.encode())
        writing = result(begin_upload(other.storage(), "/old/partial", b"some"))
        result(writing.abandon())
        mortal = other.again()
        mortal.served.bucket.page_keys = 2
        has_died = kill_after(mortal, calls)
        with suppress(Killed):
            rename(mortal.storage(), "/old", "/new")
        was_killed = has_died()
        again = other.again()
        again.served.bucket.page_keys = 2
        if any(name.startswith("old/") for name in other.names()):
            rename(again.storage(), "/old", "/new")
        assert sorted(other.names()) == sorted(f"new/{name}" for name in names)
        for name in ("a", "b", "sub/c", "sub/deep/d"):
            assert result(read_file(again.storage(), f"/new/{name}")) == name.encode()
        kept = [name.removeprefix(other.options.prefix) for name in other.hidden()]
        kept = [name for name in kept if not name.startswith(".ftpservice/renames/")]
        assert len(kept) == 1
        assert kept[0].startswith(".ftpservice/partials/new/partial.")
        calls += 1
        for one in (mortal, again, other):
            one.requests.stop()
    assert calls > 20


def test_a_rename_that_is_complete_is_no_error_if_its_record_stays(bucket):
    bucket.write("old/a", b"x")
    delete = bucket.served.bucket.delete

    def failing(key, *more):
        if "/renames/" in key:
            raise S3Failure(503, "SlowDown")
        return delete(key, *more)

    with mock.patch.object(bucket.served.bucket, "delete", failing):
        rename(bucket.storage(), "/old", "/new")
    assert bucket.names() == ["new/a"]


def test_a_large_file_is_copied_in_parts_with_its_metadata(bucket, monkeypatch):
    monkeypatch.setattr(object_copy, "MAX_COPY_SIZE", 7 << 20)
    storage, data = bucket.storage(), noise(13 << 20)
    result(create_file(storage, "/large", data))
    result(ISetTimes(storage).set_times(path_at("/large"), modified=1234.5))
    rename(storage, "/large", "/moved")
    assert result(storage.stat(path_at("/moved"))).modified == 1234.5
    assert result(IHashes(storage).hash(path_at("/moved"), "MD5", 0, None)) == result(
        IHashes(bucket.again().storage()).hash(path_at("/moved"), "MD5", 0, len(data))
    )
    assert (bucket.names(), bucket.open_uploads()) == (["moved"], [])


def test_a_file_that_is_a_directory_too_is_listed_once(bucket):
    for name in ("both", "both-other", "both/in", "plain/x"):
        bucket.write(name, b"x")
    found = result(list_directory(bucket.storage()))
    assert {name: entry.kind for name, entry in found.items()} == {
        "both": Kind.FILE,
        "both-other": Kind.FILE,
        "plain": Kind.DIRECTORY,
    }
    assert result(read_file(bucket.storage(), "/both/in")) == b"x"


def test_what_the_service_keeps_is_hidden(bucket):
    bucket.write(".ftpservice/partials/x", b"x")
    storage = bucket.storage()
    assert result(list_directory(storage)) == {}
    for name in ("/.ftpservice", "/.ftpservice/partials/x"):
        with pytest.raises(PathNotFound):
            result(storage.stat(path_at(name)))
        with pytest.raises(InvalidName, match="has records of the service"):
            result(create_file(storage, name))


def test_a_tree_is_counted_by_its_keys(bucket):
    for name in ("a", "b/c", "b/d/e", "b-x/y", "empty/", ".ftpservice/renames/x"):
        bucket.write(name, b"" if name.endswith("/") else b"xy")
    usage = result(ITreeUsage(bucket.storage()).tree_usage(path_at("/")))
    assert tuple(usage) == (8, 8, 0)
    assert tuple(result(ITreeUsage(bucket.storage()).tree_usage(path_at("/b")))) == (4, 3, 0)


def test_the_marker_of_a_directory_is_there_before_what_is_in_it(bucket):
    """SeaweedFS loses one that is stored at the same moment as the first object in it."""
    for name in ("old/", "old/a", "old/sub/", "old/sub/b", "old/sub/deep/", "old/z"):
        bucket.write(name)
    copy, write = renaming.copy_object, bucket.served.bucket.write
    begun: list[tuple[str, list[str]]] = []
    """Names that were copied, each with those that there were before."""

    def note(key):
        begun.append((key.removeprefix(bucket.options.prefix), bucket.names()))

    def copying(served, source, target):
        note(target)
        return copy(served, source, target)

    def writing(key, body, metadata=None):
        note(key)
        return write(key, body, metadata)

    with (
        mock.patch.object(renaming, "copy_object", copying),
        mock.patch.object(bucket.served.bucket, "write", writing),
    ):
        rename(bucket.storage(), "/old", "/new")
    copied = [(name, before) for name, before in begun if name.startswith("new/")]
    assert len(copied) == 6
    for name, before in copied:
        above = {f"{name[:at]}/" for at, letter in enumerate(name[:-1]) if letter == "/"}
        assert above <= set(before), name


def storing(bucket, name):
    """Return a copy during which another program stores a file."""
    copy = renaming.copy_object

    def stored(served, source, target, *more):
        done = copy(served, source, target, *more)
        bucket.write(name, b"theirs")
        return done

    def stored_before(served, source, target, *more):
        bucket.write(name, b"theirs")
        return copy(served, source, target, *more)

    return mock.patch.object(renaming, "copy_object", stored if name == "old" else stored_before)


def test_what_others_store_at_the_old_name_meanwhile_stays(bucket):
    bucket.write("old", b"ours")
    with storing(bucket, "old"):
        rename(bucket.storage(), "/old", "/new")
    contents = {name: result(read_file(bucket.storage(), f"/{name}")) for name in ("old", "new")}
    assert contents == {"old": b"theirs", "new": b"ours"}


def test_what_others_store_in_a_directory_while_it_is_renamed_is_not_lost(bucket):
    for name in ("a", "b"):
        bucket.write(f"old/{name}", b"ours")
    copy, stored = renaming.copy_object, []

    def copying(served, source, target, *more):
        done = copy(served, source, target, *more)
        if target.endswith("/a") and not stored:
            stored.append(target)
            bucket.write("old/a", b"theirs")
            bucket.write("old/c", b"theirs")
        return done

    with mock.patch.object(renaming, "copy_object", copying):
        rename(bucket.storage(), "/old", "/new")
    assert sorted(bucket.names()) == ["new/a", "new/b", "new/c"]
    contents = [result(read_file(bucket.storage(), f"/new/{name}")) for name in "abc"]
    assert contents == [b"theirs", b"ours", b"theirs"]


@pytest.mark.parametrize("keeps_trash", [False, True])
def test_a_rename_that_may_not_replace_leaves_what_others_create_meanwhile(bucket, keeps_trash):
    bucket.write("old", b"ours")
    storage = bucket.storage()
    if keeps_trash:
        storage = storage.with_trash(TrashRule(3600))
    with storing(bucket, "new"), pytest.raises(Exists, match="created meanwhile"):
        result(storage.rename(path_at("/old"), path_at("/new"), replace=False))
    assert result(read_file(storage, "/new")) == b"theirs"
    assert (bucket.names(), bucket.hidden(), bucket.open_uploads()) == (["new", "old"], [], [])
    result(storage.rename(path_at("/old"), path_at("/free"), replace=False))
    assert sorted(bucket.names()) == ["free", "new"]


def test_a_directory_with_names_that_xml_cannot_hold_is_renamed(bucket):
    names = ("a\x01b", "tab\tname", "line\rbreak", "\ufffe")
    for name in names:
        bucket.write(f"old/{name}", b"x")
    rename(bucket.storage(), "/old", "/new")
    assert sorted(bucket.names()) == sorted(f"new/{name}" for name in names)
