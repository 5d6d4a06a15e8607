from __future__ import annotations

import pytest

from ftpservice_client.console.session.redaction import redact_line


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("PASS secret", "PASS"),
        ("pass two words", "pass"),
        ("passive on", "passive on"),
        ("user ann secret", "user ann"),
        ("USER ann", "USER ann"),
        ("quote PASS secret", "quote PASS"),
        ("quote  pass  secret", "quote  pass"),
        ("quote NOOP", "quote NOOP"),
        ("open ftp://ann:se:cr@et@host/x", "open ftp://ann@host/x"),
        ("open ftp://ann@host/a:b@c", "open ftp://ann@host/a:b@c"),
        ("get a:b@c", "get a:b@c"),
        ("open ftp://ann:se/cr#e?t@host/x", "open ftp://ann@host/x"),
        ("CONN ann:se/cret@host 2121", "CONN ann@host 2121"),
        ("open 'ftp://ann:two words@host/'", "open 'ftp://ann@host/'"),
        ("open ftp://ann@firm.example:secret@host/", "open ftp://ann@firm.example@host/"),
        ("open ann@firm.example:secret@host", "open ann@firm.example@host"),
        ("open ftp://ann@host:2121/a@b", "open ftp://ann@host:2121/a@b"),
        ("! curl ftp://ann:se/cret@host/ -o x", "! curl ftp://ann@host/ -o x"),
    ],
)
def test_passwords_are_removed(line: str, kept: str) -> None:
    assert redact_line(line) == kept
