"""Events are found in the journal, in both databases, and come in pages."""

import json
import math

import pytest

from ftpservice.activity.journal.journal_rows import event_values
from ftpservice.activity.reports.event_query import EventQuery
from ftpservice.activity.reports.event_reader import read_events
from ftpservice.events import FileChanged, LoggedIn, LoginFailed, Outcome, SessionInfo
from tests.support.journal_cases import HOSTILE, every_event, records_of, transfer

ANN = SessionInfo("s-1", storage_name=lambda path: f"/disk/ann{path}")
BOB = SessionInfo("s-2", storage_name=lambda path: f"/disk/ann{path.removeprefix('/home')}")


def events():
    return [
        LoggedIn(10.0, 1, "192.0.2.1", "ann", info=ANN),
        transfer(11.0, path="/x", info=ANN),
        transfer(12.0, user="bob", path="/home/x", upload=False, info=BOB),
        transfer(13.0, user="eve", path="/x"),  # another file
        FileChanged(14.0, 1, "192.0.2.1", "ann", "rename", "/x", "/y", info=ANN),
        LoginFailed(15.0, 3, "192.0.2.9", HOSTILE),
        transfer(16.0, path="/z", outcome=Outcome.ABORTED, info=ANN),
        *(transfer(20.0, user="carl", path=f"/{number}") for number in range(7)),
    ]


@pytest.fixture(scope="module")
def database(journal):
    journal.add(records_of(events()))
    journal.add(records_of(every_event(HOSTILE), "hostile"))
    journal.add(records_of([transfer(30.0, user="dora")], "node", "ftp2"))
    return journal


def whens(database, until=100.0, **wanted):
    return [one["when"] for one in read_events(database, EventQuery(0.0, until, **wanted))]


def test_events_are_found_by_time_user_kind_address_session_and_file(database):
    assert whens(database, 15.0, kind="transfer") == [13.0, 12.0, 11.0]
    assert whens(database, user="ann") == [16.0, 14.0, 11.0, 10.0]
    assert whens(database, address="192.0.2.9") == [15.0]
    assert whens(database, session="s-2") == [12.0]
    assert whens(database, problems=True) == [16.0, 15.0]
    assert whens(database, path="/x") == [14.0, 13.0, 11.0]
    assert whens(database, path="/y") == [14.0]
    assert whens(database, node="ftp2") == [30.0]


def test_a_file_is_that_of_the_disk_whatever_an_account_calls_it(database):
    assert whens(database, user="ann", path="/x") == [14.0, 12.0, 11.0]
    assert whens(database, user="bob", path="/home/x") == [14.0, 12.0, 11.0]
    assert whens(database, user="eve", path="/x") == [13.0]


def test_pages_have_each_event_once_also_where_times_are_equal(database):
    seen, more = [], {}
    while page := read_events(
        database, EventQuery(**({"since": 17.0, "until": 21.0} | more), limit=3)
    ):
        seen += [one["path"] for one in page]
        more = {"until": page[-1]["when"], "before": page[-1]["id"]}
    assert sorted(seen) == [f"/{number}" for number in range(7)]


def test_hostile_texts_are_those_that_clients_sent(database):
    found = read_events(database, EventQuery(0.0, math.inf, user=HOSTILE, limit=100))
    assert {one["user"] for one in found} == {HOSTILE}
    (cut,) = [one for one in found if one["kind"] == "transfer"]
    assert (cut["path"], cut["digest"]) == (HOSTILE, HOSTILE)
    json.dumps(found, allow_nan=False)


def test_a_query_wants_the_same_events_in_memory_as_in_the_database(database):
    rows = [event_values(event) for event in events()]
    queries = (
        {"kind": "transfer"}, {"user": "ann"}, {"address": "192.0.2.9"}, {"session": "s-2"},
        {"problems": True}, {"path": "/x"},
    )  # fmt: skip
    for wanted in queries:
        query = EventQuery(11.0, 20.0, **wanted)
        chosen = [row["at"] for row in reversed(rows) if query.wants(row)]
        assert chosen == [one["when"] for one in read_events(database, query)], wanted
