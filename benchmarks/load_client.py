"""Runs the load client against a server and reads its one line of JSON."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.servers.recipe import PASSWORD
from benchmarks.servers.running import Running, Unusable

__all__ = ["Load", "Loader"]

TIMEOUT_SECONDS = 600.0


@dataclass(frozen=True)
class Load:
    """The result of one run of the load client."""

    seconds: float
    bytes: int
    operations: int
    cpu: float
    """CPU seconds of all clients together."""
    p50: float
    p99: float
    longest: float
    first: float
    secured: int
    """Number of data connections with TLS."""
    resumed: int
    """Number of them that resumed the TLS session of their control connection."""


class Loader:
    """The compiled program; raises `Unusable` when a client fails."""

    def __init__(self, program: Path, niceness: int = 0) -> None:
        self._niceness = niceness
        self._program = program

    def run(self, server: Running, verb: str, **given: object) -> Load:
        """Run one job."""
        try:
            done = subprocess.run(
                self._command(server, verb, given),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Unusable(f"{verb} takes more than {TIMEOUT_SECONDS:.0f} s") from None
        if done.returncode:
            message = _last(done.stderr) or f"the client exited with status {done.returncode}"
            raise Unusable(f"{_brief(verb, given)}: {message}")
        return Load(**json.loads(done.stdout))

    @contextmanager
    def idle(self, server: Running, **given: object) -> Iterator[Load]:
        """A context manager that keeps idle sessions open."""
        with subprocess.Popen(
            self._command(server, "idle", given),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None and process.stderr is not None
            try:
                line = process.stdout.readline()
                if not line:
                    raise Unusable(_last(process.stderr.read()))
                yield Load(**json.loads(line))
                process.communicate(timeout=TIMEOUT_SECONDS)
            finally:
                process.kill()

    def _command(self, server: Running, verb: str, given: dict[str, object]) -> list[str]:
        account = {
            "port": server.port,
            "user": server.user,
            "password": PASSWORD,
            "simple": int(server.simple),
        }
        words = [f"{name}={value}" for name, value in (account | given).items()]
        return ["nice", "-n", str(self._niceness), str(self._program), verb, *words]


def _brief(verb: str, given: dict[str, object]) -> str:
    return f"{verb} by {given.get('clients', 1)}"


def _last(output: bytes) -> str:
    lines = output.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else ""
