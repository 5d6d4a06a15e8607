from __future__ import annotations

import pytest

from ftpservice_client.console.terminal.escape import ContentFilter, escape_unprintable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain \u00e9", "plain \u00e9"),
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\nb\r\tc", "a\\x0ab\\x0d\\x09c"),
        ("\u202etxt", "\\u202etxt"),
        ("\x9b2J", "\\x9b2J"),
        ("\U000e0001", "\\U000e0001"),
        (b"\xff".decode("utf-8", "surrogateescape"), "\\xff"),
    ],
)
def test_control_characters_are_escaped(text: str, shown: str) -> None:
    assert escape_unprintable(text) == shown


def test_content_keeps_its_lines_across_chunks() -> None:
    content = ContentFilter()
    data = "a\tb\r\nc \u20ac\x1b]0;x\x07".encode()
    shown = "".join(content.feed(data[start : start + 1]) for start in range(len(data)))
    assert shown.replace("\\x0d", "") == "a\tb\nc \u20ac\\x1b]0;x\\x07"
    assert content.feed(b"", last=True) == ""


def test_an_incomplete_character_at_the_end_is_escaped() -> None:
    content = ContentFilter()
    assert content.feed(b"\xe2\x82") == ""
    assert content.feed(b"", last=True) == "\\xe2\\x82"
