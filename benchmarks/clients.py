"""Our client beside curl and lftp, all with our server: ``python -m benchmarks.clients [--quick]``.

One large file and many small ones, both ways, in clear and under TLS. Contenders take turns; a
number is the median of the rounds, with the least and the most beside it. Time runs from the start
of curl and lftp to their end; of ours, from before it connects to its end, for what Python takes to
start belongs to whoever's program it is part of. Files are in memory, and what arrived is checked.

curl 7.88 at times waits for a whole second when the reply to EPSV comes sooner than it expects; so
with many files its median says little of it, and its best round more.
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

from benchmarks.servers.running import free_port

__all__ = ["CONTENDERS", "JOBS", "House", "Job", "main"]

CHECKOUT = Path(__file__).parent.parent
MEMORY = Path("/dev/shm")
SMALL = 4096
PATIENCE = 20
"""Seconds; who takes longer is stopped, and what arrived by then counts."""


@dataclass(frozen=True)
class Job:
    """What is done: ``count`` files of ``size`` bytes, up or down."""

    name: str
    up: bool
    size: int
    count: int


JOBS = (
    Job("down, one file", False, 1 << 30, 1),
    Job("up, one file", True, 1 << 30, 1),
    Job("down, 4 KiB files", False, SMALL, 1000),
    Job("up, 4 KiB files", True, SMALL, 1000),
)


class House:
    """A server of ours with the files of a job, and a directory for the clients."""

    def __init__(self, place: Path, port: int, secured: bool) -> None:
        self.served, self.own = place / "served", place / "own"
        self.port = port
        self.secured = secured

    def prepare(self, job: Job) -> tuple[Path, Path]:
        """Make the files of a job; return where they are and where they are to be."""
        for directory in (self.served, self.own):
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir()
        source, target = (self.own, self.served) if job.up else (self.served, self.own)
        content = os.urandom(min(job.size, 1 << 20))
        for number in range(job.count):
            _fill(source / f"f{number:05d}", content, job.size // len(content))
        ballast = self.own.parent / "ballast"  # memory that the host would take back meanwhile
        _fill(ballast, content, job.size * job.count // len(content))
        ballast.unlink()
        return source, target

    def url(self, scheme: str = "ftp", path: str = "") -> str:
        """Return a URL with the account."""
        return f"{scheme}://ann:secret@127.0.0.1:{self.port}/{path}"


@contextmanager
def serving(secured: bool) -> Iterator[House]:
    """Start the server, in memory, and end it."""
    with tempfile.TemporaryDirectory(prefix="clients-", dir=MEMORY) as name:
        house = House(Path(name), free_port(), secured)
        house.served.mkdir()
        command = "from ftpservice.service.cli import main; main()"
        options = [
            f"--listen=tcp:{house.port}:interface=127.0.0.1",
            "--auth=memory:ann:secret",
            "--root=served",
        ]
        log = Path(name) / "log"
        with (
            log.open("wb") as said,
            subprocess.Popen(
                [sys.executable, "-c", command, "serve", *options],
                cwd=name,
                env=environment(),
                stdout=said,
                stderr=said,
            ) as process,
        ):
            try:
                _wait(process, log)
                yield house
            finally:
                process.terminate()


def _wait(process: subprocess.Popen[bytes], log: Path) -> None:
    while "ftp://" not in log.read_text():
        if process.poll() is not None:
            raise RuntimeError(f"the server does not start: {log.read_text()}")
        time.sleep(0.02)


def _fill(path: Path, content: bytes, times: int) -> None:
    with path.open("wb") as file:
        for _ in range(times):
            file.write(content)


def environment() -> dict[str, str]:
    """Return one in which Python finds the checkout."""
    return os.environ | {"PYTHONPATH": f"{CHECKOUT}:{CHECKOUT / 'client'}"}


def ours(house: House, job: Job, connections: int = 1) -> float:
    """Return the seconds that the library needs."""
    program = Path(__file__).with_name("clients_ours.py")
    scheme = "ftpes" if house.secured else "ftp"
    words = ["up" if job.up else "down", str(connections), str(job.count)]
    done = run([sys.executable, str(program), house.url(scheme), *words], house.own)
    return float(done.stdout)


def pool(house: House, job: Job) -> float:
    """Return the seconds of four connections; one file comes in segments."""
    return ours(house, job, 4)


def curl(house: House, job: Job) -> float:
    """Return the seconds of one curl, which keeps its connection."""
    lines = []
    for number in range(job.count):
        name = f"f{number:05d}"
        lines.append(f'url = "{house.url(path=name)}"')
        lines.append(f'upload-file = "{name}"' if job.up else f'output = "{name}"')
    (house.own.parent / "curl").write_text("\n".join(lines))
    secured = ["--ssl-reqd", "--insecure"] if house.secured else []
    return timed(["curl", "-s", *secured, "-K", str(house.own.parent / "curl")], house.own)


def lftp(house: House, job: Job) -> float:
    """Return the seconds of one lftp with one connection."""
    secured = "yes" if house.secured else "no"
    settings = f"set ssl:verify-certificate no; set ftp:ssl-force {secured}; "
    settings += f"set ftp:ssl-allow {secured}; set ftp:ssl-protect-data {secured}; "
    verb = "mput f*" if job.up else "mget f*"
    return timed(["lftp", "-c", f"{settings} open {house.url()}; {verb}"], house.own)


def timed(command: list[str], directory: Path) -> float:
    """Return the seconds of a command."""
    began = time.perf_counter()
    run(command, directory)
    return time.perf_counter() - began


def run(command: list[str], directory: Path) -> subprocess.CompletedProcess[str]:
    """Run a command to its good end."""
    done = subprocess.run(
        command,
        cwd=directory,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr[-2000:]}")
    return done


CONTENDERS: dict[str, Callable[[House, Job], float]] = {
    "ours": ours,
    "ours, 4 connections": pool,
    "curl": curl,
    "lftp": lftp,
}


def measure(house: House, job: Job, contender: Callable[[House, Job], float]) -> float:
    """Return MiB or files per second; raises `RuntimeError` when something did not arrive."""
    _source, target = house.prepare(job)
    try:
        seconds = contender(house, job)
    except subprocess.TimeoutExpired:
        return len(list(target.glob("f*"))) / PATIENCE
    arrived = [path.stat().st_size for path in target.glob("f*")]
    if arrived != [job.size] * job.count:
        raise RuntimeError(f"{len(arrived)} files of {job.count} arrived")
    return (job.size / (1 << 20) if job.count == 1 else job.count) / seconds


def shown(numbers: list[float]) -> str:
    """Return the median with the least and the most."""
    return f"{statistics.median(numbers):.0f} ({min(numbers):.0f}-{max(numbers):.0f})"


def main(words: list[str] | None = None) -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a twentieth of it, once")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args(words)
    there = [name for name in CONTENDERS if "ours" in name or shutil.which(name)]
    print("| job | " + " | ".join(there) + " |\n| --- |" + " ---: |" * len(there))
    for secured in (False, True):
        with serving(secured) as house:
            for job in JOBS:
                print(row(house, job, there, given), flush=True)
    return 0


def row(house: House, job: Job, there: list[str], given: argparse.Namespace) -> str:
    """Return a line of the table."""
    unit = "MiB/s" if job.count == 1 else "files/s"
    label = f"{job.name}{', TLS' if house.secured else ''}, {unit}"
    if given.quick:
        job = Job(job.name, job.up, min(job.size, 50 << 20), max(1, job.count // 20))
    numbers: dict[str, list[float]] = {name: [] for name in there}
    for _ in range(1 if given.quick else given.rounds):
        for name in there:
            numbers[name].append(measure(house, job, CONTENDERS[name]))
    return f"| {label} | " + " | ".join(shown(numbers[name]) for name in there) + " |"


if __name__ == "__main__":
    sys.exit(main())
