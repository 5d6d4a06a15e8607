"""One passive port behind NAT that forwards two ports only; all kinds of ports behind haproxy."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.certificates import Authority
from tests.support.client_programs import program
from tests.support.nat_network import (
    CLIENTS,
    CONTROL,
    DATA,
    INSIDE,
    ROUTER,
    SERVER,
    NATNetwork,
    missing,
)
from tests.support.service_process import Program

FILES = 12
USERS = """
import ftplib, socket, ssl, sys, threading, time
from io import BytesIO

context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
wrong = []

def transfer(number, host, port, source):
    try:
        client = ftplib.FTP_TLS(context=context) if number % 2 else ftplib.FTP()
        client.connect(host, port, 60, (source, 0))
        client.login("anonymous", "x")
        if number % 2:
            client.prot_p()
        for file in range(number, int(sys.argv[3]), 4):
            received = BytesIO()
            client.retrbinary(f"RETR file{file}", received.write)
            if received.getvalue() != f"file{file}".encode() * 1000:
                wrong.append((file, received.getvalue()[:50]))
        client.quit()
    except Exception as error:
        wrong.append(error)

def wait_for(host, port):
    until = time.monotonic() + 20
    while True:
        try:
            return socket.create_connection((host, port)).close()
        except ConnectionRefusedError:
            assert time.monotonic() < until
            time.sleep(0.01)

host, port, sources = sys.argv[1], int(sys.argv[2]), sys.argv[4:]
wait_for(host, port)
users = [threading.Thread(target=transfer, args=(n, host, port, sources[n % len(sources)]))
         for n in range(4)]
for user in users:
    user.start()
for user in users:
    user.join()
sys.exit(repr(wrong) if wrong else 0)
"""


@pytest.fixture(scope="module", autouse=True)
def possible() -> None:
    """Skip where there can be no network namespaces."""
    if why := missing():
        pytest.skip(why)


@pytest.fixture(params=[False, True], ids=["addresses-kept", "addresses-hidden"])
def network(request: pytest.FixtureRequest) -> Iterator[NATNetwork]:
    """The network, once for each kind of NAT."""
    with NATNetwork(hides_clients=request.param) as made:
        yield made


def files(tmp_path: Path) -> Path:
    """Return a directory of files that all have contents of their own."""
    root = tmp_path / "root"
    root.mkdir()
    for number in range(FILES):
        (root / f"file{number}").write_bytes(f"file{number}".encode() * 1000)
    return root


def serving(network: NATNetwork, tmp_path: Path, root: Path, *options: str) -> Program:
    certificate = Authority(tmp_path).certificate("server")
    return network.service(
        tmp_path,
        *("--anonymous", "--root", str(root), "--certificate", str(certificate)),
        *("--passive-port", str(DATA), "--passive-address", ROUTER, *options),
    )


def test_two_forwarded_ports_do_for_many_clients(network: NATNetwork, tmp_path: Path) -> None:
    root = files(tmp_path)
    with serving(network, tmp_path, root, "--listen", f"tcp:{CONTROL}") as service:
        service.port()
        words = [sys.executable, "-c", USERS, ROUTER, str(CONTROL), str(FILES), *CLIENTS]
        network.client(tmp_path, words)
        assert service.stopped() == 0


LFTP = f"""
set ftp:ssl-allow {{tls}}; set ftp:ssl-force {{tls}}; set ssl:verify-certificate no
set net:max-retries 2; set cmd:fail-exit yes; set ftp:prefer-epsv no
open -p {CONTROL} {ROUTER}
mirror --parallel=4 . down
"""
REFUSED = """
import ftplib
client = ftplib.FTP()
client.connect("{router}", {control}, 20)
client.login("anonymous", "x")
client.sendcmd("TYPE I")
host, port = client.makepasv()
assert host == "{router}", host
import socket
data = socket.create_connection((host, port), 20)
try:
    assert data.recv(1) == b""
except ConnectionResetError:
    pass
