"""Lines of ``ls -l`` in every style that servers use."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.list_format import UnixListFormatter, is_printable
from ftpservice_client.listings.unix import unix_entry

DAY = 86400


def at(*moment):
    return datetime(*moment, tzinfo=UTC).timestamp()


NOW = at(2026, 11, 21, 12, 0)


@given(
    kind=st.sampled_from([Kind.FILE, Kind.DIRECTORY, Kind.LINK]),
    size=st.integers(0, 2**63),
    age=st.integers(0, 5000 * DAY),
    mode=st.integers(0, 0o7777),
    links=st.integers(1, 10**6),
    name=st.text(min_size=1, max_size=20).filter(
        lambda name: is_printable(name) and "/" not in name
    ),
)
@settings(max_examples=200, deadline=None, database=None)
def test_a_client_reads_back_what_a_server_lists(kind, size, age, mode, links, name):
    size = 0 if kind is Kind.DIRECTORY else size
    entry = Entry(name, kind, size, NOW - age, mode, "some", "body", links)
    read = unix_entry(UnixListFormatter(NOW).line(entry), NOW)
    if kind is Kind.LINK:
        assert read.name == name.partition(" -> ")[0]
        name, entry = read.name, entry._replace(target=read.target)
    unit = 60 if age < 182 * DAY else DAY
    if age < 182 * DAY or age > 184 * DAY:
        modified = (NOW - age) // unit * unit
        assert read == entry._replace(name=name, modified=modified, time_grain=unit)


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
    entry = unix_entry(text, NOW)
    assert (entry.name, entry.kind, entry.size) == (name, kind, size)


def test_owner_group_links_and_mode_are_read():
    entry = unix_entry("-rwsr-S--t 7 me us 5 Nov 21 10:15 x", NOW)
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
    assert unix_entry(f"-rw-r--r-- 1 o g 5 {date} x", now).modified == modified


@pytest.mark.parametrize(
    ("date", "modified", "grain"),
    [
        ("2023-02-28 12:00", at(2023, 2, 28, 12, 0), 60),
        ("2023-02-28T12:00", at(2023, 2, 28, 12, 0), 60),
        ("2023-02-28 ", at(2023, 2, 28), DAY),
        ("02-28 12:00", at(2026, 2, 28, 12, 0), 60),
        ("2023-02-28 12:00:13.123456789 +0130", at(2023, 2, 28, 10, 30), 60),
        ("Nov 21 10:15:33 2020", at(2020, 11, 21, 10, 15), 60),
        ("21 Nov 10:15", at(2026, 11, 21, 10, 15), 60),
        ("21 Nov 2020", at(2020, 11, 21), DAY),
        ("28 févr. 2023", at(2023, 2, 28), DAY),
        ("f\udce9vr. 28 12:00", at(2026, 2, 28, 12, 0), 60),
        ("28. Mär 2023", at(2023, 3, 28), DAY),
        ("m\udce4r 28 2023", at(2023, 3, 28), DAY),
        ("Okt 21 10:15", at(2026, 10, 21, 10, 15), 60),
        ("dic 31  2020", at(2020, 12, 31), DAY),
        ("lis 3 10:15", at(2026, 11, 3, 10, 15), 60),
        ("авг  3  2020", at(2020, 8, 3), DAY),
        ("2月 28 12:00", at(2026, 2, 28, 12, 0), 60),
        ("12月 31日 2020年", at(2020, 12, 31), DAY),
        ("10월 3 2020", at(2020, 10, 3), DAY),
    ],
)
def test_dates_of_other_places_are_read(date, modified, grain):
    entry = unix_entry(f"-rw-r--r-- 1 o g 5 {date} a b", NOW)
    assert (entry.name, entry.size) == ("a b", 5)
    assert (entry.modified, entry.time_grain) == (modified, grain)


@pytest.mark.parametrize(
    ("text", "name", "size"),
    [
        ("-rw-r--r--   1 1001 Domain Users     12 Jan  3  2020 x", "x", 12),
        ("-rw-r--r--@  1 ann  12 28 Feb 2023 x", "x", 12),
        ("-------r--         326  1391972  1392298 Nov 22  1995 MegaPhone.sit", None, 1392298),
        ("drwxrwxr-x               folder        2 May 10  1996 network/", "network", 0),
        ("brw-rw----   1 root disk 8, 0 Nov 21 10:15 sda", "sda", 0),
    ],
)
def test_columns_of_other_systems_are_read(text, name, size):
    entry = unix_entry(text, NOW)
    assert (entry.name, entry.size) == (name or "MegaPhone.sit", size)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "total 12",
        "-rw-r--r-- 1 o g 5 Nov 21 10:15 ",
        "-rw-r--r-- 1 o g 5 Nov 21 10:15",
        "-rw-r--r-- 1 o g 5 Nov 31 10:15 x",
        "-rw-r--r-- 1 o g 5 Nov 21 25:15 x",
        "-rw-r--r-- 1 o g 5 Feb 29  2023 x",
        "-rw-r--r-- 1 o g 5 2023-02-29 10:15 x",
        "-rw-r--r-- 1 o g 5 Foo 21 10:15 x",
        "-rw-r--r-- 1 o g 5 m\udcffx 21 10:15 x",
        "-rw-r--r-- 1 o g -5 Nov 21 10:15 x",
        "-rw-r--r-- 1 o g *** Nov 21 10:15 x",
        "-rw-r--r-- 1 o g *** Nov 21 10:15 5 Nov 21 10:15 x",
        "-rw-r--r-- 1 o g Nov 21 10:15 5 Nov 21 10:15 x",
        "-rw-r--r-- 1 o g 2023-01-01 10:15 5 Nov 21 10:15 x",
        "rubbish 1 o g 5 Nov 21 10:15 x",
        " 5 Nov 21 10:15 x",
    ],
)
def test_what_is_no_entry_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        unix_entry(text, NOW)


def test_where_a_link_points_is_read():
    link = Entry("current", Kind.LINK, 4, NOW, 0o777)
    for target in ("releases/7", "/a b", ""):
        line = UnixListFormatter(NOW).line(link._replace(target=target))
        assert unix_entry(line, NOW).target == target
