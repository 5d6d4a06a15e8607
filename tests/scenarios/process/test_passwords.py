"""No password is in a log, an error, an argument or a file, and a crash writes no core dump."""

from __future__ import annotations

import ftplib
import os
import re
import resource
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest

from ftpservice.accounts.password_hash import hash_password
from tests.support.service_process import PATIENCE, Program, checkout_environment

RIGHT, WRONG = "Kranich-7741-Wolke", "Kranich-9052-Regen"
MARK = re.compile(rb"Kranich.?(7741|9052)", re.IGNORECASE)
COMMAND = [sys.executable, "-c", "from ftpservice.admin.cli import main; main()"]
SERVE = [*COMMAND, "serve", "--allow-root"]
CLIENT = [sys.executable, "-c", "from ftpservice_client.console.cli import main; main()"]
CORE_PATTERN = Path("/proc/sys/kernel/core_pattern")
SETTINGS = """listen = ["tcp:0:interface=127.0.0.1"]
simple = ["tcp:0:interface=127.0.0.1"]
auth = ["passwd:passwd.db", "memory:bob:{right}"]
data-dir = "var"
log = "all"
log-file = "service.log"
allow-plaintext = true
"""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Program]:
    line = f"ann:{hash_password(RIGHT)}:/:full\n"
    (tmp_path / "passwd.db").write_text(line)
    (tmp_path / "passwd.db").chmod(0o600)
    (tmp_path / "ftp.toml").write_text(SETTINGS.format(right=RIGHT))
    (tmp_path / "ftp.toml").chmod(0o600)
    with Program([*SERVE, "--config", "ftp.toml"], tmp_path) as program:
        yield program


