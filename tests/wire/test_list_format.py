from datetime import UTC, datetime

import pytest

from ftpservice.wire import list_format
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.list_format import UnixListFormatter, is_printable

DAY = 86400


def at(*moment):
    return datetime(*moment, tzinfo=UTC).timestamp()


NOW = at(2026, 11, 21, 12, 0)
FILE = Entry("name", Kind.FILE, 12345, at(2026, 11, 21, 10, 15), 0o644, "owner", "group")


def line(**changes):
    return UnixListFormatter(NOW).line(FILE._replace(**changes))


def test_line_is_as_ls_writes_it():
    assert line() == "-rw-r--r--   1 owner    group         12345 Nov 21 10:15 name"
    assert line(modified=at(2026, 11, 1, 9, 5)).endswith(" Nov  1 09:05 name")


def test_old_and_future_files_have_a_year():
    assert line(modified=at(2025, 1, 2)).endswith(" 12345 Jan  2  2025 name")
    assert line(modified=NOW + DAY).endswith(" Nov 22  2026 name")
    assert line(modified=-1.0).endswith(" Dec 31  1969 name")
    assert line(modified=2.0**63).endswith(" Dec 31  9999 name")
    assert line(modified=-(2.0**63)).endswith(" Jan  1     1 name")


def test_half_a_year_is_the_border():
    assert ":" in line(modified=NOW - 182 * DAY)
    assert ":" not in line(modified=NOW - 183 * DAY)


def test_a_file_written_while_the_listing_runs_is_not_in_the_future():
    assert line(modified=NOW + 1.5).endswith(" Nov 21 12:00 name")


@pytest.mark.parametrize(
    ("kind", "mode", "bits"),
    [
        (Kind.FILE, 0o7777, "-rwsrwsrwt"),
        (Kind.FILE, 0o7000, "---S--S--T"),
        (Kind.DIRECTORY, 0o755, "drwxr-xr-x"),
        (Kind.LINK, 0o777, "lrwxrwxrwx"),
        (Kind.OTHER, 0o600, "prw-------"),
        (Kind.FILE, 0o100644, "-rw-r--r--"),
    ],
)
def test_mode_and_kind_are_spelled(kind, mode, bits):
    assert line(kind=kind, mode=mode).startswith(bits + " ")


def test_owners_never_break_the_columns():
    text = line(owner="domain users\r\n", group="")
    assert text.startswith("-rw-r--r--   1 domain_users__ -        ")


def test_columns_kept_are_bounded():
    listing = UnixListFormatter(NOW)
    for links in range(5000):
        listing.line(FILE._replace(links=links))
    assert len(listing._columns) <= 4096


def test_a_link_points_at_its_target_or_at_nothing_that_could_be_one():
    link = FILE._replace(kind=Kind.LINK, name="current")
    for target, shown in (("releases/7", "releases/7"), ("/a b", "/a b"), ("", "(hidden)")):
        line = UnixListFormatter(NOW).line(link._replace(target=target))
        assert line.endswith(f" current -> {shown}")


def test_printable_names_have_no_line_end():
    assert is_printable("any \t name \udcff")
    assert not any(is_printable(f"a{character}b") for character in "\r\n\0")


def test_what_entries_share_is_kept_for_so_many(monkeypatch):
    monkeypatch.setattr(list_format, "MAX_COLUMNS_KEPT", 4)
    listing = UnixListFormatter(NOW)
    for links in range(20):
        assert f"{links:3} owner" in listing.line(FILE._replace(links=links))
        assert len(listing._columns) <= 4
