"""A fixture: a bucket of moto with one large object; for modules that import it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from unittest import mock

import pytest

from tests.support.buckets import BUCKET, InlineBucket
from tests.support.restartable_service import noise
from tests.support.s3_servers import SETTINGS, make_bucket, moto_server

__all__ = ["CONTENT", "bucket"]

CONTENT = noise(17 << 20)
"""What the object ``large`` has."""


@pytest.fixture(scope="module")
def bucket() -> Iterator[InlineBucket]:
    """The bucket, for the tests of a module."""
    with mock.patch.dict(os.environ, SETTINGS), moto_server() as url:
        make_bucket(url, BUCKET)
        made = InlineBucket(url)
        made.write("large", CONTENT)
        yield made
        made.requests.stop()
