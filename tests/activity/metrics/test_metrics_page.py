"""What events and the state of the service become in the text of Prometheus."""

from __future__ import annotations

from typing import Any

import pytest_twisted
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.task import Clock

from ftpservice import events
from ftpservice.activity.metrics.event_counters import EventCounters
from ftpservice.activity.metrics.metric_reading import Reading
from ftpservice.activity.metrics.metrics_page import COUNT_SECONDS, MetricsPage
from ftpservice.activity.metrics.reactor_lag import LAG_SECONDS
from ftpservice.activity.metrics.service_state import CertificateEnd, ServiceState
from ftpservice.events import Event, EventStream, LoginRefusal, Outcome, SessionInfo

INFO = SessionInfo("c0ffee-7", "simple")
WHO = (1.0, 7, "192.0.2.1", "ann")


def unexpected(error: Exception, _event: Event) -> None:
    raise error


class ThreadsOfAClock(Clock):
    """The time is that of the test; threads report at once to the real reactor."""

    def __init__(self, reactor: Any) -> None:
        super().__init__()
        self.callFromThread = reactor.callFromThread


class Bench:
    """A page, and its text as values by name and labels."""

    def __init__(self, reactor: Any) -> None:
        self.stream = EventStream(unexpected)
        self.clock = ThreadsOfAClock(reactor)
        self.state = ServiceState()
        self.page = MetricsPage(self.stream, lambda: self.state, self.clock)
        self.page.start()

    async def values(self) -> dict[tuple[str, ...], float]:
        text = (await self.page.text()).decode()
        return {
            (sample.name.removeprefix("ftpservice_"), *sorted(sample.labels.values())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }


def ended(outcome: Outcome, size: int, upload: bool = True) -> Event:
    return events.TransferEnded(*WHO, "/a", upload, outcome, size, 2.0, info=INFO)


@pytest_twisted.ensureDeferred
async def test_events_are_counted_and_running_transfers_have_bytes(reactor) -> None:
    bench = Bench(reactor)
    bench.state = ServiceState(
        {("simple", "transfer"): 1},
        {(True, "simple"): 1},
        {(True, "simple"): 5_000},
        (CertificateEnd("ftp.example.com", "aabb", 99.0),),
        bans=3,
        accepts=False,
    )
    for event in (
        events.SessionOpened(*WHO, "simple", info=INFO),
        events.LoggedIn(*WHO, info=INFO),
        events.LoginFailed(*WHO, LoginRefusal.EXPIRED, info=INFO),
        ended(Outcome.COMPLETE, 100_000),
        ended(Outcome.ABORTED, 10),
        events.FileChanged(*WHO, "delete", "/a", info=INFO),
        events.FileChanged(*WHO, "hostile\n", "/a", info=INFO),
        events.SessionClosed(*WHO, "", 3.0, info=INFO),
    ):
        bench.stream.publish(event)
    values = await bench.values()
    expected = {
        ("sessions_opened_total", "simple"): 1,
        ("logins_total", "simple", "success"): 1,
        ("logins_total", "simple", "expired"): 1,
        ("logins_total", "ftp", "expired"): 0,
        ("transfers_total", "simple", "upload", "complete"): 1,
        ("transfers_total", "simple", "upload", "aborted"): 1,
        ("transfer_bytes_total", "simple", "upload"): 105_010,
        ("transfer_size_bytes_sum", "upload"): 100_000,
        ("transfer_rate_bytes_per_second_sum", "upload"): 50_000,
        ("transfer_duration_seconds_count", "upload"): 2,
        ("session_duration_seconds_count", "simple"): 1,
        ("file_changes_total", "delete"): 1,
        ("file_changes_total", "other"): 1,
        ("sessions", "simple", "transfer"): 1,
        ("sessions", "ftp", "idle"): 0,
        ("transfers_running", "simple", "upload"): 1,
        ("certificate_not_after_timestamp_seconds", "ftp.example.com", "aabb"): 99.0,
        ("banned_networks",): 3,
        ("accepts_sessions",): 0,
    }
    assert {key: values.get((key[0], *sorted(key[1:]))) for key in expected} == expected
    bench.state = ServiceState()
    assert (await bench.values())["transfer_bytes_total", "simple", "upload"] == 105_010
    await bench.page.stop()


@pytest_twisted.ensureDeferred
async def test_what_other_parts_tell_is_on_the_page(reactor) -> None:
    bench = Bench(reactor)
    bench.state = ServiceState(
        readings=(
            Reading.of("journal_rows", "Rows.", 7, is_counter=True),
            Reading.by("pool", "pool_threads", "Threads.", [("login", 2), ('a "b"\n', 1)]),
            Reading.by("account", "quota_used_ratio", "Nobody.", []),
        )
    )
    values = await bench.values()
    assert values["journal_rows_total",] == 7
    assert values["pool_threads", "login"] == 2
    assert values["pool_threads", 'a "b"\n'] == 1
    assert not [key for key in values if key[0] == "quota_used_ratio"]
    await bench.page.stop()


@pytest_twisted.ensureDeferred
async def test_a_protocol_that_is_not_known_has_a_series_of_its_own(reactor) -> None:
    bench = Bench(reactor)
    for protocol in ("http", "gopher", "nntp"):
        info = SessionInfo("c0ffee-8", protocol)
        for event in (
            events.SessionOpened(*WHO, protocol, info=info),
            events.LoggedIn(*WHO, info=info),
            events.TransferEnded(*WHO, "/a", True, Outcome.COMPLETE, 5, 2.0, info=info),
            events.SessionClosed(*WHO, "", 3.0, info=info),
        ):
            bench.stream.publish(event)
    values = await bench.values()
    for name in ("sessions_opened_total", "session_duration_seconds_count"):
        assert (values[name, "http"], values[name, "other"]) == (1, 2)
    assert values["logins_total", "other", "success"] == 2
    assert values["transfers_total", "complete", "other", "upload"] == 2
    assert values["transfer_bytes_total", "other", "upload"] == 10
    assert values["transfer_bytes_total", "http", "upload"] == 5
    await bench.page.stop()


@pytest_twisted.ensureDeferred
async def test_it_measures_the_delay_of_the_reactor_and_stops(reactor) -> None:
    bench = Bench(reactor)
    bench.clock.advance(LAG_SECONDS + 0.3)
    bench.stream.publish(ended(Outcome.COMPLETE, 1))
    bench.clock.advance(COUNT_SECONDS)
    values = await bench.values()
    assert values["reactor_lag_seconds_bucket", "0.25"] == 0
    assert values["reactor_lag_seconds_count",] >= 1
    assert values["transfers_total", "complete", "simple", "upload"] == 1
    await bench.page.stop()
    bench.stream.publish(ended(Outcome.COMPLETE, 1))
    assert bench.clock.getDelayedCalls() == []


def test_every_kind_has_a_handler_that_works() -> None:
    counters = EventCounters()
    examples = {
        events.CommandRefused: ("SIZE", "/x", 550, "No."),
        events.UploadRefused: ("STOR", "/x", 550, "No."),
        events.CommandFailed: ("SIZE", "x"),
        events.Refused: ("full",),
        events.SessionStalled: ("x",),
        events.HandshakeFailed: ("x",),
        events.FileExpired: ("/x", 1, 1.0, "1d"),
        events.Banned: ("192.0.2.0/24", "x", None),
        events.AdminAction: ("kick", "7"),
        events.CertificateFailed: (("a.example",), "No.", 9.0),
    }
    assert set(examples) < set(counters.kinds)
    counters.add(kind(*WHO, *facts) for kind, facts in examples.items())
