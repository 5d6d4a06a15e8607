"""Password guessing, and valid and invalid headers of the PROXY protocol."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable
from ipaddress import ip_address

import pytest

from tests.support.raw_client import RunningService, Wire, in_thread, receive_all, started, starting

FIXTURES = (started, starting)
PROXY = "haproxy:tcp:0:interface=127.0.0.1"
SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the delays after failed logins."""
    monkeypatch.setattr("ftpservice.accounts.defence.login_attempts.FIRST_DELAY_SECONDS", 0.0005)
    monkeypatch.setattr("ftpservice.accounts.defence.login_attempts.MAX_GAP_SECONDS", 0.002)


@in_thread
def test_the_fifth_wrong_password_ends_the_session(served: RunningService, hurry: None) -> None:
    wire = served.wire()
    for code in (530, 530, 530, 530, 421):
        assert wire.codes("USER demo", "PASS wrong") == [331, code]
    assert wire.over()


@in_thread
def test_other_verbs_and_rein_do_not_reset_failures(served: RunningService, hurry: None) -> None:
    wire = served.wire()
    for _ in range(4):
        assert wire.codes("USER demo", "PASS wrong", "REIN", "NOOP") == [331, 530, 220, 200]
    assert wire.codes("USER demo", "PASS wrong") == [331, 421]


@in_thread
def test_unknown_names_are_answered_like_wrong_passwords(
    served: RunningService, hurry: None
) -> None:
    answers = set()
    for name in (b"demo", b"nobody", b"\xe9", b"a:b", b"demo\0", b"../demo", b"x" * 4000):
        wire = served.wire()
        assert wire.code(b"USER " + name) == 331
        answers.add(wire.ask("PASS wrong").lines)
    assert answers == {(b"530 Login failed.",)}


@in_thread
def test_passwords_are_compared_exactly(served: RunningService, hurry: None) -> None:
    wire = served.wire()
    for text in (b"PASS demo ", b"PASS  demo", b"PASS DEMO", b"PASS demo\0", b"PASS"):
        again = served.wire()
        assert again.codes("USER demo", text) == [331, 530]
    assert wire.codes("USER demo", "pass demo") == [331, 230]


