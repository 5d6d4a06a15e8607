"""Data connections with TLS: ends of uploads, and session reuse."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable

import pytest

from tests.support.raw_client import (
    LOCAL,
    PATIENCE,
    RunningService,
    in_thread,
    reset,
    started,
    starting,
)
from tests.support.tls_client import BOTH, TLS12, TLS13, TLSWire, client_context

FIXTURES = (started, starting)
Server = Callable[..., RunningService]
CONTENT = bytes(range(256)) * 8000
versions = pytest.mark.parametrize("version", BOTH.values(), ids=BOTH)


def private(served: RunningService, version: ssl.TLSVersion = TLS13) -> TLSWire:
    client = TLSWire(served, served.connected((LOCAL, served.port)), client_context(version))
    client.auth().login()
    assert client.code("TYPE I") == 200
    return client.protect()


def begun(client: TLSWire, command: str = "STOR a") -> ssl.SSLSocket:
    """Return a data connection with a started upload."""
    data = client.data()
    assert isinstance(data, ssl.SSLSocket)
    assert client.code(command) == 150
    return data


def fin(data: ssl.SSLSocket) -> None:
    """Send a FIN without close_notify, as an attacker could."""
    socket.socket.shutdown(data, socket.SHUT_WR)


@versions
@in_thread
def test_an_upload_without_close_notify_is_incomplete(
    served: RunningService, version: ssl.TLSVersion
) -> None:
    client = private(served, version)
    data = begun(client)
    data.sendall(CONTENT)
    fin(data)
    assert client.reply().code == 426
    assert not (served.root / "a").exists()
    assert client.upload("STOR a", CONTENT).code == 226
    assert (served.root / "a").read_bytes() == CONTENT


@versions
@in_thread
def test_an_upload_with_all_announced_bytes_is_complete(
    served: RunningService, version: ssl.TLSVersion
) -> None:
    client = private(served, version)
    assert client.code(f"ALLO {len(CONTENT)}") == 200
    data = begun(client)
    data.sendall(CONTENT)
    fin(data)
    assert client.reply().code == 226
    assert client.code(f"ALLO {len(CONTENT) + 1}") == 200
    data = begun(client, "STOR b")
    data.sendall(CONTENT)
    fin(data)
    assert client.reply().code == 426
    assert client.code(f"ALLO {len(CONTENT) - 1}") == 200
    data = begun(client, "STOR b")
    data.sendall(CONTENT)
    fin(data)  # more than announced: how much was to come is not known, so TLS has to end
    assert client.reply().code == 426
    assert [path.name for path in served.root.iterdir() if path.name[0] != "."] == ["a"]


@in_thread
def test_a_resumed_upload_needs_close_notify(
    served: RunningService,
) -> None:
    (served.root / "a").write_bytes(b"x" * 100)
    client = private(served)
    assert client.codes("ALLO 200", "REST 100") == [200, 350]
    data = begun(client)
    data.sendall(b"y" * 100)
    fin(data)
    assert client.reply().code == 426
    assert (served.root / "a").read_bytes() == b"x" * 100


@versions
@in_thread
def test_a_fin_without_close_notify_can_be_allowed(server: Server, version: ssl.TLSVersion) -> None:
    served = server("--tls-allow-truncated")
    client = private(served, version)
    data = begun(client)
    data.sendall(CONTENT)
    fin(data)
    assert client.reply().code == 226
    data = begun(client, "STOR b")
    data.sendall(CONTENT)
    reset(data)
    assert client.reply().code == 426
    assert (served.root / "a").read_bytes() == CONTENT


@versions
@pytest.mark.parametrize("resumed", [True, False], ids=["resumed", "fresh"])
@in_thread
def test_a_client_that_does_not_read_loses_nothing(
    served: RunningService, version: ssl.TLSVersion, resumed: bool
) -> None:
    client = private(served, version)
    content = CONTENT[:3_000_000] + CONTENT[:952_000]
    plain = served.connected(client.passive_address())
    data = client.wrapped(plain, client.end.session if resumed else None)
    assert client.code("STOR a") == 150
    data.sendall(content)
    try:
        data.settimeout(0)
        data.unwrap()
    except ssl.SSLWantReadError:
        pass
    data.close()
    assert client.reply().code == 226
    assert (served.root / "a").read_bytes() == content


@versions
@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 100_000, 255_000])
@in_thread
def test_an_upload_may_end_before_its_command(
    served: RunningService, version: ssl.TLSVersion, size: int
) -> None:
    client = private(served, version)
    data = client.data()
    assert isinstance(data, ssl.SSLSocket)
    data.sendall(CONTENT[:size])
    data.settimeout(0)
    with pytest.raises(ssl.SSLWantReadError):
        data.unwrap()  # said; the answer is waited for below
    assert client.code("STOR a") == 150
    assert client.reply().code == 226
    assert (served.root / "a").read_bytes() == CONTENT[:size]
    data.settimeout(PATIENCE)
    data.unwrap().close()


@versions
@in_thread
def test_an_empty_listing_has_a_complete_tls_connection(
    served: RunningService, version: ssl.TLSVersion
) -> None:
    client = private(served, version)
    assert [client.download(command) for command in ("NLST", "LIST", "MLSD")] == [b""] * 3


@in_thread
def test_a_client_may_start_the_handshake_after_150(served: RunningService) -> None:
    (served.root / "a").write_bytes(CONTENT)
    client = private(served)
    plain = served.connected(client.passive_address())
    assert client.code("RETR a") == 150
    data = client.wrapped(plain)
    received = b""
    while piece := data.recv(65536):
        received += piece
    assert client.reply().code == 226
    assert received == CONTENT


@versions
@in_thread
def test_session_reuse_can_be_required(server: Server, version: ssl.TLSVersion) -> None:
    served = server("--require-session-reuse")
    (served.root / "a").write_bytes(b"secret")
    client, thief = private(served, version), private(served, version)
    assert client.download("RETR a") == b"secret"
    thief.code("NOOP")  # its ticket has come by then
    for session in (None, thief.end.session):
        taken = thief.wrapped(served.connected(client.passive_address()), session)
        assert client.code("RETR a") == 150
        assert client.reply().code == 425
        assert drained(taken) == b""
    assert client.download("RETR a") == b"secret"


def drained(data: ssl.SSLSocket) -> bytes:
    received = b""
    try:
        while piece := data.recv(65536):
            received += piece
    except (ssl.SSLError, ConnectionResetError):
        pass
    return received


@pytest.mark.parametrize("said", [b"USER demo\r\n", b"\x16\x03\x01\xff\xff", b""])
@in_thread
def test_garbage_on_a_data_connection_is_425_and_the_session_continues(
    server: Server, said: bytes
) -> None:
    served = server("--tls-handshake-timeout", "0.5")
    (served.root / "a").write_bytes(CONTENT)
    client = private(served)
    plain = served.connected(client.passive_address())
    plain.sendall(said)
    assert client.code("RETR a") == 150
    assert client.reply().code == 425
    assert client.download("RETR a") == CONTENT


@in_thread
def test_a_silent_data_connection_does_not_delay_others(server: Server) -> None:
    served = server("--tls-handshake-timeout", "600")
    (served.root / "a").write_bytes(CONTENT)
    stalled = [private(served) for _ in range(5)]
    for one in stalled:
        plain = served.connected(one.passive_address())
        plain.sendall(b"\x16\x03\x01")
        assert one.code("RETR a") == 150
    client = private(served)
    assert client.upload("STOR b", CONTENT).code == 226
    assert client.download("RETR b") == CONTENT
    for one in stalled:
        one.send(b"ABOR\r\n")
        assert one.replies(2) == [426, 226]
        assert one.download("RETR a") == CONTENT


@pytest.mark.parametrize("version", [TLS12, TLS13], ids=["1.2", "1.3"])
@in_thread
def test_active_data_connections(served: RunningService, version: ssl.TLSVersion) -> None:
    client = private(served, version)
    listening = served.listening()
    port = listening.getsockname()[1]
    assert client.code(f"EPRT |1|{LOCAL}|{port}|") == 200
    assert client.code("STOR a") == 150
    data = client.wrapped(served.accepted(listening), client.end.session)
    data.sendall(CONTENT)
    data.unwrap().close()
    assert client.reply().code == 226
    assert (served.root / "a").read_bytes() == CONTENT


@in_thread
def test_abor_with_tls(served: RunningService) -> None:
    (served.root / "a").write_bytes(CONTENT * 20)
    client = private(served)
    data = client.data()
    client.send(b"RETR a\r\n")
    assert client.reply().code == 150
    assert data.recv(1000)
    client.send(b"ABOR\r\n")
    assert client.replies(2) == [426, 226]
    assert client.download("NLST") == b"a\r\n"


def aborted(client: TLSWire) -> None:
    data = client.data()
    assert client.code("RETR big") == 150
    assert data.recv(1000)
    client.send(b"ABOR\r\n")
    assert client.replies(2) == [426, 226]


def cut_by_fin(client: TLSWire) -> None:
    data = begun(client, "STOR cut")
    data.sendall(CONTENT[:100_000])
    fin(data)
    assert client.reply().code == 426


def cut_by_rst(client: TLSWire) -> None:
    data = begun(client, "STOR cut")
    data.sendall(CONTENT[:100_000])
    reset(data)
    assert client.reply().code == 426


def announced(client: TLSWire) -> None:
    assert client.code("ALLO 100000") == 200
    data = begun(client, "STOR announced")
    data.sendall(CONTENT[:100_000])
    fin(data)
    assert client.reply().code == 226


def left_early(client: TLSWire) -> None:
    data = client.data()
    fin(data)
    assert client.code("RETR small") == 150
    assert client.reply().code == 226


def refused(client: TLSWire) -> None:
    plain = client.served.connected(client.passive_address())
    client.send(b"NLST\r\n")
    assert client.reply().code == 150
    client.wrapped(plain)
    assert client.reply().code == 425


ENDS = {
    one.__name__: one for one in (aborted, cut_by_fin, cut_by_rst, announced, left_early, refused)
}


@versions
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@in_thread
def test_every_data_connection_resumes_the_session(
    server: Server, version: ssl.TLSVersion, end: Callable[[TLSWire], None]
) -> None:
    served = server("--require-session-reuse")
    (served.root / "big").write_bytes(CONTENT * 20)
    (served.root / "small").write_bytes(CONTENT[:100])
    client = private(served, version)
    for _ in range(3):
        end(client)
        data = client.data()
        assert isinstance(data, ssl.SSLSocket)
        assert data.session_reused
        assert client.code("RETR small") == 150
        assert data.recv(1000) == CONTENT[:100]
        assert client.reply().code == 226


@in_thread
def test_size_after_a_missing_close_notify_leaves_a_byte(served: RunningService) -> None:
    """Everything has arrived without close_notify: SIZE must not report a complete file."""
    client = TLSWire(served, served.connected((LOCAL, served.port)), client_context())
    client.auth().login().protect()
    assert client.code("TYPE I") == 200
    data = client.data()
    assert client.code("STOR a") == 150
    data.sendall(b"x" * 5000)
    data.close()  # a FIN without close_notify, as the kernel of a killed client sends it
    assert client.reply().code == 426
    assert client.ask("SIZE a").text == "4999"
