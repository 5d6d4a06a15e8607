"""The trash in a bucket: killed processes, several writers, long names, servers' limits."""

from contextlib import suppress

import pytest

from ftpservice.backends.s3.api.failures import S3Failure
from ftpservice.backends.s3.tree import object_copy
from ftpservice.backends.s3.tree.served_bucket import ServerTraits
from ftpservice.storage.errors import Busy, InvalidName, NotInTrash, TrashFull
from ftpservice.storage.interfaces import ISetTimes
from ftpservice.storage.quota_interfaces import ITreeUsage
from ftpservice.storage.trash import ITrash, TrashRule
from ftpservice.testing.contract.case import create_file, path_at, read_file
from ftpservice.wire.paths import ROOT
from tests.support.buckets import InlineBucket, result
from tests.support.killed_calls import Killed, kill_after
from tests.support.restartable_service import noise

RULE = TrashRule(3600, versions=3)
OLD, NEW = b"the old content", b"the new content!"
LARGE = noise((8 << 20) + 1000)


def keeping(bucket, owner="one"):
    return bucket.storage(owner).with_trash(RULE)


def trashed(storage, path="/"):
    return result(ITrash(storage).trashed(path_at(path)))


def content_of(bucket, one):
    """Return the bytes of a file of the trash."""
    [key] = [key for key in bucket.hidden() if one.id in key]
    return bucket.served.bucket.read(key, 0, 1 << 24).data


def upload(storage):
    result(create_file(storage, "/file", NEW))


def upload_in_parts(storage):
    result(create_file(storage, "/file", LARGE))


def delete(storage):
    result(storage.remove_file(path_at("/file")))


def rename(storage):
    result(storage.rename(path_at("/other"), path_at("/file")))


def restore(storage):
    [one] = trashed(storage, "/gone")
    result(ITrash(storage).restore(one, path_at("/file"), True))


def contents(bucket):
    """Return the content of each file by its name."""
    return {
        name: bucket.served.bucket.read(key_of(bucket, name), 0, 1 << 24).data
        for name in bucket.names()
    }


@pytest.mark.parametrize("change", [upload, upload_in_parts, delete, rename, restore])
def test_a_process_killed_at_any_call_loses_no_version(bucket, change):
    calls, is_killed = 0, True
    while is_killed:
        other = InlineBucket(bucket.options.endpoint)
        storage = keeping(other)
        for name, content in (("/gone", b"gone"), ("/other", NEW), ("/file", OLD)):
            result(create_file(storage, name, content))
        result(storage.remove_file(path_at("/gone")))
        mortal = other.again()
        was_killed = kill_after(mortal, calls)
        with suppress(Killed):
            change(keeping(mortal))
        is_killed = was_killed()
        there = contents(other)
        kept = [content_of(other, one) for one in trashed(storage)]
        assert OLD in (there.get("file"), *kept)
        assert there.get("file") in (OLD, NEW, LARGE, b"gone", None)
        assert {NEW, b"gone"} <= {*there.values(), *kept}
        calls += 1
        mortal.requests.stop()
        other.requests.stop()
    assert calls > 3


def key_of(bucket, name):
    return bucket.options.prefix + name


def test_of_two_writers_each_keeps_what_it_replaces(bucket):
    first, second = keeping(bucket), keeping(bucket.again(), "two")
    result(create_file(first, "/file", b"0"))
    write = bucket.served.bucket.write

    def late(key, *more):
        bucket.served.bucket.write = write
        result(create_file(second, "/file", b"1"))
        return write(key, *more)

    bucket.served.bucket.write = late
    result(create_file(first, "/file", b"2"))
    assert result(read_file(first, "/file")) == b"2"
    assert [content_of(bucket, one) for one in trashed(first)] == [b"1", b"0"]
    assert [content_of(bucket, one) for one in trashed(second)] == [b"0"]


def test_a_version_that_comes_during_a_deletion_is_deleted_and_kept(bucket):
    storage = keeping(bucket)
    result(create_file(storage, "/file", b"0"))
    remove = bucket.served.bucket.delete

    def late(key, *more):
        bucket.served.bucket.delete = remove
        bucket.write("file", b"1")
        return remove(key, *more)

    bucket.served.bucket.delete = late
    result(storage.remove_file(path_at("/file")))
    assert bucket.names() == []
    assert [content_of(bucket, one) for one in trashed(storage)] == [b"1", b"0"]


def test_who_never_finds_the_same_version_twice_is_told_so(bucket):
    storage = keeping(bucket)
    bucket.write("file", b"0")
    head, count = bucket.served.bucket.head, [0]

    def changing(key):
        found = head(key)
        if key.endswith("/file"):
            count[0] += 1
            bucket.write("file", b"%d" % count[0])
        return found

    bucket.served.bucket.head = changing
    with pytest.raises(Busy, match="others keep changing"):
        result(create_file(storage, "/file", b"new"))
    with pytest.raises(Busy, match="others keep changing"):
        result(storage.remove_file(path_at("/file")))
    assert bucket.names() == ["file"]


def test_an_upload_that_cannot_be_published_keeps_nothing(bucket):
    storage = keeping(bucket)
    result(create_file(storage, "/file", OLD))
    bucket.served.bucket.write = lambda *_args: (_ for _ in ()).throw(S3Failure(403))
    with pytest.raises(Exception, match="403"):
        result(create_file(storage, "/file", NEW))
    assert trashed(storage) == []


