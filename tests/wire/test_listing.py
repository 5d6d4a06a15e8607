from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.listing import UnixListing, is_printable, parse_line

DAY = 86400


def at(*moment):
    return datetime(*moment, tzinfo=UTC).timestamp()


NOW = at(2026, 11, 21, 12, 0)
FILE = Entry("name", Kind.FILE, 12345, at(2026, 11, 21, 10, 15), 0o644, "owner", "group")


def line(**changes):
    return UnixListing(NOW).line(FILE._replace(**changes))


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
    listing = UnixListing(NOW)
    for links in range(5000):
        listing.line(FILE._replace(links=links))
    assert len(listing._columns) <= 4096


def test_a_link_points_at_its_target_or_at_nothing_that_could_be_one():
    link = FILE._replace(kind=Kind.LINK, name="current")
    for target, shown in (("releases/7", "releases/7"), ("/a b", "/a b"), ("", "(hidden)")):
        line = UnixListing(NOW).line(link._replace(target=target))
        assert line.endswith(f" current -> {shown}")
        assert parse_line(line, NOW).target == target


def test_printable_names_have_no_line_end():
    assert is_printable("any \t name \udcff")
    assert not any(is_printable(f"a{character}b") for character in "\r\n\0")


@given(
    kind=st.sampled_from([Kind.FILE, Kind.DIRECTORY, Kind.LINK]),
    size=st.integers(0, 2**63),
    age=st.integers(0, 5000 * DAY),
    mode=st.integers(0, 0o7777),
    links=st.integers(1, 10**6),
    name=st.text(min_size=1, max_size=20).filter(lambda name: is_printable(name)),
)
@settings(max_examples=200, deadline=None, database=None)
def test_a_client_reads_back_what_a_server_lists(kind, size, age, mode, links, name):
    size = 0 if kind is Kind.DIRECTORY else size
    entry = Entry(name, kind, size, NOW - age, mode, "some", "body", links)
    read = parse_line(UnixListing(NOW).line(entry), NOW)
    if kind is Kind.LINK:
        assert read.name == name.partition(" -> ")[0]
        name, entry = read.name, entry._replace(target=read.target)
    unit = 60 if age < 182 * DAY else DAY
    if age < 182 * DAY or age > 184 * DAY:
        assert read == entry._replace(name=name, modified=(NOW - age) // unit * unit)


@pytest.mark.parametrize(
    ("text", "name", "kind", "size"),
    [
        ("-rw-r--r-- 1 o g 5 Nov 21 10:15 a  b ", "a  b ", Kind.FILE, 5),
        ("-rw-r--r-- 1 o g 5 Nov 21 10:15  leading", " leading", Kind.FILE, 5),
        ("-rw-r--r-- 1 o g 5 Nov 21 10:15 1 Jan  2 10:00 x", "1 Jan  2 10:00 x", Kind.FILE, 5),
        ("drwxr-xr-x+ 2 o g 4096 Nov 21  2020 dir", "dir", Kind.DIRECTORY, 0),
        ("lrwxrwxrwx 1 o g 4 Nov 21 10:15 a -> b -> c", "a", Kind.LINK, 4),
        ("crw-rw-rw- 1 root root 1,   3 Nov 21 10:15 null", "null", Kind.OTHER, 0),
        ("srwxr-xr-x 1 o g 0 nov 21 10:15 socket", "socket", Kind.OTHER, 0),
        ("-rw-r--r-- 1 o 5 Nov 21 10:15 no group", "no group", Kind.FILE, 5),
        ("-rw-r--r-- 5 Nov 21 10:15 bare", "bare", Kind.FILE, 5),
        ("-rw-r--r-- owner 5 Nov 21 10:15 no links", "no links", Kind.FILE, 5),
    ],
)
def test_unix_lines_of_other_servers_are_read(text, name, kind, size):
    entry = parse_line(text, NOW)
    assert (entry.name, entry.kind, entry.size) == (name, kind, size)


def test_owner_group_links_and_mode_are_read():
    entry = parse_line("-rwsr-S--t 7 me us 5 Nov 21 10:15 x", NOW)
    assert (entry.links, entry.owner, entry.group, entry.mode) == (7, "me", "us", 0o7741)


@pytest.mark.parametrize(
    ("date", "now", "modified"),
    [
        ("Nov 21 10:15", NOW, at(2026, 11, 21, 10, 15)),
        ("Nov 22 11:59", NOW, at(2026, 11, 22, 11, 59)),
        ("Nov 23 10:15", NOW, at(2025, 11, 23, 10, 15)),
        ("Jan  1 00:01", at(2026, 12, 31, 23, 30), at(2027, 1, 1, 0, 1)),
        ("Dec 31 23:59", at(2027, 1, 1, 0, 5), at(2026, 12, 31, 23, 59)),
        ("Feb 29 10:00", at(2024, 3, 1), at(2024, 2, 29, 10, 0)),
        ("Feb 29 10:00", at(2027, 3, 1), at(2024, 2, 29, 10, 0)),
        ("Feb 29 10:00", at(2103, 3, 1), at(2096, 2, 29, 10, 0)),
        ("Feb 29 10:00", at(1904, 2, 1), at(1896, 2, 29, 10, 0)),
        ("Feb 29  2000", NOW, at(2000, 2, 29)),
        ("Nov 21  2027", NOW, at(2027, 11, 21)),
    ],
)
def test_the_year_that_a_date_means(date, now, modified):
    assert parse_line(f"-rw-r--r-- 1 o g 5 {date} x", now).modified == modified


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        (
            "11-21-26  10:15AM       <DIR>          my name",
            Entry("my name", Kind.DIRECTORY, 0, at(2026, 11, 21, 10, 15), 0o755),
        ),
        (
            "11-21-26  10:15AM  <DIR> name",
            Entry("name", Kind.DIRECTORY, 0, at(2026, 11, 21, 10, 15), 0o755),
        ),
        (
            "11-21-2026  12:05PM                 1234  two",
            Entry(" two", Kind.FILE, 1234, at(2026, 11, 21, 12, 5)),
        ),
        ("11-21-99  12:05AM 1 x", Entry("x", Kind.FILE, 1, at(1999, 11, 21, 0, 5))),
        ("11-21-26  22:05 1 x", Entry("x", Kind.FILE, 1, at(2026, 11, 21, 22, 5))),
        ("11-21-26  01:05PM <SYMLINK> x", Entry("x", Kind.LINK, 0, at(2026, 11, 21, 13, 5), 0o755)),
    ],
)
def test_windows_lines_are_read(text, entry):
    assert parse_line(text, NOW) == entry


