"""The storage contract on SeaweedFS, with threads, as it is served.

All of it runs by ``make cluster``; else what differs most between servers.
"""

import os
from collections.abc import Iterator
from unittest import TestCase, mock
from uuid import uuid4

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from ftpservice.backends.s3.api.bucket_string import BucketOptions
from ftpservice.backends.s3.bucket_source import S3Source
from ftpservice.testing.contract.directories import RenameContract
from ftpservice.testing.contract.interruptions import AbortedUploadContract, ResumeContract
from ftpservice.testing.storage_contract import StorageContract
from ftpservice.wire.paths import ROOT
from tests.support.buckets import BUCKET
from tests.support.s3_servers import SETTINGS, make_bucket, seaweed_server
from tests.support.whole_cluster import IS_WHOLE


@pytest.fixture(scope="module")
def weed() -> Iterator[str]:
    """The URL of a server."""
    with mock.patch.dict(os.environ, SETTINGS), seaweed_server() as url:
        make_bucket(url, BUCKET)
        yield url


@pytest.fixture(scope="class")
def source(request: pytest.FixtureRequest, weed: str) -> Iterator[None]:
    """Give a class of tests a source: each test has a root of its own in it."""
    request.cls.source = S3Source(BucketOptions(BUCKET, "contract/", weed), reactor)
    yield
    pytest_twisted.blockon(Deferred.fromCoroutine(request.cls.source.stop()))


class SeaweedContract:
    keeps_notes = False  # only when an upload has taken some seconds
    """How to get a storage."""

    def finish(self, test):
        return pytest_twisted.blockon(test)

    def storage(self):
        self.top = ROOT.child(uuid4().hex)
        return self.source.storage("one", self.top)

    def other_owner_storage(self):
        return self.source.storage("two", self.top)


if IS_WHOLE:

    @pytest.mark.usefixtures("source")
    class SeaweedTests(SeaweedContract, StorageContract, TestCase):
        """The whole contract but for what SeaweedFS does not keep: see ``docs/s3.md``."""

        test_the_modification_time_can_be_set = None  # of directories
        test_unusual_names_are_stored_unchanged = None  # a backslash

else:

    @pytest.mark.usefixtures("source")
    class SeaweedTests(
        SeaweedContract,
        AbortedUploadContract,
        RenameContract,
        ResumeContract,
        TestCase,
    ):
        """What differs most between servers, and depends on threads."""