def conversation(port: int, *pieces: bytes) -> bytes:
    """Send pieces, each in a segment of its own, and the end; return everything received."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        received = connection.recv(4096)
        for piece in pieces:
            connection.sendall(piece)
        connection.shutdown(socket.SHUT_WR)
        with suppress(ConnectionResetError):
            while data := connection.recv(65536):
                received += data
    return received


def test_no_password_is_in_logs_replies_or_files(service: Program, tmp_path: Path) -> None:
    port = service.port()
    simple = int(service.line(r"simple://\S+?:(\d+)")[1])
    right, wrong = RIGHT.encode(), WRONG.encode()
    replies = b""
    for user in (b"ann", b"bob", b"eve"):
        for password in (right, wrong):
            login = b"USER %s\r\nPASS %s\r\n" % (user, password)
            replies += conversation(port, login + b"NOOP\r\nQUIT\r\n")
            replies += conversation(port, login[:14], login[14:20], login[20:], b"QUIT\r\n")
            replies += conversation(simple, login, b"LIST\r\n")
    replies += conversation(port, b"PASS %s\r\nQUIT\r\n" % right)
    replies += conversation(port, b"USER ann\r\nPASS %s\x00\r\nQUIT\r\n" % right)
    replies += conversation(port, b"USER ann\r\nPASS %s\r\nQUIT\r\n" % (right * 1000))
    replies += conversation(port, b"USER ann\r\nPASS\t%s\r\nPASS%s\r\nQUIT\r\n" % (right, right))
    replies += conversation(port, b"USER ann\r\nPASS %s" % right)  # without a line end
    replies += conversation(port, b"USER ann\r\nPASS %s\r\nPASS %s\r\nQUIT\r\n" % (right, wrong))
    replies += conversation(port, b"%s\r\nUSER ann\r\n%s\r\nQUIT\r\n" % (right, wrong))
    replies += conversation(simple, b"PASS %s\r\n%s\r\nPASS%s\r\n" % (right, wrong, right))
    for password in (RIGHT, WRONG):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with ftplib.FTP_TLS(context=context) as client:
            client.connect("127.0.0.1", port, PATIENCE)
            with suppress(ftplib.error_perm):
                client.login("ann", password)
                client.storbinary("STOR letter", BytesIO(b"text"))
    arguments = Path(f"/proc/{service.process.pid}/cmdline").read_bytes()
    assert service.stopped() == 0
    assert b"230 " in replies
    assert b"530 " in replies
    places = {"replies": replies, "arguments": arguments, "output": service.output.encode()}
    places |= {
        str(path): path.read_bytes()
        for path in tmp_path.rglob("*")
        if path.is_file() and path.name != "ftp.toml"
    }
    assert "logged in" in places[str(tmp_path / "service.log")].decode()
    assert [name for name, text in places.items() if MARK.search(text)] == []


def run(command: list[str], place: Path, given: str = "") -> bytes:
    """Run a command; return everything that it prints."""
    done = subprocess.run(
        command,
        input=given.encode(),
        cwd=place,
        env=checkout_environment() | {"HOME": str(place)},
        timeout=PATIENCE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return done.stdout


def test_no_password_is_in_the_errors_of_commands_and_of_the_client(
    service: Program, tmp_path: Path
) -> None:
    port = service.port()
    store = ["--store", "passwd:passwd.db", "--password-stdin"]
    printed = run([*COMMAND, "user", "add", "ann", *store], tmp_path, RIGHT + "\n")  # it exists
    printed += run([*COMMAND, "user", "add", "a:b", *store], tmp_path, RIGHT + "\n")
    printed += run([*COMMAND, "user", "passwd", "eve", *store], tmp_path, RIGHT + "\n")
    store[1] = "passwd:/none/passwd.db"
    printed += run([*COMMAND, "user", "add", "zoe", *store], tmp_path, RIGHT + "\n")
    assert len(printed.splitlines()) >= 4
    for password in (RIGHT, WRONG):
        url = f"ftp://ann:{password}@127.0.0.1:{port}/none"
        for options in (["-q"], ["--json"], ["--tls", "never"]):
            printed += run([*CLIENT, "get", *options, url], tmp_path)
        printed += run([*CLIENT, "ls", f"ftp://ann:{password}@127.0.0.1:{port}:x/"], tmp_path)
        printed += run([*CLIENT], tmp_path, f"open {url}\nls\nopen {url}#\nquit\n")
    assert b"Login failed" in printed
    assert MARK.search(printed) is None
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "ftp.toml"]
    assert [path for path in files if MARK.search(path.read_bytes())] == []


@pytest.mark.parametrize("is_dumpable", [False, True])
def test_a_process_forbids_or_allows_its_core_dumps(is_dumpable: bool) -> None:
    text = (
        "import ctypes, ftpservice.linux as linux\n"
        f"linux.set_dumpable({not is_dumpable})\n"
        f"linux.set_dumpable({is_dumpable})\n"
        "print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"  # PR_GET_DUMPABLE
    )
    assert run([sys.executable, "-c", text], Path()) == b"%d\n" % is_dumpable


@pytest.mark.parametrize("allowed", ["off", "on"])
def test_a_crash_dumps_no_memory_unless_allowed(tmp_path: Path, allowed: str) -> None:
    text = SETTINGS.format(right=RIGHT).replace('"passwd:passwd.db", ', "")
    (tmp_path / "ftp.toml").write_text(text + f'core-dumps = "{allowed}"\n')
    with Program([*SERVE, "--config", "ftp.toml"], tmp_path) as program:
        program.port()
        pid = program.process.pid
        most = resource.prlimit(pid, resource.RLIMIT_CORE)[1]
        resource.prlimit(pid, resource.RLIMIT_CORE, (most, most))
        program.process.send_signal(signal.SIGSEGV)
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert ended is not None
        assert ended.si_status == signal.SIGSEGV
        if allowed == "off":
            assert ended.si_code == os.CLD_KILLED
        elif most != 0 and CORE_PATTERN.read_text() == "core\n":  # another one may refuse it
            assert ended.si_code == os.CLD_DUMPED
    for dump in tmp_path.glob("core*"):
        dump.unlink()
