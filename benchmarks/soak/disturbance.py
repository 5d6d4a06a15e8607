"""What happens to a service beside its clients: an operator, and kills.

Both run in threads of their own while the clients work.
"""

from __future__ import annotations

import http.client
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from benchmarks.certificate import make_certificate
from benchmarks.soak.installation import EXPIRING, QUOTA, Installation
from benchmarks.soak.service import NotAnswered, SoakService
from benchmarks.soak.wire import HOST

__all__ = ["Killer", "Operator"]

OPERATOR_SECONDS = 0.5
RENEWAL_SECONDS = 60.0
"""With each certificate the TLS sessions end that clients could resume."""
RECOVERY_SECONDS = 30.0
POLL_SECONDS = 0.05


class BesideClients:
    """A thread that does something again and again; a context manager."""

    def __init__(self, seed: str) -> None:
        self._chance = random.Random(seed)
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._work)
        self.problems: list[str] = []

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *exception: object) -> None:
        self._ends.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._ends.wait(self._pause()):
            self._act()

    def _pause(self) -> float:
        raise NotImplementedError

    def _act(self) -> None:
        raise NotImplementedError


class Operator(BesideClients):
    """Lists and ends sessions, reads metrics, reloads, rotates the log, renews the certificate."""

    def __init__(self, service: SoakService, installation: Installation, seed: str) -> None:
        super().__init__(f"operator {seed}")
        self._service = service
        self._installation = installation
        self.done: Counter[str] = Counter()
        self._actions: list[Callable[[], object]] = [
            self.list_sessions,
            self.list_sessions,
            self.kick,
            self.report,
            self.count_quota,
            self.read_metrics,
            self.reload,
            self.rotate_log,
            self.renew_certificate,
            self.delete_expired,
            self.ban,
        ]

    def _pause(self) -> float:
        return OPERATOR_SECONDS * 2 * self._chance.random()

    def _act(self) -> None:
        action = self._chance.choice(self._actions)
        try:
            action()
        except (OSError, NotAnswered, http.client.HTTPException) as error:
            self.done[f"{action.__name__}: {error or type(error).__name__}"] += 1
        else:
            self.done[action.__name__] += 1

    def list_sessions(self) -> None:
        """List the sessions."""
        self._service.request("who")

    def kick(self) -> None:
        """End a session."""
        sessions = self._service.request("who")
        if sessions:
            number = self._chance.choice(sessions)["session"]
            self._service.request("kick", session=number)

    def report(self) -> None:
        """Ask for the report."""
        self._service.request("report")

    def count_quota(self) -> None:
        """Count the files of an account."""
        self._service.request("quota", user=QUOTA, recount=self._chance.random() < 0.5)

    def read_metrics(self) -> None:
        """Read the metrics."""
        connection = http.client.HTTPConnection(HOST, self._installation.ports["http"], timeout=20)
        try:
            connection.request("GET", self._chance.choice(["/metrics", "/healthz"]))
            answer = connection.getresponse()
            answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            self.problems.append(f"HTTP: {answer.status} {answer.reason}")

    def reload(self) -> None:
        """Read the settings again."""
        self._signal(signal.SIGHUP)

    def rotate_log(self) -> None:
        """Rename the log, and let the service begin a new one."""
        log = self._installation.log
        with suppress(FileNotFoundError):
            log.rename(log.with_name(f"service.{time.time_ns()}.log"))
        self._signal(signal.SIGUSR1)

    def renew_certificate(self) -> None:
        """Replace the certificate, if it is old; the service looks at it by itself."""
        if time.time() < self._installation.certificate.stat().st_mtime + RENEWAL_SECONDS:
            return
        new = self._installation.certificate.with_name("new.pem")
        make_certificate(new)
        new.replace(self._installation.certificate)

    def delete_expired(self) -> None:
        """Run the retention."""
        self._service.request("retention-run", user=EXPIRING, force=True)

    def ban(self) -> None:
        """Ban an address for a while."""
        network = f"127.0.250.{self._chance.randrange(250)}"
        self._service.request("ban", network=network, duration="10m", reason="soak")

    def _signal(self, number: signal.Signals) -> None:
        if self._service.runs:
            self._service.signal(number)


class Killer(BesideClients):
    """Kills a worker, or the service if there are none, and waits until all is well again."""

    def __init__(
        self,
        service: SoakService,
        installation: Installation,
        workers: int,
        seconds: float,
        seed: str,
    ) -> None:
        super().__init__(f"killer {seed}")
        self._service = service
        self._installation = installation
        self._workers = workers if workers > 1 else 0
        self._seconds = seconds
        self.kills: list[tuple[float, str]] = []
        """Time, and what was killed."""

    def _pause(self) -> float:
        return self._seconds * 2 * self._chance.random()

    def _act(self) -> None:
        try:
            with self._installation.normal_time():
                if self._workers and self._chance.random() < 0.8:
                    self._kill_worker()
                else:
                    self._kill_service()
        except (RuntimeError, OSError) as error:
            self.problems.append(f"after a kill: {error}")
            self._ends.set()

    def _kill_worker(self) -> None:
        pid = self._chance.choice(self._service.workers or [0])
        if not pid:
            raise RuntimeError("no worker runs")
        os.kill(pid, signal.SIGKILL)
        self.kills.append((time.time(), "worker"))
        deadline = time.monotonic() + RECOVERY_SECONDS
        while pid in (workers := self._service.workers) or len(workers) < self._workers:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{len(workers)} of {self._workers} workers run")
            time.sleep(POLL_SECONDS)

    def _kill_service(self) -> None:
        self._service.kill()
        self.kills.append((time.time(), "service"))
        self._service.start()
