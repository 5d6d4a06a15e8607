"""Text for people: nothing unprintable, sizes both ways, columns in line."""

import pytest

from ftpservice.activity.text_table import (
    duration_text,
    printable_text,
    size_text,
    table_lines,
    time_text,
)
from ftpservice.wire.units import count_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("grün.txt", "grün.txt"),
        ("a\r\n226 done", "a\\x0d\\x0a226 done"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\udcff", "\\xff"),
        ("\u202egpj", "\\u202egpj"),
        ("", ""),
    ],
)
def test_what_does_not_print_is_escaped(text, shown):
    assert printable_text(text) == shown


def test_long_text_is_cut_with_a_mark():
    assert printable_text("x" * 5000, 10) == "x" * 9 + "…"
    assert printable_text("x" * 10, 10) == "x" * 10


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB (1,024)"),
        (1_234_567, "1.2 MiB (1,234,567)"),
        (2**80, f"1048576.0 EiB ({2**80:,})"),
    ],
)
def test_sizes_have_a_unit_and_are_exact(count, said):
    assert size_text(count) == said


def test_times_have_seconds():
    assert time_text(0.9) == "1970-01-01 00:00:00"
    assert duration_text(59.9) == "00:00:59"
    assert duration_text(3 * 86400 + 4 * 3600 + 5 * 60 + 6) == "3d 04:05:06"
    assert duration_text(-5) == "00:00:00"


def test_columns_stand_in_line_the_last_ones_flush_right():
    assert table_lines(("Name", "N"), [("a", "100"), ("longer", "1")], right=1) == [
        "Name      N",
        "a       100",
        "longer    1",
    ]
    assert table_lines(("Name", "Text"), [("a", "b")]) == ["Name  Text", "a     b"]


@pytest.mark.parametrize(
    ("count", "noun", "said"),
    [
        (1, "day", "1 day"),
        (3649, "day", "3649 days"),
        (0, "directory", "0 directories"),
        (2, "file", "2 files"),
        (2, "pass", "2 passes"),
    ],
)
def test_numbers_of_things_have_the_plural_of_their_noun(count, noun, said):
    assert count_text(count, noun) == said
