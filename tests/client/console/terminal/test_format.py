from __future__ import annotations

import pytest

from ftpservice.wire.entry import Entry, Kind
from ftpservice_client.console.terminal.format import (
    format_rate,
    format_size,
    format_time,
    listing_summary,
    plain_listing,
    simple_listing,
)
from ftpservice_client.console.terminal.screen import Screen
from tests.support.shell_session import MemoryStream

PLAIN = Screen(MemoryStream(), MemoryStream())
COLOURED = Screen(MemoryStream(), MemoryStream(), colours=True)
ENTRIES = [
    Entry("in\x1b", Kind.DIRECTORY, 0, 0.0),
    Entry("link", Kind.LINK, 9, 0.0),
    Entry("a b", Kind.FILE, 1234567, 86400.0),
    Entry("z", Kind.OTHER, 0, 1e20),
]


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def test_a_listing_has_sizes_times_and_names() -> None:
    assert list(plain_listing(ENTRIES, PLAIN)) == [
        "        -  1970-01-01 00:00  in\\x1b/",
        "        -  1970-01-01 00:00  link@",
        "1,234,567  1970-01-02 00:00  a b",
        "        -  -                 z",
        "3 files, 1.2 MiB; 1 directory",
    ]


def test_directories_are_coloured() -> None:
    first, *_, last = plain_listing(ENTRIES, COLOURED)
    assert first.endswith("\x1b[1;34min\\x1b/\x1b[0m")
    assert last.startswith("\x1b[2m")


def test_an_empty_listing_has_a_summary() -> None:
    assert list(plain_listing([], PLAIN)) == ["0 files, 0 bytes"]


def test_a_simple_listing_ends_with_the_total_size() -> None:
    assert list(simple_listing(ENTRIES[:3], 1234567, PLAIN)) == [
        "in\\x1b/ - directory",
        "link@ - 9 bytes",
        "a b - 1234567 bytes",
        "Total directory size: 1234567 bytes",
    ]


def test_summaries_use_singular_and_plural() -> None:
    directory, _, file, _ = ENTRIES
    assert listing_summary([file]) == "1 file, 1.2 MiB"
    assert listing_summary([directory, directory]) == "0 files, 0 bytes; 2 directories"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1023, "1023 bytes"),
        (1024, "1.0 KiB"),
        (3 * 1024**3, "3.0 GiB"),
        (1024**8, "1048576.0 EiB"),
    ],
)
def test_sizes_have_units(count: int, text: str) -> None:
    assert format_size(count) == text


def test_meaningless_rates_and_times_are_omitted() -> None:
    assert format_rate(2048, 2.0) == "1.0 KiB/s"
    assert format_rate(2048, 0.0) == ""
    assert format_rate(6, 2.0) == ""
    assert format_time(float("nan")) == "-"
    assert format_time(-1e30) == "-"
