"""Certificates by ACME from a real authority, in use by FTPS clients; what happens in between."""

from __future__ import annotations

import ftplib
import json
import os
import re
import signal
import ssl
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from io import BytesIO
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ftpservice.admin.checks.acme_checks import renewed_expiry_finding
from ftpservice.admin.checks.finding import Level
from ftpservice.admin.checks.network_checks import CertificateCheck, ServicePort, check_service
from ftpservice.admin.cli import ftpservice
from tests.support.pebble import BLOCKED_NAME, Pebble, pebble_is_missing
from tests.support.restartable_service import wait_until
from tests.support.service_process import CHECKOUT, Program

pytestmark = pebble_is_missing

SERVE = [
    *(sys.executable, "-c", "from ftpservice.admin.cli import main; main()"),
    *("serve", "--allow-root"),
]
NAMES = ("ftp.example.com", "www.example.com")
VALIDITY = 12
"""Seconds: a certificate is renewed when a third of them is left."""
ISSUED = r"the certificate of ftp\.example\.com.*, issued by CN=Pebble .*, is in use"


class FTPS(ftplib.FTP_TLS):
    """A client that checks the certificate of both connections, under a name of the service."""

    def __init__(self, port: int, root: str, name: str = NAMES[0]) -> None:
        context = ssl.create_default_context(cadata=root)
        super().__init__(context=context, timeout=20)
        self.connect("127.0.0.1", port)
        self.host = name
        self.login("demo", "demo")
        self.prot_p()

    @property
    def certificate(self) -> x509.Certificate:
        """The certificate of the service."""
        assert isinstance(self.sock, ssl.SSLSocket)
        return x509.load_der_x509_certificate(self.sock.getpeercert(binary_form=True) or b"")

    def read(self, name: str) -> bytes:
        """Download a file."""
        received = BytesIO()
        self.retrbinary(f"RETR {name}", received.write)
        return received.getvalue()


@pytest.fixture
def pebble(tmp_path: Path) -> Iterator[Pebble]:
    with Pebble(tmp_path) as running:
        yield running


def service(place: Path, options: Sequence[str], *more: str) -> Program:
    words = ["--listen=tcp:0:interface=127.0.0.1", f"--auth=passwd:{CHECKOUT / 'passwd.db'}"]
    return Program([*SERVE, *words, "--data-dir=data", *options, *more], place)


def command(place: Path, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(
        ftpservice, ["certificate", *words, "--socket", str(place / "data/control.sock")]
    )
    return done.exit_code, done.stdout + done.stderr


def state(place: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((place / "data/acme/state.json").read_text())
    return found


def assert_belong_together(path: Path) -> x509.Certificate:
    """Check a file with key and certificate, and who may read it."""
    content = path.read_bytes()
    certificate = x509.load_pem_x509_certificates(content)[0]
    assert load_pem_private_key(content, None).public_key() == certificate.public_key()
    assert path.stat().st_mode & 0o777 == 0o600
    return certificate


@pytest.mark.parametrize("challenge", ["http-01", "tls-alpn-01"])
def test_a_certificate_is_issued_used_and_kept(
    pebble: Pebble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, challenge: str
) -> None:
    options = [*pebble.options(*NAMES), f"--acme-challenge={challenge}"]
    with service(tmp_path, options) as running:
        port = running.port()
        running.line("self-signed")
        running.line("no certificate for ftp.example.com, www.example.com yet: it is ordered from")
        running.line(ISSUED)
        for name in NAMES:
            with closing(FTPS(port, pebble.root(), name)) as client:
                client.storbinary("STOR file", BytesIO(b"content"))
                assert client.read("file") == b"content"
                used = client.certificate
        (tmp_path / "root.pem").write_text(pebble.root())
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "root.pem"))
        check = CertificateCheck(renewed_expiry_finding, NAMES[0])
        found = list(check_service(ServicePort("127.0.0.1", port), None, check))
        assert [one for one in found if one.level is not Level.GOOD] == []
        status, shown = command(tmp_path, "show")
        assert status == 0
        assert "ACME: the next renewal is at" in shown
        status, refused = command(tmp_path, "renew")
        assert (status, refused) == (
            1,
            "ftpservice: the certificate is not due for renewal yet (see --force)\n",
        )
        assert running.stopped() == 0
    assert_belong_together(tmp_path / "data/acme/certificate.pem")
    assert sorted(path.name for path in (tmp_path / "data/acme").iterdir()) == [
        *("account.key", "certificate.pem", "state.json")
    ]
    assert "PRIVATE" not in running.output
    with service(tmp_path, options) as again:  # over a restart nothing is ordered
        with closing(FTPS(again.port(), pebble.root())) as client:
            assert client.certificate == used
        assert json.loads(command(tmp_path, "show", "--json")[1])["acme"]["failures"] == 0
        assert again.stopped() == 0
    assert pebble.orders == 1
    assert "Traceback" not in running.output + again.output


