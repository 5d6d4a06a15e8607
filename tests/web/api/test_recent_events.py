"""The last events."""

from __future__ import annotations

import json
import math
from dataclasses import replace

from ftpservice.activity.reports.event_query import EventQuery
from ftpservice.events import (
    EventStream,
    LoggedIn,
    LoginFailed,
    Outcome,
    SessionInfo,
    TransferEnded,
    TransferStarted,
    UploadRefused,
)
from ftpservice.web.api.recent_events import MAX_EVENTS, RecentEvents

ALL = EventQuery(0, math.inf, limit=5000)
INFO = SessionInfo(id="s-1", protocol="ftp")


def cut(when: float) -> TransferEnded:
    return TransferEnded(
        when, 1, "192.0.2.1", "a", "/x", True, Outcome.ABORTED, 5, 1.0, info=INFO
    )  # fmt: skip


def test_traffic_does_not_push_problems_out() -> None:
    recent = RecentEvents()
    recent(LoginFailed(1.0, 1, "192.0.2.1", "\udcff<b>", info=INFO))
    recent(cut(2.0))
    for number in range(MAX_EVENTS + 5):
        recent(LoggedIn(3.0, number, "192.0.2.1", "ann", info=INFO))
    assert len(recent.chosen(ALL)) == MAX_EVENTS
    problems = recent.chosen(replace(ALL, problems=True))
    assert [one["kind"] for one in problems] == ["transfer", "login failed"]
    assert problems[0]["outcome"] == "aborted"
    assert (problems[1]["session_id"], problems[1]["id"]) == ("s-1", "1")
    assert json.loads(json.dumps(problems))[1]["user"] == "\udcff<b>"
    last = recent.last_number
    assert [one["id"] for one in recent.after(last - 2)] == [str(last - 1), str(last)]
    assert recent.after(last) == []


def test_events_have_the_node_of_this_service() -> None:
    recent, alone = RecentEvents("ftp2"), RecentEvents()
    for one in (recent, alone):
        one(cut(1.0))
    assert [one["node"] for one in recent.chosen(replace(ALL, node="ftp2"))] == ["ftp2"]
    assert recent.chosen(replace(ALL, node="ftp1")) == []
    assert alone.chosen(ALL)[0]["node"] is None


def test_events_are_chosen_and_come_in_pages() -> None:
    recent = RecentEvents()
    for number in range(7):
        recent(LoggedIn(5.0, number, "192.0.2.1", "ann" if number % 2 else "bob", info=INFO))
    recent(TransferStarted(5.0, 1, "192.0.2.1", "bob", "/x", True, info=INFO))
    recent(cut(9.0))
    page = recent.chosen(replace(ALL, user="bob", limit=3))
    assert [one["session"] for one in page] == [6, 4, 2]
    page = recent.chosen(replace(ALL, user="bob", until=5.0, before=page[-1]["id"]))
    assert [one["session"] for one in page] == [0]
    assert [one["kind"] for one in recent.chosen(replace(ALL, path="/x"))] == ["transfer"]
    assert recent.chosen(replace(ALL, since=6.0, kind="login")) == []


def test_events_that_the_journal_does_not_keep_push_no_others_out() -> None:
    stream, recent = EventStream(lambda error, _event: None), RecentEvents()
    stream.subscribe(recent, *recent.kinds)
    stream.publish(cut(1.0))
    for _ in range(MAX_EVENTS):
        stream.publish(TransferStarted(5.0, 1, "192.0.2.1", "bob", "/x", True, info=INFO))
    facts = (9.0, 1, "192.0.2.1", "bob", "STOR", "/x", 552, "full")
    stream.publish(UploadRefused(*facts, info=INFO))
    found = recent.chosen(replace(ALL, problems=True))
    assert [(one["kind"], one["id"]) for one in found] == [
        ("upload refused", "2"),
        ("transfer", "1"),
    ]
    assert len(recent.chosen(ALL)) == 2
