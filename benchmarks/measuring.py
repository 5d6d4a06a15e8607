"""One job, once, against one running server."""

from __future__ import annotations

import json
from dataclasses import replace

from benchmarks.jobs import JOBS, Job, Measure, Profile
from benchmarks.load_client import Load, Loader
from benchmarks.machine import descriptors
from benchmarks.programs import LOAD
from benchmarks.results import Sample
from benchmarks.servers.lineup import OURS_ALL
from benchmarks.servers.recipe import Peer
from benchmarks.servers.running import Running, Unusable
from benchmarks.workspace import Workspace

__all__ = ["Measuring"]

MIX = (
    "retr1", "stor256m", "retr10", "stor10", "small-retr10", "small-stor10", "login50", "list",
    "mlsd",
)  # fmt: skip
SLOW_SHARE = 0.02
"""Share of each job of the mix that is run when each call to the disk takes 200 ms."""
SPARE = 200
NICENESS = 10
"""Niceness of the clients while stalls are measured, so that they do not preempt a server thread
that holds Python's lock, for which the reactor would wait."""


class Measuring:
    """Measures jobs with the data of a workspace."""

    def __init__(self, workspace: Workspace, niceness: int = 0) -> None:
        self._space = workspace
        self._loader = Loader(workspace.work / LOAD, niceness)

    def sample(self, job: Job, peer: Peer, server: Running) -> Sample:
        """Do the job; raises `Unusable` if the server failed or transferred wrong bytes."""
        if job.measure is Measure.MEMORY:
            return self._idle(job, peer, server)
        if job.measure is Measure.STALL:
            return self._mixed(job, peer, server)
        before = server.cpu
        load = self._load(job, peer, server)
        spent = server.cpu - before
        value = _value(job.measure, load)
        return Sample(
            value,
            load.seconds,
            load.bytes,
            load.operations,
            load.cpu,
            spent,
            load.secured,
            load.resumed,
        )

    def _load(self, job: Job, peer: Peer, server: Running) -> Load:
        given = {
            "clients": job.clients,
            "count": self._space.count(job),
            "type": job.type_of(peer.name),
            "most": self._space.seconds(job),
            "tls": int(job.profile.secure),
        }
        if job.uploads:
            return self._upload(job, peer, server, given)
        in_memory = job.profile is Profile.MEMORY and peer.name in OURS_ALL
        if job.verb in ("LIST", "MLSD"):
            given |= {"directory": self._space.directory(job), "files": self._space.entries(job)}
        elif job.entries:
            given |= {
                "path": self._space.directory(job) + "/",
                "files": self._space.entries(job),
            }
        elif job.size:
            given["path"] = self._in_memory(job, server) if in_memory else self._space.file(job)
        load = self._loader.run(server, job.verb, **given)
        if job.verb == "retr":
            self._check_bytes(job, peer, load)
        return load

    def _check_bytes(self, job: Job, peer: Peer, load: Load) -> None:
        size = self._space.size(job)
        if job.type_of(peer.name) == "A":
            size = self._space.source(job, ascii_lines=True)[1]
        expected = size * load.operations
        if load.bytes != expected:
            raise Unusable(f"sent {load.bytes} bytes instead of {expected}")

    def _in_memory(self, job: Job, server: Running) -> str:
        source, size = self._space.source(job, ascii_lines=False)
        self._loader.run(server, "stor", source=source, size=size, path="file")
        return "file0-0"

    def _upload(self, job: Job, peer: Peer, server: Running, given: dict[str, object]) -> Load:
        source, size = self._space.source(job, job.type_of(peer.name) == "A")
        in_memory = job.profile is Profile.MEMORY and peer.name in OURS_ALL
        directory = self._space.uploads(peer.name)
        given |= {"source": source, "size": size, "path": "" if in_memory else f"{directory.name}/"}
        self._space.hold(self._space.total(job))
        self._space.release()
        try:
            load = self._loader.run(server, "stor", **given)
            sizes = [path.stat().st_size for path in directory.iterdir()]
        finally:
            self._space.uploads(peer.name)
        expected = [self._space.size(job)] * load.operations
        if not in_memory and sizes != expected:
            raise Unusable(f"incomplete: {sum(sizes)} bytes in {len(sizes)} files arrived")
        return load

    def _idle(self, job: Job, peer: Peer, server: Running) -> Sample:
        each = min(
            self._space.count(job),
            peer.most_sessions // job.clients,
            (descriptors() - SPARE) // job.clients,
        )
        with self._loader.idle(server, clients=job.clients, count=1):
            pass
        before = server.memory
        with self._loader.idle(server, clients=job.clients, count=each) as load:
            used = server.memory - before
        value = used / 1024 / load.operations
        return Sample(value, load.seconds, 0, load.operations, load.cpu, 0.0)

    def _mixed(self, job: Job, peer: Peer, server: Running) -> Sample:
        share = SLOW_SHARE if job.profile is Profile.SLOW_DISK else 1.0
        mix = [job] if job.verb else [each for each in JOBS if each.name in MIX]
        parts = [_part(each, share) for each in mix]
        server.stall()
        nice = Measuring(self._space, NICENESS)
        seconds = sum(nice._load(part, peer, server).seconds for part in parts)
        longest = json.loads(server.stall())["longest"]
        return Sample(longest * 1000, seconds, 0, len(parts))


def _part(job: Job, share: float) -> Job:
    return replace(
        job,
        size=job.size if job.count > 1 else int(job.size * share),
        count=max(1, int(job.count * share)),
        entries=int(job.entries * share) if job.measure is Measure.MEDIAN else job.entries,
    )


def _value(measure: Measure, load: Load) -> float:
    values = {
        Measure.RATE: load.bytes / load.seconds / 1e6,
        Measure.FILES: load.operations / load.seconds,
        Measure.LOGINS: load.operations / load.seconds,
        Measure.MEDIAN: load.p50 * 1000,
        Measure.FIRST: load.first * 1000,
        Measure.TAIL: load.p99 * 1000,
    }
    return values[measure]
