"""Every event becomes one row, and texts of clients come back as they were."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpservice.activity.journal.journal_rows import (
    COLUMNS,
    EVENT_KINDS,
    LOST,
    MAX_TEXT,
    lost_row,
    original_text,
    row_of,
    stored_text,
)
from ftpservice.events import TransferStarted
from tests.support.journal_cases import HOSTILE, every_event


def values_of(event):
    row = row_of(event, "run-1")
    return None if row is None else dict(zip(COLUMNS, row, strict=True))


@given(st.text(alphabet=st.characters(), max_size=40))
def test_a_text_comes_back_as_it_was(text):
    stored = stored_text(text)
    stored.encode()
    assert "\0" not in stored
    assert original_text(stored) == text


@pytest.mark.parametrize(
    "text", [HOSTILE, "\\", "\\\\x00", "\\x41", "", "\ud800\udc80", "a" * 9000]
)
def test_a_hostile_text_comes_back_as_it_was(text):
    expected = text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "\N{HORIZONTAL ELLIPSIS}"
    assert original_text(stored_text(text)) == expected


@pytest.mark.parametrize("event", every_event(HOSTILE), ids=lambda event: type(event).__name__)
def test_an_event_becomes_one_row_that_every_database_takes(event):
    row = values_of(event)
    if isinstance(event, TransferStarted):
        assert row is None
        return
    assert (row["at"], row["number"], row["events"]) == (event.when, event.session, 1)
    assert row["kind"] in EVENT_KINDS
    assert json.loads(json.dumps(list(row.values()), allow_nan=False)) == list(row.values())
    for value in row.values():
        if isinstance(value, str):
            assert "\0" not in value
            value.encode()
        elif isinstance(value, int):
            assert value <= 2**63 - 1
    if event.user:
        assert original_text(row["account"]) == HOSTILE


def test_a_transfer_has_everything_that_is_known_of_it():
    (event,) = (e for e in every_event("/x") if type(e).__name__ == "TransferEnded")
    row = values_of(event)
    wanted = {
        "kind": "transfer",
        "action": "upload",
        "outcome": "aborted",
        "session": "/x",
        "transfer": "/x-3",
        "path": "/x",
        "storage_name": "/disk/x",
        "protocol": "ftp",
        "tls": "/x",
        "groups": "/x,b",
        "digest": "/x",
        "seconds": 0.5,
        "address": "/x",
    }
    assert {name: row[name] for name in wanted} == wanted


def test_a_row_that_counts_lost_events_says_why():
    row = lost_row("run-1", 1.0, 5, HOSTILE)
    found = dict(zip(COLUMNS, row, strict=True))
    assert row[:5] == ["run-1", 1.0, LOST, 0, 5]
    assert original_text(found["detail"]) == HOSTILE
