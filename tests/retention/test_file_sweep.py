"""The age of a file is the time since the latest of its times."""

import pytest

from ftpservice.retention.file_sweep import age_of
from ftpservice.wire.entry import Entry, Kind


@pytest.mark.parametrize(
    ("modified", "changed", "created", "age"),
    [
        (100.0, 0, None, 900.0),
        (100.0, 400 * 10**9, None, 600.0),
        (500.0, 400 * 10**9, None, 500.0),
        (100.0, 0, 700.0, 300.0),
        (100.0, 1, 50.0, 900.0),
        (2000.0, 0, None, -1000.0),
    ],
)
def test_the_latest_time_counts(modified, changed, created, age):
    entry = Entry("file", Kind.FILE, 1, modified, changed=changed, created=created)
    assert age_of(entry, 1000.0) == age
