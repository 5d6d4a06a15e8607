"""Commands during a transfer, and the ends of transfers (RFC 959 §4.1.3, §5.4)."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

import pytest

from tests.support.raw_client import (
    RunningService,
    Wire,
    in_thread,
    receive_all,
    reset,
    started,
    starting,
)

FIXTURES = (started, starting)
BIG = 40_000_000
IP, DM = b"\xff\xf4", b"\xff\xf2"
"""Telnet's Interrupt Process and Data Mark (RFC 854)."""


def stalled_download(served: RunningService, wire: Wire) -> socket.socket:
    """Start a download that is not read."""
    with open(served.root / "big", "wb") as file:
        file.truncate(BIG)
    data = served.connected(wire.passive_address(), window=4096)
    assert wire.codes("TYPE I", "NOOP", "RETR big") == [200, 200, 150]
    return data


def stalled_upload(served: RunningService, wire: Wire, content: bytes = b"new") -> socket.socket:
    """Start an upload that stalls after ``content``."""
    data = wire.accepted()
    assert wire.codes("TYPE I", "STOR a") == [200, 150]
    data.sendall(content)
    served.wait_for(lambda: moved(served) == len(content))
    return data


def moved(served: RunningService) -> int:
    """Return the transferred bytes of the first session."""
    running = served.factory.instances[0].context.running
    return running.moved if running is not None else -1


ABORTS = {
    "plain": [(b"ABOR\r\n", 0)],
    "urgent": [(b"ABOR\r\n", socket.MSG_OOB)],
    "telnet": [(IP + DM + b"ABOR\r\n", 0)],
    "synch": [(IP, 0), (DM, socket.MSG_OOB), (b"ABOR\r\n", 0)],
    "synch, interrupt urgent": [(IP + DM[:1], socket.MSG_OOB), (DM[1:] + b"abor\r\n", 0)],
    "mark alone": [(IP, socket.MSG_OOB), (DM[1:], 0), (b"ABOR\r\n", 0)],
    "split": [(b"AB", 0), (b"OR\r", 0), (b"\n", 0)],
    "escaped inside": [(b"AB" + IP + b"OR" + DM + b"\r\n", 0)],
}


@in_thread
@pytest.mark.parametrize("how", ABORTS)
@pytest.mark.parametrize("begin", [stalled_download, stalled_upload])
def test_abor_is_426_then_226(
    served: RunningService, begin: Callable[[RunningService, Wire], socket.socket], how: str
) -> None:
    (served.root / "a").write_bytes(b"old")
    wire = served.session()
    data = begin(served, wire)
    for piece, flags in ABORTS[how]:
        wire.end.send(piece, flags)
    assert wire.replies(2) == [426, 226]
    assert wire.codes("NOOP", "PWD") == [200, 257]
    data.close()
    assert (served.root / "a").read_bytes() == b"old"
    assert wire.download("RETR a") == b"old"


@in_thread
@pytest.mark.parametrize("how", ABORTS)
def test_abor_without_transfer_is_226(served: RunningService, how: str) -> None:
    wire = served.session()
    for _ in range(2):
        for piece, flags in ABORTS[how]:
            wire.end.send(piece, flags)
        assert wire.reply().code == 226
    assert wire.codes("NOOP", "PWD") == [200, 257]


@in_thread
def test_abor_while_waiting_for_the_data_connection(served: RunningService) -> None:
    wire = served.session()
    place = wire.passive_address()
    for command in ("STOR a", "LIST"):
        assert wire.codes(command, "NOOP") == [150, 200]
        wire.send(b"ABOR\r\n")
        assert wire.replies(2) == [426, 226]
        assert served.refuses(place)
        place = wire.passive_address()
    assert list(served.root.iterdir()) == []


@in_thread
def test_abor_with_an_unused_data_connection(served: RunningService) -> None:
    wire = served.session()
    assert wire.code("ABOR") == 226
    with wire.accepted() as data:
        assert wire.codes("ABOR", "LIST") == [226, 425]
        assert data.recv(1) == b""


@in_thread
def test_stat_and_noop_during_a_stalled_transfer(served: RunningService) -> None:
    wire = served.session()
    assert b" No transfer in progress." in wire.ask("STAT").lines
    data = stalled_upload(served, wire, b"12345")
    answer = wire.ask("STAT")
    assert answer.lines[0] == b"211-Status:" and answer.lines[-1] == b"211 End of status."
    assert b" In progress: STOR /a, 5 bytes so far." in answer.lines
    assert wire.codes("NOOP", "STAT", "NOOP") == [200, 211, 200]
    wire.send("PWD\r\nNOOP\r\n")  # waits, and what is behind it keeps its place
    data.close()
    assert wire.replies(3) == [226, 257, 200]


