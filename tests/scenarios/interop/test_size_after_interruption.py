"""Interrupted uploads over a file: the reply of SIZE for each session, and resumed content."""

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
    """Send a part of an upload; it has arrived when this returns."""
    client = session(served)
    data = client.transfercmd(f"{command} {name}")
    data.sendall(NEW[:SENT])
    in_progress = served.factory.services().uploads
    served.wait_for(lambda: any(arrived(one.connection) for one in in_progress.active.values()))
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
def test_a_killed_client_resumes_by_size(
    served: RunningService, end: Callable[..., None], command: str
) -> None:
    (served.root / "file").write_bytes(OLD)
    end(*begun(served))
    served.wait_for(served.settled())
    again = session(served)
    size = again.size("file")
    assert size in (SENT, SENT - 1)  # a byte less where all of the file may have arrived
    rest = size if command == "STOR" else None
    assert store(again, NEW[size:], rest, command).startswith("226")
    assert (served.root / "file").read_bytes() == NEW


@pytest.mark.parametrize("there", [None, OLD])
@in_thread
def test_size_of_a_possibly_complete_upload_leaves_a_byte(
    served: RunningService, there: bytes | None
) -> None:
    """Everything has arrived, but not the reply: a client has one byte left to send."""
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
def test_an_offset_beyond_the_partial_upload_is_refused(
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
def test_an_append_without_size_after_an_interruption_is_refused(
    served: RunningService,
) -> None:
    (served.root / "file").write_bytes(OLD)
    data_first(*begun(served))
    served.wait_for(served.settled())
    assert store(session(served), NEW[:5000], command="APPE").startswith("554")
    assert (served.root / "file").read_bytes() == OLD


@in_thread
def test_size_of_the_partial_upload_is_for_the_interrupted_client(
    served: RunningService,
) -> None:
    (served.root / "file").write_bytes(OLD)
    client, data = begun(served)
    reset_and_wait(data)
    with pytest.raises(ftplib.error_temp, match="426"):
        client.voidresp()
    reader = session(served, "127.0.0.2")
    assert reader.size("file") == len(OLD)
    assert fetch(reader) == OLD
    assert [facts["size"] for name, facts in reader.mlsd() if name == "file"] == [str(len(OLD))]
    assert client.size("file") == SENT
    assert store(client, NEW[SENT:], SENT).startswith("226")
    assert (served.root / "file").read_bytes() == NEW


@in_thread
def test_another_address_gets_the_size_of_the_file(served: RunningService) -> None:
    (served.root / "file").write_bytes(OLD)
    data_first(*begun(served))
    served.wait_for(served.settled())
    reader = session(served, "127.0.0.2")
    assert reader.size("file") == len(OLD)
    assert fetch(reader) == OLD


@in_thread
def test_size_and_download_match_for_a_reader(
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
def test_a_running_upload_is_not_taken_over(
    served: RunningService, command: str, rest: int | None
) -> None:
    client, data = begun(served)
    assert store(session(served), b"other", rest, command).startswith("450")
    data.sendall(NEW[SENT:])
    data.close()
    assert client.voidresp().startswith("226")
    assert (served.root / "file").read_bytes() == NEW


@in_thread
def test_concurrent_appends(served: RunningService) -> None:
    (served.root / "file").write_bytes(OLD)
    client, data = begun(served, command="APPE")
    assert store(session(served), b"other", command="APPE").startswith("226")
    data.close()
    assert client.voidresp().startswith("226")
    assert (served.root / "file").read_bytes() == OLD + NEW[:SENT] + b"other"
