"""Removing in a bucket that keeps versions: what is deleted is not seen, and not gone."""

import pytest

from ftpservice.backends.s3.server_traits import probe
from ftpservice.storage.errors import PathNotFound
from ftpservice.storage.interfaces import WriteMode, WriteRequest
from ftpservice.storage.quota_interfaces import ITreeUsage
from ftpservice.testing.contract.case import (
    begin_upload,
    create_file,
    list_directory,
    partial_size,
    path_at,
    read_file,
)
from tests.support.buckets import result


def test_older_versions_and_delete_markers_are_not_seen(versioned):
    storage = versioned.storage()
    for content in (b"one", b"three"):
        result(create_file(storage, "/file", content))
    assert {one.size for one in result(list_directory(storage)).values()} == {5}
    result(storage.remove_file(path_at("/file")))
    assert versioned.versions("file") == (2, 1)
    assert result(list_directory(storage)) == {}
    with pytest.raises(PathNotFound):
        result(storage.stat(path_at("/file")))
    with pytest.raises(PathNotFound):
        result(storage.remove_file(path_at("/file")))
    assert tuple(result(ITreeUsage(storage).tree_usage(path_at("/")))) == (0, 0, 0)
    result(create_file(storage, "/file", b"new", WriteRequest(WriteMode.CREATE)))
    assert result(read_file(storage, "/file")) == b"new"


def test_directories_renames_and_partial_uploads_are_as_without_versions(versioned):
    storage = versioned.storage()
    result(storage.make_directory(path_at("/d")))
    result(create_file(storage, "/d/file", b"content"))
    result(create_file(storage, "/d/file", b" and more", WriteRequest(WriteMode.APPEND)))
    result(storage.rename(path_at("/d"), path_at("/e")))
    assert result(read_file(storage, "/e/file")) == b"content and more"
    result(storage.remove_file(path_at("/e/file")))
    result(storage.remove_directory(path_at("/e")))
    assert versioned.names() == []  # moto lists directories of deleted files
    result(result(begin_upload(storage, "/half", b"half")).abandon())
    assert result(partial_size(versioned.again().storage(), "/half")) == 4
    result(create_file(storage, "/half", b" done", WriteRequest(offset=4)))
    assert result(read_file(storage, "/half")) == b"half done"
    assert versioned.hidden() == []


def test_the_server_can_do_with_versions_what_it_can_without(versioned, bucket):
    traits = probe(versioned.served)
    if versioned.options.endpoint == bucket.options.endpoint:
        assert traits == probe(bucket.served)
    assert (traits.creates, traits.replaces) == (True, True)
