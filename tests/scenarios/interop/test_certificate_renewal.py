"""Certificates that are replaced while a process serves; SIGHUP and its log lines."""

from __future__ import annotations

import ftplib
import re
import signal
import socket
import ssl
import sys
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path

from tests.support.certificates import Authority
from tests.support.service_process import CHECKOUT, Program
from tests.support.tls_client import client_context

TWISTD = str(Path(sys.executable).parent / "twistd")
COMMAND = (
    *(TWISTD, "--nodaemon", "ftpservice", "--allow-root", "--listen=tcp:0:interface=127.0.0.1"),
    f"--auth=passwd:{CHECKOUT / 'passwd.db'}",
)


def session(port: int) -> ftplib.FTP_TLS:
    client = ftplib.FTP_TLS(context=client_context(), timeout=20)
    client.connect("127.0.0.1", port)
    client.login("demo", "demo")
    return client


def certificate(client: ftplib.FTP_TLS) -> bytes:
    assert isinstance(client.sock, ssl.SSLSocket)
    return client.sock.getpeercert(binary_form=True) or b""


def test_renewed_certificates_are_used_and_sessions_continue(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    path = authority.certificate("a.example", file="service.pem")
    with ExitStack() as open_ones:
        running = open_ones.enter_context(Program([*COMMAND, f"--certificate={path}"], tmp_path))
        port = running.port()
        running.line("until .* SHA-256 ")
        before = open_ones.enter_context(closing(session(port)))
        old = certificate(before)
        authority.certificate("a.example", file="service.pem")
        running.line("certificates read again: SHA-256 ")
        after = open_ones.enter_context(closing(session(port)))
        assert certificate(after) != old
        assert before.pwd() == after.pwd() == "/"
        authority.certificate("a.example", file="service.pem", lifetime=-timedelta(days=1))
        running.process.send_signal(signal.SIGHUP)
        running.line(r"service\.pem expired .*; the previous certificates stay in use")
        last = open_ones.enter_context(closing(session(port)))
        assert certificate(last) == certificate(after)
        assert before.pwd() == "/"
        assert running.stopped() == 0
        assert "Traceback" not in running.output


def test_the_self_signed_certificate_is_announced_kept_and_private(tmp_path: Path) -> None:
    fingerprints: list[str] = []
    for _ in range(2):
        with Program(COMMAND, tmp_path) as running:
            fingerprints.append(
                running.line("self-signed, valid until .* SHA-256 ([0-9A-F:]{95})")[1]
            )
            running.port()
            running.process.send_signal(signal.SIGHUP)
            running.line(f"certificates read again: SHA-256 {fingerprints[0]}")
            assert running.stopped() == 0
    assert fingerprints[0] == fingerprints[1]
    files = [path for path in (tmp_path / "var").iterdir() if path.is_file()]
    assert [path.stat().st_mode & 0o777 for path in files] == [0o600]


def test_sighup_without_tls_changes_nothing(tmp_path: Path) -> None:
    with Program([*COMMAND, "--tls=off"], tmp_path) as running:
        port = running.port()
        running.process.send_signal(signal.SIGHUP)
        with socket.create_connection(("127.0.0.1", port), 20) as plain:
            assert plain.recv(4) == b"220 "
        assert running.stopped() == 0


def test_logins_and_failed_handshakes_are_logged(tmp_path: Path) -> None:
    with Program([*COMMAND, "--implicit=tcp:0:interface=127.0.0.1"], tmp_path) as running:
        port = running.port()
        implicit = int(running.line(r"ftps://127\.0\.0\.1:(\d+)/")[1])
        session(port).close()
        running.line(r"demo@127\.0\.0\.1 \[\d+\] disconnected after")
        before = len(running.lines)
        for said in (b"USER demo\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\0" * 100, b""):
            for place in (port, implicit):
                talk_nonsense(place, said, explicit=place is port)
        session(port).close()
        running.line(r"demo@127\.0\.0\.1 \[10\] logged in \(TLSv1\.3 TLS_\w+\)")
        lines = [line for line in running.lines[before:] if "[10]" not in line]
        assert len(lines) == 8
        for line in lines:
            assert re.search(r" -@127\.0\.0\.1 \[[2-9]\]: TLS handshake failed: \w", line)
        assert running.stopped() == 0
        assert "Traceback" not in running.output


def talk_nonsense(port: int, said: bytes, explicit: bool) -> None:
    """Send bytes that are no handshake, and read to the end."""
    with socket.create_connection(("127.0.0.1", port), 20) as plain:
        if explicit:
            assert plain.recv(1000).startswith(b"220 ")
            plain.sendall(b"AUTH TLS\r\n")
            assert plain.recv(1000).startswith(b"234 ")
        plain.sendall(said)
        plain.shutdown(socket.SHUT_WR)
        while plain.recv(1000):
            pass
