"""A service as a process that can be killed and started again, and blocking sockets as clients."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ftpservice.wire.units import bytes_text
from tests.support.cheap_hash import DEMO_HASH
from tests.support.raw_client import Closeable, Wire, reset
from tests.support.service_process import Program

__all__ = ["RestartableService", "hidden", "noise", "visible", "wait_until"]

PATIENCE = 30.0
COMMAND = (sys.executable, "-m", "tests.support.injected_faults")


def noise(size: int, seed: int = 0) -> bytes:
    """Return reproducible bytes; those of another seed differ everywhere."""
    piece = bytes(
        (number * (2 * seed + 1) + seed + (number >> 8)) & 0xFF for number in range(65_521)
    )
    return (piece * (size // len(piece) + 1))[:size]


def visible(folder: Path) -> dict[str, bytes]:
    """Return the visible files and their contents."""
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if path.is_file() and not path.name.startswith(".ftpservice.")
    }


def hidden(folder: Path) -> list[Path]:
    """Return the partial uploads in a directory."""
    return sorted(folder.glob(".ftpservice.*"))


def wait_until(condition: Callable[[], object], why: Callable[[], object] = str) -> None:
    """Poll a condition; fails after `PATIENCE` seconds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"timeout {why()}"
        time.sleep(0.002)


class RestartableService:
    """One directory, and one service process after the other that serves it."""

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
            "".join(f"{name}:{DEMO_HASH}:/:full:\n" for name in ("demo", *accounts))
        )

    @contextmanager
    def open(
        self, *options: str, fault: str = "none", root: str = ""
    ) -> Iterator[RestartableService]:
        """Run a service; at the end its process is killed and its log holds no traceback."""
        words = [
            "--listen=tcp:0:interface=127.0.0.1",
            f"--auth=passwd:{self.folder / 'passwd.db'}",
            f"--root={root or f'local:{self.root}'}",
            "--tls=off",  # a new certificate would be synced to the disk too, and counted
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
        """The process id."""
        return self.program.process.pid

    def close_later(self, end: Closeable) -> None:
        """Close ``end`` when the service has ended."""
        self._ends.append(end)

    def connected(
        self, address: tuple[str, int], source: str = "", window: int = 0
    ) -> socket.socket:
        """Connect a plain socket; ``window`` makes its receive buffer small."""
        end = socket.socket()
        self._ends.append(end)
        end.settimeout(PATIENCE)
        if window:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        if source:
            end.bind((source, 0))
        end.connect(address)
        return end

    def session(self, name: str = "demo", source: str = "") -> Wire:
        """Log in, for binary transfers; ``source`` is the address of the client."""
        control = self.connected(("127.0.0.1", self.port), source)
        wire = Wire(self, control).login(name)  # type: ignore[arg-type]
        assert wire.code("TYPE I") == 200
        return wire

    def begun(self, wire: Wire, command: str, content: bytes) -> socket.socket:
        """Start an upload; the service has received ``content`` when this returns."""
        data = wire.accepted()
        assert wire.code(command) == 150
        data.sendall(content)
        received = f" {bytes_text(len(content))} so far.".encode()
        wait_until(lambda: any(line.endswith(received) for line in wire.ask("STAT").lines))
        return data

    def cut(self, command: str, content: bytes, name: str = "demo") -> None:
        """Reset an upload once ``content`` has arrived, and wait for its partial upload."""
        wire = self.session(name)
        reset(self.begun(wire, command, content))
        assert wire.reply().code == 426
        wire.drop()
        wait_until(lambda: any(kept.stat().st_size == len(content) for kept in self.partials()))

    def partials(self) -> list[Path]:
        """Return the partial uploads in all directories."""
        return sorted(self.root.rglob(".ftpservice.*"))

    def descriptors(self) -> list[str]:
        """Return the targets of the open descriptors of the process."""
        folder = Path(f"/proc/{self.process}/fd")
        found = []
        for name in os.listdir(folder):
            try:
                found.append(os.readlink(folder / name))
            except FileNotFoundError:
                continue
        return sorted(found)
