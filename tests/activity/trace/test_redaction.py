"""What a transcript shows of commands."""

import pytest

from ftpservice.activity.trace.redaction import Redactor
from ftpservice.wire.commands import parse_command

SECRET = "tr0ub4dor"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (f"PASS {SECRET}", "PASS ***"),
        (f"pass {SECRET} {SECRET}", "PASS ***"),
        ("PASS", "PASS"),
        (f"ACCT {SECRET}", "ACCT ***"),
        (f"ADAT {SECRET}", "ADAT ***"),
        (f"SITE PSWD {SECRET} {SECRET}", "SITE ***"),
        (f"SITE {SECRET}", "SITE ***"),
        ("site chmod 644 a b", "SITE CHMOD 644 a b"),
        ("SITE HELP", "SITE HELP"),
        ("USER ann", "USER ann"),
        (f"USER {SECRET}", "USER ***"),
        (SECRET, "***"),
        (f"{SECRET} {SECRET}", "***"),
        (f"PAS {SECRET}", "PAS ***"),
        (f"SYST {SECRET}", "SYST ***"),
        ("STOR a file", "STOR a file"),
        ("TYPE I", "TYPE I"),
    ],
)
def test_no_password_is_shown(line, shown):
    assert Redactor("ann", False).command(parse_command(line.encode())) == shown


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("USER ann", "USER ***"),
        ("CWD /plans/2026", "CWD /name-1/name-2"),
        ("CWD ..", "CWD .."),
        ("RETR plans", "RETR name-1"),
        ("LIST -la plans", "LIST -la name-1"),
        ("LIST", "LIST"),
        ("NLST plans/plans", "NLST name-1/name-1"),
        ("STAT plans", "STAT name-1"),
        ("MLST plans", "MLST name-1"),
        ("MDTM plans", "MDTM name-1"),
        ("MDTM 20260101000000 plans", "MDTM 20260101000000 name-1"),
        ("MFMT 20260101000000 plans", "MFMT 20260101000000 name-1"),
        ("MFF modify=20260101000000; plans", "MFF modify=20260101000000; name-1"),
        ("SITE CHMOD 644 plans", "SITE CHMOD 644 name-1"),
        ("SITE UTIME 20260101000000 plans", "SITE UTIME ***"),
        ("HOST plans.example.com", "HOST ***"),
        ("REST 5", "REST 5"),
        ("XMKD plans", "XMKD name-1"),
        ("OPTS UTF8 ON", "OPTS UTF8 ON"),
    ],
)
def test_names_can_be_hidden(line, shown):
    redactor = Redactor("ann", True)
    shown_line = redactor.command(parse_command(line.encode()))
    assert shown_line == shown
    assert "plans" not in shown_line


def test_one_name_has_one_word_in_the_whole_trace():
    redactor = Redactor("ann", True)
    assert [redactor.path(name) for name in ("/a/b", "b", "c", "a")] == [
        "/name-1/name-2",
        "name-2",
        "name-3",
        "name-1",
    ]
