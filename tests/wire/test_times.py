from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftpservice.wire.times import CalendarDayCache, format_time, parse_time


def test_times_are_fourteen_digits_in_utc():
    assert format_time(0) == "19700101000000"
    assert format_time(1795256100.9) == "20261121101500"
    assert format_time(-0.5) == "19691231235959"


def test_times_out_of_any_calendar_stay_fourteen_digits():
    for seconds in (2.0**63, -(2.0**63)):
        assert len(format_time(seconds)) == 14
        assert format_time(seconds).isdigit()


@given(st.integers(-62135596800, 253402300799))
@settings(max_examples=150, deadline=None, database=None)
def test_every_second_comes_back(seconds):
    text = format_time(seconds)
    assert text == datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%d%H%M%S").rjust(14, "0")
    assert parse_time(text) == seconds


def test_fractions_are_read():
    assert parse_time("19700101000001.25") == 1.25
    assert parse_time("19700101000001." + "3" * 40) == pytest.approx(4 / 3)


def test_leap_seconds_exist_at_midnight_only():
    assert parse_time("20161231235960") == parse_time("20170101000000")
    with pytest.raises(ValueError, match="second"):
        parse_time("20161231225960")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026112110150",
        "202611211015000",
        "191000101101500",
        "20261321101500",
        "20260021101500",
        "20260230101500",
        "20250229101500",
        "20261100101500",
        "20261121240000",
        "20261121106000",
        "20261121101561",
        "00000101000000",
        "20261121101500.",
        "20261121101500.1.2",
        "20261121101500,5",
        " 20261121101500",
        "20261121101500\n",
        "+2261121101500",
        "٢٠٢٦١١٢١١٠١٥٠٠",
        "1" * 5000,
    ],
)
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        parse_time(text)


def test_days_are_remembered_within_bounds():
    days = CalendarDayCache()
    for number in range(10_001):
        assert days[number] is days[number]
    assert len(days) < 10_000
    assert days[0].with_month == "Jan  1"
    assert days[0].with_year == "Jan  1  1970"
