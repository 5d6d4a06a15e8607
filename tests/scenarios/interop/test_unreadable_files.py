"""Files and directories without permission are refused before the transfer.

The service runs in a process that does not override permission bits.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ftpservice.accounts.checkers import SHIPPED_HASH
from tests.support.raw_client import RunningService
from tests.support.service_process import Program
from tests.support.simple_client import SimpleWire
from tests.support.tcp_wire import Wire

CAPABILITIES = "-dac_override,-dac_read_search,-fowner"
TWISTD = Path(sys.executable).parent / "twistd"
PLACE = "tcp:0:interface=127.0.0.1"


class Apart(RunningService):
    """A service in another process."""

    def __init__(self, places: list[int], root: Path) -> None:
        self._places = places
        self.root = root
        self._ends = []

    @property
    def port(self) -> int:
        """The port of FTP."""
        return self._places[0]

    @property
    def ports(self) -> list[int]:
        """The ports of the two listeners."""
        return self._places


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Apart]:
    """A service with readable and unreadable files below its root."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("takes root and setpriv, of util-linux")
    root = tmp_path / "files"
    for name in ("closed", "unlisted", "unentered", "frozen"):
        (root / name).mkdir(parents=True)
        (root / name / "file").write_bytes(b"content")
    for name in ("private", "fixed"):
        (root / name).write_bytes(b"content")
    for name, mode in MODES.items():
        (root / name).chmod(mode)
    accounts = tmp_path / "passwd.db"
    accounts.write_text(f"demo:{SHIPPED_HASH}:/:full:\n")
    limited = ["setpriv", "--bounding-set", CAPABILITIES, "--inh-caps", CAPABILITIES, "--"]
    service = [
        TWISTD,
        "--nodaemon",
        "ftpservice",
        "--allow-root",
        f"--listen={PLACE}",
        f"--simple={PLACE}",
    ]
    files = [f"--root=local:{root}", f"--auth=passwd:{accounts}"]
    with Program([*limited, *service, *files], tmp_path) as running:
        simple = int(running.line(r"imple.*?:(\d+)\b")[1])
        apart = Apart([running.port(), simple], root)
        try:
            yield apart
        finally:
            apart.close()
            for name in MODES:
                (root / name).chmod(0o755)


MODES = {
    "closed": 0o000,
    "unlisted": 0o311,
    "unentered": 0o644,
    "frozen": 0o555,
    "private": 0o000,
    "fixed": 0o444,
}


def refused(wire: Wire, command: str) -> bool:
    """Return whether a transfer is refused at once and its data connection ends with a FIN."""
    data = wire.accepted()
    answer = wire.ask(command)
    assert answer.code == 550, answer
    assert data.recv(1) == b""  # an RST would raise
    return True


def test_cwd_needs_execute_permission(served: Apart) -> None:
    """Names in a directory without ``x`` cannot be used: CWD refuses it."""
    wire = served.session()
    assert wire.codes("CWD closed", "CWD unentered", "CWD closed/file") == [550] * 3
    assert wire.ask("PWD").text.startswith('"/"')
    assert wire.codes("CWD unlisted", "CDUP", "CWD frozen") == [250] * 3


def test_an_unreadable_directory_is_refused_before_the_transfer(served: Apart) -> None:
    """There is one reply, and the session continues."""
    wire = served.session()
    for verb in ("LIST", "NLST", "MLSD", "LIST -R", "LIST -t"):
        for name in ("closed", "unlisted", "unentered"):
            assert refused(wire, f"{verb} {name}")
        if verb != "MLSD":
            assert refused(wire, f"{verb} closed/*")
        assert wire.code("CWD unlisted") == 250
        assert refused(wire, verb)
        assert wire.download(f"{verb} /frozen") != b""
        assert wire.code("CDUP") == 250


def test_recursive_listings_skip_unreadable_directories(served: Apart) -> None:
    """Unreadable directories are left out of LIST -R and of patterns."""
    wire = served.session()
    headings = [line for line in wire.download("LIST -R").splitlines() if line.endswith(b":")]
    assert headings == [b".:", b"frozen:"]
    assert wire.download("NLST */file") == b"frozen/file\r\n"


def test_unreadable_files_are_refused_before_the_transfer(served: Apart) -> None:
    """Downloads and uploads, for each missing permission."""
    wire = served.session()
    assert wire.code("TYPE I") == 200
    for command in (
        *("RETR private", "RETR closed/file", "RETR unentered/file"),
        *("STOR frozen/new", "STOU frozen/new", "APPE frozen/new", "STOR closed/new"),
        *("APPE fixed", "APPE private"),
    ):
        assert refused(wire, command), command
    assert wire.download("RETR unlisted/file") == b"content"
    assert wire.upload("STOR new", b"new").code == 226
    assert sorted(os.listdir(served.root / "frozen")) == ["file"]


def test_the_simple_protocol_refuses_too(served: Apart) -> None:
    """An error replaces GO and sizes."""
    wire = SimpleWire(served, served.connected(("127.0.0.1", served.ports[1])))
    wire.line()
    wire.login()
    commands = (
        *("LIST closed", "LIST unlisted", "LIST unentered"),
        *("DWLD private", "DWLD closed/file", "UPLD 3 frozen/new", "UPLD 3 closed/new"),
    )
    assert wire.asks(*commands) == ["ERR DENIED"] * len(commands)
    assert wire.download("unlisted/file") == b"content"
