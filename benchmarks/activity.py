"""What recording costs: ``python -m benchmarks.activity [--uploads N] [--rounds N] [--json]``.

Each part that records events (the log, the xferlog, the journal, the HTTP server with its page, the
metrics, a hook) is on in one run and all of them are on in another. A run is a process with the
whole service and no client: it publishes the two events of each upload of 4 KiB, ten uploads at a
time and `RATE` a second, as ten busy sessions would, and waits until all threads have done with
them. What is counted is the processor time of all threads, less that of a run with nothing on.

- "outside": the part of it within SQLite, which does not hold the lock of the interpreter: another
  core does that work while the service goes on.
- "lock": the rest, in microseconds for each upload. That much less a session gets done.
- "session": the same for the three events of a session that logs in and out without a transfer.

Other work on the machine makes a run slower and never faster, so each number is the least of
several runs; run nothing else all the same.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.servers.in_python import SUBSCRIBER

__all__ = ["PARTS", "main"]

RATE = 2000
AT_ONCE = 10
WARM = 1000
SETTLE_SECONDS = 2.5
"""Long enough for all that is done later: rows are delivered every second."""
FILE_SIZE = 4096
PEER, USER = "192.0.2.1", "ann"
TLS = "TLSv1.3 TLS_AES_256_GCM_SHA384"
PARTS = ("log", "xferlog", "journal", "page", "metrics", "hook")
NOTHING, ALL = "nothing", "all"
EVENTS = ("upload", "session")


class Cost(NamedTuple):
    """Microseconds of processor time."""

    lock: float
    outside: float


def _options(part: str, place: Path) -> Iterator[str]:
    """Yield the options of the service for a part, `ALL` or `NOTHING`."""

    def has(*names: str) -> bool:
        return part == ALL or part in names

    accounts = place / "passwd.db"
    accounts.touch(0o600)
    data = place / "data"
    data.mkdir(mode=0o700)
    yield from ("--listen=tcp:0:interface=127.0.0.1", "--allow-root", f"--root=local:{place}")
    yield from (f"--auth=passwd:{accounts}", f"--data-dir={data}")
    yield f"--log={'all' if has('log') else 'problems'}"
    yield f"--journal={data / 'journal.db' if has('journal') else 'off'}"
    if has("xferlog"):
        yield f"--xferlog={place / 'xferlog'}"
    if has("page", "metrics"):
        yield f"--http=unix:{data / 'http.sock'}"
    if has("metrics"):
        yield "--metrics=on"
    if has("hook"):
        (place / "hooks.toml").write_text(SUBSCRIBER, encoding="utf-8")
        yield f"--config={place / 'hooks.toml'}"


class Load:
    """Publishes the events of many uploads or sessions, at a steady rate."""

    def __init__(self, service: Any, events: str, reactor: Any) -> None:
        from ftpservice.accounts.account import StorageNames
        from ftpservice.accounts.account_record import AccountRecord
        from ftpservice.events import SessionInfo

        parts = service.parts
        self._reactor = reactor
        self._publish = parts.factory.event_sink.events.publish
        named = StorageNames(parts.realm._root_of, AccountRecord(USER, "", "/home"))
        self._info = SessionInfo("5f0c66a1b2d3-1", "ftp", TLS, ("staff",), named)
        self._one = self._upload if events == "upload" else self._session
        self._number = 0

    def open(self) -> None:
        """Publish the beginning of the session of the uploads."""
        from ftpservice.events import LoggedIn, SessionOpened

        self._publish(SessionOpened(time.time(), 1, PEER, "", info=self._info))
        self._publish(LoggedIn(time.time(), 1, PEER, USER, TLS, info=self._info))

    async def run(self, count: int) -> None:
        """Publish ``count`` times."""
        from twisted.internet.task import deferLater

        begin = self._reactor.seconds()
        for number in range(0, count, AT_ONCE):
            for _ in range(AT_ONCE):
                self._number += 1
                self._one(self._number)
            due = begin + (number + AT_ONCE) / RATE
            await deferLater(self._reactor, max(0.0, due - self._reactor.seconds()))

    def _upload(self, number: int) -> None:
        from ftpservice.events import Outcome, TransferEnded, TransferStarted

        path, now, info = f"/incoming/2026/file-{number}.txt", time.time(), self._info
        self._publish(TransferStarted(now, 1, PEER, USER, path, True, number, info=info))
        facts = (path, True, Outcome.COMPLETE, FILE_SIZE, 0.0004, "", "", number)
        self._publish(TransferEnded(now, 1, PEER, USER, *facts, info=info))

    def _session(self, number: int) -> None:
        from ftpservice.events import LoggedIn, SessionClosed, SessionOpened

        now, info, publish = time.time(), self._info, self._publish
        publish(SessionOpened(now, number, PEER, "", info=info))
        publish(LoggedIn(now, number, PEER, USER, TLS, info=info))
        publish(SessionClosed(now, number, PEER, USER, "QUIT", 0.01, info=info))


def _watch_sqlite() -> dict[str, float]:
    """Count the processor time of the calls of SQLite's library."""
    spent = {"seconds": 0.0}
    try:
        from sqlalchemy import Engine, event
        from sqlalchemy.engine.default import DefaultDialect
    except ImportError:
        return spent

    def begin(*_: Any) -> None:
        spent["begin"] = time.thread_time()

    def end(*_: Any) -> None:
        spent["seconds"] += time.thread_time() - spent["begin"]

    commit = DefaultDialect.do_commit

    def timed_commit(*given: Any) -> None:
        begin()
        commit(*given)
        end()

    event.listen(Engine, "before_cursor_execute", begin)
    event.listen(Engine, "after_cursor_execute", end)
    DefaultDialect.do_commit = timed_commit  # type: ignore[method-assign]
    return spent


