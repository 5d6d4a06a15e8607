"""A row is the same whether it is put together or encoded, and a record has all of its rows."""

import gc
import json
import weakref
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftpservice.activity.journal import row_texts
from ftpservice.activity.journal.journal_rows import COLUMNS, MAX_TEXT, original_text, row_of
from ftpservice.activity.journal.row_texts import RowTexts, joined_rows, rows_of_record
from ftpservice.events import LoggedIn, Outcome, SessionClosed, SessionInfo, SessionOpened
from tests.support.journal_cases import HOSTILE, every_event, transfer

FREQUENT = ("TransferEnded", "SessionOpened", "SessionClosed", "LoggedIn")
UNUSUAL = [
    "\0",
    "\\",
    '"',
    "\t",
    "\n",
    "\x7f",
    "\x9f",
    "\u2028",
    "\ud800",
    "\udc80",
    "\udcff",
    "\ufeff",
]
USUAL = ["a", " ", "'", "/", "\N{DEGREE SIGN}", "\U0001f600", "%", "{", "]", ",", "["]
TEXTS = st.lists(st.sampled_from(UNUSUAL + USUAL), max_size=4).map("".join)
NUMBERS = st.one_of(
    st.sampled_from([0.0, -1.0, 1e-320, 1e300, float("inf"), float("nan"), 0, 3]), st.floats()
)


def info_of(text="x", **values):
    return SessionInfo("s-1", "ftp", text, (text, "b"), lambda path: f"/disk{path}", **values)


def agrees(event, maker=None):
    """Return the row of an event, which has to be the same as when it is encoded."""
    text = (maker or RowTexts("run")).text_of(event)
    assert "\n" not in text and "\t" not in text
    text.encode()
    row = json.loads(text)
    wanted = json.loads(json.dumps(row_of(event, row[0], row[-1] or "")))
    assert row == wanted
    return dict(zip(COLUMNS, row, strict=True))


def test_every_row_has_the_node():
    maker = RowTexts("run", "ftp2")
    for event in every_event("x"):
        if type(event).__name__ != "TransferStarted":
            assert agrees(event, maker)["node"] == "ftp2"
    assert json.loads(maker.lost(1.0, 2, "why"))[-1] == "ftp2"
    assert agrees(transfer(1.0))["node"] is None


@pytest.mark.parametrize("text", ["", "x", "\N{DEGREE SIGN}", HOSTILE, "a" * 9000])
def test_every_event_has_the_row_that_is_encoded(text):
    maker = RowTexts("run")
    for event in every_event(text):
        if type(event).__name__ == "TransferStarted":
            assert maker.text_of(event) is None
        else:
            agrees(event, maker)


def test_the_rows_of_usual_transfers_and_sessions_are_put_together(monkeypatch):
    monkeypatch.setattr(row_texts, "row_of", None)
    info = info_of("TLSv1.3 X")
    who = (5.25, 7, "192.0.2.1", "ann")
    for event in (
        transfer(5.25, info=info, path="/a b/\N{DEGREE SIGN}", digest="SHA-256:ab", detail="why"),
        transfer(5.25, info=info, upload=False, outcome=Outcome.ABORTED),
        SessionOpened(*who, info=info),
        LoggedIn(*who, "TLSv1.3 X", info=info),
        SessionClosed(*who, "QUIT", 1.5, 1, 2, 3, 4, info=info),
    ):
        agrees(event)


@settings(deadline=None)
@given(TEXTS, TEXTS, TEXTS, TEXTS, NUMBERS, NUMBERS, st.integers(0, 2**70))
def test_any_transfer_has_the_row_that_is_encoded(path, user, digest, detail, when, seconds, size):
    words = {"path": path, "digest": digest, "detail": detail, "seconds": seconds}
    event = transfer(when, user, size, info=info_of(), **words)
    row = agrees(event)
    assert [original_text(row[name]) for name in ("path", "account", "digest", "detail")] == [
        path,
        user,
        digest,
        detail,
    ]


@settings(deadline=None)
@given(TEXTS, TEXTS, NUMBERS, NUMBERS)
def test_any_session_has_the_rows_that_are_encoded(text, other, when, seconds):
    who, info = (when, 7, text, other), info_of(text)
    agrees(SessionOpened(*who, other, info=info))
    agrees(LoggedIn(*who, other, info=info))
    agrees(SessionClosed(*who, other, seconds, 1, 2**63, 3, 4, info=info))


def test_a_long_text_is_cut():
    for length in (MAX_TEXT - 20, MAX_TEXT, MAX_TEXT + 1):
        agrees(transfer(1.0, path="/" + "a" * length, info=info_of()))


def test_each_event_has_the_session_that_it_tells():
    """Numbers of sessions come again in another run of a test, and a session may log in anew."""
    maker, first, second = RowTexts("run"), info_of(), replace(info_of(), id="s-2")
    for info, user in ((first, "ann"), (second, "ann"), (first, "bob"), (first, HOSTILE)):
        row = agrees(transfer(1.0, user, info=info), maker)
        assert (row["session"], original_text(row["account"])) == (info.id, user)


def test_a_session_that_has_ended_is_forgotten():
    """What its events refer to is its file system, with open directories."""
    maker = RowTexts("run")
    for text in ("plain", HOSTILE):  # of the second, each row is encoded
        info = info_of(text)
        folder = weakref.ref(info.storage_name)
        maker.text_of(SessionOpened(1.0, 7, "192.0.2.1", "", "", info=info))
        maker.text_of(transfer(2.0, info=info))
        maker.text_of(SessionClosed(3.0, 7, "192.0.2.1", "", info=info))
        del info
        gc.collect()
        assert folder() is None


def test_the_number_of_sessions_is_limited(monkeypatch):
    monkeypatch.setattr(row_texts, "MAX_SESSIONS", 3)
    maker = RowTexts("run")
    for number in range(20):
        maker.text_of(SessionOpened(1.0, number, "192.0.2.1", "", info=info_of()))
        assert len(maker._sessions) <= 3


def test_each_row_has_an_id_of_its_own():
    maker = RowTexts("run")
    texts = [maker.text_of(event) for event in [*every_event(), *every_event(HOSTILE)]]
    rows = [*filter(None, texts), maker.lost(1.0, 5, "why")]
    assert len({json.loads(row)[0] for row in rows}) == len(rows) == 2 * len(every_event()) - 1


def test_a_record_has_all_of_its_rows():
    maker = RowTexts("run")
    rows = [maker.text_of(event) for event in every_event(HOSTILE + ",\t[") if type(event) in TYPES]
    assert rows_of_record(joined_rows(rows)) == rows
    assert rows_of_record(rows[0]) == rows[:1]
    assert len(json.loads(f"[{joined_rows(rows)}]")) == len(rows)


TYPES = {type(event) for event in every_event() if type(event).__name__ in FREQUENT}
