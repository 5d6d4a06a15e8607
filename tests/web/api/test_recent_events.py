"""The last events."""

from __future__ import annotations

import json

from ftpservice.events import LoggedIn, LoginFailed, Outcome, SessionInfo, TransferEnded
from ftpservice.web.api.recent_events import MAX_EVENTS, RecentEvents


def test_traffic_does_not_push_problems_out() -> None:
    recent, info = RecentEvents(), SessionInfo(id="s-1", protocol="ftp")
    recent(LoginFailed(1.0, 1, "192.0.2.1", "\udcff<b>", info=info))
    cut = TransferEnded(2.0, 1, "192.0.2.1", "a", "/x", True, Outcome.ABORTED, 5, 1.0, info=info)
    recent(cut)
    for number in range(MAX_EVENTS + 5):
        recent(LoggedIn(3.0, number, "192.0.2.1", "ann", info=info))
    assert len(recent.latest(5000)) == MAX_EVENTS
    problems = recent.latest(10, only_problems=True)
    assert [one["kind"] for one in problems] == ["TransferEnded", "LoginFailed"]
    assert problems[0]["outcome"] == "aborted"
    assert (problems[1]["session_id"], problems[1]["number"]) == ("s-1", 1)
    assert json.loads(json.dumps(problems))[1]["user"] == "\udcff<b>"
    last = recent.last_number
    assert [one["number"] for one in recent.after(last - 2)] == [last - 1, last]
    assert recent.after(last) == []
