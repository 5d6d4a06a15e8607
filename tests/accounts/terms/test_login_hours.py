"""The hours of an account: their text, time zones, midnight, and clocks that are changed."""

import os
import subprocess
import sys
import time
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpservice.accounts.terms.login_hours import HourSpan, LoginHours, parse_hours


def seconds(text, zone="UTC", fold=0):
    """Return the seconds of a time on the clocks of a zone."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def contains(hours, text, zone="UTC", fold=0):
    return parse_hours(hours).contain(seconds(text, zone, fold))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "Mon-Fri 08:00-18:00 Europe/Berlin; Sat 09:00-12:00",
            "Mon-Fri 08:00-18:00 Europe/Berlin; Sat 09:00-12:00",
        ),
        ("08:00-18:00", "08:00-18:00"),
        ("mon TUE 08:00-18:00 UTC", "Mon-Tue 08:00-18:00 UTC"),
        ("Sat-Mon 22:00-06:00", "Mon Sat-Sun 22:00-06:00"),
        ("Mon-Sun 00:00-24:00", "00:00-24:00"),
        (
            "Mon 01:00-02:00;Tue 00:30-24:00   Asia/Kolkata",
            "Mon 01:00-02:00 Asia/Kolkata; Tue 00:30-24:00",
        ),
        (
            "Mon 01:00-02:00 UTC; Wed Fri 01:00-02:00 UTC",
            "Mon 01:00-02:00 UTC; Wed Fri 01:00-02:00",
        ),
    ],
)
def test_hours_are_written_as_they_are_read(text, shown):
    assert str(parse_hours(text)) == shown
    assert parse_hours(shown) == parse_hours(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "expected hours such as"),
        (";", "expected hours such as"),
        ("Mon", "expected hours such as"),
        ("always", "expected hours such as"),
        ("8:00-18:00", "expected hours such as"),
        ("08:00-25:00", "expected hours such as"),
        ("24:00-06:00", "expected hours such as"),
        ("08:00 - 18:00", "expected hours such as"),
        ("08:00-18:00 UTC now", "expected hours such as"),
        ("Mo 08:00-18:00", "'Mo' is not a day"),
        ("Mon-Fry 08:00-18:00", "'Mon-Fry' is not a day"),
        ("08:00-08:00", "the whole day is 00:00-24:00"),
        ("08:00-18:00 Europe/Paris; 19:00-20:00 UTC", "one time zone for all"),
        ("08:00-18:00 Europe/Nowhere", "'Europe/Nowhere' is not a time zone"),
        ("08:00-18:00 Europe", "'Europe' is not a time zone"),
        ("08:00-18:00 ../../etc/passwd", "is not a time zone"),
        ("08:00-18:00 zone.tab", "is not a time zone"),
        (";".join(["08:00-18:00"] * 51), "more than 50"),
    ],
)
def test_malformed_hours_are_refused_with_the_reason(text, reason):
    with pytest.raises(ValueError, match=reason):
        parse_hours(text)


@pytest.mark.parametrize(
    ("when", "is_inside"),
    [
        ("2027-01-25 07:59:59", False),
        ("2027-01-25 08:00:00", True),
        ("2027-01-29 17:59:59", True),
        ("2027-01-29 18:00:00", False),
        ("2027-01-30 08:59", False),
        ("2027-01-30 11:59", True),
        ("2027-01-30 12:00", False),
        ("2027-01-31 10:00", False),
    ],
)
def test_the_end_of_a_span_is_not_part_of_it(when, is_inside):
    assert contains("Mon-Fri 08:00-18:00 UTC; Sat 09:00-12:00", when) is is_inside
    berlin = "Mon-Fri 08:00-18:00 Europe/Berlin; Sat 09:00-12:00"
    assert contains(berlin, when, "Europe/Berlin") is is_inside


@pytest.mark.parametrize(
    ("when", "is_inside"),
    [
        ("2027-01-28 23:00", False),  # Thursday
        ("2027-01-29 05:00", False),
        ("2027-01-29 21:59", False),
        ("2027-01-29 22:00", True),  # Friday
        ("2027-01-29 23:59", True),
        ("2027-01-30 00:00", True),
        ("2027-01-30 05:59", True),
        ("2027-01-30 06:00", False),
        ("2027-01-30 22:00", False),
        ("2027-01-31 23:00", True),  # Sunday
        ("2027-02-01 05:00", True),  # Monday
    ],
)
def test_a_span_over_midnight_belongs_to_the_day_that_it_starts_on(when, is_inside):
    assert contains("Fri Sun 22:00-06:00 UTC", when) is is_inside


def test_the_day_is_that_of_the_time_zone():
    assert contains("Tue 00:00-01:00 Asia/Tokyo", "2027-01-25 15:30")
    assert not contains("Tue 00:00-01:00 Asia/Tokyo", "2027-01-26 00:30")


def test_hours_follow_the_clocks_in_summer_and_winter():
    hours = "08:00-18:00 Europe/Berlin"
    assert contains(hours, "2027-01-25 07:00") and not contains(hours, "2027-01-25 06:59")
    assert contains(hours, "2027-07-26 06:00") and not contains(hours, "2027-07-26 05:59")


def test_when_clocks_are_put_forward_the_missing_hour_does_not_occur():
    hours = parse_hours("Sun 02:00-03:00 Europe/Berlin")
    start = seconds("2027-03-28 00:00")  # 01:00 in Berlin; 03:00 follows 01:59
    assert not any(hours.contain(start + minute * 60) for minute in range(180))
    later = parse_hours("Sun 01:30-03:30 Europe/Berlin")
    inside = [later.contain(start + minute * 60) for minute in range(180)]
    assert inside == [False] * 30 + [True] * 60 + [False] * 90


def test_when_clocks_are_put_back_the_repeated_hour_counts_both_times():
    hours = parse_hours("Sun 02:00-03:00 Europe/Berlin")
    start = seconds("2027-10-31 00:00")  # 02:00 in Berlin, summer time
    inside = [hours.contain(start + minute * 60) for minute in range(180)]
    assert inside == [True] * 120 + [False] * 60
    assert contains("02:30-02:31 Europe/Berlin", "2027-10-31 02:30", "Europe/Berlin", fold=1)


def test_a_span_over_midnight_over_a_change_of_clocks():
    hours = parse_hours("Sat 22:00-04:00 Europe/Berlin")
    start = seconds("2027-03-27 21:00")  # 22:00 in Berlin: five hours of the wall are missing one
    assert [hours.contain(start + hour * 3600) for hour in range(7)] == [True] * 5 + [False] * 2


@pytest.fixture
def machine_zone(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_without_a_zone_the_hours_are_those_of_the_machine(machine_zone):
    assert os.environ["TZ"] == "Asia/Kolkata"
    assert contains("Mon 08:00-09:00", "2027-01-25 02:30")
    assert not contains("Mon 08:00-09:00", "2027-01-25 08:30")


WITHOUT_ZONES = """
import sys
sys.modules["tzdata"] = None
from ftpservice.admin.cli import main
main()
"""


def test_on_a_machine_without_time_zones_the_command_says_what_to_install(tmp_path):
    def add(name, hours):
        words = ["user", "add", name, "--store=passwd:passwd.db", "--password-stdin", "--hours"]
        return subprocess.run(
            [sys.executable, "-c", WITHOUT_ZONES, *words, hours],
            cwd=tmp_path,
            env=os.environ | {"PYTHONTZPATH": "", "PYTHONPATH": os.pathsep.join(sys.path)},
            input="correct 8 staple battery\n",
            text=True,
            capture_output=True,
            check=False,
        )

    refused = add("ann", "08:00-18:00 Europe/Berlin")
    assert refused.returncode == 2
    assert "this machine has no time zones: install the package tzdata" in refused.stderr
    assert "pip install 'ftpservice[timezones]'" in refused.stderr
    for name, hours in (("ben", "08:00-18:00 UTC"), ("cid", "08:00-18:00")):
        assert add(name, hours).returncode == 0


@given(
    st.lists(
        st.builds(
            HourSpan,
            st.frozensets(st.integers(0, 6), min_size=1),
            st.integers(0, 1439),
            st.integers(1, 1440),
        ).filter(lambda span: span.start != span.end and span.end != 0),
        min_size=1,
        max_size=5,
    ).map(tuple),
    st.sampled_from(["", "UTC", "Europe/Berlin", "America/St_Johns", "Etc/GMT+5"]),
)
def test_what_is_written_is_read_back(spans, zone):
    hours = LoginHours(spans, zone)
    assert parse_hours(str(hours)) == hours