@in_thread
def test_malformed_abor_and_quit_are_refused(served: RunningService) -> None:
    wire = served.session()
    data = stalled_upload(served, wire)
    wire.send("QUIT now\r\n")
    assert wire.reply().code == 501
    data.close()
    assert wire.reply().code == 226
    assert wire.code("NOOP") == 200


@in_thread
def test_quit_waits_for_the_transfer(served: RunningService) -> None:
    content = os.urandom(3_000_000)
    (served.root / "b").write_bytes(content)
    wire = served.session()
    data = served.connected(wire.passive_address(), window=4096)
    assert wire.codes("TYPE I", "NOOP", "RETR b", "QUIT") == [200, 200, 150, 221]
    wire.send("PWD\r\nNOOP\r\n")
    assert receive_all(data) == content
    data.close()
    assert wire.reply().code == 226
    assert wire.over()


@in_thread
def test_quit_during_an_upload_publishes_it(served: RunningService) -> None:
    wire = served.session()
    data = stalled_upload(served, wire)
    assert wire.code("QUIT") == 221
    data.sendall(b" and more")
    data.close()
    assert wire.reply().code == 226
    assert wire.over()
    assert (served.root / "a").read_bytes() == b"new and more"


@in_thread
def test_quit_and_half_close_during_an_upload_publish_it(served: RunningService) -> None:
    wire = served.session()
    data = stalled_upload(served, wire)
    assert wire.code("QUIT") == 221
    wire.end.shutdown(socket.SHUT_WR)
    served.wait_for(lambda: served.factory.instances[0]._input_ended)
    data.close()
    assert wire.reply().code == 226
    assert (served.root / "a").read_bytes() == b"new"


@in_thread
def test_pipelined_commands_before_a_half_close_are_executed(served: RunningService) -> None:
    (served.root / "a").write_bytes(b"content")
    wire = served.session()
    data = wire.accepted()
    wire.send("TYPE I\r\nRETR a\r\nPWD\r\n")
    wire.end.shutdown(socket.SHUT_WR)
    assert receive_all(data) == b"content"
    data.close()
    assert wire.replies(4) == [200, 150, 226, 257]
    assert wire.over()


@in_thread
def test_replies_keep_the_order_of_commands(served: RunningService) -> None:
    (served.root / "a").write_bytes(b"content")
    wire = served.wire()
    wire.send("USER demo\r\nPASS demo\r\nTYPE I\r\nEPSV\r\n")
    assert wire.replies(3) == [331, 230, 200]
    port = int(wire.reply().text.split("|||")[1].split("|")[0])
    wire.send(
        "RETR a\r\nMKD d\r\nCWD d\r\nSTAT\r\nPWD\r\nXYZZY\r\nRNFR none\r\nNOOP\r\nQUIT\r\nPWD\r\n"
    )
    with served.connected((wire.host, port)) as data:
        assert receive_all(data) == b"content"
    codes = wire.replies(10)
    assert codes[0] == 150 and codes[1:] == [226, 257, 250, 211, 257, 500, 550, 200, 221]
    assert wire.over()


@in_thread
def test_aliases_can_be_pipelined_with_the_login(served: RunningService) -> None:
    (served.root / "a").write_bytes(b"a")
    wire = served.wire()
    wire.send("USER demo\r\nPASS demo\r\nGET a\r\nPUT a\r\nNOOP\r\n")
    assert wire.replies(5) == [331, 230, 425, 425, 200]


@in_thread
@pytest.mark.parametrize("command", ["RETR big", "STOR a"])
def test_a_stalled_transfer_is_aborted(server: Callable[..., RunningService], command: str) -> None:
    served = server("--stall-timeout", "0.1", "--idle-timeout", "0.05")
    (served.root / "a").write_bytes(b"old")
    wire = served.session()
    begin = stalled_download if command == "RETR big" else stalled_upload
    data = begin(served, wire)
    assert wire.reply().code == 426
    data.close()
    assert (served.root / "a").read_bytes() == b"old"
    assert wire.reply().code == 421


@in_thread
@pytest.mark.parametrize("times", [1, 3])
def test_an_incomplete_download_is_never_226(served: RunningService, times: int) -> None:
    wire = served.session()
    for _ in range(times):
        reset(stalled_download(served, wire))
        assert wire.reply().code == 426
    data = stalled_download(served, wire)
    data.close()  # with data unread: an RST
    assert wire.reply().code == 426
    with open(served.root / "small", "wb") as file:
        file.write(b"x")
    assert wire.download("RETR small") == b"x"
