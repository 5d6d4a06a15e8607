"""Events as documents."""

import json

import pytest

from ftpservice import events
from ftpservice.activity.hooks.event_documents import (
    DETAILS,
    EVENT_KINDS,
    document_of,
    environment_of,
    event_name,
    request_document,
)
from ftpservice.events import Outcome, SessionInfo
from ftpservice.storage.gates import GateRequest

INFO = SessionInfo("r-7", "ftp", "TLSv1.3", ("staff",), lambda path: f"/srv{path}")
WHO = (1.0, 7, "192.0.2.1", "ann")
UP = events.TransferEnded(*WHO, "/a", True, Outcome.COMPLETE, 5, 0.5, "", "SHA-1:ab", 3, info=INFO)


@pytest.mark.parametrize(
    ("event", "name"),
    [
        (UP, "upload"),
        (events.TransferEnded(*WHO, "/a", False, Outcome.COMPLETE, 5, 0.5), "download"),
        (events.TransferEnded(*WHO, "/a", True, Outcome.ABORTED, 5, 0.5), ""),
        (events.FileChanged(*WHO, "delete", "/a"), "delete"),
        (events.FileChanged(*WHO, "rename", "/a", "/b"), "rename"),
        (events.FileChanged(*WHO, "mkdir", "/a"), ""),
        (events.FileExpired(*WHO, "/a", 5, 9.0, "7d"), "delete"),
        (events.FileExpired(*WHO, "/a", 0, 9.0, "7d", is_directory=True), ""),
        (events.LoggedIn(*WHO), "login"),
        (events.LoginFailed(*WHO), "refusal"),
        (events.UploadRefused(*WHO, "STOR", "/a", 550, "No."), "refusal"),
        (events.Refused(*WHO, "full"), "refusal"),
        (events.Banned(*WHO, "192.0.2.0/24", "scans", None), "ban"),
        (events.SessionOpened(*WHO), ""),
    ],
)
def test_each_event_has_the_name_of_what_hooks_are_told(event, name):
    assert event_name(event) == name
    if name:
        assert json.loads(json.dumps(document_of(event)))["event"] == name


def test_every_kind_has_a_document():
    assert {kind for kinds in EVENT_KINDS.values() for kind in kinds} <= DETAILS.keys()


def test_a_document_has_the_session_the_file_and_what_happened():
    found = document_of(UP)
    assert len(found.pop("id")) == 32
    assert found == {
        "event": "upload",
        "when": 1.0,
        "user": "ann",
        "groups": ["staff"],
        "peer": "192.0.2.1",
        "protocol": "ftp",
        "tls": "TLSv1.3",
        "session": "r-7",
        "path": "/a",
        "storage_name": "/srv/a",
        "size": 5,
        "seconds": 0.5,
        "digest": "SHA-1:ab",
        "transfer": "r-7-3",
    }


def test_the_environment_has_no_more_than_it_should():
    inherited = {"PATH": "/bin", "AWS_SECRET": "x"}
    document = {"event": "upload", "path": "/a\udce9", "storage_name": None, "user": "a\0b"}
    assert environment_of(document, inherited) == {
        "PATH": "/bin",
        "FTPSERVICE_EVENT": "upload",
        "FTPSERVICE_PATH": "/a\udce9",
    }


def test_a_gate_is_told_what_is_known():
    request = GateRequest(
        "upload", "i", 1.0, "ann", ("g",), "p", "ftp", "s", "/a", "/srv/a", 5, "/b"
    )
    assert request_document(request) == {
        "id": "i",
        "event": "upload",
        "gate": True,
        "when": 1.0,
        "user": "ann",
        "groups": ["g"],
        "peer": "p",
        "protocol": "ftp",
        "session": "s",
        "path": "/a",
        "storage_name": "/srv/a",
        "size": 5,
        "renamed_from": "/b",
    }
    assert "path" not in request_document(GateRequest("login", "i", 1.0, "ann"))
