"""The memory of an idle session, in the process that serves it and in the main one of several.

The budgets only shrink.
"""

from __future__ import annotations

import marshal
import sys
from typing import Any

import pytest

from ftpservice.activity.report import ActivityReport
from ftpservice.events import EventStream, LoggedIn, SessionInfo, SessionOpened
from ftpservice.session.settings import SessionSettings
from ftpservice.workers.event_codec import encode_event
from ftpservice.workers.event_receiver import EventReceiver
from ftpservice.workers.remote_sessions import RemoteSessions
from tests.support.ftp_dialogue import FTPDialogue
from tests.support.measured_memory import bytes_left_by

UNLIMITED = SessionSettings(max_sessions=0, max_sessions_per_address=0, max_sessions_per_user=0)
MAX_BYTES = {"greeted": 2450, "logged in": 2950}
MAX_BYTES_ELSEWHERE = 800
TLS = "TLSv1.3 TLS_AES_256_GCM_SHA384"

pytestmark = pytest.mark.skipif(
    sys.version_info[:2] != (3, 11), reason="objects have other sizes there"
)


@pytest.mark.parametrize("state", MAX_BYTES)
def test_an_idle_session_takes_no_more_memory_than_it_may(state: str) -> None:
    talk = FTPDialogue(UNLIMITED)
    sessions = []

    def begin(_number: int) -> None:
        talk.protocol, talk.transport = talk.connect()
        if state == "logged in":
            talk.login()
        assert not talk.transport.over
        sessions.append(talk.protocol)
        talk.events.clear()

    used = bytes_left_by(begin, 300, "*/ftpservice/*")
    assert used <= MAX_BYTES[state], used


def test_a_session_of_a_worker_takes_no_more_in_the_main_process() -> None:
    events, sessions = EventStream(print), dict[int, Any]()
    report = ActivityReport(lambda: 1.0)
    events.subscribe(report)
    receiver = EventReceiver(RemoteSessions(sessions, events.publish), bool, print)

    def begin(number: int) -> None:
        about = 1e9 + number, number, f"10.0.{number // 250}.{number % 250}"
        before = SessionInfo(f"5f0c66a1b2d3-{number}", "ftp")
        after = SessionInfo(before.id, "ftp", TLS, ("staff",), lambda path: f"/srv{path}")
        opened = SessionOpened(*about, "", info=before)
        login = LoggedIn(*about, f"user{number % 100}", TLS, info=after)
        for event in (opened, login):
            receiver.happened(marshal.loads(marshal.dumps([encode_event(event)], 4)))

    used = bytes_left_by(begin, 2000)
    assert used <= MAX_BYTES_ELSEWHERE, used
    assert len(sessions) == len(report.sessions()) == 4000
