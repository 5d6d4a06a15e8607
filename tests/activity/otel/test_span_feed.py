"""What is exported when; what is lost is counted."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher

from ftpservice import events
from ftpservice.activity.otel import span_feed
from ftpservice.activity.otel.span_feed import (
    BATCH,
    FLUSH_SECONDS,
    MAX_QUEUED,
    REPORT_SECONDS,
    RETRY_SECONDS,
    SOON_SECONDS,
    STOP_SECONDS,
    ExportResult,
    SpanFeed,
)
from ftpservice.concurrency.task import Task
from ftpservice.concurrency.thread_pool import InlineRunner
from ftpservice.events import EventStream

EVENT = events.LoggedIn(1.0, 1, "192.0.2.1", "ann")


class Exporter:
    """Takes each item as a span, with ``problem``."""

    def __init__(self):
        self.batches, self.problem, self.stopped = [], "", 0

    def export(self, happened):
        self.batches.append(len(happened))
        if isinstance(self.problem, Exception):
            raise self.problem
        return ExportResult(len(happened), 2, self.problem)

    def stop(self):
        self.stopped += 1


class Bench:
    def __init__(self):
        self.clock, self.exporter, self.runner = Clock(), Exporter(), InlineRunner()
        self.made, self.lines = 0, []
        self.stream = EventStream(lambda error, _event: self.lines.append(error))
        self.feed = SpanFeed(self.stream, self.make, self.clock)
        self.feed._pool = self.runner
        self.feed.start()

    def make(self):
        self.made += 1
        return self.exporter

    def publish(self, count=1):
        for _ in range(count):
            self.stream.publish(EVENT)

    @property
    def counts(self):
        return self.feed.exported, self.feed.lost

    def stop(self):
        stopping = Task(self.feed.stop())
        assert stopping.has_returned
        assert self.clock.getDelayedCalls() == []


@pytest.fixture
def bench():
    made = Bench()

    def note(event):
        if event.get("log_namespace") == "ftpservice.otel":
            made.lines.append(event["log_format"].format(**event))

    globalLogPublisher.addObserver(note)
    yield made
    globalLogPublisher.removeObserver(note)


def test_what_happens_within_a_moment_is_exported_together(bench):
    assert bench.clock.getDelayedCalls() == []
    bench.publish(3)
    bench.stream.publish(events.Refused(1.0, 0, "192.0.2.1", "", "full"))  # has no session
    assert bench.exporter.batches == []
    bench.clock.advance(FLUSH_SECONDS)
    assert (bench.exporter.batches, bench.made) == ([3], 1)
    assert bench.clock.getDelayedCalls() == []
    bench.publish()
    bench.clock.advance(FLUSH_SECONDS)
    assert (bench.exporter.batches, bench.made) == ([3, 1], 1)
    assert (bench.counts, bench.feed.left_out) == ((4, 0), 4)
    bench.stop()
    assert bench.exporter.stopped == 1
    assert bench.lines == []


def test_more_than_a_batch_is_exported_without_a_pause(bench):
    bench.publish(2 * BATCH + 1)
    bench.clock.advance(FLUSH_SECONDS)
    bench.clock.advance(SOON_SECONDS)
    assert bench.exporter.batches == [BATCH, BATCH]
    bench.clock.advance(FLUSH_SECONDS)
    assert bench.exporter.batches == [BATCH, BATCH, 1]
    bench.stop()


@pytest.mark.parametrize("problem", ["503 from the collector", OSError("503 from the collector")])
def test_what_the_collector_does_not_take_is_lost_and_it_gets_a_rest(bench, problem):
    bench.exporter.problem = problem
    bench.publish(3)
    bench.clock.advance(FLUSH_SECONDS)
    bench.publish(2)
    bench.clock.advance(RETRY_SECONDS - 0.1)
    assert bench.exporter.batches == [3]
    bench.exporter.problem = ""
    bench.clock.advance(0.1)
    assert bench.exporter.batches == [3, 2]
    assert bench.counts == (2, 3)
    (line,) = bench.lines
    assert line.startswith("3 spans for OpenTelemetry lost: ")
    assert line.endswith("503 from the collector")
    bench.stop()


def test_a_loss_that_is_logged_later_has_its_reason(bench):
    for problem in ("refused", "refused", ""):
        bench.exporter.problem = problem
        bench.publish()
        bench.clock.advance(RETRY_SECONDS)
    bench.clock.advance(REPORT_SECONDS)
    bench.publish()
    bench.clock.advance(FLUSH_SECONDS)
    assert bench.lines == ["1 span for OpenTelemetry lost: refused"] * 2
    bench.stop()


def test_what_does_not_fit_is_counted_and_logged_now_and_then(bench):
    bench.runner.held = True
    bench.publish(5)
    bench.clock.advance(FLUSH_SECONDS)
    bench.publish(MAX_QUEUED + 7)
    assert bench.feed.lost == 7
    bench.runner.held = False
    bench.runner.release()
    assert bench.lines == ["7 spans for OpenTelemetry lost: there were too many at once"]
    bench.exporter.problem = "gone"
    for _ in range(int(REPORT_SECONDS / RETRY_SECONDS) + 1):
        bench.clock.advance(RETRY_SECONDS)
    assert len(bench.lines) == 2
    bench.stop()
    assert sum(int(line.split()[0]) for line in bench.lines) == bench.feed.lost == MAX_QUEUED + 7


def test_the_last_spans_are_exported_at_the_end(bench):
    bench.publish(BATCH + 3)
    bench.stop()
    assert bench.exporter.batches == [BATCH, 3]
    bench.publish()
    assert bench.counts == (BATCH + 3, 0)


def test_a_collector_that_has_just_failed_is_not_waited_for_at_the_end(bench):
    bench.exporter.problem = "gone"
    bench.publish()
    bench.clock.advance(FLUSH_SECONDS)
    bench.publish(4)
    bench.stop()
    assert (bench.exporter.batches, bench.counts) == ([1], (0, 5))
    assert bench.lines[-1] == "4 spans for OpenTelemetry lost: the service stops"


def test_attempts_are_ended_when_the_end_takes_long(bench):
    bench.publish(BATCH)
    bench.clock.advance(FLUSH_SECONDS)
    bench.runner.held = True
    bench.publish(BATCH + 5)
    bench.clock.advance(FLUSH_SECONDS)
    stopping = Task(bench.feed.stop())
    assert not stopping.has_returned
    bench.clock.advance(STOP_SECONDS)
    assert bench.exporter.stopped == 1
    bench.runner.held = False
    bench.runner.release()
    assert stopping.has_returned
    assert bench.counts == (2 * BATCH, 5)


def test_the_modules_of_the_library_are_not_needed_for_the_feed():
    assert not [name for name in vars(span_feed) if "opentelemetry" in name]
