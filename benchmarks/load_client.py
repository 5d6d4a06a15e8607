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

PATIENCE = 600.0


@dataclass(frozen=True)
class Load:
    """What the clients did."""

    seconds: float
    bytes: int
    operations: int
    cpu: float
    """Of the clients, all together."""
    p50: float
    p99: float
    longest: float
    first: float
    secured: int
    """Data connections under TLS."""
    resumed: int
    """Those of them that went on with the session of their control connection."""


class Loader:
    """The compiled program; raises `Unusable` when a client fails."""

    def __init__(self, program: Path, niceness: int = 0) -> None:
        self._niceness = niceness
        self._program = program

    def run(self, server: Running, verb: str, **given: object) -> Load:
        """Do one job to its end."""
        try:
            done = subprocess.run(
                self._command(server, verb, given),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Unusable(f"{verb} takes more than {PATIENCE:.0f} s") from None
        if done.returncode:
            told = _last(done.stderr) or f"the client ended with {done.returncode}"
            raise Unusable(f"{_brief(verb, given)}: {told}")
        return Load(**json.loads(done.stdout))

    @contextmanager
    def idle(self, server: Running, **given: object) -> Iterator[Load]:
        """Log in and stay while in ``with``."""
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
                process.communicate(timeout=PATIENCE)
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
