"""Layouts of shared tables."""

from __future__ import annotations

import pytest

from ftpservice.concurrency.table_layout import (
    HEADER_WORDS,
    MAGIC,
    MAX_COLUMNS,
    STATE_WORDS,
    RecordLayout,
    TableLayout,
)

SMALL = RecordLayout("small", fields=1, slots=64)
WIDE = RecordLayout("wide", fields=3, values=2, slots=100, settled=(0, 2), oldest=1)


def test_a_header_describes_the_layout() -> None:
    layout = TableLayout.new([SMALL, WIDE], 5)
    header = layout.header()
    assert len(header) <= HEADER_WORDS * 8
    assert TableLayout.of_header(header.ljust(HEADER_WORDS * 8, b"\0")) == layout


def test_sections_follow_each_other() -> None:
    layout = TableLayout.new([SMALL, WIDE], 5)
    assert layout.first_word("small") == HEADER_WORDS
    assert layout.first_word("wide") == HEADER_WORDS + 1 + 64 * (2 + 5)
    assert layout.words == layout.first_word("wide") + 2 * (1 + 64 * (2 + 3 * 5 + 2))
    with pytest.raises(KeyError):
        layout.first_word("none")


@pytest.mark.parametrize("columns", [0, MAX_COLUMNS + 1])
def test_the_number_of_columns_is_limited(columns: int) -> None:
    with pytest.raises(ValueError, match="columns"):
        TableLayout.new([SMALL], columns)


def test_other_bytes_are_no_header() -> None:
    with pytest.raises(ValueError, match="not a shared table"):
        TableLayout.of_header(bytes(HEADER_WORDS * 8))


@pytest.mark.parametrize(
    ("known", "other"), [(b'"slots"', b'"slits"'), (b'"sections"', b'"sektions"')]
)
def test_the_header_of_another_version_is_refused(known: bytes, other: bytes) -> None:
    header = TableLayout.new([SMALL], 2).header().replace(known, other)
    size, text = len(MAGIC), header.rstrip(b"\0")
    length = len(text[STATE_WORDS * 8 :]).to_bytes(8, "big")
    with pytest.raises(ValueError, match="another version"):
        TableLayout.of_header(header[:size] + length + header[size + 8 :])


def test_a_description_that_is_too_long_is_refused() -> None:
    records = [RecordLayout(f"section-{number}" * 20, fields=1) for number in range(80)]
    with pytest.raises(ValueError, match="too many sections"):
        TableLayout.new(records, 2).header()
