"""ClientHello messages: those of OpenSSL, in pieces, and malformed."""

from __future__ import annotations

import random
import ssl

import pytest

from ftpservice.net.tls.client_hello import bytes_of_hello, offered_sessions, offers_only
from tests.support.tls_endpoints import BOTH, client_context

SESSION = b"s" * 32


def first_message(version: ssl.TLSVersion) -> bytes:
    """Return the ClientHello of OpenSSL for a new session."""
    outgoing = ssl.MemoryBIO()
    client = client_context(version).wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="x")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def hello(session: bytes, *extensions: tuple[int, bytes]) -> bytes:
    """Return a ClientHello with a session id and extensions."""
    content = b"".join(kind.to_bytes(2) + len(body).to_bytes(2) + body for kind, body in extensions)
    body = b"\x03\x03" + bytes(32) + bytes([len(session)]) + session
    body += b"\x00\x02\x13\x01" + b"\x01\x00" + len(content).to_bytes(2) + content
    message = b"\x01" + len(body).to_bytes(3) + body
    return b"\x16\x03\x01" + len(message).to_bytes(2) + message


def identities(*sessions: bytes) -> bytes:
    """Return the content of ``pre_shared_key``, with a binder."""
    listed = b"".join(len(one).to_bytes(2) + one + bytes(4) for one in sessions)
    return len(listed).to_bytes(2) + listed + b"\x00\x21\x20" + bytes(32)


PSK = 41
OTHER = b"another session, also of 32 bytes"


@pytest.mark.parametrize(
    ("whole", "in_12", "in_13"),
    [
        (hello(SESSION), True, False),
        (hello(b"random", (0, b"x"), (PSK, identities(SESSION))), False, True),
        (hello(b"random", (PSK, identities(SESSION, OTHER))), False, False),
        (hello(b"random", (PSK, identities(OTHER, SESSION))), False, False),
        (hello(b"random", (PSK, identities(OTHER))), False, False),
        (hello(b"random", (PSK, identities(SESSION)), (0, b"x")), False, False),
        (hello(SESSION)[:-1], False, False),
        (hello(SESSION + b"x"), False, False),
        (b"GET / HTTP/1.0\r\n", False, False),
        (b"", False, False),
    ],
)
def test_a_session_is_the_only_one_offered_or_not(whole: bytes, in_12: bool, in_13: bool) -> None:
    for early in (whole, whole + b"\x14\x03\x03"):
        is_cut = whole == hello(SESSION)[:-1] and early != whole
        assert offers_only(early, SESSION, "TLSv1.2") is (in_12 or is_cut)
        assert offers_only(early, SESSION, "TLSv1.3") is in_13


@pytest.mark.parametrize("version", BOTH.values(), ids=BOTH)
def test_the_size_of_a_hello_is_that_of_its_record(version: ssl.TLSVersion) -> None:
    message = first_message(version)
    assert [bytes_of_hello(message[:size]) for size in range(5)] == [5] * 5
    assert bytes_of_hello(message[:5]) == bytes_of_hello(message + b"more") == len(message)


@pytest.mark.parametrize("version", BOTH.values(), ids=BOTH)
def test_a_new_client_names_no_session_that_a_server_could_know(version: ssl.TLSVersion) -> None:
    assert SESSION not in offered_sessions(first_message(version))


def test_sessions_of_both_versions_are_found() -> None:
    assert offered_sessions(hello(SESSION)) == {SESSION}
    keys = (41, identities(b"t" * 32, SESSION))
    assert offered_sessions(hello(b"", (0, b"x"), keys)) == {SESSION, b"t" * 32}
    assert offered_sessions(hello(b"")) == set()


@pytest.mark.parametrize(
    "early", [b"GET / HTTP/1.1", b"\x15\x03\x01\x00\x02", b"\x16\x02\x01\x00\x02"]
)
def test_other_bytes_are_no_hello(early: bytes) -> None:
    assert bytes_of_hello(early) == 0


def test_an_impossible_size_is_no_hello() -> None:
    assert bytes_of_hello(b"\x16\x03\x01\x00\x00") == 0
    assert bytes_of_hello(b"\x16\x03\x01\xff\xff") == 0


def test_a_cut_or_changed_hello_offers_what_it_has_and_raises_nothing() -> None:
    whole = hello(b"a" * 32, (41, identities(SESSION)))
    for size in range(len(whole)):
        assert offered_sessions(whole[:size]) <= {SESSION, b"a" * 32}
    dice = random.Random(5)
    for _ in range(2000):
        changed = bytearray(whole)
        for _ in range(dice.randrange(1, 6)):
            changed[dice.randrange(len(changed))] = dice.randrange(256)
        offered_sessions(bytes(changed))


def test_another_message_offers_nothing() -> None:
    assert offered_sessions(hello(SESSION).replace(b"\x01", b"\x02", 3)) == set()