@pytest.mark.parametrize(
    "text",
    [
        "",
        "total 12",
        "-rw-r--r-- 1 o g 5 Nov 21 10:15 ",
        "-rw-r--r-- 1 o g 5 Nov 21 10:15",
        "-rw-r--r-- 1 o g 5 Nov 31 10:15 x",
        "-rw-r--r-- 1 o g 5 Nov 21 25:15 x",
        "-rw-r--r-- 1 o g 5 Feb 29  2025 x",
        "-rw-r--r-- 1 o g 5 Mai 21 10:15 x",
        "-rw-r--r-- 1 o g -5 Nov 21 10:15 x",
        "rubbish 1 o g 5 Nov 21 10:15 x",
        " 5 Nov 21 10:15 x",
        "13-21-26  10:15AM 5 x",
        "11-21-26  13:15AM 5 x",
        "11-21-26  00:15AM 5 x",
        "11-21-26  10:15AM <ODD> x",
    ],
)
def test_what_is_no_entry_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        parse_line(text, NOW)


@pytest.mark.parametrize("filling", [" ", " 1", "1 ", "11-21-26  10:15", " 5 Nov 21 10:1", "-"])
def test_hostile_lines_take_no_time(filling):
    with pytest.raises(ValueError, match=r"."):
        parse_line(filling * 50_000, NOW)
