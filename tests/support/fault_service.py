"""The service in a process of its own, that can be killed, and its clients: plain sockets."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ftpservice.accounts.checkers import SHIPPED_HASH
from tests.support.raw_client import Closeable, Wire, rst
from tests.support.service_process import Program

__all__ = ["House", "hidden", "noise", "visible", "wait_until"]

PATIENCE = 15.0
COMMAND = (sys.executable, "-m", "tests.support.injected_faults")


def noise(size: int, seed: int = 0) -> bytes:
    """Return bytes that are the same each time, and nowhere like those of another seed."""
    piece = bytes(
        (number * (2 * seed + 1) + seed + (number >> 8)) & 0xFF for number in range(65_521)
    )
    return (piece * (size // len(piece) + 1))[:size]


def visible(folder: Path) -> dict[str, bytes]:
    """Return the files that clients can see."""
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if path.is_file() and not path.name.startswith(".ftpservice.")
    }


def hidden(folder: Path) -> list[Path]:
    """Return the partials."""
    return sorted(folder.glob(".ftpservice.*"))


def wait_until(condition: Callable[[], object], why: Callable[[], object] = str) -> None:
    """Wait for something that no socket tells; it is looked for often, and not for ever."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"it does not happen {why()}"
        time.sleep(0.002)


class House:
    """One place on the disk, and one service after the other that serves it."""

    def __init__(
        self, folder: Path, root: Path | None = None, accounts: Sequence[str] = ()
    ) -> None:
        self.folder = folder
        self.root = root or folder / "files"
        self.root.mkdir(exist_ok=True)
        self.port = 0
        self.program: Program
        self._ends: list[Closeable] = []
        (folder / "passwd.db").write_text(
            "".join(f"{name}:{SHIPPED_HASH}:/:full:\n" for name in ("demo", *accounts))
        )

    @contextmanager
    def open(self, *options: str, fault: str = "none", root: str = "") -> Iterator[House]:
        """Serve; the process is gone afterwards, and met nothing that it did not expect."""
        words = [
            "--listen=tcp:0:interface=127.0.0.1",
            f"--auth=passwd:{self.folder / 'passwd.db'}",
            f"--root={root or f'local:{self.root}'}",
            "--tls=off",  # a certificate that is made reaches the disk too, and would be counted
        ]
        with Program([*COMMAND, fault, *words, *options], self.folder) as program:
            self.program, self.port = program, program.port()
            try:
                yield self
            finally:
                for end in self._ends:
                    end.close()
                self._ends.clear()
        assert "Traceback" not in (self.folder / "log").read_text()

    @property
    def process(self) -> int:
        """The number of the process."""
        return self.program.process.pid

    def adopt(self, end: Closeable) -> None:
        """Close this one too when the service has ended."""
        self._ends.append(end)

    def connected(self, place: tuple[str, int], source: str = "", window: int = 0) -> socket.socket:
        """Connect a plain socket; ``window`` makes its receive buffer small."""
        end = socket.socket()
        self._ends.append(end)
        end.settimeout(PATIENCE)
        if window:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        end.connect(place)
        return end

    def session(self, name: str = "demo") -> Wire:
        """Log in, for binary transfers."""
        wire = Wire(self, self.connected(("127.0.0.1", self.port))).login(name)  # type: ignore[arg-type]
        assert wire.code("TYPE I") == 200
        return wire

    def begun(self, wire: Wire, command: str, content: bytes) -> socket.socket:
        """Begin an upload; the service has got ``content`` when this returns."""
        data = wire.accepted()
        assert wire.code(command) == 150
        data.sendall(content)
        arrived = f" {len(content)} bytes so far.".encode()
        wait_until(lambda: any(line.endswith(arrived) for line in wire.ask("STAT").lines))
        return data

    def cut(self, command: str, content: bytes, name: str = "demo") -> None:
        """Cut an upload when ``content`` of it has come, and see it kept."""
        wire = self.session(name)
        rst(self.begun(wire, command, content))
        assert wire.reply().code == 426
        wire.drop()
        wait_until(lambda: any(kept.stat().st_size == len(content) for kept in self.partials()))

    def partials(self) -> list[Path]:
        """Return the partials in all directories."""
        return sorted(self.root.rglob(".ftpservice.*"))

    def descriptors(self) -> list[str]:
        """Return what the process has open."""
        folder = Path(f"/proc/{self.process}/fd")
        found = []
        for name in os.listdir(folder):
            try:
                found.append(os.readlink(folder / name))
            except FileNotFoundError:
                continue
        return sorted(found)