@in_thread
def test_reconnecting_does_not_reset_the_delay(
    server: Callable[..., RunningService], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ftpservice.accounts.defence.login_attempts.FIRST_DELAY_SECONDS", 0.0005)
    served = server()
    failed = 0
    while failed < 20:
        wire = served.wire(source="127.0.0.9")
        for _ in range(4):
            assert wire.codes("USER demo", "PASS wrong") == [331, 530]
            failed += 1
        wire.drop()
    monkeypatch.setattr("ftpservice.accounts.defence.login_attempts.FIRST_DELAY_SECONDS", 1000)
    monkeypatch.setattr("ftpservice.accounts.defence.login_attempts.MAX_GAP_SECONDS", 1000)
    guessers = [served.wire(source="127.0.0.9") for _ in range(12)]
    for wire in guessers:
        wire.send("USER demo\r\nPASS demo\r\n")
        assert wire.reply().code == 331
    assert [wire.reply().code for wire in guessers[8:]] == [421] * 4
    assert served.session().code("PWD") == 257


def proxied(served: RunningService, header: bytes) -> Wire:
    """Connect as a load balancer."""
    wire = served.wire(greeted=False)
    wire.send(header)
    return wire


def version_2(source: str, target: str, ports: tuple[int, int], command: int = 0x21) -> bytes:
    """Return a header of version 2."""
    addresses = [ip_address(source), ip_address(target)]
    family = 0x11 if addresses[0].version == 4 else 0x21
    body = b"".join(address.packed for address in addresses) + struct.pack("!HH", *ports)
    return SIGNATURE + struct.pack("!BBH", command, family, len(body)) + body


GOOD = {
    "version 1": b"PROXY TCP4 127.0.0.2 127.0.0.1 5000 21\r\n",
    "version 2": version_2("127.0.0.2", "127.0.0.1", (5000, 21)),
}


@in_thread
@pytest.mark.parametrize("header", GOOD.values(), ids=GOOD)
def test_the_proxy_header_gives_the_client_address(
    server: Callable[..., RunningService], header: bytes
) -> None:
    served = server("--listen", PROXY)
    (served.root / "a").write_bytes(b"content")
    wire = proxied(served, header + b"USER demo\r\n")
    assert wire.replies(2) == [220, 331]
    assert wire.codes("PASS demo", "TYPE I") == [230, 200]
    assert b" Connected from 127.0.0.2." in wire.ask("STAT").lines
    assert wire.codes("PORT 127,0,0,1,200,200", "PORT 127,0,0,2,200,200") == [504, 200]
    place = wire.passive_address()
    with served.connected(place) as stranger:
        assert stranger.recv(1) == b""
    with served.connected(place, source="127.0.0.2") as data:
        assert wire.codes("NOOP", "RETR a") == [200, 150]
        assert receive_all(data) == b"content"
    assert wire.reply().code == 226


@in_thread
def test_limits_count_the_addresses_of_proxy_headers(server: Callable[..., RunningService]) -> None:
    served = server("--listen", PROXY, "--max-sessions-per-address", "1")
    wires = [
        proxied(served, f"PROXY TCP4 192.0.2.{n} 192.0.2.99 5000 21\r\n".encode())
        for n in (1, 2, 1)
    ]
    assert [wire.reply().code for wire in wires] == [220, 220, 421]


@in_thread
def test_ipv6_behind_a_load_balancer_on_ipv4(server: Callable[..., RunningService]) -> None:
    served = server("--listen", PROXY)
    wire = proxied(served, version_2("::1", "::1", (5000, 21)))
    assert wire.reply().code == 220
    wire.login()
    assert wire.codes("PASV", "EPRT |1|127.0.0.1|5000|", "EPRT |2|::1|5000|") == [522, 522, 200]
    answer = wire.ask("EPSV")
    port = int(answer.text.split("|||")[1].split("|")[0])
    with served.connected(("::1", port)) as data:
        assert wire.codes("NOOP", "NLST") == [200, 150]
        assert receive_all(data) == b""
    assert wire.reply().code == 226


@in_thread
@pytest.mark.parametrize(
    "header",
    [b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n",
     SIGNATURE + struct.pack("!BBH", 0x20, 0, 0), version_2("10.0.0.1", "10.0.0.2", (1, 2), 0x20)],
)  # fmt: skip
def test_a_local_proxy_header_keeps_the_address(
    server: Callable[..., RunningService], header: bytes
) -> None:
    served = server("--listen", PROXY)
    wire = proxied(served, header)
    assert wire.reply().code == 220
    assert b" Connected from 127.0.0.1." in wire.login().ask("STAT").lines
    with wire.accepted() as data:
        assert wire.code("NLST") == 150
        assert receive_all(data) == b""
    assert wire.reply().code == 226


BAD = (
    b"USER demo\r\n",
    b"\r\n\r\nX",
    b"PROXY\r\n",
    b"proxy unknown\r\n",
    b"PROXY UNKNOWNX\r\n",
    b"PROXY TCP4\r\n",
    b"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
    b"PROXY TCP9 1.2.3.4 1.2.3.4 1 2\r\n",
    b"PROXY TCP4 1.2.3.4 1.2.3.4 x y\r\n",
    b"P" * 200,
    b"PROXY TCP4 foo bar 1 2\r\n",
    b"PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n",
    b"PROXY TCP4 ::1 ::1 1 2\r\n",
    b"PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n",
    b"PROXY TCP4 1.2.3.4 1.2.3.4 70000 2\r\n",
    b"PROXY " + b"x" * 200,
    SIGNATURE + b"\x31\x11\x00\x0c" + b"x" * 12,
    SIGNATURE + b"\x22\x11\x00\x0c" + b"x" * 12,
    SIGNATURE + b"\x21\x11\x00\x02xx",
    SIGNATURE[:-1] + b"X" + b"x" * 20,
    b"\x00" * 64,
)


@in_thread
@pytest.mark.parametrize("header", BAD)
def test_invalid_proxy_headers_are_closed(
    server: Callable[..., RunningService], header: bytes
) -> None:
    served = server("--listen", PROXY)
    wire = proxied(served, header)
    with contextlib.suppress(ConnectionResetError):
        assert wire.end.recv(100) == b""
    assert not served.factory.instances


@in_thread
def test_a_proxy_header_may_arrive_byte_by_byte(server: Callable[..., RunningService]) -> None:
    served = server("--listen", PROXY)
    for header in GOOD.values():
        wire = served.wire(greeted=False)
        for byte in header + b"NOOP\r\n":
            wire.send(bytes([byte]))
            served.in_reactor(lambda: None)
        assert wire.replies(2) == [220, 200]


@in_thread
def test_a_missing_proxy_header_times_out(
    server: Callable[..., RunningService], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ftpservice.net.proxy_protocol.HEADER_TIMEOUT_SECONDS", 0.05)
    served = server("--listen", PROXY)
    assert proxied(served, b"").over()
    assert proxied(served, b"PROXY TCP4 1.2").over()
    assert proxied(served, SIGNATURE).over()
