"""What events, calls of storages and runs of hooks become as spans."""

from __future__ import annotations

from ftpservice import events
from ftpservice.activity.otel.span_records import (
    FAST_SECONDS,
    MAX_FAST_CALLS,
    MAX_TEXT,
    SPAN_EVENTS,
    SpanRecords,
    StorageCall,
    trace_id_of,
)
from ftpservice.backends.gates.run_record import HookRun
from ftpservice.events import LoginRefusal, Outcome, SessionInfo

SESSION = "c0ffee-7"
INFO = SessionInfo(SESSION, "ftp", "TLSv1.3 AES")
WHO = (100.0, 7, "192.0.2.1", "ann")
SECRET = "hunter2"


def spans_of(*happened):
    return list(SpanRecords(lambda _trace: True).of(happened))


def started(number=1):
    return events.TransferStarted(*WHO, "/a", True, number, None, info=INFO)


def ended(outcome=Outcome.COMPLETE, number=1, **more):
    facts = ("/a", True, outcome, 4096, 2.5)
    return events.TransferEnded(*WHO, *facts, transfer=number, info=INFO, **more)


def closed():
    return events.SessionClosed(*WHO, "the client has quit", 30.0, 2, 8192, info=INFO)


def test_a_session_is_the_root_of_its_transfers() -> None:
    upload, session = spans_of(started(), ended(), closed())
    assert (session.name, session.parent, session.start, session.end) == ("session", None, 70, 100)
    assert session.trace == upload.trace == trace_id_of(SESSION) != trace_id_of("c0ffee-8")
    assert (upload.name, upload.parent) == ("upload", session.id)
    assert (upload.start, upload.end, upload.error) == (97.5, 100.0, "")
    assert upload.attributes == {
        "file.path": "/a",
        "user.name": "ann",
        "ftp.transfer.id": "c0ffee-7-1",
        "ftp.transfer.bytes": 4096,
        "ftp.transfer.outcome": "complete",
    }
    assert session.attributes == {
        "session.id": SESSION,
        "client.address": "192.0.2.1",
        "network.protocol.name": "ftp",
        "user.name": "ann",
        "ftp.tls": "TLSv1.3 AES",
        "ftp.session.files_up": 2,
        "ftp.session.bytes_up": 8192,
        "ftp.session.files_down": 0,
        "ftp.session.bytes_down": 0,
        "ftp.session.end": "the client has quit",
    }


def test_what_is_not_complete_is_an_error() -> None:
    (span,) = spans_of(ended(Outcome.ABORTED, detail="the client went away"))
    assert (span.error, span.attributes["error.type"]) == ("the client went away", "aborted")
    (span,) = spans_of(ended(Outcome.REFUSED))
    assert span.error == "refused"


def test_calls_and_gates_belong_to_the_transfer_that_runs() -> None:
    call = StorageCall(SESSION, "commit", "/a", 98.0, 0.5)
    gate = HookRun("gate", "scan", "upload", SESSION, "", 98.0, 0.25, "accepted")
    before, within, asked, upload, after = spans_of(call, started(), call, gate, ended(), call)
    session = spans_of(closed())[0].id
    assert [one.parent for one in (before, after)] == [session, session]
    assert within.parent == asked.parent == upload.id
    assert (within.name, within.start, within.end) == ("storage commit", 98.0, 98.5)
    assert (asked.name, asked.end) == ("gate scan", 98.25)
    assert len({one.id for one in (before, within, after)}) == 3


def test_with_two_transfers_at_once_they_belong_to_the_session() -> None:
    call = StorageCall(SESSION, "commit", "/a", 98.0, 0.5)
    within, _first, last, _second = spans_of(
        started(1), started(2), call, ended(number=1), call, ended(number=2)
    )
    assert within.parent == spans_of(closed())[0].id
    assert last.parent == _second.id


