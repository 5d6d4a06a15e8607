"""The protocols that a client offers, read from its ClientHello however that comes."""

from __future__ import annotations

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpservice.net.tls.alpn import alpn_fits_control, alpn_fits_data, offered_protocols


def hello(*protocols: str, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> bytes:
    """Return what OpenSSL sends first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = version
    if protocols:
        context.set_alpn_protocols(list(protocols))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname="files.example")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def in_records(data: bytes, size: int) -> bytes:
    """Return the message of one record in several."""
    message = data[5:]
    parts = [message[start : start + size] for start in range(0, len(message), size)]
    return b"".join(data[:3] + len(part).to_bytes(2) + part for part in parts)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("protocols", [(), ("ftp",), ("http/1.1",), ("h2", "http/1.1", "ftp")])
@pytest.mark.parametrize("records", [1, 37, 100_000])
@pytest.mark.parametrize("segments", [1, 7, 100_000])
def test_what_is_offered_is_read_however_it_comes(
    version: ssl.TLSVersion, protocols: tuple[str, ...], records: int, segments: int
) -> None:
    data = in_records(hello(*protocols, version=version), records)
    for end in range(segments, len(data), segments):
        assert offered_protocols(data[:end]) is None
    assert offered_protocols(data) == tuple(name.encode() for name in protocols)


@given(st.binary(max_size=400))
def test_nothing_else_makes_reading_fail(data: bytes) -> None:
    offered_protocols(data)


@given(st.integers(0, 500), st.binary(min_size=1, max_size=8))
def test_no_damage_makes_reading_fail(position: int, damage: bytes) -> None:
    data = bytearray(hello("ftp"))
    data[position : position + len(damage)] = damage
    offered_protocols(bytes(data))


@pytest.mark.parametrize(
    "data",
    [b"GET / HTTP/1.1\r\n", b"\x17\x03\x03\x00\x01x", b"\x16\x03\x01\x00\x04\x02\x00\x00\x00"],
)
def test_what_is_no_client_hello_is_left_to_openssl(data: bytes) -> None:
    assert offered_protocols(data) == ()


def test_a_message_that_is_too_long_is_left_to_openssl() -> None:
    assert offered_protocols(b"\x16\x03\x01\x40\x00\x01\x02\x00\x00") == ()


@pytest.mark.parametrize(
    ("offered", "control", "data"),
    [
        ((b"ftp",), True, True),
        ((b"http/1.1", b"ftp"), True, True),
        ((b"ftp-data",), False, True),
        ((b"x-filezilla-ftp", b"ftp"), True, True),
        ((b"http/1.1",), False, False),
        ((b"h2", b"http/1.1"), False, False),
    ],
)
def test_who_is_served(offered: tuple[bytes, ...], control: bool, data: bool) -> None:
    assert (alpn_fits_control(offered), alpn_fits_data(offered)) == (control, data)
