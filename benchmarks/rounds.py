"""Measures the servers in turn, A B C A B C ..., so that load on the machine affects all alike."""

from __future__ import annotations

import sys

from argon2 import PasswordHasher

from benchmarks.certificate import make_certificate
from benchmarks.jobs import Job, Profile
from benchmarks.measuring import Measuring
from benchmarks.ports import free_port
from benchmarks.results import Outcome, Sample
from benchmarks.servers.recipe import PASSWORD, Peer, Place
from benchmarks.servers.running import Running, Unusable
from benchmarks.workspace import Workspace

__all__ = ["Rounds"]

ONCE = (Profile.FRESH, Profile.STALL, Profile.SLOW_DISK, Profile.TLS_STALL)
"""Profiles for which each sample has a new server process."""


class Rounds:
    """Keeps servers running as long as the profile stays the same; a context manager."""

    def __init__(self, workspace: Workspace, peers: list[Peer], rounds: int) -> None:
        self._space = workspace
        self._peers = peers
        self._rounds = rounds
        self._measuring = Measuring(workspace)
        self._running: dict[str, Running] = {}
        self._profile = Profile.PLAIN
        self._failed: set[tuple[str, Profile]] = set()
        self._certificate = workspace.work / "certificate.pem"
        make_certificate(self._certificate)
        self._hash = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)

    def __enter__(self) -> Rounds:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop()

    def run(self, job: Job) -> dict[str, Outcome]:
        """Measure all servers with one job, without those that fail too often."""
        self.use(job.profile)
        outcomes = {peer.name: Outcome() for peer in self._peers}
        for _ in range(self._rounds):
            for peer in self._peers:
                outcome = outcomes[peer.name]
                if not outcome.out:
                    self._once(job, peer, outcome)
        return {name: outcome for name, outcome in outcomes.items() if outcome}

    def use(self, profile: Profile) -> None:
        """Start servers with a profile from now on; stop those with another one."""
        if profile is not self._profile:
            self._stop()
            self._profile = profile

    def _once(self, job: Job, peer: Peer, outcome: Outcome) -> None:
        try:
            server = None if peer.name in job.without else self.server(peer)
            if server is None:
                return
            outcome.samples.append(self._sample(job, peer, server))
            text = f"{outcome.samples[-1].value:.4g}"
        except Unusable as error:
            outcome.failures.append(str(error))
            self._discard(peer)
            text = str(error)
        print(f"  {len(outcome.samples)} {peer.name}: {text}", file=sys.stderr, flush=True)

    def _sample(self, job: Job, peer: Peer, server: Running) -> Sample:
        sample = self._measuring.sample(job, peer, server)
        if job.profile in ONCE:
            self._discard(peer)
        return sample

    def server(self, peer: Peer) -> Running | None:
        """Return a running server; None if it cannot do that, or has failed before."""
        if peer.name in self._running:
            return self._running[peer.name]
        work = self._space.work / peer.name
        work.mkdir(exist_ok=True)
        place = Place(
            port=free_port(),
            root=self._space.root,
            work=work,
            password_hash=self._hash,
            programs=self._space.work,
            device=self._space.device,
            certificate=self._certificate if self._profile.secure else None,
        )
        without = self._profile.secure and peer.without_tls
        start = None if without else peer.recipe(self._profile, place)
        if start is None or (peer.name, self._profile) in self._failed:
            return None
        self._failed.add((peer.name, self._profile))
        self._running[peer.name] = Running(start, place)
        self._failed.discard((peer.name, self._profile))
        return self._running[peer.name]

    def _discard(self, peer: Peer) -> None:
        server = self._running.pop(peer.name, None)
        if server is not None:
            server.stop()

    def _stop(self) -> None:
        while self._running:
            self._running.popitem()[1].stop()
