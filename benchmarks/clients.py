"""Compares our client with curl and lftp, with our server: ``python -m benchmarks.clients``.

One large file and many small ones, in both directions, in plaintext and with TLS. The clients take
turns; a number is the median of the rounds, followed by the minimum and the maximum. For curl and
lftp, the time is that of the process; for ours it begins before the connection is made, because the
start of Python belongs to the program that uses the library. Files are in memory, and their sizes
are checked.

curl 7.88 sometimes waits for a second when the reply to EPSV arrives sooner than it expects, so for
many files its best round says more than its median.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.ports import free_port

__all__ = ["CLIENTS", "JOBS", "FileServer", "Job", "main"]

CHECKOUT = Path(__file__).parent.parent
MEMORY = Path("/dev/shm")
SMALL_SIZE = 4096
TIMEOUT_SECONDS = 20
"""A client that takes longer is stopped; the files that have arrived count."""


@dataclass(frozen=True)
class Job:
    """The transfer of ``count`` files of ``size`` bytes."""

    name: str
    up: bool
    size: int
    count: int


JOBS = (
    Job("down, one file", False, 1 << 30, 1),
    Job("up, one file", True, 1 << 30, 1),
    Job("down, 4 KiB files", False, SMALL_SIZE, 1000),
    Job("up, 4 KiB files", True, SMALL_SIZE, 1000),
)


class FileServer:
    """A server with the files of a job, and a directory for the clients."""

    def __init__(self, place: Path, port: int, secured: bool) -> None:
        self.served, self.own = place / "served", place / "own"
        self.port = port
        self.secured = secured

    def prepare(self, job: Job) -> tuple[Path, Path]:
        """Create the files of a job; return their directory and that of the copies."""
        for directory in (self.served, self.own):
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir()
        source, target = (self.own, self.served) if job.up else (self.served, self.own)
        content = os.urandom(min(job.size, 1 << 20))
        for number in range(job.count):
            _fill(source / f"f{number:05d}", content, job.size // len(content))
        ballast = (
            self.own.parent / "ballast"
        )  # memory that the host would take back meanwhile (`benchmarks.workspace`)
        _fill(ballast, content, job.size * job.count // len(content))
        ballast.unlink()
        return source, target

    def url(self, scheme: str = "ftp", path: str = "") -> str:
        """Return a URL with the account."""
        return f"{scheme}://ann:secret@127.0.0.1:{self.port}/{path}"


@contextmanager
def serving(secured: bool) -> Iterator[FileServer]:
    """A context manager that runs the server, with its files in memory."""
    with tempfile.TemporaryDirectory(prefix="clients-", dir=MEMORY) as name:
        server = FileServer(Path(name), free_port(), secured)
        server.served.mkdir()
        command = "from ftpservice.admin.cli import main; main()"
        options = [
            f"--listen=tcp:{server.port}:interface=127.0.0.1",
            "--auth=memory:ann:secret",
            "--root=served",
        ]
        log = Path(name) / "log"
        with (
            log.open("wb") as output,
            subprocess.Popen(
                [sys.executable, "-c", command, "serve", "--allow-root", *options],
                cwd=name,
                env=environment(),
                stdout=output,
                stderr=output,
            ) as process,
        ):
            try:
                _wait(process, log)
                yield server
            finally:
                process.terminate()


def _wait(process: subprocess.Popen[bytes], log: Path) -> None:
    while "ftp://" not in log.read_text():
        if process.poll() is not None:
            raise RuntimeError(f"the server did not start: {log.read_text()}")
        time.sleep(0.02)


def _fill(path: Path, content: bytes, times: int) -> None:
    with path.open("wb") as file:
        for _ in range(times):
            file.write(content)


def environment() -> dict[str, str]:
    """Return an environment in which Python finds the checkout."""
    return os.environ | {"PYTHONPATH": f"{CHECKOUT}:{CHECKOUT / 'client'}"}


def ours(server: FileServer, job: Job, connections: int = 1) -> float:
    """Return the seconds of our library."""
    program = Path(__file__).with_name("clients_ours.py")
    scheme = "ftpes" if server.secured else "ftp"
    words = ["up" if job.up else "down", str(connections), str(job.count)]
    done = run([sys.executable, str(program), server.url(scheme), *words], server.own)
    return float(done.stdout)


def pool(server: FileServer, job: Job) -> float:
    """Return the seconds of our library with four connections; one file is sent in segments."""
    return ours(server, job, 4)


def curl(server: FileServer, job: Job) -> float:
    """Return the seconds of one curl process with one connection."""
    lines = []
    for number in range(job.count):
        name = f"f{number:05d}"
        lines.append(f'url = "{server.url(path=name)}"')
        lines.append(f'upload-file = "{name}"' if job.up else f'output = "{name}"')
    (server.own.parent / "curl").write_text("\n".join(lines))
    secured = ["--ssl-reqd", "--insecure"] if server.secured else []
    return timed(["curl", "-s", *secured, "-K", str(server.own.parent / "curl")], server.own)


def lftp(server: FileServer, job: Job) -> float:
    """Return the seconds of one lftp process with one connection."""
    secured = "yes" if server.secured else "no"
    settings = f"set ssl:verify-certificate no; set ftp:ssl-force {secured}; "
    settings += f"set ftp:ssl-allow {secured}; set ftp:ssl-protect-data {secured}; "
    verb = "mput f*" if job.up else "mget f*"
    return timed(["lftp", "-c", f"{settings} open {server.url()}; {verb}"], server.own)


def timed(command: list[str], directory: Path) -> float:
    """Return the seconds of a command."""
    began = time.perf_counter()
    run(command, directory)
    return time.perf_counter() - began


def run(command: list[str], directory: Path) -> subprocess.CompletedProcess[str]:
    """Run a command; raises `RuntimeError` if it fails."""
    done = subprocess.run(
        command,
        cwd=directory,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr[-2000:]}")
    return done


CLIENTS: dict[str, Callable[[FileServer, Job], float]] = {
    "ours": ours,
    "ours, 4 connections": pool,
    "curl": curl,
    "lftp": lftp,
}


def measure(server: FileServer, job: Job, client: Callable[[FileServer, Job], float]) -> float:
    """Return MiB or files per second; raises `RuntimeError` if files are missing or incomplete."""
    _source, target = server.prepare(job)
    try:
        seconds = client(server, job)
    except subprocess.TimeoutExpired:
        return len(list(target.glob("f*"))) / TIMEOUT_SECONDS
    arrived = [path.stat().st_size for path in target.glob("f*")]
    if arrived != [job.size] * job.count:
        raise RuntimeError(f"{len(arrived)} of {job.count} files arrived, or some are incomplete")
    return (job.size / (1 << 20) if job.count == 1 else job.count) / seconds


def summary(numbers: list[float]) -> str:
    """Return the median with the minimum and the maximum."""
    return f"{statistics.median(numbers):.0f} ({min(numbers):.0f}-{max(numbers):.0f})"


def main(words: list[str] | None = None) -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="one round with a twentieth of the data"
    )
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args(words)
    clients = [name for name in CLIENTS if "ours" in name or shutil.which(name)]
    print("| job | " + " | ".join(clients) + " |\n| --- |" + " ---: |" * len(clients))
    for secured in (False, True):
        with serving(secured) as server:
            for job in JOBS:
                print(row(server, job, clients, given), flush=True)
    return 0


def row(server: FileServer, job: Job, clients: list[str], given: argparse.Namespace) -> str:
    """Return a line of the table."""
    unit = "MiB/s" if job.count == 1 else "files/s"
    label = f"{job.name}{', TLS' if server.secured else ''}, {unit}"
    if given.quick:
        job = Job(job.name, job.up, min(job.size, 50 << 20), max(1, job.count // 20))
    numbers: dict[str, list[float]] = {name: [] for name in clients}
    for _ in range(1 if given.quick else given.rounds):
        for name in clients:
            numbers[name].append(measure(server, job, CLIENTS[name]))
    return f"| {label} | " + " | ".join(summary(numbers[name]) for name in clients) + " |"


if __name__ == "__main__":
    sys.exit(main())
