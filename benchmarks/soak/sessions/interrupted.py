"""Sessions that are cut, stopped, slow or wrong, and uploads that are resumed after that."""

from __future__ import annotations

import socket
import time
from contextlib import suppress

from benchmarks.soak.content import Content
from benchmarks.soak.sessions.other_clients import finish_by_program, simple_wire
from benchmarks.soak.sessions.session_table import SessionTable
from benchmarks.soak.settings import LARGE_FILE, MANY_DIRECTORY
from benchmarks.soak.slot import Slot
from benchmarks.soak.wire import Refused, Wire, connected, receive_all, reset

__all__ = ["TABLE"]

TABLE = SessionTable()
KIB = 1 << 10
RETRIES = 20
RETRY_SECONDS = 0.25
HALF_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
"""The beginning of a ClientHello."""


def cut_upload(slot: Slot, wire: Wire, name: str, content: Content, size: int) -> bool:
    """Send a part of an upload and cut it; return whether the session goes on."""
    slot.files.attempts(name, content)
    with wire.data(f"STOR {slot.path(name)}") as data:
        data.sendall(content.data()[:size])
        way = slot.chance.choice(["data", "control", "both"])
        if way != "control":
            reset(data)
        if way != "data":
            reset(wire.end)
    if way == "data":
        wire.expected(426, 226, 451)
    return way == "data"


@TABLE.hostile(5)
def cut_uploads(slot: Slot) -> None:
    """Uploads that are cut and not resumed."""
    with slot.wire(secured=slot.maybe(0.3)) as wire:
        goes_on = True
        while goes_on:
            content = slot.content(least=20 * KIB)
            size = slot.chance.randrange(content.size)
            goes_on = cut_upload(slot, wire, slot.name(), content, size)


