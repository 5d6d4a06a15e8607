"""The sessions as a table: progress, rates, and names that cannot control a terminal."""

import pytest

from ftpservice.admin.activity.session_table import session_lines, transfer_text
from tests.support.journal_cases import HOSTILE

NOW = 1000.0
UPLOAD = {"path": "/a", "upload": True, "since": 990.0, "moved": 512, "size": 1024, "rate": 51.2}


def session(number=7, user="ann", *transfers):
    return {
        "session": number,
        "user": user,
        "address": "192.0.2.1",
        "protocol": "ftp",
        "since": NOW - 61,
        "transfers": list(transfers),
    }


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({}, "up  50 % 51 B/s /a"),
        ({"size": None}, "up 512 B 51 B/s /a"),
        ({"size": 0, "moved": 0, "rate": 0.0}, "up 0 B 0 B/s /a"),
        ({"upload": False, "moved": 1024, "rate": 2e6}, "down 100 % 1.9 MiB/s /a"),
    ],
)
def test_a_transfer_has_progress_and_rate(change, text):
    assert transfer_text(UPLOAD | change) == text


def test_the_lines_of_sessions():
    assert session_lines([session(), session(12, "", UPLOAD)], NOW) == [
        "SESSION  USER  ADDRESS    PROTOCOL  SINCE     TRANSFER",
        "7        ann   192.0.2.1  ftp       00:01:01",
        "12       -     192.0.2.1  ftp       00:01:01  up  50 % 51 B/s /a",
    ]
    assert len(session_lines([], NOW)) == 1


def test_each_transfer_of_a_session_has_a_line():
    download = UPLOAD | {"upload": False, "path": "/b", "moved": 256}
    assert session_lines([session(7, "ann", UPLOAD, download), session(8)], NOW) == [
        "SESSION  USER  ADDRESS    PROTOCOL  SINCE     TRANSFER",
        "7        ann   192.0.2.1  ftp       00:01:01  up  50 % 51 B/s /a",
        "                                              down  25 % 51 B/s /b",
        "8        ann   192.0.2.1  ftp       00:01:01",
    ]


@pytest.mark.parametrize("width", [1, 20, 80])
def test_a_line_is_not_wider_than_the_terminal(width):
    hostile = session(7, HOSTILE * 5, UPLOAD | {"path": "/" + HOSTILE * 9})
    for line in session_lines([hostile, session()], NOW, width):
        assert len(line) <= width
        assert line.isprintable()


def test_at_80_columns_a_transfer_can_be_seen():
    line = session_lines([session(7, "a" * 40, UPLOAD)], NOW, 80)[1]
    assert "up  50 % 51 B/s" in line
