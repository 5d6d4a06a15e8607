"""The directories of one run: the data on tmpfs, the rest elsewhere; removed afterwards.

Uploads to tmpfs need free pages, and the host of a virtual machine takes free pages back after a
moment. How many are left affects an upload more than the server does. Therefore a ballast file
occupies enough pages and is removed right before each upload.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from benchmarks.jobs import Job, Measure

__all__ = ["Workspace"]

PIECE = 1 << 20
LINE = b"The quick brown fox jumps over the lazy dog, 0123456789 times.\n"
SMALLEST = 4096
MOST_SECONDS = 4.0


class Workspace:
    """The directories for the servers' files; a context manager."""

    def __init__(self, directory: Path, scale: float) -> None:
        self._directory = directory
        self._scale = scale

    def __enter__(self) -> Workspace:
        self.data = Path(tempfile.mkdtemp(prefix="benchmark-", dir=self._directory))
        self.work = Path(tempfile.mkdtemp(prefix="benchmark-"))
        self.root = self.data / "root"
        self.root.mkdir()
        for path in (self.data, self.work, self.root):
            path.chmod(0o755)
        return self

    def __exit__(self, *exception: object) -> None:
        shutil.rmtree(self.data, ignore_errors=True)
        shutil.rmtree(self.work, ignore_errors=True)

    def size(self, job: Job) -> int:
        """Return the size of one file of a job at this scale; small files are not scaled."""
        return max(min(job.size, SMALLEST), int(job.size * self._scale))

    def count(self, job: Job) -> int:
        """Return the operations of each client at this scale."""
        return max(1, min(job.count, 5), int(job.count * self._scale))

    def entries(self, job: Job) -> int:
        """Return the number of files in the job's directory at this scale."""
        return max(min(job.entries, 100), int(job.entries * self._scale))

    def seconds(self, job: Job) -> float:
        """Return the seconds after which a client of many small operations stops; 0: no limit."""
        many = job.measure in (Measure.FILES, Measure.LOGINS)
        return max(0.5, MOST_SECONDS * self._scale) if many else 0.0

    def total(self, job: Job) -> int:
        """Return the bytes that a job transfers."""
        return self.size(job) * self.count(job) * job.clients

    def file(self, job: Job) -> str:
        """Return the path below the root of a file of the job's size; created if missing."""
        name = f"{'text' if job.text else 'bytes'}-{self.size(job)}"
        _fill(self.root / name, self.size(job), LINE if job.text else os.urandom(PIECE))
        return name

    def source(self, job: Job, ascii_lines: bool) -> tuple[Path, int]:
        """Return the file that a client uploads, and its size; with CRLF for TYPE A."""
        original = self.root / self.file(job)
        if not ascii_lines:
            return original, self.size(job)
        path = self.data / f"crlf-{self.size(job)}"
        if not path.exists():
            with original.open("rb") as source, path.open("wb") as target:
                while piece := source.read(PIECE):
                    target.write(piece.replace(b"\n", b"\r\n"))
        return path, path.stat().st_size

    def directory(self, job: Job) -> str:
        """Return a directory of ``entries`` files of the job's size; created if missing."""
        name = f"many-{self.entries(job)}-{self.size(job)}"
        if not (self.root / name).exists():
            (self.root / name).mkdir()
            for number in range(self.entries(job)):
                _fill(self.root / name / f"{number:05d}", self.size(job), LINE)
        return name

    def uploads(self, server: str) -> Path:
        """Return an empty directory that a server may write to.

        A session of a failed load may still write to the previous one.
        """
        path = self.root / f"uploads-{server}"
        if path.exists():
            former = path.rename(Path(tempfile.mkdtemp(dir=self.root)) / "former")
            shutil.rmtree(former.parent, ignore_errors=True)
        path.mkdir()
        path.chmod(0o777)
        return path

    def hold(self, size: int) -> None:
        """Keep so much memory for the upload that comes."""
        path = self.data / "ballast"
        if size and (not path.exists() or path.stat().st_size < size):
            path.unlink(missing_ok=True)
            _fill(path, size, bytes(PIECE))

    def release(self) -> None:
        """Remove the ballast file."""
        (self.data / "ballast").unlink(missing_ok=True)

    @property
    def device(self) -> int | None:
        """The device of the data, unless other files that a server needs are on it."""
        others = {os.stat(path).st_dev for path in (self.work, __file__, os.__file__)}
        own = os.stat(self.root).st_dev
        return None if own in others else own


def _fill(path: Path, size: int, content: bytes) -> None:
    if path.exists():
        return
    with path.open("wb") as file:
        block = content * (PIECE // len(content) or 1)
        for _ in range(size // len(block)):
            file.write(block)
        file.write(block[: size % len(block)])
