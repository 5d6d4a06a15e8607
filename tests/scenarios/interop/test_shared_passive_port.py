"""One passive port for all sessions (``passive-port``), with clients that people use."""

from __future__ import annotations

import ftplib
import ssl
import threading
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from benchmarks.ports import free_port
from tests.support.client_programs import program, run
from tests.support.lftp import SETTINGS
from tests.support.raw_client import (
    LOCAL,
    STRANGER,
    RunningService,
    in_thread,
    reset,
    starting,
)
from tests.support.tls_client import BOTH, TLSWire, client_context, implicit

FIXTURES = (starting,)
Server = Callable[..., RunningService]
CONTENT = bytes(range(256)) * 300
FILES = 24
versions = pytest.mark.parametrize("version", BOTH.values(), ids=BOTH)


@pytest.fixture
def port() -> int:
    """The passive port."""
    return free_port()


@pytest.fixture
def served(server: Server, port: int) -> RunningService:
    """A service with one passive port."""
    return server("--passive-port", str(port))


def content_of(name: str) -> bytes:
    """Return what the file of this name contains: nothing that another file has."""
    return f"{name}\n".encode() * 2000


def fill(directory: Path, names: list[str]) -> None:
    """Write files with contents of their own."""
    directory.mkdir(parents=True, exist_ok=True)
    for name in names:
        (directory / name).write_bytes(content_of(name))


NAMES = [f"file{number}" for number in range(FILES)]


@in_thread
def test_every_transfer_uses_the_port(served: RunningService, port: int) -> None:
    wire = served.session()
    assert wire.code("TYPE I") == 200
    for _ in range(3):
        assert wire.passive_address() == (LOCAL, port)
        assert wire.upload("STOR a", CONTENT).code == 226
        assert wire.download("RETR a") == CONTENT
    assert f"|||{port}|" in wire.ask("EPSV").text
    assert wire.code("NOOP") == 200


@in_thread
def test_nothing_is_left_at_the_end(served: RunningService, port: int) -> None:
    wire = served.session()
    assert wire.code("EPSV") == 229
    reset(wire.end)
    served.wait_for(lambda: not served.factory.instances)
    assert not served.factory.shared_port.waiting.of(LOCAL)


@in_thread
def test_strangers_get_nothing(served: RunningService, port: int) -> None:
    wire = served.session()
    assert wire.code("TYPE I") == 200
    assert wire.upload("STOR a", CONTENT).code == 226
    assert wire.passive_address() == (LOCAL, port)
    with served.connected((LOCAL, port), STRANGER) as stranger:
        assert stranger.recv(1) == b""
    data = served.connected((LOCAL, port))
    assert wire.code("RETR a") == 150
    received = b""
    while piece := data.recv(65536):
        received += piece
    assert received == CONTENT
    assert wire.reply().code == 226


@in_thread
def test_abor_before_and_after_the_connection(served: RunningService, port: int) -> None:
    wire, other = served.session(), served.session("other")
    assert wire.codes("EPSV", "NLST") == [229, 150]
    wire.send(b"ABOR\r\n")
    assert wire.replies(2) == [426, 226]
    with served.connected((LOCAL, port)) as late:
        assert late.recv(1) == b""
    assert other.upload("STOR other", b"other's").code == 226
    assert wire.code("EPSV") == 229
    data = served.connected((LOCAL, port))
    assert wire.code("STOR mine") == 150
    data.sendall(b"mine")
    wire.send(b"ABOR\r\n")
    assert wire.replies(2) == [426, 226]
    assert (served.root / "other").read_bytes() == b"other's"


class FtplibUser(threading.Thread):
    """A client that never resumes a TLS session; it downloads and uploads every sixth file."""

    def __init__(self, port: int, number: int) -> None:
        super().__init__()
        self.wrong: list[object] = []
        self._port = port
        self._number = number

    def run(self) -> None:
        try:
            self._transfer()
        except Exception as error:  # noqa: BLE001 - the test reports it
            self.wrong.append(error)

    def _transfer(self) -> None:
        is_private = self._number % 3 == 0
        client = ftplib.FTP_TLS(context=client_context()) if is_private else ftplib.FTP()
        with client:
            client.connect(LOCAL, self._port, 60)
            client.login(("demo", "other")[self._number % 2], "demo")
            if isinstance(client, ftplib.FTP_TLS):
                client.prot_p()
            for name in NAMES[self._number :: 6]:
                received = BytesIO()
                client.retrbinary(f"RETR {name}", received.write)
                client.storbinary(f"STOR up-{name}", BytesIO(content_of(name)))
                if received.getvalue() != content_of(name):
                    self.wrong.append(name)


