"""The lines of the simple protocol."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.simple import (
    DownloadArgument,
    ErrorCode,
    MalformedAnswer,
    MalformedCommand,
    SimpleAnswer,
    SimpleListFormatter,
    UploadArgument,
    answer,
    argument_of,
    bytes_following,
    error,
    parse_answer,
    parse_download,
    parse_line,
    parse_listing_line,
    parse_upload,
)

NAMES = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=40)
SIZES = st.integers(0, 10**18 - 1)


@given(NAMES, SIZES, st.booleans())
def test_an_upload_is_read_as_it_was_written(name: str, size: int, at_once: bool) -> None:
    line = f"UPLD {size}{'+' * at_once} {argument_of(name)}".encode()
    verb, argument = parse_line(line)
    expected = f"./{name}" if name.startswith("@") else name
    assert (verb, parse_upload(argument)) == ("UPLD", UploadArgument(size, at_once, expected))
    assert bytes_following(line) == (size if at_once else 0)


@given(NAMES, SIZES)
def test_a_download_is_read_as_it_was_written(name: str, offset: int) -> None:
    written = argument_of(name)
    assert parse_download(written) == DownloadArgument(0, written)
    assert parse_download(f"@{offset} {written}") == DownloadArgument(offset, written)


@given(st.binary(max_size=60))
def test_any_line_is_read_or_refused(line: bytes) -> None:
    try:
        verb, argument = parse_line(line)
    except MalformedCommand:
        return
    assert verb == verb.upper()
    assert line.decode().partition(" ")[2] == argument


@pytest.mark.parametrize(
    "argument",
    [
        *("", "5", "5 ", "x a", "-1 a", "5++ a", "+ a", "5,0 a", "1" * 19 + " a"),
        "\N{ARABIC-INDIC DIGIT FIVE} a",
    ],
)
def test_malformed_uploads(argument: str) -> None:
    with pytest.raises(MalformedCommand):
        parse_upload(argument)


@pytest.mark.parametrize("argument", ["", "@", "@5", "@5 ", "@x a", "@-1 a", "@" + "1" * 19 + " a"])
def test_malformed_downloads(argument: str) -> None:
    with pytest.raises(MalformedCommand):
        parse_download(argument)


@pytest.mark.parametrize("name", ["", "a\nb", "a\0", "\x7f", "\x85"])
def test_names_that_no_line_can_hold(name: str) -> None:
    with pytest.raises(MalformedCommand):
        argument_of(name)


@pytest.mark.parametrize(
    ("line", "size"),
    [
        (b"LIST", 0),
        (b"UPLD 5 a", 0),
        (b"upld 5+ a", 5),
        (b"UPLD 5+ \xff\x01", 5),
        (b"UPLD 5+", 5),
        (b"UPLD x+ a", None),
        (b"UPLD 1111111111111111111+ a", None),
        (b"UPLD + a", None),
        (b"XUPLD 5+ a", 0),
    ],
)
def test_what_follows_a_line_that_may_be_malformed(line: bytes, size: int | None) -> None:
    assert bytes_following(line) == size


def test_answers_are_read_as_they_were_written() -> None:
    assert parse_answer(answer("5 a b")[:-1]) == SimpleAnswer("OK", "5 a b")
    assert parse_answer(b"GO") == SimpleAnswer("GO", "")
    for code in ErrorCode:
        line = error(code, "for\r\npeople  to\x00read")
        assert parse_answer(line[:-1]) == SimpleAnswer("ERR", "for people to read", code)


def test_an_unknown_code_is_some_error() -> None:
    assert parse_answer(b"ERR NEW what") == SimpleAnswer("ERR", "NEW what", ErrorCode.INTERNAL)


@pytest.mark.parametrize("line", [b"", b"220 FTP here", b"ok", b"OKAY 5"])
def test_what_is_no_answer(line: bytes) -> None:
    with pytest.raises(MalformedAnswer):
        parse_answer(line)


@given(NAMES, SIZES, st.integers(0, 253402300799))
def test_a_listing_is_read_as_it_was_written(name: str, size: int, modified: int) -> None:
    entry = Entry(name, Kind.FILE, size, float(modified))
    line = SimpleListFormatter().line(entry)
    assert line is not None and line.endswith("\n")
    assert parse_listing_line(line[:-1].encode()) == entry


def test_a_link_has_a_type_of_its_own() -> None:
    line = SimpleListFormatter().line(Entry("a", Kind.LINK, 7, 0.0, target="b"))
    assert line == "link 7 19700101000000 a\n"
    assert parse_listing_line(line[:-1].encode()) == Entry("a", Kind.LINK, 7, 0.0)


@pytest.mark.parametrize(
    "entry",
    [
        Entry("a\nb", Kind.FILE, 1, 0.0),
        Entry("\udcff", Kind.FILE, 1, 0.0),
        Entry("a", Kind.OTHER, 1, 0.0),
    ],
)
def test_what_has_no_line(entry: Entry) -> None:
    assert SimpleListFormatter().line(entry) is None


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"file 1 20260101000000",
        b"file 1 20260101000000 ",
        b"symlink 1 20260101000000 a",
        b"file x 20260101000000 a",
        b"file 1 20261301000000 a",
        b"file 1 2026 a",
    ],
)
def test_what_is_no_line_of_a_listing(line: bytes) -> None:
    with pytest.raises(MalformedAnswer):
        parse_listing_line(line)
