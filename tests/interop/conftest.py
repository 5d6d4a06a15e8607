"""What every client's tests share: the service, and a check that it left nothing behind."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import blockingCallFromThread, deferToThread

from tests.interop.cutting import Network
from tests.interop.sites import Complaints, Holdings, Site, until


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A service that runs; after the test it must have let go of everything and logged no error."""
    pytest_twisted.blockon(deferToThread(lambda: None))  # what the reactor opens once, is open
    before = Holdings()
    with Complaints() as complaints:
        site = Site(tmp_path)
        site.start()
        try:
            yield site
        finally:
            pytest_twisted.blockon(Deferred.fromCoroutine(site.stop()))
    gc.collect()
    pytest_twisted.blockon(Deferred.fromCoroutine(until(lambda: not before.more(), before.more)))
    assert complaints.lines == []


@pytest.fixture
def network(site: Site) -> Iterator[Callable[..., Network]]:
    """Put networks before the service, from a test's thread: ``network(*cuts, control=False)``."""
    made: list[Network] = []

    def connect(*cuts: int, control: bool = False) -> Network:
        def build() -> Network:
            return Network(site.port, *cuts, control=control)

        made.append(blockingCallFromThread(reactor, build))
        return made[-1]

    try:
        yield connect
    finally:
        for one in made:
            pytest_twisted.blockon(Deferred.fromCoroutine(one.close()))
