"""When certificates are renewed and attempts repeated."""

from __future__ import annotations

import itertools

import pytest

from ftpservice.service.acme.schedule import (
    MAX_DELAY_SECONDS,
    is_overdue,
    renewal_time,
    retry_delay,
)

DAY = 86_400.0
HOUR = 3600.0


def least() -> float:
    return 0.0


def most() -> float:
    return 1.0


@pytest.mark.parametrize(
    ("lifetime", "left"), [(90, 30), (45, 15), (6, 2), (365, 30), (3, 1), (47, 47 / 3)]
)
def test_a_third_of_the_lifetime_is_left_but_at_most_30_days(lifetime: float, left: float) -> None:
    assert renewal_time(0, lifetime * DAY) == pytest.approx((lifetime - left) * DAY)


def test_a_renewal_is_overdue_when_half_of_its_time_has_passed() -> None:
    assert not is_overdue(0, 90 * DAY, 74.9 * DAY)
    assert is_overdue(0, 90 * DAY, 75.1 * DAY)
    assert not is_overdue(0, 6 * DAY, 4.9 * DAY)
    assert is_overdue(0, 6 * DAY, 5.1 * DAY)


def test_the_delays_after_refusals_grow_to_half_a_day() -> None:
    delays = [retry_delay(number, False, 0, least) for number in range(1, 12)]
    assert delays[:4] == [60, 180, 540, 1620]
    assert delays == sorted(delays)
    assert delays[-1] == 12 * HOUR


def test_at_most_five_refused_attempts_are_made_in_an_hour() -> None:
    """Let's Encrypt allows five an hour."""
    begins = itertools.accumulate(retry_delay(number, False, 0, least) for number in range(1, 9))
    times = [0.0, *begins]
    for begin in times:
        assert sum(begin <= time < begin + HOUR for time in times) <= 5


def test_an_authority_that_cannot_be_reached_is_asked_again_soon_and_then_hourly() -> None:
    delays = [retry_delay(number, True, 0, least) for number in range(1, 20)]
    assert delays[:3] == [5, 10, 20]
    assert delays[-1] == HOUR


def test_an_authority_may_ask_for_more_time_but_not_for_ever() -> None:
    assert retry_delay(1, False, 7200, least) == 7200
    assert retry_delay(5, False, 10, least) == retry_delay(5, False, 0, least)
    assert retry_delay(1, True, 1e12, least) == 7 * DAY
    assert retry_delay(1, True, 1e12, most) == MAX_DELAY_SECONDS


def test_delays_differ_at_random() -> None:
    assert retry_delay(1, False, 0, most) == pytest.approx(72)
    assert retry_delay(10_000, False, 0, most) == pytest.approx(12 * HOUR * 1.2)