def test_a_renewal_disturbs_no_transfer(pebble: Pebble, tmp_path: Path) -> None:
    size = 64 * 1024 * 1024  # more than the buffers of the connection take
    (tmp_path / "data/files").mkdir(parents=True)
    with open(tmp_path / "data/files/large", "wb") as large:
        large.truncate(size)
    with service(tmp_path, pebble.options(*NAMES)) as running, ExitStack() as closed:
        port = running.port()
        running.line(ISSUED)
        client = closed.enter_context(closing(FTPS(port, pebble.root())))
        data = closed.enter_context(closing(client.transfercmd("RETR large")))
        received = len(data.recv(1))
        status, shown = command(tmp_path, "renew", "--force")
        assert status == 0, shown
        with closing(FTPS(port, pebble.root())) as other:
            assert other.certificate != client.certificate
        while piece := data.recv(1 << 20):
            received += len(piece)
        data.close()
        assert client.voidresp().startswith("226")
        assert client.pwd() == "/"
        client.close()
        assert running.stopped() == 0
    assert received == size
    assert pebble.orders == 2
    assert "Traceback" not in running.output


def test_a_certificate_is_renewed_in_time_without_a_command(tmp_path: Path) -> None:
    with (
        Pebble(tmp_path, validity=VALIDITY) as pebble,
        service(tmp_path, pebble.options(*NAMES)) as running,
    ):
        first = running.line(ISSUED + r".*SHA-256 (\S+)")[1]
        second = running.line(ISSUED + rf".*SHA-256 (?!{first})(\S+)")[1]
        assert running.stopped() == 0
    assert second != first
    assert "Traceback" not in running.output


def test_an_authority_that_is_down_at_the_start_is_asked_again(tmp_path: Path) -> None:
    pebble = Pebble(tmp_path)
    with service(tmp_path, pebble.options(*NAMES)) as running:
        port = running.port()
        said = running.line(r"https://\S+/dir cannot be reached: connection refused - (.*)")
        assert "check the network, the firewall and the DNS of this machine; attempt 1" in said[1]
        with closing(ftplib.FTP()) as client:  # it serves meanwhile
            client.connect("127.0.0.1", port, 20)
            client.login("demo", "demo")
            assert client.pwd() == "/"
        with pebble:
            running.line(ISSUED)
            with closing(FTPS(port, pebble.root())) as secured:
                assert secured.pwd() == "/"
        assert running.stopped() == 0
    assert "Traceback" not in running.output


def test_a_refused_name_is_explained_and_not_asked_for_again_and_again(
    pebble: Pebble, tmp_path: Path
) -> None:
    options = pebble.options(NAMES[0], BLOCKED_NAME)
    with service(tmp_path, options) as running:
        said = running.line(rf"no certificate for .*{re.escape(BLOCKED_NAME)}: (.*)")[1]
        assert "rejectedIdentifier" in said
        assert "remove the name from acme, or use another authority; attempt 1" in said
        wait_until(lambda: state(tmp_path)["problem"])
        first = float(str(state(tmp_path)["next_attempt"])) - time.time()
        assert 40 < first <= 72
        status, answer = command(tmp_path, "renew")
        assert status == 1
        assert "rejectedIdentifier" in answer
        second = float(str(state(tmp_path)["next_attempt"])) - time.time()
        assert 150 < second <= 216
    for _ in range(2):  # what kills the service in each start does not ask the authority again
        with service(tmp_path, options) as again:
            again.line(r"no certificate for .* yet: .*rejectedIdentifier.*; the next attempt is at")
            again.port()
            again.process.kill()
            again.ended()
    assert state(tmp_path)["failures"] == 2
    assert pebble.log.count("POST /order-plz") == 2
    with service(tmp_path, pebble.options(*NAMES)) as corrected:
        corrected.line(ISSUED)
        assert corrected.stopped() == 0
    assert "Traceback" not in running.output + again.output + corrected.output