"""


@pytest.mark.parametrize("tls", ["no", "yes"])
def test_lftp_mirrors_through_two_forwarded_ports(
    network: NATNetwork, tmp_path: Path, tls: str
) -> None:
    root = files(tmp_path)
    script = LFTP.format(tls=tls)
    with serving(network, tmp_path, root, "--listen", f"tcp:{CONTROL}") as service:
        service.port()
        network.client(tmp_path, [program("lftp"), "-f", "/dev/stdin"], script)
    for number in range(FILES):
        got = (tmp_path / "down" / f"file{number}").read_bytes()
        assert got == f"file{number}".encode() * 1000


HAPROXY = """
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend control
    bind {router}:{control}
    default_backend control
frontend data
    bind {router}:{first}-{last}
    default_backend data
backend control
    server one {server}:2125 send-proxy-v2
backend data
    server one {server} {sent}
"""
LISTED = ("--passive-proxied", INSIDE)
RANGE = ("--passive-ports", f"{DATA}-{DATA + 9}")
ONE_PORT = ("--passive-port", str(DATA))
WORKERS = ("--workers", "2")
CASES = {
    "one-port": ("send-proxy", *ONE_PORT),
    "one-port-of-a-listed-balancer": ("send-proxy-v2", *ONE_PORT, *LISTED, *WORKERS),
    "range": ("send-proxy-v2", *RANGE, *LISTED, *WORKERS),
}


@contextmanager
def behind_haproxy(tmp_path: Path, root: Path, sent: str, *options: str) -> Iterator[NATNetwork]:
    """Serve files to a network whose router runs haproxy."""
    haproxy = program("haproxy")
    certificate = Authority(tmp_path).certificate("server")
    config = tmp_path / "haproxy.cfg"
    places = {"router": ROUTER, "server": SERVER, "control": CONTROL}
    config.write_text(HAPROXY.format(**places, first=DATA, last=DATA + 9, sent=sent))
    common = ("--anonymous", "--root", str(root), "--certificate", str(certificate))
    listen = ("--listen", "haproxy:tcp:2125")
    with (
        NATNetwork(forwards=False) as network,
        network.service(tmp_path, *common, *listen, *options) as service,
        Program(network.words("r", haproxy, "-f", str(config), "-db"), tmp_path),
    ):
        service.line(":2125")
        yield network


@pytest.mark.parametrize("options", CASES.values(), ids=CASES)
def test_haproxy_forwards_control_and_data(tmp_path: Path, options: Sequence[str]) -> None:
    """PASV announces the address of haproxy that the client has connected to, by itself."""
    with behind_haproxy(tmp_path, files(tmp_path), *options) as network:
        words = [sys.executable, "-c", USERS, ROUTER, str(CONTROL), str(FILES), *CLIENTS]
        network.client(tmp_path, words)


def test_lftp_and_curl_through_haproxy_and_its_range_of_ports(tmp_path: Path) -> None:
    with behind_haproxy(tmp_path, files(tmp_path), "send-proxy", *RANGE, *LISTED) as network:
        network.client(tmp_path, [program("lftp"), "-f", "/dev/stdin"], LFTP.format(tls="yes"))
        url = f"ftp://{ROUTER}:{CONTROL}/file3"
        for ssl in ([], ["--ssl-reqd", "--insecure"]):
            words = [program("curl"), "--silent", "--show-error", *ssl, url]
            assert network.client(tmp_path, words).stdout.encode() == b"file3" * 1000
    for number in range(FILES):
        got = (tmp_path / "down" / f"file{number}").read_bytes()
        assert got == f"file{number}".encode() * 1000


def test_data_through_a_balancer_that_is_not_listed_is_refused(tmp_path: Path) -> None:
    with behind_haproxy(tmp_path, files(tmp_path), "send-proxy-v2", *RANGE) as network:
        script = REFUSED.format(router=ROUTER, control=CONTROL)
        network.client(tmp_path, [sys.executable, "-c", script])
