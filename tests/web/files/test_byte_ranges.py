"""Conditional requests and ranges."""

from __future__ import annotations

from typing import Any

import pytest

from ftpservice.web.files.byte_ranges import (
    NOT_SATISFIABLE,
    Validators,
    precondition_status,
    requested_range,
)
from ftpservice.wire.entry import Entry, Kind

WHEN = "Thu, 01 Jan 2026 00:00:00 GMT"
EARLIER, LATER = "Wed, 31 Dec 2025 23:59:59 GMT", "Thu, 01 Jan 2026 00:00:01 GMT"
STRONG = Validators('"a"', 1767225600.5)
WEAK = Validators('W/"a"', 1767225600.5)


@pytest.mark.parametrize(
    ("value", "part"),
    [
        (None, None),
        ("bytes=0-9", (0, 10)),
        ("bytes=5-", (5, 100)),
        ("bytes=-30", (70, 100)),
        ("bytes=-300", (0, 100)),
        ("bytes=99-1000", (99, 100)),
        ("Bytes = 1 - 2 ", (1, 3)),
        ("bytes=0-1,5-6", None),
        ("bytes=9-5", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("items=0-1", None),
        ("bytes=0-1x", None),
        ("bytes=\u0661-\u0662", None),
        ("bytes=100-", NOT_SATISFIABLE),
        ("bytes=-0", NOT_SATISFIABLE),
        ("bytes=" + "9" * 5000 + "-", NOT_SATISFIABLE),
        ("bytes=0-" + "9" * 5000, (0, 100)),
    ],
)
def test_one_range_is_taken_and_anything_else_is_the_whole_file(
    value: str | None, part: tuple[int, int] | None
) -> None:
    assert requested_range(value, 100) == part


def test_an_empty_file_has_no_range() -> None:
    assert requested_range("bytes=0-", 0) == NOT_SATISFIABLE
    assert requested_range("bytes=-5", 0) == NOT_SATISFIABLE


@pytest.mark.parametrize(
    ("validators", "headers", "status"),
    [
        (STRONG, {}, 200),
        (STRONG, {"if-none-match": '"a"'}, 304),
        (WEAK, {"if-none-match": '"b", W/"a"'}, 304),
        (STRONG, {"if-none-match": "*"}, 304),
        (STRONG, {"if-none-match": '"b"', "if-modified-since": LATER}, 200),
        (STRONG, {"if-modified-since": WHEN}, 304),
        (STRONG, {"if-modified-since": EARLIER}, 200),
        (STRONG, {"if-modified-since": "yesterday"}, 200),
        (STRONG, {"if-match": '"b"'}, 412),
        (STRONG, {"if-match": '"b", "a"'}, 200),
        (WEAK, {"if-match": 'W/"a"'}, 412),
        (STRONG, {"if-unmodified-since": EARLIER}, 412),
        (STRONG, {"if-unmodified-since": LATER}, 200),
    ],
)
def test_conditions_of_a_request(
    validators: Validators, headers: dict[str, str], status: int
) -> None:
    assert precondition_status(validators, headers.get) == status


@pytest.mark.parametrize(
    ("validators", "condition", "allowed"),
    [
        (STRONG, None, True),
        (STRONG, '"a"', True),
        (STRONG, '"b"', False),
        (STRONG, 'W/"a"', False),
        (WEAK, 'W/"a"', False),
        (STRONG, WHEN, True),
        (STRONG, LATER, False),
        (WEAK, WHEN, False),
    ],
)
def test_a_part_is_sent_of_the_same_file_only(
    validators: Validators, condition: str | None, allowed: bool
) -> None:
    assert validators.allows_range(condition) is allowed


def test_the_tag_differs_after_each_change_and_is_weak_if_that_is_not_certain() -> None:
    facts: dict[str, Any] = {"unique": "1", "changed": 5}
    entry = Entry("a", Kind.FILE, 3, 1.0, **facts)
    tag = Validators.of(entry).tag
    for change in ({"size": 4}, {"modified": 2.0}, {"changed": 6}, {"unique": "2"}):
        assert Validators.of(entry._replace(**change)).tag != tag
    assert Validators.of(entry._replace(changed=0)).tag.startswith("W/")
    assert Validators.of(entry).last_modified == "Thu, 01 Jan 1970 00:00:01 GMT"
