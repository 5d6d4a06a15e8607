"""Progress callbacks over real sockets, on every path of the bytes."""

import io
from itertools import pairwise

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.task import Clock

from ftpservice_client import MirrorProgress, connect, connect_pool
from ftpservice_client.transfers.progress import REPORT_SECONDS, ProgressReporter
from tests.scenarios.client.test_url_schemes import LOCAL, SCHEMES, AllSchemesService
from tests.support.certificates import Authority
from tests.support.raw_client import starting

FIXTURES = (starting,)
SIZE = 16_000_000
SECONDS = 0.7
RATE = f"{int(SIZE / SECONDS)}"
LEAST = 3
"""Reports between the first and the last; kernels keep a good part of a file."""


@pytest.fixture
def services(server, tmp_path):
    authority = Authority(tmp_path)
    certificate = authority.certificate("localhost")
    served = server(
        *("--certificate", str(certificate), "--implicit", f"tcp:0:interface={LOCAL}"),
        *("--simple", f"tcp:0:interface={LOCAL}", "--simple-tls", f"tcp:0:interface={LOCAL}"),
        *("--rate-up", RATE, "--rate-down", RATE),
    )
    return AllSchemesService(served, authority)


class Seen:
    """Records the calls of a progress callback."""

    def __init__(self, size=SIZE):
        self.reports = []
        self.size = size

    def __call__(self, moved, total):
        self.reports.append((moved, total))

    def check(self):
        amounts = [moved for moved, _ in self.reports]
        assert amounts == sorted(amounts)
        assert self.reports[-1] == (self.size, self.size)
        between = {moved for moved in amounts if 0 < moved < self.size}
        assert len(between) >= LEAST, amounts


@pytest.mark.parametrize("scheme", SCHEMES)
@ensureDeferred
async def test_progress_is_reported_during_the_transfer(reactor, services, tmp_path, scheme):
    client = await connect(services.url(scheme), reactor=reactor, settings=services.settings())
    path, copy = tmp_path / "source", tmp_path / "copy"
    path.write_bytes(bytes(SIZE))
    for source in (path, io.BytesIO(bytes(SIZE))):
        seen = Seen()
        await client.upload(source, "name", progress=seen)
        seen.check()
    for target in (copy, None):
        seen = Seen()
        await client.download("name", target, progress=seen)
        seen.check()
    await client.quit()


@pytest.mark.parametrize("scheme", ["ftp", "ftpes"])
@ensureDeferred
async def test_progress_of_a_resumed_transfer_starts_at_its_offset(
    reactor, services, tmp_path, scheme
):
    client = await connect(services.url(scheme), reactor=reactor, settings=services.settings())
    path = tmp_path / "source"
    path.write_bytes(bytes(2 * SIZE))
    await client.upload(bytes(SIZE), "name")
    seen = Seen(2 * SIZE)
    await client.upload(path, "name", resume=True, progress=seen)
    seen.check()
    assert seen.reports[0] == (SIZE, 2 * SIZE)
    await client.quit()


@pytest.mark.parametrize("scheme", ["ftp", "ftpes", "simple"])
@ensureDeferred
async def test_progress_over_several_connections(reactor, services, tmp_path, scheme):
    pool = await connect_pool(
        services.url(scheme), 2, reactor=reactor, settings=services.settings()
    )
    (tmp_path / "tree").mkdir()
    for name in ("a", "b"):
        (tmp_path / "tree" / name).write_bytes(bytes(SIZE))
    overall, amounts = MirrorProgress(), []
    uploads = {name: Seen() for name in ("a", "b")}
    for one in [
        pool.upload(tmp_path / "tree" / name, name, progress=seen) for name, seen in uploads.items()
    ]:
        await one
    for seen in uploads.values():
        seen.check()
    if scheme != "simple":
        seen = Seen()
        await pool.download("a", tmp_path / "a", segments=2, progress=seen)
        seen.check()
    await pool.mirror(
        tmp_path / "down",
        "",
        parallel=2,
        mirror_progress=overall,
        progress=lambda *_: amounts.append(overall.moved),
    )
    assert amounts == sorted(amounts)
    assert len({moved for moved in amounts if 0 < moved < 2 * SIZE}) >= LEAST
    assert overall.moved == 2 * SIZE
    await pool.quit()


class Counter:
    moved = 0


def test_repeated_bytes_are_not_reported_twice():
    clock, reports, counter = Clock(), [], Counter()
    reporter = ProgressReporter(clock, lambda moved, total: reports.append((moved, total)))
    reporter.begin(counter, 100_000)
    counter.moved = 80_000
    clock.advance(REPORT_SECONDS)
    again = Counter()
    reporter.begin(again, 100_000)
    for moved in (10_000, 60_000, 90_000):
        again.moved = moved
        clock.advance(REPORT_SECONDS)
    reporter.done(100_000)
    reporter.stop()
    assert clock.getDelayedCalls() == []
    assert reports == [(0, 100_000), (80_000, 100_000), (90_000, 100_000), (100_000, 100_000)]
    assert REPORT_SECONDS <= 0.1
    assert all(before < after for before, after in pairwise(reports))


def test_a_small_file_has_two_reports_and_no_timer():
    clock, reports = Clock(), []
    reporter = ProgressReporter(clock, lambda moved, total: reports.append((moved, total)))
    reporter.begin(Counter(), 100)
    assert clock.getDelayedCalls() == []
    reporter.done(100)
    reporter.stop()
    assert reports == [(0, 100), (100, 100)]


def test_a_callback_that_raises_is_not_called_again():
    clock, calls = Clock(), []

    def fail(moved, total):
        calls.append(moved)
        raise ValueError

    reporter = ProgressReporter(clock, fail)
    reporter.begin(Counter(), 100)
    reporter.done(100)
    reporter.stop()
    assert calls == [0]
