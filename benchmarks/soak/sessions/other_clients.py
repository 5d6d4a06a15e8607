"""Sessions of other programs: our client library, curl, lftp, and the simple protocol by hand."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from collections.abc import Sequence
from pathlib import Path

import ftpservice_client.blocking
from benchmarks.soak.sessions.session_table import SessionTable
from benchmarks.soak.settings import PASSWORD
from benchmarks.soak.slot import Slot
from benchmarks.soak.wire import HOST, PATIENCE, Refused, connected, trusting
from ftpservice_client import Settings, Trust

__all__ = ["TABLE", "SimpleWire", "finish_by_program", "simple_wire"]

TABLE = SessionTable()
SCHEMES = {
    "ftp": "listen",
    "ftpes": "listen",
    "ftps": "implicit",
    "simple": "simple",
    "simples": "simple-tls",
}
CLIENT_SETTINGS = Settings(
    timeout=PATIENCE, stall_timeout=PATIENCE, trust=Trust(insecure=True), netrc=None
)
LFTP_SETTINGS = (
    "set cmd:fail-exit yes; set net:max-retries 1; set net:timeout 20; set xfer:log no; "
    "set ssl:verify-certificate no; set net:persist-retries 0; "
)


@TABLE.honest(10)
def client_library(slot: Slot) -> None:
    """Our client library, over all protocols."""
    scheme = slot.chance.choice(["ftp", "ftp", "ftpes", "ftps", "simple", "simple", "simples"])
    url = f"{scheme}://{slot.account}:{PASSWORD}@{HOST}:{slot.port(SCHEMES[scheme])}/"
    name, content = slot.name(), slot.content()
    with ftpservice_client.blocking.connect(url, settings=CLIENT_SETTINGS) as client:
        slot.files.counts["logins"] += 1
        slot.files.attempts(name, content)
        client.upload(content.data(), slot.path(name))
        slot.files.uploaded(name, content)
        data = client.download(slot.path(name)).data
        slot.files.downloaded(name, data)
        client.list(slot.path(""))
        if slot.maybe(0.3):
            slot.files.attempts(name, None)
            client.delete(slot.path(name))
            slot.files.has(name, None)


@TABLE.honest(1.5)
def curl(slot: Slot) -> None:
    """Upload and download with curl."""
    name, content = slot.name(), slot.content()
    slot.files.attempts(name, content)
    scheme, options = slot.chance.choice(
        [("ftp", ()), ("ftp", ("-P", "-")), ("ftp", ("-k", "--ssl-reqd")), ("ftps", ("-k",))]
    )
    _curl(slot, scheme, name, *options, "-T", str(slot.local(name, content)))
    slot.files.uploaded(name, content)
    copy = slot.scratch / "copy"
    copy.write_bytes(b"")
    _curl(slot, scheme, name, *options, "-o", str(copy))
    slot.files.downloaded(name, copy.read_bytes())


@TABLE.honest(1.5)
def lftp(slot: Slot) -> None:
    """Upload some files and download them with lftp.

    Without ``cd``: if a session ends during that, lftp goes on in the root.
    """
    names = sorted({slot.name() for _ in range(4)})
    contents = {name: slot.content() for name in names}
    paths = [slot.local(name, contents[name]) for name in names]
    for name in names:
        slot.files.attempts(name, contents[name])
    shutil.rmtree(slot.scratch / "got", ignore_errors=True)
    (slot.scratch / "got").mkdir()
    _lftp(
        slot,
        f"mput -O /{slot.directory} {' '.join(map(str, paths))}; lcd {slot.scratch}/got; "
        f"mget {' '.join(map(slot.path, names))}; cls -l /{slot.directory} > /dev/null",
    )
    if missing := [name for name in names if not (slot.scratch / "got" / name).exists()]:
        raise Refused(f"lftp has left out {missing}, although its status is 0")
    for name in names:
        slot.files.uploaded(name, contents[name])
        slot.files.downloaded(name, (slot.scratch / "got" / name).read_bytes())


def finish_by_program(slot: Slot, name: str, path: Path) -> None:
    """Let curl or lftp resume an upload that was interrupted."""
    if slot.maybe(0.5):
        _curl(slot, "ftp", name, "-C", "-", "-T", str(path))
    else:
        _lftp(slot, f"put -c {path} -o {slot.path(name)}")


def _curl(slot: Slot, scheme: str, name: str, *words: str) -> None:
    port = slot.port("implicit" if scheme == "ftps" else "listen")
    url = f"{scheme}://{HOST}:{port}{slot.path(name)}"
    account = ("-u", f"{slot.account}:{PASSWORD}", "--interface", slot.source)
    _run(["curl", "-q", "-sS", "-g", "--max-time", "40", *account, *words, url])


def _lftp(slot: Slot, commands: str) -> None:
    secured = "yes" if slot.maybe(0.3) else "no"
    options = f"set ftp:ssl-allow {secured}; set net:socket-bind-ipv4 {slot.source}; "
    where = f"open -u {slot.account},{PASSWORD} -p {slot.port('listen')} {HOST}; "
    _run(["lftp", "-c", LFTP_SETTINGS + options + where + commands])


def _run(command: Sequence[str]) -> None:
    if shutil.which(command[0]) is None:
        raise Refused(f"{command[0]} is not installed")
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False
    )
    if done.returncode:
        lines = (done.stderr or done.stdout).decode("utf-8", "replace").strip().splitlines()
        raise Refused(f"{command[0]}: {lines[-1] if lines else done.returncode}")


class SimpleWire:
    """A connection of the simple protocol; a context manager that closes it."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end
        self._file = end.makefile("rb")

    def __enter__(self) -> SimpleWire:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()
        self.end.close()

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.end.sendall(data)

    def expect(self, line: str, word: str = "OK") -> str:
        """Send a line (none, if it is empty); return the rest of the answer after its word."""
        if line:
            self.send(f"{line}\n".encode())
        answer = self.line()
        found, _, rest = answer.partition(" ")
        if found != word:
            raise Refused(answer)
        return rest

    def line(self) -> str:
        """Return the next line."""
        line = self._file.readline()
        if not line:
            raise ConnectionResetError("closed by the service")
        return line.decode("utf-8", "replace").rstrip("\n")

    def raw(self, size: int) -> bytes:
        """Return so many bytes."""
        data = self._file.read(size)
        if len(data) < size:
            raise ConnectionResetError(f"{len(data)} of {size} bytes")
        return data


