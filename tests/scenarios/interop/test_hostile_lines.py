"""Malformed and hostile input on the control connection."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

import pytest

from tests.support.raw_client import RunningService, in_thread, started, starting

FIXTURES = (started, starting)
CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
IAC = b"\xff"


@in_thread
def test_a_line_that_is_too_long_is_500_once_and_the_third_ends_the_session(
    served: RunningService,
) -> None:
    wire = served.session()
    assert wire.code(b"NOOP " + b"x" * (4096 - 8)) == 200
    assert wire.codes(b"NOOP " + b"x" * (4096 - 5), "NOOP") == [500, 200]
    wire.send(b"x" * 300_000)
    assert wire.reply().code == 500
    wire.send(b"x" * 100_000 + b"\r\nNOOP\r\n")
    assert wire.reply().code == 200
    wire.send(b"y" * 10_000)
    assert wire.reply().code == 421
    assert wire.over()


@in_thread
def test_bare_line_feeds_and_lone_carriage_returns(served: RunningService) -> None:
    wire = served.session()
    wire.send(b"NOOP\nPWD\nNOOP\r\n\n")
    assert wire.replies(4) == [200, 257, 200, 500]
    wire.send(b"NO\rOP\r\nNOOP\r\r\nPWD\r\n")
    assert wire.replies(3) == [500, 500, 257]


@in_thread
def test_lines_across_segments(served: RunningService) -> None:
    wire = served.wire()
    for byte in b"USER demo\r\nPASS demo\r\n":
        wire.send(bytes([byte]))
    assert wire.replies(2) == [331, 230]


@in_thread
def test_names_with_line_ends_or_nul_are_553_and_change_nothing(served: RunningService) -> None:
    wire = served.session()
    for verb in (
        "STOR",
        "MKD",
        "RETR",
        "CWD",
        "DELE",
        "SIZE",
        "MDTM",
        "MLST",
        "RNFR",
        "STAT",
        "LIST",
    ):
        assert wire.code(verb.encode() + b" a\rb") == 553, verb
        assert wire.code(verb.encode() + b" a\0b") == 553, verb
        assert wire.code(verb.encode() + b" \0") == 553, verb
    assert wire.codes("MFMT 20200101000000 a\0", "HASH a\0", "SITE CHMOD 600 a\0") == [553] * 3
    assert list(served.root.iterdir()) == []


@in_thread
def test_echoed_input_does_not_break_replies(served: RunningService) -> None:
    wire = served.session()
    verbs = (
        b"",
        b"XYZZY",
        b"HELP",
        b"SITE",
        b"OPTS",
        b"TYPE",
        b"HOST",
        b"CLNT",
        b"LANG",
        b"USER",
        b"PASS",
        b"STAT",
    )
    verbs += (
        b"MFMT 20200101000000",
        b"MFF Modify=20200101000000;",
        b"EPSV",
        b"EPRT",
    )
    odd = (
        b"\r200 forged",
        b"\xe9\xe8",
        b"%s%n{0}{name}",
        b"\x1b[2J",
        b"\xe2\x80\xa8x",
        b"\x00\x01",
        b'"',
    )
    lines = [verb + b" " + text for verb in verbs for text in odd]
    for login in (False, True):
        for line in lines:
            if login or not line.startswith(b"PASS"):
                answer = wire.ask(line)
                assert not any(text.startswith(b"200 forged") for text in answer.lines)
                # 257 tells a path, to be used as it is
                assert answer.code == 257 or not CONTROL.search(b"".join(answer.lines)), line
        if not login:
            wire.login()


NAMES = (
    *(
        b"caf\xc3\xa9",
        b"caf\xe9",
        b"\xff",
        b"\xff\xfe\x80",
        b'say "hi"',
        b'"',
        b'""',
        b" lead",
        b"trail ",
    ),
    *(
        b"-la",
        b"--",
        b"a\tb",
        b"\x7f",
        b"\x01",
        b"[x]",
        b"*",
        b"%41",
        b"~",
        b"a;b",
        b"a\\b",
        b"\xf0\x9f\x98\x80",
    ),
    *(b"...", b"..a", b".hidden", b"e\xcc\x81", b"\xed\xa0\x80", b"{}", b"x" * 255),
)


def sent(name: bytes) -> bytes:
    """Return a name with the Telnet escape doubled."""
    return name.replace(IAC, IAC + IAC)


@in_thread
@pytest.mark.parametrize("name", NAMES)
def test_unusual_names_are_returned_unchanged(served: RunningService, name: bytes) -> None:
    wire = served.session()
    quoted = name.replace(b'"', b'""')
    assert wire.ask(b"MKD " + sent(name)).lines == (b'257 "/' + quoted + b'" created.',)
    assert os.listdir(os.fsencode(served.root)) == [name]
    assert wire.code(b"CWD " + sent(name)) == 250
    assert wire.ask("PWD").lines == (b'257 "/' + quoted + b'" is the current directory.',)
    assert wire.upload(b"STOR " + sent(name), b"content").code == 226
    path = b"/" + sent(name) + b"/" + sent(name)
    assert wire.download(b"NLST") == name + b"\r\n"
    assert wire.download(b"MLSD").endswith(b"; " + name + b"\r\n")
    assert wire.download(b"LIST").endswith(b" " + name + b"\r\n")
    assert wire.download(b"RETR " + path) == b"content"
    fact = wire.ask(b"MLST " + path).lines
    assert fact[1].endswith(b"; /" + name + b"/" + name) and fact[0][:4] == b"250-"
    assert wire.codes("CDUP", b"RNFR " + path, b"RNTO /moved", b"RMD " + sent(name)) == [
        *(250, 350, 250, 250)
    ]
    assert os.listdir(os.fsencode(served.root)) == [b"moved"]


@in_thread
def test_a_single_ff_in_a_name_is_a_letter(served: RunningService) -> None:
    wire = served.session()
    assert wire.codes(b"MKD \xff", b"MKD a\xffb", b"MKD \xff\xe9") == [257] * 3
    assert set(os.listdir(os.fsencode(served.root))) == {b"\xff", b"a\xffb", b"\xff\xe9"}


@in_thread
def test_telnet_options_are_refused_and_removed(served: RunningService) -> None:
    wire = served.wire()
    wire.send(b"NO" + IAC + b"\xfd\x01" + b"OP" + IAC + b"\xfb\x03" + b"\r\n")
    assert (
        wire.end.recv(100).replace(b"200 NOOP is done.\r\n", b"")
        == IAC + b"\xfc\x01" + IAC + b"\xfe\x03"
    )
    wire.send(
        IAC + b"\xfa\x18\x00linemode" + IAC + b"\xf0" + b"NOOP\r\n" + IAC + b"\xf1" + b"NOOP\r\n"
    )
    assert wire.replies(2) == [200, 200]
    wire.send(IAC + b"\xf4" + IAC + b"\xf2" + b"NO" + IAC)
    wire.send(b"\xf6" + b"OP\r\n")
    assert wire.reply().code == 200


@in_thread
@pytest.mark.parametrize("unit", [b"\xfd\x01", b"\xfb\xff", b"\xfa", b"\xf4", b"\xf9", b"\xfe"])
def test_telnet_floods(served: RunningService, unit: bytes) -> None:
    wire = served.wire()
    assert wire.code("NOOP") == 200
    for _ in range(8):
        wire.send((IAC + unit) * 10_000)
    wire.send(b"\r\n\r\nSYST\r\n")
    received = b""
    while b"215 " not in received:
        piece = wire.end.recv(65536)
        assert piece
        received += piece
    assert len(received) < 10_000


@in_thread
@pytest.mark.parametrize("verb", ["GET", "POST", "HEAD", "PUT", "OPTIONS", "CONNECT", "DELETE"])
def test_http_requests_are_refused(served: RunningService, verb: str) -> None:
    wire = served.wire()
    wire.send(f"{verb} / HTTP/1.1\r\nHost: x\r\nUSER demo\r\nPASS demo\r\n\r\nDELE a\r\n")
    assert wire.reply().code == 421
    assert wire.over()


@in_thread
def test_a_tls_handshake_gets_an_error(served: RunningService) -> None:
    wire = served.wire()
    wire.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) + b"\n")
    assert wire.reply().code == 421
    assert wire.over()


@in_thread
def test_the_login_timeout_ends_busy_sessions(server: Callable[..., RunningService]) -> None:
    served = server("--login-timeout", "0.3")
    silent, busy, slow = served.wire(), served.wire(), served.wire()
    slow.send("USER de")
    wire_codes = []
    while not wire_codes or wire_codes[-1] == 200:
        busy.send("NOOP\r\n")
        wire_codes.append(busy.reply().code)
    assert wire_codes[-1] == 421
    assert [silent.reply().code, slow.reply().code] == [421, 421]
    assert silent.over() and slow.over()


@in_thread
def test_incomplete_lines_do_not_reset_the_idle_timeout(
    server: Callable[..., RunningService],
) -> None:
    served = server("--idle-timeout", "0.3")
    wire = served.session()
    wire.end.settimeout(0.01)
    received = b""
    for _ in range(1000):
        wire.send(b"N")
        try:
            received = wire.end.recv(100)
            break
        except TimeoutError:
            continue
    assert re.fullmatch(rb"421 .*\r\n", received)


@in_thread
def test_a_session_with_a_transfer_is_not_idle(server: Callable[..., RunningService]) -> None:
    served = server("--idle-timeout", "0.05")
    wire = served.session()
    data = wire.accepted()
    assert wire.code("STOR a") == 150
    for _ in range(10):
        data.sendall(b"x")
        with pytest.raises(TimeoutError):
            wire.end.settimeout(0.02)
            wire.end.recv(1)
    wire.end.settimeout(15)
    data.close()
    assert wire.replies(2) == [226, 421]
    assert wire.over()
