"""S3 servers, one of each for all tests of a process."""

import os
from collections.abc import Iterator
from unittest import mock
from uuid import uuid4

import pytest

from tests.support.buckets import BUCKET, InlineBucket
from tests.support.s3_servers import SETTINGS, make_bucket, moto_server, seaweed_server


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """The URL of moto, with a bucket."""
    with mock.patch.dict(os.environ, SETTINGS), moto_server() as url:
        make_bucket(url, BUCKET)
        yield url


@pytest.fixture(scope="class")
def moto(request: pytest.FixtureRequest, moto_url: str) -> None:
    """Give a class of tests the server."""
    request.cls.url = moto_url


@pytest.fixture(scope="session")
def seaweed_url() -> Iterator[str]:
    """The URL of SeaweedFS, with a bucket."""
    with mock.patch.dict(os.environ, SETTINGS), seaweed_server() as url:
        make_bucket(url, BUCKET)
        yield url


@pytest.fixture(params=["moto", "seaweed"])
def versioned(request: pytest.FixtureRequest) -> Iterator[InlineBucket]:
    """A bucket of either server that keeps versions."""
    url = request.getfixturevalue(f"{request.param}_url")
    made = InlineBucket(url, name=f"versions-{uuid4().hex}")
    with mock.patch.dict(os.environ, SETTINGS):
        made.keep_versions()
    yield made
    made.requests.stop()


@pytest.fixture
def bucket(seaweed_url: str) -> Iterator[InlineBucket]:
    """A part of the bucket of SeaweedFS that is empty."""
    made = InlineBucket(seaweed_url)
    yield made
    made.requests.stop()
