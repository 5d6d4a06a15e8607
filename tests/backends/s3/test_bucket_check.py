"""A bucket is tried before anybody logs in."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from unittest import mock

import pytest

from ftpservice.backends.s3 import bucket_check
from ftpservice.backends.s3.api.bucket_string import BucketOptions
from ftpservice.backends.s3.bucket_check import BucketUnusable, check_bucket
from ftpservice.backends.s3.tree.served_bucket import ServerTraits
from tests.support.buckets import BUCKET, InlineBucket
from tests.support.s3_servers import SETTINGS
from tests.support.service_process import BUSY_SECONDS


@pytest.fixture(autouse=True)
def keys() -> Iterator[None]:
    with mock.patch.dict(os.environ, SETTINGS):
        yield


def unusable(options: BucketOptions, seconds: float = 15.0) -> BucketUnusable:
    with pytest.raises(BucketUnusable) as refused:
        check_bucket(options, seconds)
    return refused.value


def test_a_bucket_that_can_be_used_is_left_as_it_was(moto_url: str) -> None:
    bucket = InlineBucket(moto_url)
    assert check_bucket(bucket.options) == []
    assert (bucket.names(), bucket.hidden(), bucket.open_uploads()) == ([], [], [])
    bucket.requests.stop()


def test_what_a_server_does_not_keep_is_told(
    moto_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    traits = ServerTraits(creates=False, replaces=False, dates_directories=False)
    monkeypatch.setattr(bucket_check, "probe", lambda _served: traits)
    first, second = check_bucket(InlineBucket(moto_url).options)
    assert first.startswith("it ignores If-None-Match")
    assert second.startswith("it has no If-Match")


def test_a_bucket_that_does_not_exist_is_named_with_what_to_do(moto_url: str) -> None:
    problem = unusable(BucketOptions("no-such-bucket", "", moto_url))
    assert "404 NoSuchBucket" in problem.line
    assert problem.line.endswith("; create the bucket, or correct its name in the storage string")
    assert not problem.may_pass


def test_without_credentials_the_variables_are_named(
    moto_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    problem = unusable(BucketOptions(BUCKET, "", moto_url))
    assert "AWS_ACCESS_KEY_ID" in problem.line
    assert not problem.may_pass


def test_a_profile_that_does_not_exist_is_named(moto_url: str) -> None:
    problem = unusable(BucketOptions(BUCKET, "", moto_url, profile="nobody"))
    assert "nobody" in problem.line
    assert not problem.may_pass


def test_a_wrong_key_is_told(seaweed_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "wrong")
    problem = unusable(BucketOptions(BUCKET, "", seaweed_url))
    assert "check AWS_ACCESS_KEY_ID" in problem.line
    assert not problem.may_pass


def test_a_server_that_is_not_there_may_come() -> None:
    with socket.socket() as probe:  # bound, and not listening
        probe.bind(("127.0.0.1", 0))
        problem = unusable(BucketOptions(BUCKET, "", f"http://127.0.0.1:{probe.getsockname()[1]}"))
    assert "ConnectionRefusedError" in problem.line
    assert "check the option endpoint" in problem.line
    assert problem.may_pass


def test_a_server_that_does_not_answer_delays_for_a_limited_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"http://127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        problem = unusable(BucketOptions(BUCKET, "", place), 0.5)
        assert time.monotonic() - began < 0.5 + BUSY_SECONDS
    assert problem.line.startswith("no answer within 0.5 s; check the option endpoint")
    assert problem.may_pass


def test_an_error_of_the_program_is_not_one_of_the_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_served: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(bucket_check, "probe", fail)
    with pytest.raises(ZeroDivisionError):
        check_bucket(BucketOptions(BUCKET))
