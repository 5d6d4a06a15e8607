"""Files in a bucket: ``python -m benchmarks.buckets [--rounds N] [--size BYTES] [--only NAMES]``.

All store their files in one SeaweedFS, whose data is on tmpfs, and are measured in turn:

- ``library``: the calls of ``ftpservice/backends/s3/api`` without a service, from as many threads
  as the storage uses: what can be had at most.
- ``s3``: this service with the storage ``s3:``, ``rclone``: ``rclone serve ftp`` with an S3 remote,
  ``juicefs``: this service with ``local:`` on a JuiceFS mount (metadata in SQLite), all with the
  load client of the other benchmarks. The last two are left out where the program is missing.

The table has medians, and for each the median of its ratios to the library in the same round; also
the processor time of the service, or of the library, which says more than rates where server and
client share the processors.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from statistics import median
from typing import Protocol
from unittest import mock

from argon2 import PasswordHasher

from benchmarks.jobs import Profile
from benchmarks.load_client import Loader
from benchmarks.ports import free_port
from benchmarks.programs import LOAD, compiled
from benchmarks.servers.in_python import ours_over
from benchmarks.servers.recipe import PASSWORD, USER, Peer, Place, Start
from benchmarks.servers.running import Running
from ftpservice.backends.s3.api.bucket import Bucket
from ftpservice.backends.s3.api.bucket_string import BucketOptions
from ftpservice.backends.s3.api.multiparts import Multiparts
from ftpservice.backends.s3.api.signed_requests import BytesBody, SignedRequests
from tests.support.juicefs import juicefs_format, juicefs_mount, juicefs_program
from tests.support.s3_servers import KEY, SECRET, SETTINGS, make_bucket, seaweed_server

__all__ = ["main", "table"]

BUCKET, MOUNTED_BUCKET = "bench", "mounted"
PART, SMALL = 8 << 20, 4 << 10
IN_FLIGHT, CLIENTS = 3, 8
LARGE_STOR, LARGE_RETR, SMALL_STOR = "STOR large, MB/s", "RETR large, MB/s", "STOR 4 KiB, files/s"
JOBS = (LARGE_STOR, LARGE_RETR, SMALL_STOR)
COSTS = {
    LARGE_STOR: "STOR large, processor s/GiB",
    LARGE_RETR: "RETR large, processor s/GiB",
    SMALL_STOR: "STOR 4 KiB, processor ms/file",
}


class Contender(Protocol):
    """Does jobs."""

    @property
    def cpu(self) -> float:
        """Processor seconds so far."""

    def __call__(self, job: str) -> float:
        """Do a job; return its rate."""


class Library:
    """The calls of the library, in threads."""

    def __init__(self, url: str, source: Path, count: int) -> None:
        requests = SignedRequests(BucketOptions(BUCKET, endpoint=url))
        self._bucket = Bucket(requests)
        self._multiparts = Multiparts(requests, self._bucket)
        self._source = source
        self._size = source.stat().st_size
        self._count = count

    @property
    def cpu(self) -> float:
        """Processor seconds of this process so far."""
        return time.process_time()

    def __call__(self, job: str) -> float:
        """Do a job; return its rate."""
        begin = time.perf_counter()
        done = {LARGE_STOR: self._upload, LARGE_RETR: self._download, SMALL_STOR: self._small}[
            job
        ]()
        return done / (time.perf_counter() - begin)

    def _upload(self) -> float:
        upload_id = self._multiparts.create("large")

        def write(numbered: tuple[int, bytes]) -> object:
            number, data = numbered
            return self._multiparts.write("large", upload_id, number, BytesBody(data))

        with self._source.open("rb") as file, ThreadPoolExecutor(IN_FLIGHT) as threads:
            pieces = iter(lambda: file.read(PART), b"")
            parts = list(threads.map(write, enumerate(pieces, 1)))
        self._multiparts.complete("large", upload_id, parts)  # type: ignore[arg-type]
        return self._size / 1e6

    def _download(self) -> float:
        facts = self._bucket.head("large")
        assert facts is not None

        def read(start: int) -> int:
            end = min(start + PART, facts.size)
            return len(self._bucket.read("large", start, end, facts).data)

        with ThreadPoolExecutor(IN_FLIGHT) as threads:
            assert sum(threads.map(read, range(0, facts.size, PART))) == self._size
        return self._size / 1e6

    def _small(self) -> float:
        body = BytesBody(bytes(SMALL))

        def write(client: int) -> None:
            for number in range(self._count):
                self._bucket.write(f"small-{client}-{number}", body)

        with ThreadPoolExecutor(CLIENTS) as threads:
            list(threads.map(write, range(CLIENTS)))
        return self._count * CLIENTS


class Served:
    """A server of FTP, and the load client."""

    def __init__(self, peer: Peer, work: Path, source: Path, count: int) -> None:
        place = Place(
            free_port(),
            work,
            Path(tempfile.mkdtemp(dir=work)),
            PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD),
            work,
            None,
        )
        start = peer.recipe(Profile.PLAIN, place)
        assert start is not None
        self.running = Running(start, place)
        self._loader = Loader(work / LOAD)
        self._source = source
        self._count = count

    @property
    def cpu(self) -> float:
        """Processor seconds of the server so far."""
        return self.running.cpu

    def __call__(self, job: str) -> float:
        """Do a job; return its rate."""
        size = self._source.stat().st_size
        if job == SMALL_STOR:
            small = self._source.with_name("small")
            given = {"clients": CLIENTS, "count": self._count, "source": small, "size": SMALL}
            load = self._loader.run(self.running, "stor", path="small-", **given)
            return load.operations / load.seconds
        if job == LARGE_STOR:
            load = self._loader.run(
                self.running, "stor", source=self._source, size=size, path="ftp-"
            )
        else:
            load = self._loader.run(self.running, "retr", path="ftp-0-0")
            assert load.bytes == size
        return size / 1e6 / load.seconds


def rclone(url: str) -> Peer | None:
    """Return ``rclone serve ftp``."""
    program = Path(sys.executable).with_name("rclone")
    found = str(program) if program.exists() else shutil.which("rclone")
    facts = {
        "TYPE": "s3",
        "PROVIDER": "SeaweedFS",
        "ENDPOINT": url,
        "ACCESS_KEY_ID": KEY,
        "SECRET_ACCESS_KEY": SECRET,
    }
    environment = {f"RCLONE_CONFIG_WEED_{name}": value for name, value in facts.items()}

    def recipe(_profile: Profile, place: Place) -> Start:
        words = ("serve", "ftp", "weed:bench/rclone", f"--addr=127.0.0.1:{place.port}")
        account = (f"--user={USER}", f"--pass={PASSWORD}")
        return Start((found or "", *words, *account), {"RCLONE_CONFIG": "/dev/null", **environment})

    return Peer("rclone", "", recipe) if found else None


def contenders(
    url: str, work: Path, count: int, stack: ExitStack
) -> Iterator[tuple[str, Contender]]:
    """Start everything that is there; yield names and what does a job."""
    source = work / "large"
    endpoint = url.replace(":", "\\:")
    yield "library", Library(url, source, count)
    peers = [ours_over("s3", f"s3:{BUCKET}:prefix=ours:endpoint={endpoint}"), rclone(url)]
    if juicefs_program() is not None:
        make_bucket(url, MOUNTED_BUCKET)
        metadata = f"sqlite3://{work}/juicefs.db"
        given = (
            f"--bucket={url}/{MOUNTED_BUCKET}",
            f"--access-key={KEY}",
            f"--secret-key={SECRET}",
        )
        juicefs_format(metadata, "s3", *given)
        stack.enter_context(juicefs_mount(metadata, work / "mounted"))
        peers.append(ours_over("juicefs", f"local:{work / 'mounted'}"))
    for peer in filter(None, peers):
        served = Served(peer, work, source, count)
        stack.callback(served.running.stop)
        yield peer.name, served


def measured(rounds: int, size: int, only: str) -> dict[str, dict[str, list[float]]]:
    """Return the rates of all rounds, by job and name."""
    with ExitStack() as stack:
        stack.enter_context(mock.patch.dict(os.environ, SETTINGS))
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/dev/shm")))
        compiled(work)
        for name, bytes_ in (("large", size), ("small", SMALL)):
            (work / name).write_bytes(os.urandom(1 << 20)[:bytes_] * max(1, bytes_ >> 20))
        url = stack.enter_context(seaweed_server(str(work)))
        make_bucket(url, BUCKET)
        count = max(5, 50 * size >> 28)
        found = dict(contenders(url, work, count, stack))
        names = [name for name in found if not only or name in only.split(",")]
        rates: dict[str, dict[str, list[float]]] = {
            row: {name: [] for name in names} for row in (*JOBS, *COSTS.values())
        }
        for number, job, name in product(range(rounds + 1), JOBS, names):
            before = found[name].cpu
            rate = found[name](job)
            amount = count * CLIENTS / 1000 if job == SMALL_STOR else size / (1 << 30)
            cost = (found[name].cpu - before) / amount
            print(f"  {number} {name}: {job}: {rate:.1f}", file=sys.stderr, flush=True)
            if number:  # the first one warms up
                rates[job][name].append(rate)
                rates[COSTS[job]][name].append(cost)
    return rates


def table(rates: dict[str, dict[str, list[float]]]) -> Iterator[str]:
    """Yield the lines of a table in Markdown."""
    names = list(next(iter(rates.values())))
    yield f"| | {' | '.join(names)} |"
    yield f"| --- |{' --- |' * len(names)}"
    for job, by_name in rates.items():
        cells = []
        for values in by_name.values():
            pairs = zip(values, by_name.get("library", values), strict=True)
            ratio = median(mine / library for mine, library in pairs)
            shown = f"{median(values):.{2 if job in COSTS.values() else 0}f}"
            cells.append(f"{shown} ({ratio:.2f})")
        yield f"| {job} | {' | '.join(cells)} |"


def main(words: list[str] | None = None) -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.buckets", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=256 << 20, help="of the large file")
    parser.add_argument("--only", default="", help="names, with commas")
    given = parser.parse_args(words)
    print(*table(measured(given.rounds, given.size, given.only)), sep="\n")


if __name__ == "__main__":
    main()
