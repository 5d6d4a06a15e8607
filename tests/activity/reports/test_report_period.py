"""What users write as a time, and what it means."""

import pytest

from ftpservice.activity.reports.report_period import ReportPeriod, parse_period, period_words

DAY = 86_400.0
NOW = 20_000 * DAY + 50_000  # 2024-10-04 13:53:20
TODAY = 20_000 * DAY


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        ("", "", (TODAY, NOW)),
        ("-", "-", (TODAY, NOW)),
        ("today", "", (TODAY, NOW)),
        ("yesterday", "", (TODAY - DAY, NOW)),
        ("yesterday", "yesterday", (TODAY - DAY, TODAY)),
        ("", "yesterday", (TODAY - DAY, TODAY)),
        ("2024-10-01", "2024-10-02", (TODAY - 3 * DAY, TODAY - DAY)),
        ("", "2024-10-02", (TODAY - 2 * DAY, TODAY - DAY)),
        ("2024-10-04T01:00", "2024-10-04T02:00:30Z", (TODAY + 3600, TODAY + 7230)),
        ("2024-10-04 01:00", "now", (TODAY + 3600, NOW)),
        ("now", "now", (NOW, NOW)),
        ("7d", "", (NOW - 7 * DAY, NOW)),
        ("12h", "1h", (NOW - 43_200, NOW - 3600)),
        ("TODAY", "Now", (TODAY, NOW)),
        ("9999999w", "", (0.0, NOW)),
    ],
)
def test_a_period(since, until, expected):
    period = parse_period(since, until, "ann", NOW)
    assert period == ReportPeriod(*expected, "ann")
    assert period.title.endswith("UTC, of ann")


@pytest.mark.parametrize(
    ("since", "until", "text"),
    [
        ("ann", "", "'ann' is not a time: use 2026-11-29"),
        ("2024-13-01", "", "is not a time"),
        ("2024-02-30", "", "is not a time"),
        ("2024-10-04T25:00", "", "is not a time"),
        ("", "\x00", "is not a time"),
        ("today", "2024-10-02", "is later than"),
        ("now", "2024-10-01", "is later than"),
        ("today", "yesterday", "00:00:00 is later than yesterday"),
        ("2024-10-03", "2024-10-02", "is later than 2024-10-02"),
    ],
)
def test_what_is_refused_says_why(since, until, text):
    with pytest.raises(ValueError, match=text):
        parse_period(since, until, "", NOW)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ("", "", "")),
        ("7d", ("7d", "", "")),
        ("7d now", ("7d", "now", "")),
        ("- - ann lee", ("-", "-", "ann lee")),
    ],
)
def test_the_words_of_a_command(text, words):
    assert period_words(text) == words


def test_a_dash_is_no_user():
    assert parse_period("", "", "-", NOW).user == ""


def test_today_at_midnight_has_just_begun():
    period = parse_period("today", "", "", TODAY)
    assert (period.since, period.until) == (TODAY, TODAY)
    assert parse_period("", "", "", TODAY) == period
