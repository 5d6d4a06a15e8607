"""``ftpservice doctor``: what it finds of a machine, and of a real service as clients see it."""

import errno
import json
import os
import resource
import socket
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from cryptography import x509

from benchmarks.certificate import make_certificate
from benchmarks.ports import reserved_port
from ftpservice.accounts.second_factors.factor_file import FACTOR_FILE, FactorFile
from ftpservice.accounts.second_factors.factor_records import SecondFactors
from ftpservice.admin.checks import machine_checks, network_checks
from ftpservice.admin.checks.account_checks import check_account_data
from ftpservice.admin.checks.finding import Level
from ftpservice.admin.checks.network_checks import (
    RemoteLogin,
    ServicePort,
    check_service,
    expiry_finding,
)
from ftpservice.admin.cli import ftpservice
from ftpservice.admin.doctor_command import _check_chain
from ftpservice.web.shares.share_file import SHARE_FILE, ShareFile
from tests.accounts.doubles import SECRET
from tests.support.certificates import Authority
from tests.support.service_process import Program

SERVE = [
    sys.executable,
    "-c",
    "from ftpservice.admin.cli import main; main()",
    "serve",
    "--allow-root",
]
LISTEN = "--listen=tcp:0:interface=127.0.0.1"
ACCOUNT = "--auth=memory:ann:secret"


def run(*words, given=None):
    return CliRunner().invoke(ftpservice, ["doctor", *words], input=given)


def levels(findings):
    return [(found.subject, found.level) for found in findings]


@pytest.fixture
def bench(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "files").mkdir()
    return tmp_path


@pytest.mark.parametrize("tls", ["--tls=offered", "--tls=off", "--require-session-reuse"])
def test_a_running_service_as_its_clients_see_it(bench, tls):
    with Program(
        [*SERVE, LISTEN, ACCOUNT, "--root=files", "--data-dir=var", tls], bench
    ) as running:
        target = f"127.0.0.1:{running.port()}"
        words = ("--json", "--from-outside", target, "--user", "ann", "--password-stdin")
        done = run(*words, given="secret\n")
        assert done.exit_code == 0, done.output
        found = {finding["text"]: finding["level"] for finding in json.loads(done.stdout)}
        assert found["PASV: a data connection works"] == "ok"
        assert found["EPSV: a data connection works"] == "ok"
        if tls == "--tls=off":
            assert "warning" in [found[text] for text in found if "offers no TLS" in text]
        else:
            assert found["TLS sessions are reused"] == "ok"
            assert any("do not trust" in text and found[text] == "warning" for text in found)
        done = run(*words, given="wrong\n")
        assert done.exit_code == 1
        assert "530" in done.stdout


def test_a_node_behind_a_balancer(bench):
    """Its port wants a PROXY header, and PASV announces the address in it."""
    with ExitStack() as stack:
        port = stack.enter_context(reserved_port())
        given = (f"--listen=haproxy:tcp:{port}", ACCOUNT, "--root=local:files", "--data-dir=var")
        running = stack.enter_context(Program([*SERVE, *given], bench))
        running.line(f":{port}")
        done = run("--allow-root", *given)
    assert done.exit_code == 0, done.output
    assert f"ok       127.0.0.1 port {port}: answers: '220 ftpservice ready'" in done.stdout
    assert f"ok       127.0.0.1 port {port}: TLS sessions are reused" in done.stdout
    assert "ok       NAT: PASV announces the address of the balancer" in done.stdout
    assert "ok       root: files: locks (flock) work" in done.stdout


def test_a_machine_where_the_service_does_not_run(bench):
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        done = run("--anonymous", "--root=files", f"--listen=tcp:{port}:interface=127.0.0.1")
    assert done.exit_code == 1
    assert "ok       settings: the service would start" in done.stdout
    assert f"ERROR    127.0.0.1 port {port}: cannot be used" in done.stdout
    assert sorted(path.name for path in bench.iterdir()) == ["files"]


