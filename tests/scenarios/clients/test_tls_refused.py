"""A refused transfer with TLS: clients report the reply and never get an RST."""

from __future__ import annotations

import ftplib
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.client_programs import NODE_MODULES, CompletedProgram, node_module, program, run
from tests.support.raw_client import LOCAL, PATIENCE, RunningService, in_thread, started, starting
from tests.support.tls_client import BOTH, TLSWire, client_context

FIXTURES = (started, starting)
SYN, RST, ACK = 0x02, 0x04, 0x10
TIMES = 20
versions = pytest.mark.parametrize("version", BOTH.values(), ids=BOTH)


class Sniffer:
    """Captures every RST that the passive ports of a service send."""

    def __init__(self, served: RunningService, tap: socket.socket) -> None:
        self.served = served
        self.ports: set[int] = set()
        self._tap = tap
        self._begin()

    def _begin(self) -> None:
        factory = self.served.factory
        factory.services()
        listen = factory._ports._listen

        def noted(interface: str, port: int) -> socket.socket:
            own: socket.socket = listen(interface, port)
            self.ports.add(own.getsockname()[1])
            return own

        factory._ports._listen = noted

    def resets(self) -> list[int]:
        """Return the ports that sent an RST."""
        found = []
        servers: dict[tuple[int, int], bool] = {}  # a client's port may be a passive one later
        self._tap.setblocking(False)
        while True:
            try:
                packet = self._tap.recv(65536)
            except BlockingIOError:
                return [port for port in found if port in self.ports]
            header = packet[(packet[0] & 15) * 4 :]
            ends = int.from_bytes(header[:2], "big"), int.from_bytes(header[2:4], "big")
            if header[13] & SYN:
                servers[ends] = bool(header[13] & ACK)
            if header[13] & RST and servers.get(ends):
                found.append(ends[0])


@pytest.fixture
def sniffer(server: Callable[..., RunningService]) -> Iterator[Sniffer]:
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP) as tap:
        tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        served = server("--implicit", f"tcp:0:interface={LOCAL}", "--tls-data", "required")
        yield Sniffer(served, tap)


NODE = """
const ftp = require("basic-ftp"), assert = require("assert");
const [host, port, times, version] = process.argv.slice(1);
(async () => {
  const client = new ftp.Client(20000);
  await client.access({
    host, port: Number(port), user: "demo", password: "demo", secure: true,
    secureOptions: { rejectUnauthorized: false, minVersion: version, maxVersion: version },
  });
  const refused = (work) => assert.rejects(work, (error) => {
    if (error.code !== 550) throw error;
    return true;
  });
  for (let count = 0; count < Number(times); count++) {
    await refused(client.downloadTo("down", "missing"));
    await refused(client.list("missing"));
    await refused(client.uploadFrom(process.execPath, "missing/x"));
  }
  client.close();
})().catch((error) => { console.error(error); process.exit(1); });
"""


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
@in_thread
def test_basic_ftp(sniffer: Sniffer, tmp_path: Path, version: str) -> None:
    node_module("basic-ftp")
    run(
        [program("node"), "-e", NODE, LOCAL, str(sniffer.served.port), str(TIMES), version],
        tmp_path,
        cwd=tmp_path,
        environment={"NODE_PATH": str(NODE_MODULES)},
    )
    assert sniffer.resets() == []


@versions
@in_thread
def test_ftplib(sniffer: Sniffer, tmp_path: Path, version: ssl.TLSVersion) -> None:
    with ftplib.FTP_TLS(context=client_context(version), timeout=PATIENCE) as client:
        client.connect(LOCAL, sniffer.served.port)
        client.login("demo", "demo")
        client.prot_p()
        for _ in range(TIMES):
            with pytest.raises(ftplib.error_perm, match="550"):
                client.retrbinary("RETR missing", print)
        client.quit()
    assert sniffer.resets() == []


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@in_thread
def test_curl(sniffer: Sniffer, tmp_path: Path, version: str) -> None:
    urls = [f"ftp://demo:demo@{LOCAL}:{sniffer.served.port}/missing{one}" for one in range(TIMES)]
    words = ["-sS", "-k", "--ssl-reqd", f"--tlsv{version}", "--tls-max", version, *urls]
    ended: CompletedProgram = run([program("curl"), *words], tmp_path, status=78)  # 550
    assert ended.stderr.count("not exist") == TIMES
    assert sniffer.resets() == []


@in_thread
def test_lftp(sniffer: Sniffer, tmp_path: Path) -> None:
    for missing in ("missing", "gone"):
        script = (
            "set ssl:verify-certificate no; set ftp:ssl-force yes; set net:max-retries 1; "
            f"open -u demo,demo -p {sniffer.served.port} {LOCAL}; cat {missing}"
        )
        ended = run([program("lftp"), "--norc", "-c", script], tmp_path, status=1)
        assert "550" in ended.stderr
    assert sniffer.resets() == []


@versions
@in_thread
def test_a_refusal_during_the_handshake(sniffer: Sniffer, version: ssl.TLSVersion) -> None:
    served = sniffer.served
    client = TLSWire(served, served.connected((LOCAL, served.port)), client_context(version))
    client.auth().login()
    client.protect()
    for half in (True, False):
        plain = served.connected(client.passive_address())
        data = client.context.wrap_socket(
            plain, do_handshake_on_connect=False, suppress_ragged_eofs=False
        )
        served.close_later(data)
        if half:
            data.settimeout(0)
            with pytest.raises(ssl.SSLWantReadError):
                data.do_handshake()
            data.settimeout(PATIENCE)
        assert client.code("RETR missing") == 550
        data.do_handshake()
        assert data.recv(1) == b""  # TLS's own end
        data.unwrap().close()
    assert sniffer.resets() == []
