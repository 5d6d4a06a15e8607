"""Traces that are started by the API end, and their transcripts go, in any case."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from ftpservice.activity.trace.trace_feed import trace_for
from ftpservice.web.api import running_traces
from ftpservice.web.api.running_traces import KEPT_SECONDS, MAX_TRACES, RunningTraces
from ftpservice.web.http.problems import Problem
from tests.support.page_in_memory import PageInMemory, done


class Bench:
    """Traces of a factory on a clock."""

    def __init__(self) -> None:
        self.page = PageInMemory()
        self.clock = self.page.clock
        self.traces = RunningTraces(
            partial(trace_for, self.page.factory), self.clock, self.clock.seconds
        )

    def start(self, seconds: float = 60.0) -> str:
        begun = self.traces.start("ann", "root", seconds, is_user=True, hides_names=False)
        return str(done(begun).id)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.traces.stop()
    made.page.stop()


def test_a_trace_ends_after_its_time_and_its_transcript_an_hour_later(bench: Bench) -> None:
    id = bench.start()
    (row,) = bench.traces.rows()
    assert (row["id"], row["until"] - row["since"], row["records"], row["ended"]) == (id, 60, 1, "")
    bench.clock.advance(60)
    assert bench.traces.rows()[0]["ended"] == "its time has passed"
    assert bench.traces.find(id).lines
    bench.clock.advance(KEPT_SECONDS)
    assert bench.traces.rows() == []
    with pytest.raises(Problem, match="no such trace"):
        bench.traces.find(id)


def test_their_number_is_limited(bench: Bench) -> None:
    ids = [bench.start() for _ in range(MAX_TRACES)]
    with pytest.raises(Problem, match="remove some first"):
        bench.start()
    bench.traces.remove(ids[3])
    bench.start()


def test_a_transcript_of_its_largest_size_ends_its_trace(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running_traces, "MAX_BYTES", 150)
    id = bench.start()
    trace = bench.traces.find(id)
    for number in range(5):
        trace.feed._send({"session": 1, "at": 0.0, "command": f"NOOP {number}"})
    assert trace.size <= 150
    bench.clock.advance(0)
    assert "has reached" in trace.ended
    assert bench.traces.end(id, "root").ended == trace.ended
