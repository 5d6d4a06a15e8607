"""The command: measures, prints the table, writes JSON, Markdown and a plot."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from benchmarks.jobs import Job
from benchmarks.machine import describe, raise_limits
from benchmarks.options import Choice, parse
from benchmarks.plot import svg
from benchmarks.programs import compiled
from benchmarks.results import Results
from benchmarks.rounds import Rounds
from benchmarks.servers.lineup import available
from benchmarks.servers.recipe import Peer
from benchmarks.table import markdown, text
from benchmarks.workspace import Workspace

__all__ = ["main"]


def main() -> None:
    """Run the benchmark with the options of the command line."""
    choice = parse(sys.argv[1:])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    results = Results.read(choice.render) if choice.render else measured(choice)
    print(text(results))
    write(choice.output / "results.md", markdown(results))
    write(choice.output / "results.svg", svg(results))
    print(f"written: {choice.output}/results.json, .md, .svg")


def measured(choice: Choice) -> Results:
    """Run all jobs; servers and data are removed when this returns or raises."""
    raise_limits()
    results = Results(describe(choice.scale, choice.rounds))
    with Workspace(choice.directory, choice.scale) as workspace:
        has_tls = compiled(workspace.work)
        peers = available(choice.servers)
        results.machine["servers"] = {peer.name: peer.version for peer in peers}
        rounds = Rounds(workspace, peers, choice.rounds)
        with rounds:
            for job in possible(choice.jobs, peers, has_tls):
                print(f"{job.name}: {job.title}", file=sys.stderr, flush=True)
                results.add(job, rounds.run(job))
                results.write(
                    choice.output / "results.json"
                )  # after each job, so that an interrupted run keeps its results
    return results


def possible(jobs: tuple[Job, ...], peers: list[Peer], has_tls: bool) -> tuple[Job, ...]:
    """Return the jobs that can run; prints which jobs and servers have no TLS."""
    if not any(job.profile.secure for job in jobs):
        return jobs
    if not has_tls:
        print("no TLS: the compiler does not find OpenSSL (apt install libssl-dev, or "
              "benchmarks/install-peers)", file=sys.stderr)  # fmt: skip
        return tuple(job for job in jobs if not job.profile.secure)
    for peer in peers:
        if peer.without_tls:
            print(f"no TLS: {peer.name}: {peer.without_tls}", file=sys.stderr)
    return jobs


def write(path: Path, content: str) -> None:
    """Write a file; create its directory if necessary."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
