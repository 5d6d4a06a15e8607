"""The processes with the clients, which work at the same time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.soak.installation import Installation

__all__ = ["ClientFleet"]

MOST_PROCESSES = 4


class ClientFleet:
    """Processes with clients; a context manager."""

    def __init__(self, installation: Installation, slots: int) -> None:
        self._installation = installation
        processes = min(MOST_PROCESSES, slots // 4)
        bounds = [slots * number // processes for number in range(processes + 1)]
        self._ranges = list(pairwise(bounds))
        self._processes: list[subprocess.Popen[str]] = []

    def __enter__(self) -> ClientFleet:
        checkout = Path(__file__).parents[2]
        paths = os.pathsep.join([str(checkout), str(checkout / "client")])
        for first, end in self._ranges:
            path = self._installation.folder / f"clients-{first}.json"
            self._installation.client_settings(first, end - first).write(path)
            self._processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", "benchmarks.soak.client_process", str(path)],
                    env=os.environ | {"PYTHONPATH": paths},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
        return self

    def __exit__(self, *exception: object) -> None:
        for process in self._processes:
            process.kill()
            process.communicate()

    def run(self, sessions: int, seconds: float) -> list[dict[str, Any]]:
        """Run sessions, evenly over a time; return what the processes say."""
        count = len(self._processes)
        shares = [(sessions + number) // count for number in range(count)]
        return self._ask(
            [{"command": "run", "sessions": share, "seconds": seconds} for share in shares]
        )

    def clean(self) -> list[dict[str, Any]]:
        """Remove all partial uploads, and check all files."""
        return self._ask([{"command": "clean"}] * len(self._processes))

    def _ask(self, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for process, request in zip(self._processes, requests, strict=True):
            assert process.stdin is not None
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
        return [self._answer(process) for process in self._processes]

    def _answer(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("a process with clients has ended")
        answer: dict[str, Any] = json.loads(line)
        return answer
