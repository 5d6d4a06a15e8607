"""TLS behind load balancers and on UNIX sockets, and plaintext passwords from other machines."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from ssl import TLSVersion
from threading import Thread

import pytest

from tests.support.raw_client import LOCAL, PATIENCE, RunningService, in_thread, started, starting
from tests.support.tls_client import BOTH, TLSWire, client_context

FIXTURES = (started, starting)
BALANCED = f"haproxy:tcp:0:interface={LOCAL}"
Server = Callable[..., RunningService]

HEADERS = {
    "version-1": b"PROXY TCP4 192.0.2.9 192.0.2.99 5000 21\r\n",
    "version-2": b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c"
    + socket.inet_aton("192.0.2.9")
    + socket.inet_aton("192.0.2.99")
    + b"\x13\x88\x00\x15",
}
headers = pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)


def shaken(served: RunningService, plain: socket.socket, before: bytes) -> TLSWire:
    """Do the handshake; ``before`` is sent in the segment of its first bytes."""
    wire = TLSWire(served, plain, client_context(), greeted=False)
    near, far = socket.socketpair()
    served.close_later(near)
    served.close_later(far)
    relay(far, plain, before)
    wire.end = near
    return wire.handshake()


def relay(far: socket.socket, plain: socket.socket, before: bytes) -> None:
    """Relay bytes in both directions until either side closes."""

    def carry(source: socket.socket, target: socket.socket, first: bytes) -> None:
        try:
            while piece := source.recv(65536):
                target.sendall(first + piece)
                first = b""
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return

    Thread(target=carry, args=(far, plain, before), daemon=True).start()
    Thread(target=carry, args=(plain, far, b""), daemon=True).start()


@headers
@in_thread
def test_auth_behind_a_load_balancer(server: Server, header: bytes) -> None:
    served = server("--listen", BALANCED)
    plain = served.connected((LOCAL, served.port))
    plain.sendall(header)
    client = TLSWire(served, plain, client_context())
    assert client.code("USER demo") == 530
    client.auth().login()
    assert b"192.0.2.9" in b"".join(client.ask("STAT").lines)
    client.send(b"NOOP\r\nQUIT\r\n")
    assert client.replies(2) == [200, 221]
    assert client.over()


@headers
@in_thread
def test_commands_after_proxy_header_and_auth_are_dropped(server: Server, header: bytes) -> None:
    served = server("--listen", BALANCED)
    plain = served.connected((LOCAL, served.port))
    plain.sendall(header + b"AUTH TLS\r\nUSER demo\r\nPASS demo\r\n")
    client = TLSWire(served, plain, client_context())
    assert client.reply().code == 234
    assert client.handshake().codes("NOOP", "PWD") == [200, 530]


@headers
@in_thread
def test_a_handshake_in_the_segment_of_its_proxy_header(server: Server, header: bytes) -> None:
    served = server("--implicit", BALANCED)
    client = shaken(served, served.connected((LOCAL, served.ports[-1])), header)
    assert client.reply().code == 220
    client.login()
    assert b"192.0.2.9" in b"".join(client.ask("STAT").lines)
    assert client.code("QUIT") == 221
    assert client.over()


@in_thread
def test_a_proxy_header_byte_by_byte_before_a_handshake(server: Server) -> None:
    served = server("--implicit", BALANCED)
    for header in HEADERS.values():
        plain = served.connected((LOCAL, served.ports[-1]))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in header:
            plain.sendall(bytes([byte]))
        client = TLSWire(served, plain, client_context(), greeted=False).handshake()
        assert client.reply().code == 220


@in_thread
def test_a_missing_proxy_header_ends_the_handshake(server: Server) -> None:
    served = server("--implicit", BALANCED)
    plain = served.connected((LOCAL, served.ports[-1]))
    plain.sendall(b"\x16\x03\x01\x02\x00" + bytes(100))
    assert plain.recv(100) == b""


@pytest.mark.parametrize("version", BOTH.values(), ids=BOTH)
@in_thread
def test_a_unix_socket(server: Server, tmp_path: Path, version: TLSVersion) -> None:
    paths = [tmp_path / "explicit", tmp_path / "implicit"]
    served = server("--listen", f"unix:{paths[0]}", "--implicit", f"unix:{paths[1]}")
    for path in paths:
        plain = socket.socket(socket.AF_UNIX)
        served.close_later(plain)
        plain.settimeout(PATIENCE)
        plain.connect(str(path))
        client = TLSWire(served, plain, client_context(version), greeted=path is paths[0])
        client = client.auth() if path is paths[0] else client.handshake()
        assert path is paths[0] or client.reply().code == 220
        client.login()
        assert client.codes("PWD", "QUIT") == [257, 221]
        assert client.over()


@in_thread
def test_ipv6(server: Server) -> None:
    served = server("--listen", r"tcp6:0:interface=\:\:1")
    client = TLSWire(served, served.connected(("::1", served.port)), client_context()).auth()
    client.login()
    assert client.protect().upload("STOR a", b"x" * 10_000).code == 226


@in_thread
def test_remote_passwords_need_tls(server: Server) -> None:
    served = server("--listen", BALANCED, "--anonymous")
    answers = set()
    for name in ("demo", "nobody", "admin"):
        plain = served.connected((LOCAL, served.port))
        plain.sendall(HEADERS["version-1"])
        client = TLSWire(served, plain, client_context())
        answers.add(client.ask(f"USER {name}").lines)
        assert client.codes("PASS demo", "USER anonymous", "PASS x") == [503, 331, 230]
    assert answers == {(b"530 TLS is required; send AUTH TLS first, or use implicit TLS.",)}


@in_thread
def test_remote_plaintext_passwords_can_be_allowed(server: Server) -> None:
    served = server("--listen", BALANCED, "--allow-plaintext")
    plain = served.connected((LOCAL, served.port))
    plain.sendall(HEADERS["version-1"])
    TLSWire(served, plain, client_context()).login()
