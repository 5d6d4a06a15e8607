from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftpservice.wire.times import (
    CalendarTexts,
    day_as_ls,
    format_time,
    minute_as_ls,
    minute_digits,
    parse_time,
)


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


def test_calendar_texts_are_kept_within_bounds():
    made = []

    def text_of(number):
        made.append(number)
        return f"day {number}"

    texts = CalendarTexts(text_of)
    assert texts[0] == texts[0] == "day 0"
    assert made == [0]
    for number in range(20_001):
        assert texts[number] == f"day {number}"
        assert len(texts) <= 10_000


@pytest.mark.parametrize(
    ("minute", "digits", "as_ls"),
    [
        (0, "197001010000", "Jan  1 00:00"),
        (-1, "196912312359", "Dec 31 23:59"),
        (1_440 * 365 + 61, "197101010101", "Jan  1 01:01"),
        (10**12, "999912311040", "Dec 31 10:40"),
    ],
)
def test_minutes_are_written_in_two_ways(minute, digits, as_ls):
    assert minute_digits(minute) == digits
    assert minute_as_ls(minute) == as_ls


def test_days_are_written_with_their_year():
    assert day_as_ls(0) == "Jan  1  1970"
    assert day_as_ls(-1) == "Dec 31  1969"
