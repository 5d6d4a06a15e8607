"""The source: logins while the server is away, and what it tells."""

import os
import socket
from unittest import mock

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from ftpservice.backends.s3.api.bucket_string import BucketOptions
from ftpservice.backends.s3.bucket_source import LOGIN_SECONDS, S3Source
from ftpservice.backends.s3.server_traits import shortcomings
from ftpservice.backends.s3.tree.served_bucket import ServerTraits
from ftpservice.backends.strings import BadStorageString, build_source, check_storage_string
from ftpservice.concurrency.thread_pool import InlineRunner
from ftpservice.storage.errors import InvalidName, Unavailable
from ftpservice.storage.interfaces import IStorage, IStorageSource, WriteRequest
from ftpservice.testing.contract.case import begin_upload
from ftpservice.wire.paths import ROOT, VirtualPath
from tests.support.buckets import result
from tests.support.open_resources import LoggedErrors
from tests.support.s3_servers import SETTINGS


def login(source, top=ROOT):
    found = []
    Deferred.fromCoroutine(source.storage("ann", top)).addBoth(found.append)
    return found


def test_the_root_of_an_account_is_made(bucket):
    source = S3Source(bucket.options, Clock(), InlineRunner())
    storage = result(source.storage("ann", VirtualPath(("home", "ann"))))
    assert verifyObject(IStorage, storage)
    assert verifyObject(IStorageSource, source)
    assert bucket.names() == ["home/ann/"]
    assert source.storage_name(ROOT.child("x")) == f"s3://files/{bucket.options.prefix}x"
    with pytest.raises(InvalidName):
        result(source.storage("ann", VirtualPath((".ftpservice", "partials"))))
    result(source.stop())


def test_uploads_over_files_keep_their_notes_after_a_moment(bucket):
    clock = Clock()
    source = S3Source(bucket.options, clock, InlineRunner())
    storage = result(source.storage("ann", ROOT))
    bucket.write("file", b"old")
    writing = result(begin_upload(storage, "/file", b"new", WriteRequest(note="me")))
    clock.advance(1)
    assert bucket.hidden() == []
    clock.advance(1)
    assert len(bucket.hidden()) == 1
    result(writing.commit())
    assert bucket.hidden() == []
    result(source.stop())
    assert clock.getDelayedCalls() == []


def test_a_login_does_not_wait_for_a_server_that_hangs():
    clock, pool = Clock(), InlineRunner()
    pool.held = True
    source = S3Source(BucketOptions("files", endpoint="http://127.0.0.1:1"), clock, pool)
    found = login(source)
    assert not found
    clock.advance(LOGIN_SECONDS)
    with pytest.raises(Unavailable, match="s3:files: no answer within 10 seconds"):
        found[0].raiseException()


def test_each_login_tries_a_server_that_was_away():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with mock.patch.dict(os.environ, SETTINGS):
        options = BucketOptions("files", endpoint=f"http://127.0.0.1:{port}")
        source = S3Source(options, Clock(), InlineRunner())
        source._served.requests.stop()  # nothing is repeated
        with LoggedErrors() as errors:
            for _ in range(2):
                [failure] = login(source)
                assert isinstance(failure, Failure)
                assert "refused" in str(failure.value)
                assert "check the option endpoint" in str(failure.value)
                assert str(failure.value).count("the storage failed") == 1
        [line] = errors.lines  # the event of a login that fails has the reason, too
        assert line.startswith("s3:files: ConnectionRefusedError")


def test_what_a_server_cannot_do_is_told():
    assert shortcomings(ServerTraits()) == []
    told = shortcomings(ServerTraits(False, False, False, False, False, frozenset("\\")))
    assert [text.partition(",")[0] for text in told] == [
        "it ignores If-None-Match",
        "it has no If-Match",
        "it keeps no times of directories",
        "it does not keep \\ in names; they are refused",
    ]
    [text] = shortcomings(ServerTraits(completes_conditionally=False))
    assert text.startswith("it ignores If-None-Match for multipart uploads")


def test_a_string_is_checked_before_anything_is_opened():
    with pytest.raises(BadStorageString, match="storage 's3:': the bucket is missing"):
        check_storage_string("s3:")
    with (
        mock.patch.dict("sys.modules", {"ftpservice.backends.s3.bucket_source": None}),
        pytest.raises(BadStorageString, match=r"pip install 'ftpservice\[s3\]'"),
    ):
        build_source("s3:files", Clock())
