"""Which accounts share files with one that has a quota."""

import pytest

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.quota_roots import QuotaRoots

ROOTS = QuotaRoots(
    [
        AccountRecord("ann", "", "/team/ann", quota_bytes=1),
        AccountRecord("ben", "", "local:/srv/ben", quota_files=1),
        AccountRecord("eve", "", "/free"),
    ]
)


@pytest.mark.parametrize(
    "root", ["/", "/team", "/team/", "/team/ann", "/team//ann/", "/team/ann/x", "local:/srv/ben"]
)
def test_roots_that_overlap(root):
    assert ROOTS.overlaps(root)


@pytest.mark.parametrize(
    "root", ["/te", "/team/an", "/team/annie", "/free", "local:/srv", "memory:"]
)
def test_roots_that_do_not(root):
    assert not ROOTS.overlaps(root)


def test_without_quotas_nothing_overlaps():
    assert not QuotaRoots().overlaps("/")
    assert not QuotaRoots([AccountRecord("ann", "", "/")]).overlaps("/")