def test_refused_nonces_are_replaced(tmp_path: Path) -> None:
    with (
        Pebble(tmp_path, nonces_refused=50) as pebble,
        service(tmp_path, pebble.options(*NAMES)) as running,
    ):
        running.line(ISSUED)
        assert running.stopped() == 0
    assert "Traceback" not in running.output


def test_an_account_is_bound_to_that_of_a_customer(tmp_path: Path) -> None:
    key = urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")
    (tmp_path / "eab.key").write_text(f"{key}\n")
    (tmp_path / "other.key").write_text(urlsafe_b64encode(bytes(32)).decode())
    with Pebble(tmp_path, account_keys={"kid-1": key}) as pebble:
        options = pebble.options(*NAMES)
        with service(tmp_path, options) as running:
            said = running.line(r"\(externalAccountRequired\) - (.*); attempt 1")[1]
            assert said.endswith("and set acme-eab-key-id and acme-eab-key-file")
            assert running.stopped() == 0
        bound = [*options, "--acme-eab-key-id=kid-1", "--log=all"]
        with service(tmp_path, bound, "--acme-eab-key-file=other.key") as refused:
            refused.port()
            status, shown = command(tmp_path, "renew")
            assert (status, "(unauthorized)" in shown) == (1, True)
            assert refused.stopped() == 0
        assert pebble.orders == 0
        with service(tmp_path, bound, "--acme-eab-key-file=eab.key") as accepted:
            accepted.port()
            status, shown = command(tmp_path, "renew")
            assert status == 0, shown
            assert accepted.stopped() == 0
        assert pebble.orders == 1
    assert (tmp_path / "data/acme/certificate.pem").exists()
    output = running.output + refused.output + accepted.output
    assert "Traceback" not in output
    assert key not in output


@pytest.mark.parametrize("moment", ["account", "order", "ordered", "certificate"])
def test_a_service_that_is_killed_in_an_order_continues_it(
    pebble: Pebble, tmp_path: Path, moment: str
) -> None:
    place = tmp_path / "data/acme"
    conditions = {
        "account": (place / "account.key").exists,
        "order": (place / "order.key").exists,
        "ordered": lambda: b"https" in (place / "state.json").read_bytes().split(b'"order"')[-1],
        "certificate": (place / "certificate.pem").exists,
    }

    def has_come() -> bool:
        try:
            return bool(conditions[moment]())
        except FileNotFoundError:
            return False

    options = pebble.options(*NAMES)
    with service(tmp_path, options) as killed:
        wait_until(has_come)
        os.kill(killed.process.pid, signal.SIGKILL)
        killed.ended()
    before = pebble.orders
    continues = bool(state(tmp_path)["order"]) if (place / "state.json").exists() else False
    if (place / "certificate.pem").exists():
        assert_belong_together(place / "certificate.pem")
        continues = False
    wait_until(lambda: not pebble.is_validating)
    if pebble.failed_challenges:  # it was killed before the authority had its answer
        continues = False
    with service(tmp_path, options) as again:
        port = again.port()
        if not (place / "certificate.pem").exists():
            again.line("the last attempt was interrupted; the next attempt is at")
        status, shown = command(tmp_path, "renew", "--force")
        assert status == 0, shown
        with closing(FTPS(port, pebble.root())) as client:
            used = client.certificate
        assert again.stopped() == 0
    assert assert_belong_together(place / "certificate.pem") == used
    assert pebble.orders == before + (0 if continues else 1)
    assert "Traceback" not in again.output