async def _measured(reactor: Any, part: str, events: str, count: int) -> Cost:
    """Run the service with a part, and return what each upload or session costs."""
    from twisted.internet.task import deferLater
    from twisted.logger import globalLogBeginner

    from ftpservice.service.assembly import assemble
    from ftpservice.service.log.sinks import FileSink
    from ftpservice.service.log.writer import LogWriter
    from ftpservice.service.settings.options import ServiceOptions

    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="ftpservice-activity-") as place:
        writer = LogWriter(FileSink(str(Path(place, "log"))))
        globalLogBeginner.beginLoggingTo([writer], redirectStandardIO=False)
        options = ServiceOptions()
        options.parseOptions(list(_options(part, Path(place))))
        service = assemble(options, reactor)
        service.startService()
        writer.start()
        spent, load = _watch_sqlite() if part in ("journal", ALL) else {"seconds": 0.0}, None
        load = Load(service, events, reactor)
        load.open()
        await load.run(WARM)
        await deferLater(reactor, SETTLE_SECONDS)
        gc.collect()
        gc.freeze()
        began, outside = time.process_time(), spent["seconds"]
        await load.run(count)
        await deferLater(reactor, SETTLE_SECONDS)
        used, outside = time.process_time() - began, spent["seconds"] - outside
        await service.stopService()
        writer.close()
    return Cost((used - outside) / count * 1e6, outside / count * 1e6)


def _child(part: str, events: str, count: int) -> None:
    """Measure in this process, and print it."""
    from twisted.internet.defer import Deferred
    from twisted.internet.task import react

    async def work(reactor: Any) -> None:
        print(json.dumps(await _measured(reactor, part, events, count)))

    react(lambda reactor: Deferred.fromCoroutine(work(reactor)))


def _run(part: str, events: str, count: int) -> Cost:
    command = [sys.executable, "-m", "benchmarks.activity", "--child", part, events, str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return Cost(*json.loads(done.stdout.splitlines()[-1]))


def measured(
    parts: Sequence[str], events: Sequence[str], count: int, rounds: int
) -> dict[str, dict[str, Cost]]:
    """Return the least cost of each part, by what happened."""
    found: dict[str, dict[str, Cost]] = {part: {} for part in parts}
    for what in events:
        samples: dict[str, list[Cost]] = {part: [] for part in (NOTHING, *parts)}
        for _ in range(rounds):
            for part, costs in samples.items():
                costs.append(_run(part, what, count))
        nothing = min(cost.lock for cost in samples[NOTHING])
        for part in parts:
            lock = min(cost.lock for cost in samples[part]) - nothing
            found[part][what] = Cost(lock, min(c.outside for c in samples[part]))
    return found


def table(found: dict[str, dict[str, Cost]]) -> str:
    """Return the costs as a table in Markdown."""
    events = list(next(iter(found.values())))
    names = [name for what in events for name in (f"{what}, lock", f"{what}, outside")]
    lines = [f"| us | {' | '.join(names)} |", "| --- |" + " ---: |" * len(names)]
    for part, row in found.items():
        cells = [f"{value:.1f}" for what in events for value in row[what]]
        lines.append(f"| {part} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Do what the command line says."""
    if sys.argv[1:2] == ["--child"]:
        _child(sys.argv[2], sys.argv[3], int(sys.argv[4]))
        return
    parser = argparse.ArgumentParser(prog="python -m benchmarks.activity")
    parser.add_argument("--uploads", type=int, default=10_000, metavar="N", help="%(default)s")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="%(default)s")
    parser.add_argument("--parts", default=",".join((*PARTS, ALL)), help="%(default)s")
    parser.add_argument("--events", default=",".join(EVENTS), help="%(default)s")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args()
    parts, events = given.parts.split(","), given.events.split(",")
    if unknown := {*parts, *events} - {*PARTS, ALL, *EVENTS}:
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    found = measured(parts, events, given.uploads, given.rounds)
    if given.json:
        print(
            json.dumps({part: {w: c._asdict() for w, c in r.items()} for part, r in found.items()})
        )
    else:
        print(table(found))


if __name__ == "__main__":
    main()
