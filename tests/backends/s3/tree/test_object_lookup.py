"""Many uploads into a directory of more than a page take few listings."""

import pytest

from ftpservice.backends.s3.tree.known_directories import ASKED_OFTEN
from ftpservice.storage.errors import IsDirectory
from ftpservice.testing.contract.case import create_file
from tests.support.buckets import result


def test_a_large_directory_is_listed_to_its_end_when_many_files_are_uploaded(bucket):
    for number in range(5):
        bucket.write(f"d/{number}/x")
    pages = []
    read, bucket.served.bucket.page_keys = bucket.served.bucket.page, 2
    bucket.served.bucket.page = lambda *given, **more: pages.append(1) or read(*given, **more)
    storage = bucket.storage()
    for number in range(3 * ASKED_OFTEN):
        result(create_file(storage, f"/d/new-{number}", b"x"))
    assert len(pages) < 2 * ASKED_OFTEN
    with pytest.raises(IsDirectory):
        result(create_file(storage, "/d/3", b"x"))
