"""The storage contract in a bucket of moto; every call is carried out at once."""

import pytest
from twisted.trial.unittest import SynchronousTestCase

from ftpservice.backends.s3.server_traits import probe
from ftpservice.backends.s3.tree.served_bucket import ServerTraits
from ftpservice.testing.contract.case import list_directory
from ftpservice.testing.storage_contract import StorageContract
from tests.support.buckets import InlineBucket, result


@pytest.mark.usefixtures("moto")
class InlineTests(StorageContract, SynchronousTestCase):
    keeps_notes = False  # only when an upload has taken some seconds
    url = ""

    def storage(self):
        self.bucket = InlineBucket(self.url)
        self.addCleanup(self.bucket.requests.stop)
        return self.bucket.storage()

    def other_owner_storage(self):
        return self.bucket.storage("two")

    def test_many_entries_are_listed_once_each(self):
        """With small pages: moto needs half a minute for the three hundred of the contract."""
        storage = self.storage()
        self.bucket.served.bucket.page_keys = 7
        names = {f"{number}{'x' * (number % 3)}" for number in range(25)}
        for number, name in enumerate(sorted(names)):
            self.bucket.write(f"{name}{'/a' * (number % 2)}")
        assert set(result(list_directory(storage))) == names

    def test_the_server_can_do_what_the_other_tests_expect(self):
        """It refuses conditional calls as Amazon does."""
        self.storage()
        assert probe(self.bucket.served) == ServerTraits(deletes_conditionally=True)
        assert self.bucket.hidden() == []