@TABLE.honest(4)
def resumed_upload(slot: Slot) -> None:
    """An upload that is cut, and completed in another session or by another program."""
    name, content = slot.name(), slot.content(least=100 * KIB)
    size = slot.chance.randrange(content.size // 4, content.size)
    with slot.wire() as wire:
        slot.files.attempts(name, None)
        wire.expect(f"DELE {slot.path(name)}", 250, 550)
        with suppress(Refused, OSError):
            cut_upload(slot, wire, name, content, size)
    if slot.maybe(0.15):
        time.sleep(RETRY_SECONDS)
        finish_by_program(slot, name, slot.local(name, content))
    else:
        _finish(slot, name, content)
    slot.files.uploaded(name, content)


def _finish(slot: Slot, name: str, content: Content) -> None:
    with slot.wire() as wire:
        for _ in range(RETRIES):
            if _is_resumed(wire, slot.path(name), content):
                wire.quit()
                return
            time.sleep(RETRY_SECONDS)
    raise Refused(f"{slot.path(name)} stays busy")


def _is_resumed(wire: Wire, path: str, content: Content) -> bool:
    """Complete an upload; return False if another session still has the name."""
    code, text = wire.ask(f"SIZE {path}")
    offset = int(text) if code == 213 else 0
    if offset:
        wire.expect(f"REST {offset}", 350)
    try:
        wire.upload(f"STOR {path}", content.data()[offset:])
    except Refused as refused:
        if str(refused).startswith("450"):
            return False
        raise
    return True


def _abort(wire: Wire, line: str, sent: bytes) -> None:
    with wire.data(line) as data:
        data.sendall(sent)
        wire.send("ABOR")
        wire.expected(426, 226)
    wire.expected(226, 225)


@TABLE.hostile(4)
def aborted_transfers(slot: Slot) -> None:
    """ABOR during uploads, downloads and listings."""
    with slot.wire(secured=slot.maybe(0.3)) as wire:
        content, name = slot.content(least=50 * KIB), slot.name()
        for line in (f"STOR {slot.path(name)}", f"RETR /{LARGE_FILE}", f"MLSD /{MANY_DIRECTORY}"):
            slot.files.attempts(name, content)
            _abort(wire, line, content.data()[:-1] if line.startswith("STOR") else b"")


@TABLE.hostile(4)
def cut_downloads(slot: Slot) -> None:
    """Downloads and listings that are cut."""
    with slot.wire(secured=slot.maybe(0.3)) as wire:
        for line in (f"RETR /{LARGE_FILE}", f"LIST /{MANY_DIRECTORY}", f"RETR /{LARGE_FILE}"):
            with wire.data(line, active=slot.maybe(0.3)) as data:
                data.recv(slot.chance.randrange(1, 200_000))
                reset(data)
            wire.expected(426, 226, 451)
        with wire.data(f"RETR /{LARGE_FILE}") as data:
            data.recv(1000)
            wire.end.close()


@TABLE.hostile(2)
def half_closed(slot: Slot) -> None:
    """The client ends its side of the control connection during a download."""
    with slot.wire() as wire, wire.data(f"RETR /{LARGE_FILE}") as data:
        wire.end.shutdown(socket.SHUT_WR)
        receive_all(data)
        data.close()
        receive_all(wire.end)


@TABLE.hostile(1)
def slow_reader(slot: Slot) -> None:
    """A client that reads little, and then stops or leaves."""
    with slot.wire() as wire, wire.data(f"RETR /{LARGE_FILE}", window=8 * KIB) as data:
        for _ in range(30):
            data.recv(4 * KIB)
            time.sleep(0.03)
        if slot.maybe(0.3):
            wire.reply()  # that of the stall timeout


@TABLE.hostile(0.5)
def stalled_upload(slot: Slot) -> None:
    """An upload whose client stops sending."""
    content, name = slot.content(least=50 * KIB), slot.name()
    with slot.wire(secured=slot.maybe(0.5)) as wire:
        slot.files.attempts(name, content)
        with wire.data(f"STOR {slot.path(name)}") as data:
            data.sendall(content.data()[:-1000])
            wire.reply()


@TABLE.hostile(0.7)
def idle_session(slot: Slot) -> None:
    """A session without commands, until it is closed."""
    with slot.wire(secured=slot.maybe(0.5)) as wire:
        wire.reply()


@TABLE.hostile(0.7)
def silent_connection(slot: Slot) -> None:
    """A connection without a login, until it is closed."""
    kind = slot.chance.choice(["listen", "implicit", "simple", "simple-tls"])
    with connected(slot.port(kind), slot.source) as end:
        if slot.maybe(0.5):
            end.sendall(b"USER a\r\n" if kind in ("listen", "simple") else HALF_HELLO)
        receive_all(end)


@TABLE.hostile(3)
def wrong_passwords(slot: Slot) -> None:
    """Failed logins."""
    with Wire(slot.port("listen"), slot.stranger) as wire:
        for user in slot.chance.sample([slot.account, "nobody", "root"], 2):
            wire.expect(f"USER {user}", 331)
            slot.files.counts["failed logins tried"] += 1
            code, text = wire.ask("PASS wrong")
            if code == 530:
                slot.files.counts["failed logins"] += 1
            elif code != 421:
                raise Refused(f"{code} {text}")


@TABLE.hostile(2)
def broken_handshake(slot: Slot) -> None:
    """TLS that is not spoken, or cut."""
    kind = slot.chance.choice(["listen", "implicit", "simple-tls"])
    with connected(slot.port(kind), slot.source) as end:
        if kind == "listen":
            end.recv(4096)
            end.sendall(b"AUTH TLS\r\n")
            end.recv(4096)
        end.sendall(slot.chance.choice([HALF_HELLO, b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 300]))
        if slot.maybe(0.5):
            reset(end)
        else:
            receive_all(end)


@TABLE.hostile(2)
def unused_ports(slot: Slot) -> None:
    """Passive ports that nobody uses, and one that is used without a transfer."""
    with slot.wire() as wire:
        for _ in range(3):
            wire.expect("EPSV", 229)
        with wire.passive():
            wire.ask("NOOP")
        if slot.maybe(0.1):
            wire.expect("EPSV", 229)
            time.sleep(slot.settings.times.data / 2)
        wire.quit()


@TABLE.hostile(1.5)
def garbage(slot: Slot) -> None:
    """Lines that are no commands, and many commands at once."""
    with slot.wire() as wire:
        wire.end.sendall(slot.chance.randbytes(2000) + b"\r\n")
        wire.end.sendall(b"NOOP\r\n" * 500)
        wire.end.sendall(b"X" * 20_000 + b"\r\n")
        if slot.maybe(0.5):
            receive_all(wire.end)


@TABLE.hostile(2)
def refused_commands(slot: Slot) -> None:
    """Things that do not exist."""
    with slot.wire() as wire:
        for line in ("RETR /none", "CWD /none", "DELE /none", "RNFR /none", "MKD /a/b/c", "XYZ"):
            wire.ask(line)
        with wire.passive():
            wire.expect("STOR /none/file", 550, 553)
        wire.quit()


@TABLE.hostile(2)
def contended_name(slot: Slot) -> None:
    """Two sessions that upload to the same name."""
    name, first, second = slot.name(), slot.content(least=50 * KIB), slot.content()
    with slot.wire() as one, slot.wire() as other:
        slot.files.attempts(name, first)
        slot.files.attempts(name, second)
        with one.data(f"STOR {slot.path(name)}") as data:
            data.sendall(first.data()[:-10])
            with suppress(Refused):
                other.upload(f"STOR {slot.path(name)}", second.data())
            with suppress(OSError):
                data.sendall(first.data()[-10:])
        one.reply()


@TABLE.hostile(2)
def cut_simple_session(slot: Slot) -> None:
    """An upload by the simple protocol that is cut."""
    name, content = slot.name(), slot.content(least=20 * KIB)
    with simple_wire(slot, slot.maybe(0.3)) as wire:
        slot.files.attempts(name, content)
        wire.expect(f"UPLD {content.size} {slot.path(name)}", "GO")
        wire.send(content.data()[: content.size // 2])
        if slot.maybe(0.5):
            reset(wire.end)
