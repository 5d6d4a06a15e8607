"""The arithmetic of quotas."""

import pytest

from ftpservice.storage.quota.ledgers.ledger import NO_LIMITS, QuotaLedger, QuotaLimits
from ftpservice.storage.quota.ledgers.upload_charge import UploadCharge

FILE = ("tree", "file")


@pytest.fixture
def ledger():
    made = QuotaLedger()
    made.add(60, 3)
    return made


def charge(ledger, size=100, files=10):
    return UploadCharge(FILE, [ledger], QuotaLimits(size, files))


def sums(ledger):
    return ledger.size, ledger.files, ledger.held_size, ledger.held_files


def test_what_is_held_counts_at_once_and_exactly(ledger):
    one, two = charge(ledger), charge(ledger)
    assert one.try_grow(30, 1)
    assert not two.try_grow(11, 1)
    assert two.try_grow(10, 1)
    assert sums(ledger) == (100, 5, 40, 2)
    assert not one.try_grow(1)


def test_it_never_counts_less_than_nothing_and_what_is_held_stays(ledger):
    one = charge(ledger)
    assert one.try_grow(10, 1)
    ledger.add(-83, -5)
    assert sums(ledger) == (10, 1, 10, 1)
    one.settle(10, 1)
    assert sums(ledger) == (10, 1, 0, 0)


def test_what_did_not_fit_is_not_held(ledger):
    one = charge(ledger)
    assert not one.try_grow(41)
    assert (one.size, sums(ledger)) == (0, (60, 3, 0, 0))


def test_growing_by_nothing_always_succeeds(ledger):
    ledger.add(1000, 0)
    assert charge(ledger).try_grow(0)
    assert charge(ledger).try_grow(-5)


def test_the_number_of_files_is_limited_too(ledger):
    assert not charge(ledger, files=3).try_grow(1, 1)
    assert charge(ledger, files=4).try_grow(1, 1)
    assert charge(ledger, size=None, files=5).try_grow(10**12, 1)


def test_without_limits_there_is_always_room(ledger):
    one = UploadCharge(FILE, [ledger], NO_LIMITS)
    assert one.try_grow(10**12, 10**6)
    assert one.grow_up_to(10**12) == 10**12
    assert UploadCharge(FILE, [], NO_LIMITS).grow_up_to(5) == 5


def test_an_upload_that_ends_leaves_what_it_says(ledger):
    one = charge(ledger)
    one.try_grow(30, 1)
    one.settle(25, 1)
    assert sums(ledger) == (85, 4, 0, 0)


def test_replacing_a_file_needs_the_difference_only(ledger):
    one = charge(ledger, files=3)
    assert not one.try_grow(41, 1)
    one.will_replace(20)
    assert one.try_grow(60, 1)
    assert not one.try_grow(1)
    assert not one.is_exceeded
    assert (ledger.credit_size, ledger.credit_files) == (20, 1)
    assert charge(ledger).grow_up_to(1) == 0
    one.will_replace(None)
    assert one.is_exceeded
    one.will_replace(20)
    one.settle(60, 1)
    ledger.add(-20, -1)
    assert sums(ledger) == (100, 3, 0, 0)
    assert (ledger.credit_size, ledger.credit_files) == (0, 0)


def test_a_smaller_file_frees_nothing_before_it_is_published(ledger):
    one, two = charge(ledger), charge(ledger)
    one.will_replace(50)
    assert one.try_grow(10, 1)
    assert not two.try_grow(41, 1)
    assert two.try_grow(40, 1)


def test_a_turn_gets_what_is_left_and_gives_back(ledger):
    one, two = charge(ledger), charge(ledger)
    assert one.grow_up_to(1000) == 40
    assert two.grow_up_to(1000) == 0
    one.shrink_to(7)
    assert two.grow_up_to(1000) == 33
    two.will_replace(10)
    assert two.grow_up_to(1000) == 10


def test_of_an_exceeded_tree_nothing_is_left(ledger):
    ledger.add(1000, 0)
    assert charge(ledger).grow_up_to(5) == 0
    assert QuotaLimits(100, 10).left(*ledger.used()) == (-960, 7)


def test_an_earlier_upload_is_taken_over(ledger):
    one = charge(ledger)
    one.take_over(60, 1)
    assert sums(ledger) == (60, 3, 60, 1)
    one.shrink_to(10)
    assert sums(ledger) == (10, 3, 10, 1)
    assert one.taken_over == 60


def test_appended_bytes_are_settled_at_once(ledger):
    one = charge(ledger)
    one.try_grow(10)
    one.settle_part(10)
    assert sums(ledger) == (70, 3, 0, 0)


def test_a_count_keeps_what_uploads_hold(ledger):
    one = charge(ledger)
    one.try_grow(10, 1)
    ledger.counted(5, 1, 0)
    assert sums(ledger) == (15, 2, 10, 1)


def test_every_tree_around_is_charged_but_the_first_one_limits(ledger):
    outer = QuotaLedger()
    outer.add(1000, 5)
    one = UploadCharge(FILE, [ledger, outer], QuotaLimits(100, 10))
    assert one.try_grow(40, 1)
    assert sums(outer) == (1040, 6, 40, 1)
    one.settle(40, 1)
    assert sums(outer) == (1040, 6, 0, 0)


def test_a_ledger_that_is_made_later_is_charged_what_is_held(ledger):
    one = charge(ledger)
    one.will_replace(3)
    one.try_grow(10, 1)
    late = QuotaLedger()
    one.move(FILE, [ledger, late])
    assert (*sums(late), late.credit_size) == (10, 1, 10, 1, 3)
    one.settle(10, 1)
    assert (*sums(late), late.credit_size) == (10, 1, 0, 0, 0)