def test_settings_that_do_not_start_are_found(bench):
    (bench / "passwd.db").write_text("ann:no hash\n")
    done = run("--auth=memory:a:b", "--log-file=none/log", "--listen=unix:x", "--root=files")
    assert done.exit_code == 1
    assert "ERROR    settings: cannot write" in done.stdout


@pytest.mark.usefixtures("bench")
def test_options_that_do_not_go_together():
    assert run("--user", "ann").exit_code == 2
    assert "--bogus" in str(run("--bogus").exit_code) + run("--bogus").output


@contextmanager
def answering(text):
    """A server that sends ``text`` to each connection and closes it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(text)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize("text", [b"", b"SSH-2.0-x\r\n", b"421 too many\r\n", b"220 hello\r\n"])
def test_what_is_no_ftp_service_is_an_error(text):
    with answering(text) as port:
        found = list(check_service(ServicePort("127.0.0.1", port), RemoteLogin("ann", "secret")))
    assert found[-1].level is Level.ERROR


@pytest.mark.parametrize(
    ("lifetime", "days", "level"),
    [
        (365, 100, Level.GOOD),
        (365, 29, Level.WARNING),
        (365, -1, Level.ERROR),
        (45, 29, Level.GOOD),
        (45, 14, Level.WARNING),
        (6, 5, Level.GOOD),
        (6, 1, Level.WARNING),
        (6, -1, Level.ERROR),
    ],
)
def test_the_expiry_of_a_certificate(tmp_path, monkeypatch, lifetime, days, level):
    path = Authority(tmp_path).certificate("a", lifetime=timedelta(lifetime - 30))
    certificate = x509.load_pem_x509_certificates(path.read_bytes())[0]
    assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days == lifetime
    now = certificate.not_valid_after_utc.timestamp() - days * 86_400 - 60
    fixed = SimpleNamespace(now=lambda zone: datetime.fromtimestamp(now, zone))
    monkeypatch.setattr(network_checks, "datetime", fixed)
    assert expiry_finding("certificate", certificate).level is level


def test_the_order_of_a_chain(tmp_path):
    one, two = tmp_path / "one.pem", tmp_path / "two.pem"
    make_certificate(one)
    assert [found.level for found in _check_chain(one)][1:] == [Level.GOOD]
    two.write_bytes(b"nothing")
    assert levels(_check_chain(two)) == [("certificate", Level.ERROR)]


def test_a_directory_that_cannot_be_used(tmp_path):
    assert levels(machine_checks.check_directory("x", str(tmp_path))) == [("x", Level.GOOD)]
    assert levels(machine_checks.check_directory("x", str(tmp_path / "none"))) == [
        ("x", Level.WARNING)
    ]
    assert levels(machine_checks.check_directory("x", "/proc")) != [("x", Level.GOOD)]


def test_what_interrupted_uploads_need_of_a_file_system(tmp_path, monkeypatch):
    found = list(machine_checks.check_file_system("root", str(tmp_path)))
    assert levels(found) == [("root", Level.GOOD)] * 2
    assert list(tmp_path.iterdir()) == []

    def unsupported(*_words):
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(machine_checks.os, "setxattr", unsupported)
    monkeypatch.setattr(machine_checks.fcntl, "flock", unsupported)
    attributes, locks = machine_checks.check_file_system("root", str(tmp_path))
    assert (attributes.level, locks.level) == (Level.WARNING, Level.WARNING)
    assert "--enable-xattr" in attributes.advice
    assert list(machine_checks.check_file_system("root", str(tmp_path / "none"))) == []
    (found,) = machine_checks.check_file_system("root", "/proc")
    assert found.level is Level.WARNING


def test_a_home_that_clients_may_write_to_is_found(tmp_path, monkeypatch):
    (tmp_path / "files" / "home").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "files")
    for home, count in ((tmp_path, 0), (tmp_path / "files", 1), (tmp_path / "link" / "home", 1)):
        monkeypatch.setenv("HOME", str(home))
        found = list(machine_checks.check_home(str(tmp_path / "files")))
        assert levels(found) == [("home", Level.WARNING)] * count


@pytest.mark.parametrize(
    ("free", "files", "level"),
    [
        (1, 1, Level.WARNING),
        (10**7, 1, Level.WARNING),
        (10**7, 10**6, Level.GOOD),
    ],
)
def test_a_disk_that_is_nearly_full(tmp_path, monkeypatch, free, files, level):
    space = SimpleNamespace(
        f_flag=0, f_bavail=free, f_frsize=4096, f_blocks=2 * 10**7, f_files=10**6, f_favail=files
    )
    monkeypatch.setattr(machine_checks.os, "statvfs", lambda _path: space)
    (found,) = machine_checks.check_directory("x", str(tmp_path))
    assert found.level is level


def test_limits(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _what: (1024, 4096))
    (found,) = machine_checks.check_descriptors(10_000)
    assert (found.level, "206 of 10000" in found.text) == (Level.WARNING, True)
    (found,) = machine_checks.check_descriptors(100)
    assert found.level is Level.GOOD
    monkeypatch.setattr(resource, "getrlimit", lambda _what: (10, 10))
    (found,) = machine_checks.check_processes()
    assert found.level is Level.WARNING


def test_the_clock_is_asked():
    (found,) = machine_checks.check_clock()
    assert found.subject == "clock"


def test_passive_ports():
    (found,) = machine_checks.check_passive_ports(None, 10)
    assert found.level is Level.WARNING
    (found,) = machine_checks.check_passive_ports(None, 10, 50000)
    assert (found.level, "port 50000" in found.text) == (Level.GOOD, True)
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = list(machine_checks.check_passive_ports((port, port), 10))
    assert [finding.level for finding in found][-1] is Level.GOOD
    assert str(port) in found[-1].text
    assert "1 port allows 1 transfer at a time" in found[0].text
    assert any("ip_local_reserved_ports" in finding.advice for finding in found)
    assert os.path.exists(machine_checks.PROC_NET)


def test_storages_of_accounts_that_cannot_work_are_found(bench):
    lines = (f"ann:{SECRET}:nosuch\\:/x:full", f"ben:{SECRET}:local\\:{bench}/none:full")
    (bench / "passwd.db").write_text("\n".join(lines) + "\n")
    (bench / "passwd.db").chmod(0o600)
    done = run("--root=files", "--listen=unix:x")
    assert (
        "warning  accounts: account 'ann': unknown storage 'nosuch:' in 'nosuch:/x'" in done.stdout
    )
    assert f"warning  accounts: account 'ben': storage 'local:{bench}/none': no such" in done.stdout


def test_what_a_renamed_or_removed_account_has_left_is_found(bench):
    (bench / "passwd.db").write_text(f"ann:{SECRET}:/:full\nbroken:x\n")
    (bench / "passwd.db").chmod(0o600)
    (bench / "var").mkdir(0o700)
    shares = ShareFile(bench / "var" / SHARE_FILE, time.time)
    factors = FactorFile(bench / "var" / FACTOR_FILE)
    for name in ("ann", "old one", "broken"):
        shares.add(name, "/f", 60.0)
        factors.change(name, lambda _: (SecondFactors(recovery_hashes=("x",)), None))
    words = ("--root=files", "--data-dir=var", "--listen=unix:x")
    found = json.loads(run("--json", *words).stdout)
    assert [(one["text"], one["advice"]) for one in found if "no such" in one["text"]] == [
        (
            "second factors of 'old one': no such account",
            "ftpservice user second-factor remove 'old one'",
        ),
        (
            "share links of 'old one': no such account",
            "ftpservice share remove --user 'old one'",
        ),
    ]
    shares.path.write_text("{")
    assert f"ERROR    accounts: {shares.path}" in run(*words).stdout


def test_nothing_is_left_behind_where_accounts_cannot_be_listed(bench):
    ShareFile(bench / SHARE_FILE, time.time).add("ann", "/f", 60.0)
    assert list(check_account_data(str(bench), [object()])) == []