def simple_wire(slot: Slot, secured: bool = False) -> SimpleWire:
    """Log in by the simple protocol."""
    end = connected(slot.port("simple-tls" if secured else "simple"), slot.source)
    try:
        wire = SimpleWire(trusting().wrap_socket(end) if secured else end)
        slot.files.counts["logins tried"] += 1
        for line in ("", f"USER {slot.account}", f"PASS {PASSWORD}"):
            wire.expect(line)
    except (OSError, ssl.SSLError, Refused):
        end.close()
        raise
    slot.files.counts["logins"] += 1
    return wire


@TABLE.honest(7)
def simple_protocol(slot: Slot) -> None:
    """Several uploads at once, then downloads, a listing, and a deletion."""
    names = sorted({slot.name() for _ in range(5)})
    contents = {name: slot.content() for name in names}
    with simple_wire(slot, slot.maybe(0.3)) as wire:
        for name, content in contents.items():
            slot.files.attempts(name, content)
            wire.send(f"UPLD {content.size}+ {slot.path(name)}\n".encode() + content.data())
        for name, content in contents.items():
            wire.expect("")
            slot.files.uploaded(name, content)
        for name in names:
            size = int(wire.expect(f"DWLD {slot.path(name)}"))
            slot.files.downloaded(name, wire.raw(size))
        count = int(wire.expect(f"LIST {slot.path('')}").split()[0])
        for _ in range(count):
            wire.line()
        slot.files.attempts(names[0], None)
        wire.expect(f"DELF {slot.path(names[0])}")
        slot.files.has(names[0], None)
        wire.expect("QUIT")
