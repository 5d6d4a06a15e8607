"""The trash of accounts in a bucket: the oldest files, what expires, roots within roots."""

from dataclasses import replace

from twisted.internet.task import Clock

from ftpservice.backends.s3 import bucket_trash
from ftpservice.backends.s3.bucket_source import S3Source
from ftpservice.backends.s3.bucket_trash import remove_expired
from ftpservice.backends.s3.storage import S3Storage
from ftpservice.backends.s3.tree.served_bucket import BucketView
from ftpservice.concurrency.thread_pool import InlineRunner
from ftpservice.storage.quota_interfaces import ITreeUsage
from ftpservice.storage.trash import ITrash, TrashRule
from ftpservice.testing.contract.case import create_file, path_at
from ftpservice.wire.paths import ROOT
from tests.support.buckets import result

RULE = TrashRule(3600)


def storage_at(bucket, path="/", owner="one"):
    return S3Storage(BucketView(bucket.served, owner, path_at(path))).with_trash(RULE)


def delete(storage, *names):
    for name in names:
        result(create_file(storage, name, b"data"))
        result(storage.remove_file(path_at(name)))


def paths(files):
    return [str(one.path) for one in files]


def oldest(storage, size, files):
    return paths(result(ITrash(storage).oldest(size, files)))


def test_the_oldest_files_are_returned_once_and_those_added_after_them(bucket):
    storage = storage_at(bucket)
    assert oldest(storage, 1, 0) == []
    delete(storage, "/a", "/b", "/c")
    assert oldest(storage, 5, 0) == ["/a", "/b"]
    delete(storage, "/d")
    assert oldest(storage, 0, 1) == ["/c"]
    assert oldest(storage, 100, 100) == ["/d"]
    assert oldest(storage, 100, 0) == ["/a", "/b", "/c", "/d"]


def test_orders_of_many_accounts_are_not_kept_for_ever(bucket, monkeypatch):
    monkeypatch.setattr(bucket_trash, "MAX_ORDERS", 2)
    for owner in ("one", "two", "three"):
        storage = storage_at(bucket, owner=owner)
        delete(storage, f"/{owner}")
        assert oldest(storage, 1, 0) == [f"/{owner}"]
    assert [name for name, _top in bucket.served.trash_orders] == ["two", "three"]


def test_what_has_expired_is_removed_by_the_sweep_of_all_accounts(bucket):
    delete(storage_at(bucket), "/a")
    delete(storage_at(bucket, "/home/ben", "ben"), "/b")
    source = S3Source(bucket.options, Clock(), InlineRunner())
    source._served = replace(bucket.served)
    now = bucket.served.seconds()
    source._served.seconds = lambda: now + 3000
    assert result(source.sweep()) == 0
    source._served.seconds = lambda: now + 4000
    assert result(source.sweep()) == 2
    assert bucket.hidden() == []
    assert remove_expired(BucketView(bucket.served, "", ROOT)) == 0
    result(source.stop())


def test_a_root_within_another_one_has_its_own_part_of_the_trash(bucket):
    whole, part = storage_at(bucket), storage_at(bucket, "/home/ann")
    delete(whole, "/x")
    result(create_file(part, "/keep", b"1"))
    delete(whole, "/home/ann/a")
    delete(part, "/b")
    assert paths(result(ITrash(part).trashed(ROOT))) == ["/b", "/a"]
    below = result(ITrash(whole).trashed(path_at("/home")))
    assert paths(below) == ["/home/ann/b", "/home/ann/a"]
    assert tuple(result(ITreeUsage(part).tree_usage(ROOT))) == (9, 3, 0)
    usage = result(ITreeUsage(whole).tree_usage(ROOT))
    assert usage.size == 13
    assert result(ITrash(part).trashed(path_at("/.ftpservice"))) == []
    assert bucket.names() == ["home/ann/keep"]


def test_names_that_look_like_those_of_the_trash_are_names_of_files(bucket):
    storage = storage_at(bucket)
    delete(storage, "/a")
    [key] = bucket.hidden()
    name = key.rpartition("/")[2]
    result(storage.make_directory(path_at("/a")))
    delete(storage, f"/{name}", f"/a/{name}")
    found = result(ITrash(storage).trashed(ROOT))
    assert paths(found) == [f"/a/{name}", f"/{name}", "/a"]
    assert paths(result(ITrash(storage).trashed(path_at("/a")))) == [f"/a/{name}", "/a"]
    assert result(ITrash(storage).discard(found[::-1])) == found[::-1]
    assert bucket.hidden() == []
