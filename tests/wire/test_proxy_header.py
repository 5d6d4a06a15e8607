"""Headers of the PROXY protocol, in pieces and malformed."""

from __future__ import annotations

import pytest

from ftpservice.wire.proxy_header import (
    MAX_HEADER_SIZE,
    V2_SIGNATURE,
    BadProxyHeader,
    bytes_missing,
    client_host,
    complete_header,
    header_size,
)

LINE = b"PROXY TCP4 192.0.2.1 192.0.2.2 5000 21\r\n"


def test_a_line_is_whole_with_its_end_and_keeps_what_follows() -> None:
    assert [complete_header(LINE[:length]) for length in range(len(LINE))] == [None] * len(LINE)
    assert complete_header(LINE + b"USER x\r\n") == LINE + b"USER x\r\n"


def test_version_2_is_whole_when_it_can_tell_its_length() -> None:
    header = V2_SIGNATURE + b"\x20\x00\x00\x00"
    assert [complete_header(header[:length]) for length in range(16)] == [None] * 16
    assert complete_header(header + b"more") == header + b"more"


@pytest.mark.parametrize("line", [b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN what ever\r\n"])
def test_unknown_is_spelled_in_one_way(line: bytes) -> None:
    assert complete_header(line + b"x") == b"PROXY UNKNOWN :: :: 0 0\r\nx"


@pytest.mark.parametrize(
    "early",
    [
        *(b"X", b"PROXX", V2_SIGNATURE[:-1] + b"X", b"PROXY TCP4 \r\n", b"PROXY " + b"x" * 106),
        *(b"PROXY TCP4 ::1 ::1 1 2\r\n", b"PROXY TCP6 192.0.2.1 192.0.2.1 1 2\r\n"),
        *(b"PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n", b"PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n"),
    ],
)
def test_what_is_no_header_is_refused(early: bytes) -> None:
    with pytest.raises(BadProxyHeader):
        complete_header(early)


def test_ipv6_is_read() -> None:
    line = b"PROXY TCP6 2001:db8::1 ::1 1 65535\r\n"
    assert complete_header(line) == line


V2 = V2_SIGNATURE + b"\x21\x11\x00\x0c" + bytes(12)


@pytest.mark.parametrize(
    "header",
    [LINE, b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN a b\r\n", V2, V2_SIGNATURE + b"\x20\x00\x00\x00"],
    ids=["version-1", "unknown", "unknown-with-more", "version-2", "local"],
)
def test_who_reads_what_is_missing_reads_the_header_and_no_more(header: bytes) -> None:
    behind, early, reads = header + b"\x16\x03\x01", b"", 0
    while reads < 100 and (length := bytes_missing(early)):
        early += behind[len(early) : len(early) + length]
        reads += 1
    assert early == header
    assert reads < 100


def test_in_pieces_too() -> None:
    assert bytes_missing(V2[:3]) == 12
    assert bytes_missing(V2[:17]) == 11
    assert bytes_missing(V2) == bytes_missing(V2 + b"more") == 0


def version_2(command: int, family: int, addresses: bytes) -> bytes:
    return V2_SIGNATURE + bytes((command, family)) + len(addresses).to_bytes(2) + addresses


V4 = version_2(0x21, 0x11, bytes((192, 0, 2, 1, 192, 0, 2, 2, 19, 136, 0, 21)))
V6 = version_2(0x21, 0x21, b"\x20\x01\x0d\xb8" + bytes(11) + b"\x01" + bytes(20))


@pytest.mark.parametrize(
    ("header", "host"),
    [
        (LINE, "192.0.2.1"),
        (b"PROXY TCP6 2001:db8::1 ::1 1 2\r\n", "2001:db8::1"),
        (b"PROXY UNKNOWN\r\n", ""),
        (b"PROXY UNKNOWN 192.0.2.1 192.0.2.2 1 2\r\n", ""),
        (V4, "192.0.2.1"),
        (V6, "2001:db8::1"),
        (b"PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n", "192.0.2.1"),
        (version_2(0x21, 0x21, bytes(10) + b"\xff\xff\xc0\x00\x02\x01" + bytes(20)), "192.0.2.1"),
        (version_2(0x20, 0x00, b""), ""),
        (version_2(0x20, 0x11, V4[16:]), ""),
        (version_2(0x21, 0x31, bytes(216)), ""),
        (version_2(0x21, 0x11, b"\x01"), ""),
    ],
)
def test_the_size_and_the_client_of_a_header(header: bytes, host: str) -> None:
    assert header_size(header + b"more") == header_size(header) == len(header)
    assert client_host(header) == host
    assert [header_size(header[:size]) for size in range(len(header))] == [None] * len(header)


def test_malformed_headers_have_no_size() -> None:
    with pytest.raises(BadProxyHeader):
        header_size(b"GET / HTTP/1.1\r\n")


def test_a_header_has_a_largest_size() -> None:
    most = version_2(0x21, 0x11, bytes(MAX_HEADER_SIZE - 16))
    assert header_size(most) == MAX_HEADER_SIZE
    with pytest.raises(BadProxyHeader):
        header_size(version_2(0x21, 0x11, bytes(MAX_HEADER_SIZE - 15))[:16])
