"""Third-party servers and ftpservice as processes with one account, with TLS and without.

Their files are outside pytest's directories: a starting pytest sets the mode of
`/tmp/pytest-of-USER` to 0700, for other running pytests too. ProFTPD enters the home of an account
as `nobody`, and answers "Login incorrect" if it may not.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from benchmarks.certificate import make_certificate
from benchmarks.jobs import Profile
from benchmarks.ports import reserved_port
from benchmarks.processes import family
from benchmarks.servers.lineup import KINDS
from benchmarks.servers.recipe import PASSWORD, Peer, Place
from ftpservice_client import Settings, Trust
from tests.support.run_watcher import end_with_run

__all__ = ["NAMES", "Server", "serving"]

NAMES = ("ours", "vsftpd", "proftpd", "pure-ftpd", "pyftpdlib")
PATIENCE = 30.0


class Server:
    """A running server; ``root`` is the writable ``/in`` of its account."""

    def __init__(self, name: str, place: Place, user: str, secured: bool) -> None:
        self.name = name
        self.root = place.root / "in"
        self.secured = secured
        self.port = place.port
        self._certificate = place.certificate
        self._user = user

    def url(self, path: str = "in", scheme: str = "") -> str:
        """Return the URL of a path, with the password."""
        scheme = scheme or ("ftpes" if self.secured else "ftp")
        return f"{scheme}://{self._user}:{PASSWORD}@localhost:{self.port}/{path}"

    def settings(self, **others: object) -> Settings:
        """Return client settings that trust its certificate."""
        trust = Trust(ca_file=self._certificate) if self.secured else Trust()
        given: dict[str, object] = {"trust": trust, "netrc": None, "timeout": 15.0} | others
        return Settings(**given)  # type: ignore[arg-type]


@contextlib.contextmanager
def serving(name: str, secured: bool) -> Iterator[Server]:
    """Run a server; the test is skipped if it is not installed."""
    peer = KINDS[name](name)
    if peer is None:
        pytest.skip(f"{name} is not installed: run benchmarks/install-peers; it needs root")
    with tempfile.TemporaryDirectory(prefix=f"{name}-") as directory, reserved_port() as port:
        yield from _running(peer, _place(Path(directory), port, secured))


def _running(peer: Peer, place: Place) -> Iterator[Server]:
    secured = place.certificate is not None
    start = peer.recipe(Profile.TLS if secured else Profile.PLAIN, place)
    assert start is not None
    if peer.name == "proftpd":  # by default it refuses REST before STOR
        with (place.work / "proftpd.conf").open("a") as configuration:
            configuration.write("AllowStoreRestart on\nDefaultRoot ~\n")
    log = place.work / "output.log"
    with log.open("w+b") as output:
        process = subprocess.Popen(
            [str(word) for word in start.command],
            cwd=place.work,
            env=os.environ | dict(start.environment),
            stdin=output,  # vsftpd writes its errors there
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    end_with_run(process)
    try:
        _wait(place.port, process, log)
        yield Server(peer.name, place, start.user, secured)
    finally:
        _end(process)


def _place(directory: Path, port: int, secured: bool) -> Place:
    root, work = directory / "root", directory / "work"
    directory.chmod(0o755)
    for made, mode in ((root, 0o755), (root / "in", 0o777), (work, 0o755)):
        made.mkdir()
        made.chmod(mode)
    certificate = None
    if secured:
        certificate = work / "certificate.pem"
        make_certificate(certificate)
    password = PasswordHasher(1, 8, 1).hash(PASSWORD)
    return Place(port, root, work, password, work, None, certificate)


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text(errors="replace")
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), PATIENCE).close()
            return
        time.sleep(0.02)
    raise AssertionError(log.read_text(errors="replace"))


def _end(process: subprocess.Popen[bytes]) -> None:
    children = family(process.pid)
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for child in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, 9)
