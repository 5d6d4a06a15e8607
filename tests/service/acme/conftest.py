"""A renewal with a fake clock, files, a responder, and an authority in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher

from ftpservice.concurrency.thread_pool import InlineRunner
from ftpservice.events import Event
from ftpservice.service.acme.acme_files import AcmeFiles
from ftpservice.service.acme.challenge import HTTP_PATH
from ftpservice.service.acme.http_challenge import HTTPChallenges
from ftpservice.service.acme.issuance import IssuanceParts
from ftpservice.service.acme.renewal import CertificateRenewal, RenewalParts
from tests.support.scripted_authority import ScriptedAuthority

START = 1_800_000_000.0
NAMES = ("a.example", "b.example")
URL = "https://ca.example/dir"


class AcmeBench:
    """The parts of a renewal; `restart` is what a new process would do."""

    def __init__(self, place: Path) -> None:
        place.mkdir()
        self.place = place
        self.clock = Clock()
        self.files = AcmeFiles(place)
        self.responder = HTTPChallenges(self.clock)
        self.authority = ScriptedAuthority(self._served, self.seconds)
        self.in_use = "self-signed"
        self.use_failures: list[Exception] = []
        self.events: list[Event] = []
        self.lines: list[str] = []
        self.pools: list[InlineRunner] = []
        self.pools_are_held = False
        self.names = NAMES
        self.directory = URL
        self.renewal = self.new_renewal()

    def seconds(self) -> float:
        return START + self.clock.seconds()

    def _served(self, _name: str, token: str) -> str | None:
        found = self.responder.factory.answers.get((HTTP_PATH + token).encode())
        return None if found is None else found.decode()

    @property
    def parts(self) -> IssuanceParts:
        return IssuanceParts(
            self.names,
            self.files,
            self.responder,
            lambda _key: self.authority.opened(),  # type: ignore[arg-type, return-value]
            self.clock,
            self.seconds,
        )

    def new_renewal(self) -> CertificateRenewal:
        parts = RenewalParts(
            self.parts,
            self.directory,
            lambda: self.in_use,
            self._use,
            self.events.append,
            lambda: 0.0,
        )
        return CertificateRenewal(parts, self._pool)

    def _pool(self, _reactor: Any) -> InlineRunner:
        self.pools.append(InlineRunner())
        self.pools[-1].held = self.pools_are_held
        return self.pools[-1]

    def release(self) -> None:
        """Let the calls in threads go on."""
        self.pools_are_held = self.pools[-1].held = False
        self.pools[-1].release()

    def _use(self) -> Deferred[None]:
        if self.use_failures:
            return fail(self.use_failures.pop(0))
        found = self.files.certificate()
        assert found is not None
        self.in_use = found.fingerprint
        return succeed(None)

    def start(self) -> None:
        self.renewal.startService()

    def restart(self) -> None:
        """Kill the process, and start another one."""
        if self.renewal.running:
            self.renewal.stopService()
        self.renewal = self.new_renewal()
        self.start()

    def pass_time(self, seconds: float, step: float = 1.0) -> None:
        for _ in range(round(seconds / step)):
            self.clock.advance(step)

    @property
    def orders(self) -> int:
        return self.authority.calls.count("new_order")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[AcmeBench]:
    made = AcmeBench(tmp_path / "acme")

    def note(event: Any) -> None:
        if event.get("log_namespace") == "ftpservice.tls":
            line = event["log_format"].format(**event) if event.get("log_format") else ""
            made.lines.append(line or str(event.get("log_failure")))

    globalLogPublisher.addObserver(note)
    yield made
    globalLogPublisher.removeObserver(note)
    if made.renewal.running:
        assert made.renewal.stopService().called
    assert made.clock.getDelayedCalls() == []
    assert made.responder.factory.answers == {}
    assert made.authority.connections == 0
