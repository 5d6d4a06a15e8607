"""Retention in a bucket: old files are deleted, and what tells no age stays."""

import pytest

from ftpservice.backends.s3.bucket_source import S3Source
from ftpservice.backends.s3.server_traits import probe
from ftpservice.storage.conditional_removal import IConditionalRemoval
from ftpservice.storage.errors import Busy, NotEmpty
from ftpservice.testing.contract.case import begin_upload, create_file, list_directory, path_at
from tests.retention.conftest import RetentionBench
from tests.support.buckets import result


def test_a_run_deletes_old_files_and_keeps_directories(bucket, tmp_path, monkeypatch):
    made = RetentionBench(tmp_path)
    source = S3Source(bucket.options, made.clock, made.pool)
    monkeypatch.setattr(made.realm, "_source", source, raising=False)
    made.run_of.with_directories = True
    made.accounts("ann:/ann:retention=/in: 7d")
    for name in ("in/a", "in/empty/", "other"):
        bucket.write(f"ann/{name}", b"" if name.endswith("/") else b"x")
    made.run(6)
    assert len(bucket.names()) == 3
    done = made.run(8)
    assert bucket.names() == ["ann/in/empty/", "ann/other"]
    counts = done.counts["ann"]
    assert (counts.files, counts.failed, counts.directories) == (1, 0, 0)
    result(source.stop())


def test_what_is_not_deleted(bucket):
    storage = bucket.storage()
    assert IConditionalRemoval(storage, None) is not None
    removal = IConditionalRemoval(storage)
    result(storage.make_directory(path_at("/d")))
    result(result(begin_upload(bucket.again().storage(), "/d/half", b"half")).abandon())
    result(create_file(storage, "/file", b"old"))
    entries = result(list_directory(storage))
    with pytest.raises(NotEmpty):
        result(removal.remove_unchanged(path_at("/d"), entries["d"]))
    with pytest.raises(Busy):
        result(removal.remove_unchanged(path_at("/file"), entries["file"]._replace(size=2)))
    bucket.served.traits = probe(bucket.served)
    assert bucket.served.traits.deletes_conditionally