@in_thread
def test_users_of_one_address_get_their_own_files(served: RunningService) -> None:
    fill(served.root, NAMES)
    users = [FtplibUser(served.port, number) for number in range(6)]
    for user in users:
        user.start()
    for user in users:
        user.join()
    assert [user.wrong for user in users] == [[]] * 6
    for name in NAMES:
        assert (served.root / f"up-{name}").read_bytes() == content_of(name)


@versions
@in_thread
def test_resuming_sessions_have_transfers_at_once(
    served: RunningService, port: int, version: ssl.TLSVersion
) -> None:
    def private(user: str) -> TLSWire:
        client = TLSWire(served, served.connected((LOCAL, served.port)), client_context(version))
        client.auth().login(user)
        assert client.code("TYPE I") == 200
        return client.protect()

    clients = [private(user) for user in ("demo", "other", "demo")]
    for client in clients:
        for _ in range(2):
            assert client.upload("STOR first", CONTENT).code == 226
    assert [client.code("EPSV") for client in clients] == [229] * 3
    ends = {}
    for number in (2, 0, 1):
        ends[number] = clients[number].wrapped(
            served.connected((LOCAL, port)), clients[number].end.session
        )
    for number, client in enumerate(clients):
        assert client.code(f"STOR of{number}") == 150
        ends[number].sendall(b"%d" % number)
        ends[number].unwrap().close()
        assert client.reply().code == 226
        assert (served.root / f"of{number}").read_bytes() == b"%d" % number


@in_thread
def test_implicit_tls(server: Server, port: int) -> None:
    served = server("--passive-port", str(port), "--implicit", "tcp:0:interface=127.0.0.1")
    client = implicit(served)
    client.login()
    assert client.code("TYPE I") == 200
    for _ in range(3):
        assert client.upload("STOR a", CONTENT).code == 226
        assert client.download("RETR a") == CONTENT


@pytest.mark.parametrize("tls", ["no", "yes"])
@in_thread
def test_lftp_mirrors_in_parallel(served: RunningService, tmp_path: Path, tls: str) -> None:
    fill(tmp_path / "here/up", NAMES)
    script = [
        *SETTINGS[:-1],
        f"set ftp:ssl-allow {tls}",
        f"set ftp:ssl-force {tls}",
        "set ftp:ssl-protect-data yes",
        "set ssl:verify-certificate no",
        f"open -u demo,demo -p {served.port} {LOCAL}",
        "mirror -R --parallel=5 up there",
        "mirror --parallel=5 there down",
        "",
    ]
    lftp = [program("lftp"), "-f", "/dev/stdin"]
    run(lftp, tmp_path, cwd=tmp_path / "here", stdin="\n".join(script))
    for name in NAMES:
        assert (served.root / "there" / name).read_bytes() == content_of(name)
        assert (tmp_path / "here/down" / name).read_bytes() == content_of(name)


@pytest.mark.parametrize("version", ["--tls-max=1.2", "--tlsv1.3", ""])
@in_thread
def test_curl_transfers_in_parallel(served: RunningService, tmp_path: Path, version: str) -> None:
    """One program with several control connections, which share what they know of TLS."""
    fill(served.root, NAMES)
    words = ["--ftp-ssl-reqd", "-k", *filter(None, version.split("="))] if version else []
    get = [
        word
        for name in NAMES
        for word in (f"ftp://demo:demo@{LOCAL}:{served.port}/{name}", "-o", name)
    ]
    run([program("curl"), "-sS", "-Z", "--parallel-max", "6", *words, *get], tmp_path, cwd=tmp_path)
    for name in NAMES:
        assert (tmp_path / name).read_bytes() == content_of(name)


@in_thread
def test_with_a_range_too_sessions_of_one_address_do_not_wait(server: Server, port: int) -> None:
    number = free_port()
    served = server("--passive-port", str(port), "--passive-ports", str(number))
    wire, other = served.session(), served.session("other")
    assert wire.passive_address() == (LOCAL, port)
    assert other.passive_address() == (LOCAL, number)
    ours, theirs = served.connected((LOCAL, port)), served.connected((LOCAL, number))
    for session, data, content in ((other, theirs, b"other's"), (wire, ours, b"ours")):
        assert session.code(f"STOR {content.decode()}") == 150
        data.sendall(content)
        data.close()
        assert session.reply().code == 226
        assert (served.root / content.decode()).read_bytes() == content
