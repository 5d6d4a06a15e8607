"""The simple protocol over blocking sockets (docs/simple-protocol.md)."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ftpservice.accounts.defence.login_attempts import MAX_FAILURES_PER_SESSION
from ftpservice.events import Event, Outcome, SessionOpened, TransferEnded
from tests.support.certificates import Authority
from tests.support.raw_client import STRANGER, RunningService, Wire, in_thread, starting
from tests.support.restartable_service import hidden, noise, visible
from tests.support.simple_client import SimpleWire, connected, session, simple_served

FIXTURES = (starting, simple_served)
PAGE = Path(__file__).parents[3] / "docs" / "simple-protocol.md"
SIZES = pytest.mark.parametrize("size", [0, 1, 4096, 65_535, 65_536, 300_000, 5_000_000])


@in_thread
def test_the_dialogue_of_the_documentation(served: RunningService) -> None:
    example = PAGE.read_text().split("```\n")[-2].splitlines()
    wire = connected(served)
    for line in example:
        who, text = line[:2], line[3:]
        if who == "C:" and text == "hello":
            wire.send("hello")
        elif who == "C:":
            wire.send(f"{text}\n")
        elif text == "hello":
            assert wire.raw(5) == b"hello"
        else:
            shape = re.sub("[0-9]{14}", "[0-9]{14}", re.escape(text))
            assert re.fullmatch(shape, wire.line())
    assert wire.is_over


@in_thread
def test_commands_before_the_login_are_refused(served: RunningService) -> None:
    wire = connected(served)
    assert wire.line().startswith("OK")
    assert wire.asks("LIST", "DWLD a", "UPLD 5 a", "DELF a", "HASH a") == ["ERR AUTH"] * 5
    wire.send("UPLD 5+ a\nhello")
    assert wire.line().startswith("ERR AUTH")
    assert wire.asks("HELP")[0] == "OK 10"


@in_thread
def test_logins(served: RunningService) -> None:
    wire = connected(served)
    wire.line()
    assert wire.ask("user nobody") == "OK password required for nobody"
    assert wire.ask("pass wrong") == "ERR AUTH login failed"
    assert wire.ask("USER demo") == "OK password required for demo"
    assert wire.ask("PASS wrong") == "ERR AUTH login failed"
    assert wire.ask("USER demo\r") == "OK password required for demo"
    assert wire.ask("PASS demo\r") == "OK logged in as demo"
    assert wire.asks("USER", "PASS demo") == ["ERR SYNTAX", "OK logged"]


@in_thread
def test_a_password_before_a_name(served: RunningService) -> None:
    wire = connected(served)
    wire.line()
    assert wire.ask("PASS demo").startswith("ERR AUTH")


@in_thread
def test_too_many_failed_logins_end_the_session(served: RunningService) -> None:
    wire = connected(served)
    wire.line()
    answers = [wire.asks("USER demo", "PASS no")[1] for _ in range(MAX_FAILURES_PER_SESSION)]
    assert answers == ["ERR AUTH"] * MAX_FAILURES_PER_SESSION
    assert wire.is_over


@in_thread
@SIZES
@pytest.mark.parametrize("plus", ["", "+"])
def test_upload_and_download(served: RunningService, size: int, plus: str) -> None:
    content = noise(size, size)
    wire = session(served)
    if plus:
        wire.send(b"UPLD %d+ a b.bin\n" % size + content)
    else:
        assert wire.ask(f"UPLD {size} a b.bin") == "GO"
        wire.send(content)
    assert wire.line() == f"OK {size} a b.bin"
    assert (served.root / "a b.bin").read_bytes() == content
    assert wire.download("a b.bin") == content
    half = size // 2
    assert wire.ask(f"DWLD @{half} a b.bin") == f"OK {size - half}"
    assert wire.raw(size - half) == content[half:]
    assert wire.ask("HASH a b.bin") == f"OK SHA-256 {hashlib.sha256(content).hexdigest()} a b.bin"
    assert wire.listing("a b.bin")[0] == f"OK 1 {size}"
    assert wire.ask("DELF a b.bin") == "OK a b.bin"
    assert visible(served.root) == {}
    assert not hidden(served.root)


@in_thread
def test_bytes_after_an_upload_are_the_next_line(served: RunningService) -> None:
    content = noise(1_000_000, 7)
    wire = session(served)
    wire.send(b"UPLD 1000000+ big\n" + content + b"DWLD big\nLIST\nQUIT\n")
    assert wire.line() == "OK 1000000 big"
    assert wire.line() == "OK 1000000"
    assert wire.raw(1_000_000) == content
    assert wire.line() == "OK 1 1000000"
    assert wire.line().startswith("file 1000000 ")
    assert wire.line() == "OK goodbye"
    assert wire.is_over


@in_thread
def test_many_pipelined_uploads_are_answered_in_order(served: RunningService) -> None:
    wire = session(served)
    names = [f"f{number % 40}" for number in range(300)]
    contents = [f"content {number}".encode() for number in range(300)]
    wire.send(
        b"".join(
            b"UPLD %d+ %s\n%s" % (len(content), name.encode(), content)
            for name, content in zip(names, contents, strict=True)
        )
        + b"UPLD 3+ no/such\nabcUPLD 2+ last\nokDWLD last\n"
    )
    for name, content in zip(names, contents, strict=True):
        assert wire.line() == f"OK {len(content)} {name}"
    assert wire.line().startswith("ERR NOTFOUND")
    assert wire.line() == "OK 2 last"
    assert (wire.line(), wire.raw(2)) == ("OK 2", b"ok")
    assert visible(served.root) == {**dict(zip(names, contents, strict=True)), "last": b"ok"}


@in_thread
def test_listings(served: RunningService) -> None:
    (served.root / "dir").mkdir()
    (served.root / "dir" / "inner").write_bytes(b"12345678")
    for name, content in {"b": b"22", "a": b"1", "ä ö": b"333"}.items():
        (served.root / name).write_bytes(content)
        os.utime(served.root / name, (0, 86399))
    (served.root / "line\nend").write_bytes(b"not listed")
    (served.root / os.fsdecode(b"not utf-8 \xff")).write_bytes(b"not listed")
    os.mkfifo(served.root / "fifo")
    wire = session(served)
    lines = wire.listing()
    assert lines[0] == "OK 4 6"
    assert lines[1:3] == ["file 1 19700101235959 a", "file 2 19700101235959 b"]
    assert re.fullmatch("dir 0 [0-9]{14} dir", lines[3])
    assert lines[4] == "file 3 19700101235959 ä ö"
    assert wire.listing("a") == ["OK 1 1", "file 1 19700101235959 a"]
    assert wire.listing("dir/../dir/.")[0] == "OK 1 8"
    assert wire.listing("../../..")[0] == "OK 4 6"
    assert wire.ask("LIST none").startswith("ERR NOTFOUND")


@in_thread
def test_a_long_listing_is_sorted(served: RunningService) -> None:
    for number in range(2500):
        (served.root / f"{(number * 7919) % 10_000:05}").touch()
    lines = session(served).listing()
    names = [line.split(" ")[3] for line in lines[1:]]
    assert lines[0] == "OK 2500 0"
    assert names == sorted(names)


@in_thread
def test_refused_commands(served: RunningService) -> None:
    (served.root / "dir").mkdir()
    (served.root / "file").write_bytes(b"abc")
    wire = session(served)
    asked = {
        "DWLD none": "NOTFOUND",
        "DWLD dir": "ISDIR",
        "DWLD @4 file": "SYNTAX",
        "DWLD": "SYNTAX",
        "DWLD @x file": "SYNTAX",
        "UPLD 5 none/file": "NOTFOUND",
        "UPLD 5 dir": "ISDIR",
        "UPLD 5 /": "ISDIR",
        "UPLD 5": "SYNTAX",
        "UPLD x file": "SYNTAX",
        "UPLD -1 file": "SYNTAX",
        "UPLD 5 .ftpservice.00000000000000000000000000000000.part": "SYNTAX",
        "DELF none": "NOTFOUND",
        "DELF dir": "ISDIR",
        "DELF": "SYNTAX",
        "HASH none": "NOTFOUND",
        "HASH dir": "ISDIR",
        "LIST file/x": "NOTDIR",
        "DELF \x01": "SYNTAX",
        "DELF \x85": "SYNTAX",
        "DELF a\0b": "SYNTAX",
        "RETR file": "SYNTAX",
        "": "SYNTAX",
        "\N{SNOWMAN}": "SYNTAX",
    }
    assert {line: wire.ask(line).split(" ")[:2] for line in asked} == {
        line: ["ERR", code] for line, code in asked.items()
    }
    wire.send(b"DELF \xff\xfe\n")
    assert wire.line().startswith("ERR SYNTAX")
    assert visible(served.root) == {"file": b"abc"}


@in_thread
def test_names_that_begin_with_an_at_sign(served: RunningService) -> None:
    wire = session(served)
    assert wire.upload("@5 x", b"hello") == "OK 5 @5 x"
    assert wire.download("./@5 x") == b"hello"


@in_thread
@pytest.mark.parametrize(
    "line",
    ["UPLD 5+ no/such", "UPLD 5+ \x01", "UPLD 5+ /", "UPLD 5+", "upld 5+ a\0b"],
)
def test_the_bytes_of_a_refused_upload_are_dropped(served: RunningService, line: str) -> None:
    wire = session(served)
    wire.send(f"{line}\n" if line != "UPLD 5+" else "UPLD 5+ \n")
    wire.send("QUIT\nHELP\n")
    assert wire.line().startswith("ERR ")
    assert wire.line() == "OK 10"


@in_thread
def test_too_much_pipelined_data_is_refused(served: RunningService) -> None:
    size = 16 * 1024 * 1024 + 1
    wire = session(served)
    wire.send(b"UPLD %d+ big\n" % size)
    wire.send(bytes(size))
    assert wire.line().startswith("ERR SYNTAX")
    assert wire.ask("LIST") == "OK 0 0"


@in_thread
def test_an_invalid_size_ends_the_session(served: RunningService) -> None:
    wire = session(served)
    wire.send("UPLD many+ a\nDELF a\n")
    assert wire.line().startswith("ERR SYNTAX")
    assert wire.is_over


@in_thread
def test_a_line_that_is_too_long(served: RunningService) -> None:
    wire = session(served)
    name = "x" * (8192 - len("DELF \n"))
    assert wire.ask(f"DELF {name}").startswith("ERR ")
    wire.send(f"DELF x{name}\nHELP\n")
    assert wire.line().startswith("ERR SYNTAX")
    assert wire.is_over


@in_thread
@pytest.mark.parametrize("size", [30_000, 3_000_000])
@pytest.mark.parametrize("end", ["reset", "fin"])
def test_an_interrupted_upload_keeps_the_old_file(
    served: RunningService, size: int, end: str
) -> None:
    (served.root / "a").write_bytes(b"old")
    ended: list[TransferEnded] = []
    served.factory.event_sink.events.subscribe(
        lambda event: ended.append(event) if isinstance(event, TransferEnded) else None
    )
    wire = session(served)
    assert wire.ask(f"UPLD {size + 1} a") == "GO"
    wire.send(bytes(size))
    if end == "reset":
        served.wait_for(lambda: served.factory.instances[0].connection.moved >= size)
        wire.reset()
    else:
        wire.end.shutdown(socket.SHUT_WR)
    served.wait_for(lambda: ended)
    assert ended[0].outcome is Outcome.ABORTED
    assert visible(served.root) == {"a": b"old"}
    served.wait_for(served.settled())


@in_thread
def test_an_interrupted_upload_can_be_resumed_by_ftp(served: RunningService) -> None:
    content = noise(1_000_000, 3)
    wire = session(served)
    assert wire.ask("UPLD 1000000 a") == "GO"
    wire.send(content[:600_000])
    wire.end.shutdown(socket.SHUT_WR)
    served.wait_for(served.settled())
    ftp = Wire(served, served.connected(("127.0.0.1", served.ports[0])), True).login()
    assert ftp.code("TYPE I") == 200
    assert ftp.ask("SIZE a").text == "600000"
    assert ftp.code("REST 600000") == 350
    assert ftp.upload("STOR a", content[600_000:]).code == 226
    assert visible(served.root) == {"a": content}


@in_thread
def test_a_partial_upload_can_be_removed(served: RunningService) -> None:
    wire = session(served)
    assert wire.ask("UPLD 200000 f") == "GO"
    wire.send(bytes(100_000))
    served.wait_for(lambda: served.factory.instances[0].connection.moved >= 100_000)
    wire.end.shutdown(socket.SHUT_WR)
    served.wait_for(served.settled())
    wire = session(served)
    answer = wire.ask("DWLD f")
    assert answer.startswith("ERR NOTFOUND") and "100000 bytes" in answer
    assert wire.asks("DELF f", "DELF f") == ["OK f", "ERR NOTFOUND"]
    assert list(served.root.iterdir()) == []


@in_thread
def test_a_running_upload_is_not_taken_over(served: RunningService) -> None:
    one, other = session(served), session(served)
    assert one.ask("UPLD 200000 f") == "GO"
    one.send(b"1" * 100_000)
    for line in ("UPLD 2+ f\nok", "UPLD 2 f\n"):
        other.send(line)
        assert "another session" in other.line()
    one.send(b"1" * 100_000)
    assert one.line() == "OK 200000 f"
    assert other.download("f") == b"1" * 200_000


@in_thread
def test_permissions(served: RunningService) -> None:
    (served.root / "a").write_bytes(b"abc")
    reader, dropbox = session(served, "reader"), session(served, "dropbox")
    assert reader.asks("UPLD 1 b", "DELF a") == ["ERR DENIED", "ERR DENIED"]
    assert reader.download("a") == b"abc"
    assert dropbox.asks("LIST", "DWLD a", "HASH a", "DELF a") == ["ERR DENIED"] * 4
    assert dropbox.upload("b", b"new") == "OK 3 b"
    assert visible(served.root) == {"a": b"abc", "b": b"new"}


@in_thread
def test_a_download_continues_with_the_file_it_opened(served: RunningService) -> None:
    old, new = noise(3_000_000, 1), noise(2_000_000, 2)
    (served.root / "a").write_bytes(old)
    reader, writer = session(served), session(served)
    reader.send("DWLD a\n")
    assert reader.line() == "OK 3000000"
    assert writer.upload("a", new) == "OK 2000000 a"
    assert reader.raw(3_000_000) == old
    assert reader.download("a") == new


@in_thread
def test_session_limits_count_all_protocols(
    server: Callable[..., RunningService],
) -> None:
    served = server("--simple", "tcp:0:interface=127.0.0.1", "--max-sessions", "2")
    first, second = session(served), served.session()
    third = connected(served)
    assert third.line().startswith("ERR BUSY")
    assert third.is_over
    assert second.code("QUIT") == 221
    served.wait_for(lambda: len(served.factory.instances) < 2)
    assert session(served).ask("LIST") == "OK 0 0"
    assert first.ask("LIST") == "OK 0 0"


@in_thread
def test_sessions_of_a_user_are_limited(server: Callable[..., RunningService]) -> None:
    served = server("--simple", "tcp:0:interface=127.0.0.1", "--max-sessions-per-user", "1")
    first = session(served)
    wire = connected(served)
    wire.line()
    assert wire.asks("USER demo", "PASS demo") == ["OK password", "ERR BUSY"]
    assert wire.is_over
    assert first.ask("LIST") == "OK 0 0"


@in_thread
def test_anonymous_logins(server: Callable[..., RunningService]) -> None:
    served = server("--simple", "tcp:0:interface=127.0.0.1", "--anonymous")
    (served.root / "a").write_bytes(b"abc")
    wire = connected(served)
    wire.line()
    assert wire.download("a") == b"abc"
    assert wire.ask("UPLD 3 b").startswith("ERR DENIED")


@in_thread
def test_idle_sessions_time_out(server: Callable[..., RunningService]) -> None:
    served = server("--simple", "tcp:0:interface=127.0.0.1", "--idle-timeout", "0.05")
    wire = session(served)
    assert wire.line().startswith("ERR TIMEOUT")
    assert wire.is_over


@in_thread
def test_the_login_times_out(server: Callable[..., RunningService]) -> None:
    served = server("--simple", "tcp:0:interface=127.0.0.1", "--login-timeout", "0.05")
    wire = connected(served)
    assert wire.line().startswith("OK")
    assert wire.line().startswith("ERR TIMEOUT")
    assert wire.is_over


@in_thread
def test_an_upload_that_stalls_is_ended(server: Callable[..., RunningService]) -> None:
    served = server("--simple", "tcp:0:interface=127.0.0.1", "--stall-timeout", "0.2")
    wire = session(served)
    assert wire.ask("UPLD 100 a") == "GO"
    wire.send(bytes(50))
    assert wire.line().startswith("ERR TIMEOUT")
    assert wire.is_over
    assert visible(served.root) == {}


@in_thread
def test_rate_limits(server: Callable[..., RunningService]) -> None:
    served = server("--simple", "tcp:0:interface=127.0.0.1", "--rate-up", "1M", "--rate-down", "1M")
    wire = session(served)
    began = time.monotonic()
    assert wire.upload("a", bytes(400_000)) == "OK 400000 a"
    assert wire.download("a") == bytes(400_000)
    assert time.monotonic() - began > 0.3


@in_thread
def test_events_name_the_protocol(served: RunningService) -> None:
    seen: list[Event] = []
    served.factory.event_sink.events.subscribe(seen.append)
    wire = session(served)
    wire.upload("a", b"abc")
    wire.download("a")
    kinds = [type(event).__name__ for event in seen]
    assert kinds == [
        *("SessionOpened", "LoggedIn", "TransferStarted", "TransferEnded"),
        *("TransferStarted", "TransferEnded"),
    ]
    assert isinstance(seen[0], SessionOpened) and seen[0].protocol == "simple"
    assert [event.size for event in seen if isinstance(event, TransferEnded)] == [3, 3]
    wire.end.close()


@in_thread
def test_a_half_closed_client_gets_all_answers(served: RunningService) -> None:
    wire = connected(served)
    wire.send("USER demo\nPASS demo\nUPLD 3+ a\nabcLIST\nDWLD a\n")
    wire.end.shutdown(socket.SHUT_WR)
    said = wire.rest().decode()
    assert said.endswith(" a\nOK 3\nabc")
    served.wait_for(served.settled())


@in_thread
def test_a_failed_download_resets_the_connection(served: RunningService) -> None:
    with open(served.root / "a", "wb") as file:
        file.truncate(50_000_000)
    wire = SimpleWire(served, served.connected(("127.0.0.1", served.ports[-1]), window=4096))
    wire.line()
    wire.login()
    wire.send("DWLD a\n")
    assert wire.line() == "OK 50000000"
    os.truncate(served.root / "a", 10_000_000)
    with pytest.raises(ConnectionResetError):
        wire.rest()


@in_thread
def test_a_download_that_is_not_read_times_out(
    server: Callable[..., RunningService],
) -> None:
    served = server("--simple", "tcp:0:interface=127.0.0.1", "--stall-timeout", "0.2")
    with open(served.root / "a", "wb") as file:
        file.truncate(50_000_000)
    wire = SimpleWire(served, served.connected(("127.0.0.1", served.ports[-1]), window=4096))
    wire.line()
    wire.login()
    wire.send("DWLD a\n")
    served.wait_for(served.settled())


@in_thread
def test_sessions_of_an_address_are_limited(server: Callable[..., RunningService]) -> None:
    served = server("--simple", "tcp:0:interface=127.0.0.1", "--max-sessions-per-address", "1")
    assert session(served).ask("LIST") == "OK 0 0"
    assert connected(served).line().startswith("ERR BUSY")
    stranger = served.connected(("127.0.0.1", served.ports[-1]), source=STRANGER)
    assert SimpleWire(served, stranger).line() == "OK ftpservice simple/1"


@in_thread
def test_a_stop_waits_for_transfers_and_closes_idle_sessions(served: RunningService) -> None:
    working, waiting = session(served), session(served)
    assert working.ask("UPLD 6 a") == "GO"
    working.send(b"abc")
    served.in_reactor(lambda: served.factory.finish_and_disconnect_all("The service is stopping."))
    assert waiting.line() == "ERR BUSY The service is stopping."
    assert waiting.is_over
    working.send(b"def")
    assert working.line() == "OK 6 a"
    assert working.line() == "ERR BUSY The service is stopping."
    assert working.is_over
    assert visible(served.root) == {"a": b"abcdef"}


@in_thread
def test_a_stop_without_grace_aborts_transfers(served: RunningService) -> None:
    wire, waiting = session(served), session(served)
    assert wire.ask("UPLD 6 a") == "GO"
    wire.send(b"abc")
    served.in_reactor(lambda: served.factory.disconnect_all("The service is stopping."))
    with pytest.raises(ConnectionResetError):
        wire.rest()
    assert waiting.line() == "ERR BUSY The service is stopping."
    assert visible(served.root) == {}


@in_thread
def test_a_session_with_tls(server: Callable[..., RunningService], tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    content = noise(3_000_000, 4)
    served = server(
        *("--simple-tls", "tcp:0:interface=127.0.0.1", "--tls", "required"),
        *("--certificate", str(authority.certificate("service"))),
    )
    wire = connected(served, context=ssl.create_default_context(cafile=authority.path))
    assert wire.line() == "OK ftpservice simple/1"
    wire.login()
    assert wire.upload("a", content) == "OK 3000000 a"
    assert wire.download("a") == content
    wire.send(b"UPLD 3+ b\nabcLIST\nQUIT\n")
    assert [wire.line() for _ in range(2)] == ["OK 3 b", "OK 2 3000003"]


@in_thread
def test_plaintext_passwords_can_be_refused(server: Callable[..., RunningService]) -> None:
    served = server("--simple", "tcp:0:interface=127.0.0.1", "--tls", "required")
    wire = connected(served)
    wire.line()
    assert wire.asks("USER demo") == ["ERR AUTH"]


@in_thread
def test_plaintext_data_can_be_refused(
    server: Callable[..., RunningService],
) -> None:
    served = server("--simple", "tcp:0:interface=127.0.0.1", "--tls-data", "required")
    wire = connected(served)
    wire.line()
    assert wire.asks("USER demo", "PASS demo", "LIST") == ["OK password", "ERR AUTH", "ERR AUTH"]


@in_thread
def test_the_proxy_header_gives_the_client(server: Callable[..., RunningService]) -> None:
    served = server("--simple", "haproxy:tcp:0:interface=127.0.0.1", "--allow-plaintext")
    seen: list[Event] = []
    served.factory.event_sink.events.subscribe(seen.append)
    wire = connected(served)
    wire.send("PROXY TCP4 192.0.2.7 192.0.2.1 4000 1452\r\nUSER demo\nPASS demo\n")
    assert wire.line() == "OK ftpservice simple/1"
    assert wire.asks("HELP")[0].startswith("OK")
    assert seen[0].peer == "192.0.2.7"
