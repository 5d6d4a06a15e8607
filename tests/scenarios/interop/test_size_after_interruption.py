"""Uploads over a file that were cut: what SIZE tells whom, and what resumes into which bytes."""

from __future__ import annotations

import ftplib
import io
import socket
import struct
from collections.abc import Callable

import pytest

from ftpservice.stream.connection import StreamConnection
from tests.support.raw_client import RunningService, in_thread, started, starting

FIXTURES = (started, starting)
OLD, NEW = b"A" * 3000, b"B" * 8000
SENT = 1000


def session(served: RunningService, source: str = "127.0.0.1") -> ftplib.FTP:
    client = ftplib.FTP()
    client.connect("127.0.0.1", served.port, timeout=20, source_address=(source, 0))
    served.close_later(client)
    client.login("demo", "demo")
    client.voidcmd("TYPE I")
    return client


def reset_and_wait(end: socket.socket) -> None:
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()


def hang_up(client: ftplib.FTP) -> None:
    client.close()


def begun(
    served: RunningService, name: str = "file", command: str = "STOR"
) -> tuple[ftplib.FTP, socket.socket]:
    """Send some of an upload; the bytes have arrived when this returns."""
    client = session(served)
    data = client.transfercmd(f"{command} {name}")
    data.sendall(NEW[:SENT])
    living = served.factory.services().uploads
    served.wait_for(lambda: any(arrived(one.connection) for one in living.active.values()))
    return client, data


def arrived(connection: StreamConnection | None) -> bool:
    return connection is not None and connection.moved >= SENT


def data_first(client: ftplib.FTP, data: socket.socket) -> None:
    reset_and_wait(data)
    hang_up(client)


def control_first(client: ftplib.FTP, data: socket.socket) -> None:
    hang_up(client)
    reset_and_wait(data)


def in_order(client: ftplib.FTP, data: socket.socket) -> None:
    data.close()
    hang_up(client)


def store(client: ftplib.FTP, data: bytes, rest: int | None = None, command: str = "STOR") -> str:
    try:
        return client.storbinary(f"{command} file", io.BytesIO(data), rest=rest)
    except ftplib.Error as error:
        return str(error)


def fetch(client: ftplib.FTP) -> bytes:
    parts: list[bytes] = []
    client.retrbinary("RETR file", parts.append)
    return b"".join(parts)


@pytest.mark.parametrize("end", [data_first, control_first, in_order])
@pytest.mark.parametrize("command", ["STOR", "APPE"])
@in_thread
def test_a_killed_client_resumes_by_size_whatever_ended_first(
    served: RunningService, end: Callable[..., None], command: str
) -> None:
    (served.root / "file").write_bytes(OLD)
    end(*begun(served))
    served.wait_for(served.settled())
    again = session(served)
    told = again.size("file")
    assert told in (SENT, SENT - 1)  # a byte less where all of the file may have arrived
    rest = told if command == "STOR" else None
    assert store(again, NEW[told:], rest, command).startswith("226")
    assert (served.root / "file").read_bytes() == NEW


@pytest.mark.parametrize("there", [None, OLD])
@in_thread
def test_a_file_that_may_be_whole_is_never_told_as_whole(
    served: RunningService, there: bytes | None
) -> None:
    """All has arrived, but not the reply: a client that goes by SIZE has a byte left to send."""
    if there is not None:
        (served.root / "file").write_bytes(there)
    client, data = begun(served)
    client.close()
    data.close()
    served.wait_for(served.settled())
    again = session(served)
    assert again.size("file") == SENT - 1
    assert store(again, NEW[SENT - 1 : SENT], SENT - 1).startswith("226")
    assert (served.root / "file").read_bytes() == NEW[:SENT]


@pytest.mark.parametrize("offset", [1500, 3000, 5000])
@in_thread
def test_an_offset_that_did_not_arrive_is_refused_and_the_one_to_be_had_named(
    served: RunningService, offset: int
) -> None:
    (served.root / "file").write_bytes(OLD)
    data_first(*begun(served))
    served.wait_for(served.settled())
    said = store(session(served), NEW[offset:], offset)
    assert said.startswith("554")
    assert str(SENT) in said
    assert (served.root / "file").read_bytes() == OLD


@in_thread
def test_an_append_that_nobody_asked_the_size_for_adds_to_nothing_after_a_cut(
    served: RunningService,
) -> None:
    (served.root / "file").write_bytes(OLD)
    data_first(*begun(served))
    served.wait_for(served.settled())
    assert store(session(served), NEW[:5000], command="APPE").startswith("554")
    assert (served.root / "file").read_bytes() == OLD


@in_thread
def test_while_the_session_of_the_cut_lives_it_alone_is_told_what_arrived(
    served: RunningService,
) -> None:
    (served.root / "file").write_bytes(OLD)
    client, data = begun(served)
    reset_and_wait(data)
    with pytest.raises(ftplib.error_temp, match="426"):
        client.voidresp()
    reader = session(served)
    assert reader.size("file") == len(OLD)
    assert fetch(reader) == OLD
    assert [facts["size"] for name, facts in reader.mlsd() if name == "file"] == [str(len(OLD))]
    assert client.size("file") == SENT
    assert store(client, NEW[SENT:], SENT).startswith("226")
    assert (served.root / "file").read_bytes() == NEW


@in_thread
def test_a_reader_from_another_address_is_told_of_the_file(served: RunningService) -> None:
    (served.root / "file").write_bytes(OLD)
    data_first(*begun(served))
    served.wait_for(served.settled())
    reader = session(served, "127.0.0.2")
    assert reader.size("file") == len(OLD)
    assert fetch(reader) == OLD


@in_thread
def test_a_reader_that_took_the_offer_never_gets_a_file_of_another_size(
    served: RunningService,
) -> None:
    (served.root / "file").write_bytes(OLD)
    data_first(*begun(served))
    served.wait_for(served.settled())
    reader = session(served)
    assert reader.size("file") in (SENT, SENT - 1)
    with pytest.raises(ftplib.error_temp, match="450"):
        fetch(reader)
    assert reader.size("file") == len(OLD)
    assert fetch(reader) == OLD


@pytest.mark.parametrize(("command", "rest"), [("STOR", None), ("STOR", 100), ("APPE", None)])
@in_thread
def test_no_other_session_takes_a_living_upload_over(
    served: RunningService, command: str, rest: int | None
) -> None:
    client, data = begun(served)
    assert store(session(served), b"other", rest, command).startswith("450")
    data.sendall(NEW[SENT:])
    data.close()
    assert client.voidresp().startswith("226")
    assert (served.root / "file").read_bytes() == NEW


@in_thread
def test_sessions_that_append_do_not_keep_each_other_out(served: RunningService) -> None:
    (served.root / "file").write_bytes(OLD)
    client, data = begun(served, command="APPE")
    assert store(session(served), b"other", command="APPE").startswith("226")
    data.close()
    assert client.voidresp().startswith("226")
    assert (served.root / "file").read_bytes() == OLD + NEW[:SENT] + b"other"
