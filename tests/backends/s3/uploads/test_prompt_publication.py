"""A small upload takes one request, and no thread where nothing else is to be done."""

from unittest import mock

import pytest
from twisted.internet.defer import Deferred

from ftpservice.backends.s3.api.prompt_requests import MAX_PROMPT_BYTES, PromptRequests
from ftpservice.backends.s3.tree.part_buffer import MemoryAllowance
from ftpservice.storage.interfaces import WriteMode, WriteRequest
from ftpservice.storage.trash import TrashRule
from ftpservice.testing.contract.case import begin_upload, create_file, path_at, read_file
from tests.support.buckets import result
from tests.support.reading_reactor import ReadingReactor

CREATE = WriteRequest(WriteMode.CREATE)


@pytest.fixture
def prompt(bucket):
    """The requests without a thread of a bucket in which a file was stored a moment ago."""
    result(create_file(bucket.storage(), "/before", b"x"))
    bucket.reactor = ReadingReactor()
    bucket.served.prompt = PromptRequests(bucket.requests, bucket.reactor)
    return bucket.served.prompt


def sent(bucket, data, request=None, storage=None):
    """Upload a file; return how many requests were made in threads."""
    calls = []
    send = bucket.requests.send
    with mock.patch.object(bucket.requests, "send", lambda call: calls.append(call) or send(call)):
        begun = begin_upload(storage or bucket.storage(), "/file", data, request or WriteRequest())
        committed = Deferred.fromCoroutine(result(begun).commit())
        bucket.reactor.read_until(committed)
        entry = committed.result
    assert entry.size == len(data)
    assert entry.unique == result(bucket.storage().stat(path_at("/file"))).unique
    assert result(read_file(bucket.storage(), "/file")) == data
    return [one.method for one in calls]


@pytest.mark.parametrize("size", [0, 1, 4096])
def test_a_small_file_takes_no_thread_whether_there_is_one_or_not(bucket, prompt, size):
    for number in (1, 2):
        assert sent(bucket, bytes([number]) * size) == []


def test_without_an_answer_a_thread_stores_it(bucket, prompt):
    with mock.patch.object(prompt, "send", side_effect=lambda _call: fired(None)):
        assert sent(bucket, b"data") == ["PUT"]
    with mock.patch.object(prompt, "send", return_value=None):
        assert sent(bucket, b"data") == ["PUT"]


def fired(value):
    done = Deferred()
    done.callback(value)
    return done


def test_more_is_done_in_a_thread(bucket, prompt):
    assert sent(bucket, b"data", CREATE)[-1] == "PUT"
    kept = bucket.storage().with_trash(TrashRule(3600.0, 5))
    assert "PUT" in sent(bucket, b"other", None, kept)
    result(result(begin_upload(bucket.storage(), "/file", b"half")).abandon())
    assert sent(bucket, b"whole")[-1] == "DELETE"  # what was kept
    assert sent(bucket, b"x" * MAX_PROMPT_BYTES) == ["PUT"]
    bucket.served.memory = MemoryAllowance(0)
    assert sent(bucket, b"in a file") == ["PUT"]