def test_a_hook_that_is_told_later_belongs_to_its_transfer() -> None:
    run = HookRun("hook", "tell", "upload", SESSION, f"{SESSION}-1", 4000.0, 1.0, "failed")
    (span,) = spans_of(run)
    (upload,) = spans_of(ended())
    assert (span.trace, span.parent, span.error) == (upload.trace, upload.id, "failed")
    assert span.attributes["ftp.hook.outcome"] == "failed"


def test_without_a_session_there_is_no_span() -> None:
    run = HookRun("hook", "tell", "ban", "", "", 1.0, 1.0, "delivered")
    assert (
        spans_of(
            run,
            events.CommandRefused(*WHO, "GET", "/", 404, "No."),
            StorageCall("", "x", "/", 1, 1),
        )
        == []
    )


def test_fast_calls_are_bounded_in_each_second() -> None:
    records = SpanRecords(lambda _trace: True)
    fast = [StorageCall(SESSION, "commit", "/a", 5.0, FAST_SECONDS / 2)] * (MAX_FAST_CALLS + 50)
    slow = StorageCall(SESSION, "commit", "/a", 5.0, FAST_SECONDS)
    failed = StorageCall(SESSION, "commit", "/a", 5.0, 0.0, "NoSpace")
    spans = list(records.of([*fast, slow, failed]))
    assert (len(spans), records.left_out) == (MAX_FAST_CALLS + 2, 50)
    assert spans[-1].error == spans[-1].attributes["error.type"] == "NoSpace"
    assert len(list(records.of([fast[0]._replace(started=6.0)]))) == 1


def test_what_is_not_sampled_is_left_out() -> None:
    records = SpanRecords(lambda trace: trace != trace_id_of(SESSION))
    assert list(records.of([started(), ended(), closed()])) == []


def test_nothing_that_may_be_a_password_is_in_a_span() -> None:
    said = (SECRET, SECRET)
    who = (*WHO[:3], SECRET)
    spans = spans_of(
        events.LoginFailed(*who, LoginRefusal.UNKNOWN_NAME, SECRET, info=INFO),
        events.CommandRefused(*who, SECRET, SECRET, 500, *said, info=INFO),
        events.CommandRefused(*who, SECRET[:4], SECRET, 500, *said, info=INFO),
        events.UploadRefused(
            *who, "STOR", "/a", 550, *said, transfer=1, refused_by="scan", info=INFO
        ),
        events.CommandFailed(*who, "SIZE", SECRET, info=INFO),
    )
    assert len(spans) == 5
    assert SECRET not in repr(spans)
    assert SECRET[:4] not in repr(spans)
    login, _word, _short, upload, failure = spans
    assert login.error == login.attributes["error.type"] == "unknown name"
    assert upload.attributes == {
        "error.type": "550",
        "ftp.command": "STOR",
        "file.path": "/a",
        "ftp.refused_by": "scan",
    }
    assert upload.parent == spans_of(ended())[0].id
    assert failure.attributes["ftp.command"] == "SIZE"


def test_a_login_has_its_name() -> None:
    (span,) = spans_of(events.LoggedIn(*WHO, info=INFO))
    assert (span.name, span.attributes, span.error) == ("login", {"user.name": "ann"}, "")


def test_hostile_names_can_be_sent() -> None:
    name = "/\udcff\x00\n" + "x" * 5000
    (span,) = spans_of(StorageCall(SESSION, "rename", name, 1.0, 1.0))
    text = span.attributes["file.path"]
    assert text.encode().startswith(b"/\\udcff\x00\nxxx")
    assert len(text) < MAX_TEXT + 10


def test_running_transfers_are_forgotten_with_their_session() -> None:
    records = SpanRecords(lambda _trace: True)
    list(records.of([started(), started(2), closed()]))
    assert not records._running
    list(records.of([started(), ended()]))
    assert not records._running


def test_every_kind_has_a_maker() -> None:
    assert set(SPAN_EVENTS) < set(SpanRecords(bool)._makers)