def test_where_there_is_no_space_nothing_is_deleted_or_replaced(bucket, monkeypatch):
    storage = keeping(bucket)
    result(create_file(storage, "/file", OLD))
    monkeypatch.setattr(
        bucket.served.bucket,
        "copy",
        lambda *_args: (_ for _ in ()).throw(S3Failure(507, "InsufficientStorage")),
    )
    with pytest.raises(TrashFull):
        result(storage.remove_file(path_at("/file")))
    with pytest.raises(TrashFull):
        result(create_file(storage, "/file", NEW))
    assert result(read_file(storage, "/file")) == OLD


def test_a_large_file_is_copied_in_parts(bucket, monkeypatch):
    monkeypatch.setattr(object_copy, "MAX_COPY_SIZE", 8 << 20)
    large = noise(11 << 20)
    storage = keeping(bucket)
    result(create_file(storage, "/file", large))
    result(create_file(storage, "/file", NEW))
    [one] = trashed(storage)
    assert one.size == len(large)
    result(ITrash(storage).restore(one, path_at("/file"), True))
    assert result(read_file(storage, "/file")) == large
    assert [content_of(bucket, one) for one in trashed(storage)] == [NEW]


def test_an_empty_file_is_kept_and_restored(bucket):
    storage = keeping(bucket)
    result(create_file(storage, "/file", b""))
    result(storage.remove_file(path_at("/file")))
    [one] = trashed(storage)
    entry = result(ITrash(storage).restore(one, path_at("/file"), False))
    assert (entry.size, bucket.names()) == (0, ["file"])


def test_times_that_were_set_are_kept(bucket):
    storage = keeping(bucket)
    result(create_file(storage, "/file", OLD))
    result(ISetTimes(storage).set_times(path_at("/file"), 1_000_000_000.25))
    result(storage.remove_file(path_at("/file")))
    [one] = trashed(storage)
    assert one.modified == 1_000_000_000.25
    entry = result(ITrash(storage).restore(one, path_at("/file"), False))
    assert entry.modified == 1_000_000_000.25


def test_an_account_without_a_rule_restores_what_was_kept_and_keeps_nothing(bucket):
    storage = keeping(bucket)
    result(create_file(storage, "/file", OLD))
    result(storage.remove_file(path_at("/file")))
    plain = bucket.storage()
    [one] = trashed(plain)
    assert ITrash(plain).rule is None
    result(create_file(plain, "/file", NEW))
    with pytest.raises(NotInTrash):
        result(ITrash(plain).restore(one._replace(id="0" * 24), path_at("/x"), False))
    result(create_file(plain, "/other", NEW))
    result(ITrash(plain).restore(one, path_at("/other"), True))
    assert result(read_file(plain, "/other")) == OLD
    result(plain.remove_file(path_at("/file")))
    assert (bucket.names(), trashed(plain)) == (["other"], [])


def test_a_name_that_is_too_long_for_the_trash_is_not_created_deleted_or_replaced(bucket):
    storage = keeping(bucket)
    room = 1024 - 89 - len(bucket.options.prefix)
    parts = ["x" * 200] * 4
    longest = "/".join([*parts, "y" * (room - 4 * 201)])
    result(create_file(bucket.storage(), "/one", b"1"))
    bucket.write(longest, OLD)
    bucket.write(f"{longest}z", OLD)
    result(storage.remove_file(path_at(f"/{longest}")))
    assert [content_of(bucket, one) for one in trashed(storage)] == [OLD]
    result(create_file(storage, f"/{longest}", NEW))
    for change in (
        lambda: storage.remove_file(path_at(f"/{longest}z")),
        lambda: create_file(storage, f"/{longest}z", NEW),
        lambda: storage.rename(path_at("/one"), path_at(f"/{longest}w")),
    ):
        with pytest.raises(InvalidName):
            result(change())
    assert result(read_file(storage, f"/{longest}z")) == OLD
    result(create_file(bucket.storage(), f"/{longest}z", NEW))


@pytest.mark.parametrize(
    "traits",
    [
        ServerTraits(creates=False, completes_conditionally=False, replaces=False),
        ServerTraits(completes_conditionally=False),
    ],
)
def test_a_server_without_conditions_keeps_versions_too(bucket, traits):
    bucket.served.traits = traits
    storage = keeping(bucket)
    for content in (b"0", LARGE, b"2"):
        result(create_file(storage, "/file", content))
    result(create_file(storage, "/other", b"3"))
    result(storage.rename(path_at("/other"), path_at("/file")))
    result(storage.remove_file(path_at("/file")))
    found = trashed(storage)
    assert [content_of(bucket, one) for one in found] == [b"3", b"2", LARGE]
    result(ITrash(storage).restore(found[1], path_at("/file"), True))
    assert result(ITrash(storage).discard(found)) == [found[0], found[2]]


def test_what_is_removed_for_other_versions_is_told_once(bucket):
    storage = keeping(bucket)
    for number in range(5):
        result(create_file(storage, "/file", b"x" * number))
    trash = ITrash(storage)
    assert (trash.take_freed(), ITrash(storage).take_freed()) == ((0, 1), (0, 0))
    usage = result(ITreeUsage(storage).tree_usage(ROOT))
    assert tuple(usage) == (4 + 3 + 2 + 1, 4, 0)
