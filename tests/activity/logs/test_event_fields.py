"""Events as the fields of a JSON object."""

from __future__ import annotations

import dataclasses
import json

import pytest

from ftpservice.activity.event_log import LINES
from ftpservice.activity.logs.event_fields import (
    event_fields,
    kind_of,
    time_field,
    visible_text,
)
from ftpservice.events import Event, LoginFailed, LoginRefusal, Outcome, SessionInfo, TransferEnded
from tests.support.docs_pages import DOCS

WHO = (1.0, 7, "192.0.2.1", "ann")
INFO = SessionInfo("c0ffee-7", "ftp", "TLSv1.3", ("staff",), lambda path: f"/srv{path}")


def test_a_transfer_has_the_ids_and_the_name_on_the_disk() -> None:
    event = TransferEnded(*WHO, "/a", True, Outcome.ABORTED, 5, 0.25, "426", transfer=2, info=INFO)
    assert event_fields(event) == {
        "event": "transfer_ended",
        "session": "c0ffee-7",
        "number": 7,
        "peer": "192.0.2.1",
        "user": "ann",
        "protocol": "ftp",
        "tls": "TLSv1.3",
        "groups": ["staff"],
        "transfer": "c0ffee-7-2",
        "path": "/a",
        "file": "/srv/a",
        "upload": True,
        "outcome": "aborted",
        "size": 5,
        "seconds": 0.25,
        "detail": "426",
        "digest": "",
        "ascii": False,
    }


def test_an_event_without_a_session_has_no_id() -> None:
    fields = event_fields(LoginFailed(*WHO, LoginRefusal.EXPIRED))
    assert (fields["session"], fields["reason"]) == (None, "expired")


@pytest.mark.parametrize("kind", LINES, ids=lambda kind: kind.__name__)
def test_the_page_of_logs_names_each_kind_of_line_and_its_keys(kind: type[Event]) -> None:
    names = {field.name for field in dataclasses.fields(kind)} - {"when", "info"}
    page = (DOCS / "logs.md").read_text()
    row = next(line for line in page.splitlines() if line.startswith(f"| `{kind_of(kind)}` |"))
    own = names - {field.name for field in dataclasses.fields(Event)}
    assert {name for name in own if f"`{name}`" not in row} == set()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é", "plain é"),
        ("/\udce9", r"/\xe9"),
        ("/\ud800x", r"/\xed\xa0\x80x"),
        ("/\udce9\ud800", r"/\xed\xb3\xa9\xed\xa0\x80"),
        ("\udcc3\udca9", "é"),
    ],
)
def test_what_is_not_unicode_becomes_escapes_that_json_can_have(text: str, shown: str) -> None:
    assert visible_text(text) == shown
    assert json.loads(json.dumps(visible_text(text))).encode()


def test_times_are_in_utc_with_milliseconds() -> None:
    assert time_field(1.2504) == "1970-01-01T00:00:01.250Z"
    assert time_field(0) == "1970-01-01T00:00:00.000Z"
