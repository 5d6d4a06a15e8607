"""Traces of sessions in workers: who is asked, and what is passed on."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.task import Clock

from ftpservice.activity.admin_actions import BadRequest
from ftpservice.events import SessionInfo, SessionOpened
from ftpservice.workers.remote_sessions import RemoteSessions
from ftpservice.workers.remote_trace import BEGIN_SECONDS, RemoteTraces


class Workers:
    def __init__(self) -> None:
        self.to_all: list[tuple[Any, ...]] = []
        self.to_one: list[tuple[Any, ...]] = []
        self.sessions: dict[int, Any] = {}
        home = RemoteSessions(self.sessions, bool)
        home.send = self.tell_one
        for number, protocol in ((7, "ftp"), (8, "simple")):
            info = SessionInfo(f"run-{number}", protocol)
            opened = SessionOpened(1.0, number, "::1", "", protocol, info=info)
            home.happened(opened)
        self.clock = Clock()
        self.traces = RemoteTraces(self.sessions, self.tell_all, self.clock)

    def tell_one(self, *message: Any) -> None:
        self.to_one.append(message)

    def tell_all(self, *message: Any) -> int:
        self.to_all.append(message)
        return 2


@pytest.fixture
def workers() -> Workers:
    return Workers()


@pytest.mark.parametrize("target", ["7", "run-7"])
def test_only_the_worker_of_a_session_is_asked(workers: Workers, target: str) -> None:
    records: list[Any] = []
    trace = workers.traces.trace_for({"target": target})
    trace.start(records.append)
    asked = {"target": "7", "is_user": False, "redact_names": False}
    assert workers.to_one == [("trace", 1, asked)]
    assert records == []
    workers.traces.traced(1, {"trace": 1})
    assert (records[0]["follows"], records[0]["names"]) == (False, "shown")
    workers.traces.traced(1, {"session": 7, "command": "PWD"})
    assert records[1:] == [{"session": 7, "command": "PWD"}]
    trace.stop()
    trace.stop()
    workers.traces.traced(1, {"session": 7, "command": "PWD"})
    assert workers.to_one[1:] == [("untrace", 1)]
    assert len(records) == 2
    assert workers.to_all == []


def test_all_are_asked_for_an_account_and_so_are_those_that_start_later(workers: Workers) -> None:
    workers.traces.trace_for({"target": "7"}).start(bool)
    trace = workers.traces.trace_for({"target": "ann", "redact_names": True})
    trace.start(bool)
    asked = {"target": "ann", "is_user": True, "redact_names": True}
    assert workers.to_all == [("trace", 2, asked)]
    late: list[tuple[Any, ...]] = []
    workers.traces.begin(lambda *message: late.append(message))
    assert late == [("trace", 2, asked)]
    trace.stop()
    workers.traces.begin(lambda *message: late.append(message))
    assert len(late) == 1


def test_a_trace_has_begun_when_all_workers_have(workers: Workers) -> None:
    records: list[Any] = []
    workers.traces.trace_for({"target": "ann"}).start(records.append)
    workers.traces.traced(1, {"trace": 1})
    workers.traces.traced(1, {"session": 7, "command": "PWD"})
    assert records == []
    workers.traces.traced(1, {"trace": 1})
    assert records[0]["follows"]
    assert records[1:] == [{"session": 7, "command": "PWD"}]
    workers.traces.traced(1, {"trace": 1})  # of a worker that has started since
    assert len(records) == 2
    assert workers.clock.getDelayedCalls() == []


def test_a_trace_begins_although_a_worker_hangs(workers: Workers) -> None:
    records: list[Any] = []
    trace = workers.traces.trace_for({"target": "ann"})
    trace.start(records.append)
    workers.clock.advance(BEGIN_SECONDS)
    assert [sorted(record)[:1] for record in records] == [["follows"]]
    workers.traces.trace_for({"target": "ann"}).start(records.append)
    trace.stop()
    assert len(workers.clock.getDelayedCalls()) == 1


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        ({}, "needs a session or an account"),
        ({"target": "9"}, "there is no session 9"),
        ({"target": "8"}, "does not use FTP"),
    ],
)
def test_what_cannot_be_traced_is_refused(
    workers: Workers, request_: dict[str, Any], why: str
) -> None:
    with pytest.raises(BadRequest, match=why):
        workers.traces.trace_for(request_)


def test_an_account_may_have_a_number_as_its_name(workers: Workers) -> None:
    trace = workers.traces.trace_for({"target": "7", "is_user": True})
    assert trace.request["is_user"]
