"""The systemd unit of the documentation is confined as far as it goes; the service works in it."""

from __future__ import annotations

import ftplib
import hashlib
import io
import itertools
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path

from tests.support.docs_pages import blocks
from tests.support.seccomp_unit import allowed
from tests.support.service_process import CHECKOUT, PATIENCE, Program

UNIT = CHECKOUT / "docs" / "examples" / "ftpservice.service"
PLACES_OF_USERS = [
    CHECKOUT / "README.md",
    CHECKOUT / "docs" / "administrators.md",
    CHECKOUT / "docs" / "deploy" / "README.md",
    CHECKOUT / "docs" / "deploy" / "Dockerfile",
]
FTPSERVICE = str(Path(sys.executable).parent / "ftpservice")
MOST_EXPOSED = 2.0


def test_the_readme_shows_it_as_it_is() -> None:
    assert UNIT.read_text() in [block.text for block in blocks("ini")]


def test_systemd_finds_little_to_exploit() -> None:
    analysed = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(UNIT)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    [level] = re.findall(r"Overall exposure level for .*: ([0-9.]+)", analysed.stdout)
    assert float(level) <= MOST_EXPOSED, analysed.stdout


def test_it_tells_how_to_reload_and_waits_longer_than_grace() -> None:
    text = UNIT.read_text()
    assert "\nType=notify\n" in text
    assert "\nExecReload=/bin/kill -HUP $MAINPID\n" in text
    assert "\nTimeoutStopSec=60\n" in text


def test_the_home_of_the_user_is_not_served() -> None:
    """Libraries take files there for settings of the administrator."""
    homes = [
        *re.findall(r"^Environment=HOME=(.*)$", UNIT.read_text(), re.MULTILINE),
        *re.findall(r"--home(?:-dir)? (\S+)", "".join(map(Path.read_text, PLACES_OF_USERS))),
    ]
    assert len(homes) == 5
    assert set(homes) == {"/var/lib/ftpservice"}


def test_the_filter_is_no_empty_one() -> None:
    calls = allowed(UNIT)
    assert {"openat2", "sendfile", "splice", "fchown", "renameat2"} <= calls
    assert not calls & {"ptrace", "mount", "bpf", "setuid", "init_module", "setrlimit"}


def test_the_service_works_under_its_filter(tmp_path: Path) -> None:
    """As far as that goes without systemd: its calls, address families and memory rules."""
    (tmp_path / "ftp.toml").write_text(
        'listen = ["tcp:0:interface=127.0.0.1"]\n'
        'simple = ["tcp:0:interface=127.0.0.1"]\n'
        'auth = ["memory:ann:secret"]\n'
        "durable = true\n"
    )
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.settimeout(PATIENCE)
    manager.bind(str(tmp_path / "notify"))
    command = [
        sys.executable, CHECKOUT / "tests" / "support" / "seccomp_unit.py", UNIT,
        FTPSERVICE, "serve", "--allow-root", "--config=ftp.toml",
    ]  # fmt: skip
    environment = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")}
    environment["PYTHONPATH"] = os.pathsep.join([str(CHECKOUT), str(CHECKOUT / "client")])
    with manager, Program(command, tmp_path, environment) as running:
        port = running.port()
        assert manager.recv(100).startswith(b"READY=1")
        assert "Seccomp:\t2" in Path(f"/proc/{running.process.pid}/status").read_text()
        _use(port)
        _use_simply(int(running.line(r"simple://\S+?:(\d+)/")[1]))
        running.process.send_signal(signal.SIGHUP)
        assert manager.recv(100).startswith(b"RELOADING=1")
        running.line("nothing has changed")
        assert manager.recv(100).startswith(b"READY=1")
        assert running.stopped(signal.SIGTERM) == 0
    for problem in ("Traceback", "not permitted", "#error", "#critical"):
        assert problem not in running.output


def _use(port: int) -> None:
    """Do over FTPS, and in clear, what clients do."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for size, tls in itertools.product((1000, 3_000_000), (False, True)):
        with ftplib.FTP_TLS(context=context) if tls else ftplib.FTP() as client:
            client.connect("127.0.0.1", port, timeout=PATIENCE)
            client.login("ann", "secret")
            if isinstance(client, ftplib.FTP_TLS):
                client.prot_p()
            _move(client, os.urandom(size))


def _move(client: ftplib.FTP, data: bytes) -> None:
    client.mkd("d")
    for command in ("STOR d/a", "STOR d/a", "APPE d/b", "APPE d/b"):
        client.storbinary(command, io.BytesIO(data))
    got = io.BytesIO()
    client.retrbinary("RETR d/a", got.write)
    assert got.getvalue() == data
    assert client.size("d/b") == 2 * len(data)
    assert hashlib.sha256(data).hexdigest() in client.sendcmd("HASH d/a").lower()
    assert client.sendcmd("SITE CHMOD 640 d/a").startswith("2")
    assert client.sendcmd("MFMT 20250101000000 d/a").startswith("213")
    assert {name for name, _facts in client.mlsd("d")} >= {"a", "b"}
    assert len(client.nlst("d")) == 2
    assert client.sendcmd("AVBL").startswith("213")
    client.rename("d/a", "d/c")
    for name in ("b", "c"):
        client.delete(f"d/{name}")
    client.rmd("d")


def _use_simply(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as own:
        data = os.urandom(200_000)
        head = f"USER ann\nPASS secret\nUPLD {len(data)}+ a\n".encode()
        own.sendall(head + data + b"HASH a\nDWLD a\nDELF a\nQUIT\n")
        received = b"".join(iter(lambda: own.recv(65536), b""))
    assert hashlib.sha256(data).hexdigest().encode() in received
    assert data in received
    assert received.endswith(b"OK goodbye\n")
