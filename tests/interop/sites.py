"""The real service, in this process's reactor, as clients of all kinds see it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from argon2 import PasswordHasher
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import deferLater
from twisted.internet.threads import blockingCallFromThread
from twisted.logger import LogEvent, LogLevel, formatEvent, globalLogPublisher

from ftpservice.events import Event, Outcome, TransferEnded
from ftpservice.service.lifecycle import FTPService
from ftpservice.service.options import Options
from ftpservice.service.tap import makeService

__all__ = ["ACCOUNTS", "ODD_PASSWORD", "ODD_USER", "Complaints", "Holdings", "Site", "named", "until"]

PATIENCE = 10.0
"""Seconds after which something that should happen will not."""
ODD_USER = "Jo O'Neil@home"
ODD_PASSWORD = "p%41 w:r/d@\u00e9#?&"
ACCOUNTS = {
    "demo": ("demo", "/", "full"),
    "reader": ("demo", "/", "read"),
    "inbox": ("demo", "/inbox", "upload-only"),
    ODD_USER: (ODD_PASSWORD, "/", "full"),
}
"""Passwords, roots and rights by name."""
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
IPV6 = Path("/proc/net/if_inet6")


async def until(condition: Callable[[], Any], what: Callable[[], object]) -> None:
    """Wait, a few turns of the reactor at a time, until something holds."""
    deadline = reactor.seconds() + PATIENCE
    while not condition():
        assert reactor.seconds() < deadline, what()
        await deferLater(reactor, 0.002, lambda: None)


class Holdings:
    """What the process has open at some moment."""

    def __init__(self) -> None:
        self.descriptors = Counter(_descriptors())
        self.selectables = Counter(map(id, reactor.getReaders() + reactor.getWriters()))
        self.calls = {id(call) for call in reactor.getDelayedCalls()}

    def more(self) -> dict[str, object]:
        """Return what is open now that was not then; empty when nothing is."""
        now = Holdings()
        live = {id(one): one for one in reactor.getReaders() + reactor.getWriters()}
        found = {
            "descriptors": sorted((now.descriptors - self.descriptors).elements()),
            "connections": [live[key] for key in now.selectables - self.selectables],
            "timers": [str(c) for c in reactor.getDelayedCalls() if id(c) not in self.calls],
        }
        return {kind: things for kind, things in found.items() if things}


def _descriptors() -> list[str]:
    found = []
    for number in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{number}")
        except OSError:
            continue
        if target != os.devnull and not target.startswith("/proc/"):  # one is kept in reserve
            found.append(target)
    return found


class Complaints:
    """Collects errors that are logged."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __enter__(self) -> Complaints:
        globalLogPublisher.addObserver(self)
        return self

    def __exit__(self, *exception: object) -> None:
        globalLogPublisher.removeObserver(self)

    def __call__(self, event: LogEvent) -> None:
        """Be told of a log event."""
        failure = event.get("log_failure")
        if failure is not None or event.get("log_level") in (LogLevel.error, LogLevel.critical):
            trace = "" if failure is None else failure.getTraceback()
            self.lines.append(f"{formatEvent(event)}\n{trace}")


class Site:
    """One running service, its files in ``root``; ``work`` is the directory of the client."""

    host = "127.0.0.1"

    def __init__(self, place: Path, *options: str) -> None:
        self.root, self.work = place / "served", place / "client"
        for directory in (self.root, self.work):
            directory.mkdir()
        accounts = place / "passwd.db"
        accounts.write_text(
            "".join(
                f"{name}:{CHEAP.hash(password)}:{root}:{rights}:\n"
                for name, (password, root, rights) in ACCOUNTS.items()
            )
        )
        parsed = Options()
        words = ["--listen", "tcp:0:interface=127.0.0.1", "--anonymous", "--anonymous-root", "/"]
        if IPV6.exists() and " lo" in IPV6.read_text():
            words += ["--listen", r"tcp6:0:interface=\:\:1"]
        words += ["--root", f"local:{self.root}", "--auth", f"passwd:{accounts}", *options]
        parsed.parseOptions(words)
        service = makeService(parsed)
        assert isinstance(service, FTPService)
        self.service = service
        self.events: list[Event] = []
        service.parts.factory.activity.events.subscribe(self.events.append)

    def start(self) -> None:
        """Listen."""
        self.service.privilegedStartService()
        self.service.startService()

    async def stop(self) -> None:
        """Wait until all clients have gone, then stop; fails if some do not go."""
        sessions = self.service.parts.factory.instances
        try:
            await until(lambda: not sessions, lambda: f"sessions are left: {sessions}")
        finally:
            await self.service.stopService()

    @property
    def ports(self) -> list[IListeningPort]:
        """The ports that clients connect to."""
        return self.service.ports

    @property
    def port(self) -> int:
        """The one on 127.0.0.1."""
        return int(self.ports[0].getHost().port)

    @property
    def port6(self) -> int:
        """The one on ::1."""
        return int(self.ports[1].getHost().port)

    def of(self, kind: type[Event]) -> list[Any]:
        """Return the events of a kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    def endings(self) -> list[tuple[str, Outcome]]:
        """Return each transfer of a file and how it ended."""
        return [(event.path, event.outcome) for event in self.of(TransferEnded)]

    def transferred(self, path: str) -> list[int]:
        """Return the bytes that each transfer of a file moved."""
        return [event.size for event in self.of(TransferEnded) if event.path == path]

    def url(self, path: str = "", user: str = "demo", *, port: int | None = None) -> str:
        """Return a URL; ``path`` is as the server names it."""
        password = ACCOUNTS[user][0]
        who = f"{quote(user, safe='')}:{quote(password, safe='')}"
        return f"ftp://{who}@{self.host}:{port or self.port}/{quote(path)}"

    def bare_url(self, path: str = "", *, host: str = host, port: int | None = None) -> str:
        """Return a URL without user and password."""
        return f"ftp://{host}:{port or self.port}/{quote(path)}"

    def wait_for(self, condition: Callable[[], Any]) -> None:
        """Wait, in a thread, until something holds in the reactor's."""
        blockingCallFromThread(
            reactor,
            lambda: Deferred.fromCoroutine(until(condition, lambda: "it does not happen")),
        )


def named(directory: Path) -> list[str]:
    """Return what is in a directory, hidden things included."""
    return sorted(os.listdir(directory))
