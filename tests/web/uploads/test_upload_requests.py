"""Uploads by tus in memory: events, gates, pauses, and what the server relies on."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel, Request
from zope.interface import alsoProvides

from ftpservice.concurrency.thread_pool import InlineRunner
from ftpservice.events import Outcome, TransferEnded, TransferStarted, UploadRefused
from ftpservice.storage.errors import NoSpace, RefusedByGate
from ftpservice.storage.gates import IPreparedWriting
from ftpservice.web.http.web_channel import REQUEST_SECONDS
from ftpservice.web.uploads.running_uploads import Uploads
from ftpservice.web.uploads.upload_progress import PAUSE_SECONDS
from ftpservice.web.uploads.upload_records import UploadRecords
from ftpservice.web.uploads.upload_requests import mount_uploads
from ftpservice.wire.paths import VirtualPath
from tests.support.page_in_memory import ORIGIN, PageInMemory
from tests.support.web_client import Answer

PATH = VirtualPath.parse("/a.bin")


class Uploading:
    """A page with uploads, on which ``ann`` is logged in."""

    def __init__(self) -> None:
        self.page = PageInMemory()
        self.records = UploadRecords(None, InlineRunner(), self.page.clock.seconds)
        self.uploads = Uploads(self.page.access, self.records)
        mount_uploads(self.page.site, self.uploads)
        stream = self.page.factory.event_sink.events
        stream.subscribe(self.uploads.transfer_started, TransferStarted)
        self.page.log_in()
        self.events: list[Any] = []
        stream.subscribe(self.events.append, TransferStarted, TransferEnded, UploadRefused)

    def begin(self, method: str, path: str, length: int, *more: str) -> tuple[Any, Any]:
        channel, transport = self.page.memory.connect()
        lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1:8021", f"Origin: {ORIGIN}"]
        lines += [f"Cookie: {self.page.cookie}", f"X-CSRF-Token: {self.page.csrf}"]
        lines += ["Tus-Resumable: 1.0.0", f"Content-Length: {length}", *more]
        channel.dataReceived("\r\n".join([*lines, "", ""]).encode())
        return channel, transport

    def ask(self, method: str, path: str, body: bytes, *more: str) -> Answer:
        kind = "Content-Type: application/offset+octet-stream"
        channel, transport = self.begin(method, path, len(body), kind, *more)
        if body:
            channel.dataReceived(body)
        channel.connectionLost(Failure(ConnectionLost()))
        (answer,) = transport.answers
        return answer

    def create(self, length: int, body: bytes = b"") -> Answer:
        path = base64.b64encode(b"/a.bin").decode()
        facts = (f"Upload-Length: {length}", f"Upload-Metadata: path {path}")
        return self.ask("POST", "/api/v1/uploads", body, *facts)

    def patch(self, place: str, offset: int, body: bytes) -> Answer:
        return self.ask("PATCH", place, body, f"Upload-Offset: {offset}")

    def outcomes(self) -> list[Any]:
        return [
            event.outcome if isinstance(event, TransferEnded) else type(event)
            for event in self.events
        ]


@pytest.fixture
def uploading() -> Any:
    uploading = Uploading()
    yield uploading
    uploading.page.stop()


def with_writing(uploading: Uploading, **methods: Any) -> None:
    """Replace methods of the writings of the storage."""
    storage = uploading.page.realm.storage
    opened = storage.open_writing

    async def open_writing(path: Any, request: Any) -> Any:
        writing = await opened(path, request)
        for name, method in methods.items():
            setattr(writing, name, method)
        if "prepare" in methods:
            alsoProvides(writing, IPreparedWriting)
        return writing

    storage.open_writing = open_writing
    uploading.page.log_in()  # the rights were decided with the method before


def test_an_upload_of_several_requests_is_one_transfer(uploading: Uploading) -> None:
    place = uploading.create(6).headers["location"]
    assert uploading.events == []
    uploading.patch(place, 0, b"abc")
    assert uploading.patch(place, 3, b"def").status == 204
    started, ended = uploading.events
    assert (started.path, started.upload, started.size, started.info.protocol) == (
        "/a.bin",
        True,
        6,
        "http",
    )
    assert (ended.outcome, ended.size, ended.transfer) == (Outcome.COMPLETE, 6, started.transfer)


def test_an_upload_that_does_not_go_on_is_interrupted(uploading: Uploading) -> None:
    place = uploading.create(6).headers["location"]
    uploading.patch(place, 0, b"abc")
    uploading.page.clock.advance(PAUSE_SECONDS)
    assert uploading.outcomes() == [TransferStarted, Outcome.ABORTED]
    assert uploading.patch(place, 3, b"def").status == 204
    assert uploading.outcomes()[2:] == [TransferStarted, Outcome.COMPLETE]
    assert uploading.events[3].size == 3


def test_another_login_that_goes_on_is_another_transfer(uploading: Uploading) -> None:
    place = uploading.create(6).headers["location"]
    uploading.patch(place, 0, b"abc")
    uploading.page.log_in()
    assert uploading.patch(place, 3, b"def").status == 204
    complete = [TransferStarted, Outcome.COMPLETE]
    assert uploading.outcomes() == [TransferStarted, Outcome.ABORTED, *complete]


def test_a_body_that_does_not_come_ends_the_connection_also_without_a_login(
    uploading: Uploading,
) -> None:
    uploading.page.cookie = uploading.page.csrf = "x"
    for method in ("OPTIONS", "HEAD", "POST"):
        _channel, transport = uploading.begin(method, "/api/v1/uploads", 5)
        uploading.page.clock.advance(REQUEST_SECONDS)
        assert transport.disconnected, method


def test_a_session_that_is_kicked_ends_its_upload(uploading: Uploading) -> None:
    place = uploading.create(6).headers["location"]
    uploading.patch(place, 0, b"abc")
    (session,) = uploading.page.factory.sessions.values()
    session.disconnect("kicked")
    assert uploading.outcomes() == [TransferStarted, Outcome.ABORTED]
    assert uploading.patch(place, 3, b"def").status == 401


def test_a_part_that_arrives_while_its_session_ends_is_no_complete_file(
    uploading: Uploading,
) -> None:
    place = uploading.create(6).headers["location"]
    kind = "Content-Type: application/offset+octet-stream"
    channel, transport = uploading.begin("PATCH", place, 3, kind, "Upload-Offset: 0")
    (session,) = uploading.page.factory.sessions.values()
    session.end("logged out")
    channel.dataReceived(b"abc")
    channel.connectionLost(Failure(ConnectionLost()))
    (answer,) = transport.answers
    assert (answer.status, answer.headers["upload-offset"]) == (204, "3")
    assert "upload-path" not in answer.headers
    assert uploading.outcomes() == [TransferStarted, Outcome.ABORTED]


def test_a_gate_that_is_asked_is_given_up_when_the_client_goes(uploading: Uploading) -> None:
    cancelled: list[bool] = []

    def prepare() -> Deferred[None]:
        return Deferred(lambda _one: cancelled.append(True))

    with_writing(uploading, prepare=prepare)
    kind = "Content-Type: application/offset+octet-stream"
    path = base64.b64encode(b"/a.bin").decode()
    facts = ("Upload-Length: 3", f"Upload-Metadata: path {path}")
    channel, transport = uploading.begin("POST", "/api/v1/uploads", 3, kind, *facts)
    channel.dataReceived(b"abc")
    assert transport.answers == []
    channel.connectionLost(Failure(ConnectionLost()))
    assert cancelled == [True]
    assert uploading.outcomes() == [TransferStarted, Outcome.ABORTED]


def test_after_a_cut_while_a_gate_is_asked_it_is_asked_again(uploading: Uploading) -> None:
    asked: list[Deferred[None]] = []

    def prepare() -> Deferred[None]:
        asked.append(Deferred())
        return asked[-1]

    with_writing(uploading, prepare=prepare)
    place = uploading.create(3).headers["location"]
    kind = "Content-Type: application/offset+octet-stream"
    channel, _transport = uploading.begin("PATCH", place, 3, kind, "Upload-Offset: 0")
    channel.dataReceived(b"abc")
    channel.connectionLost(Failure(ConnectionLost()))
    assert uploading.ask("HEAD", place, b"").headers["upload-offset"] == "3"
    channel, transport = uploading.begin("PATCH", place, 0, kind, "Upload-Offset: 3")
    assert (len(asked), transport.answers) == (2, [])
    asked[1].callback(None)
    (answer,) = transport.answers
    assert (answer.status, answer.headers["upload-path"]) == (204, "/a.bin")
    channel.connectionLost(Failure(ConnectionLost()))


@pytest.mark.parametrize(
    ("error", "status", "reason", "text"),
    [
        (RefusedByGate(PATH, "EICAR found", "scan"), 403, "gate", "EICAR found"),
        (NoSpace(PATH), 507, "no-space", "No space left. The bytes that arrived were discarded."),
        (RuntimeError("secret"), 500, "storage", "See the log of the service."),
    ],
)
def test_a_refusal_has_a_reason_and_an_event(
    uploading: Uploading, error: Exception, status: int, reason: str, text: str
) -> None:
    async def commit() -> None:
        raise error

    with_writing(uploading, commit=commit)
    answer = uploading.create(3, b"abc")
    assert (answer.status, answer.json["reason"], answer.json["detail"]) == (status, reason, text)
    assert uploading.outcomes()[:2] == [TransferStarted, Outcome.REFUSED]
    if status != 500:
        (refused,) = uploading.events[2:]
        assert (refused.code, refused.text, refused.transfer) == (status, text, 1)
        assert refused.refused_by == ("scan" if reason == "gate" else "")


def test_the_private_names_of_twisted_are_there() -> None:
    """`WebRequest.gotLength` has to know what is asked before the body arrives."""
    seen: list[Any] = []

    class Watched(Request):
        def gotLength(self, length: Any) -> None:
            seen.append((self.channel._command, self.channel._path, length, self._disconnected))
            super().gotLength(length)

    uploading = PageInMemory()
    channel, _transport = uploading.memory.connect()
    assert isinstance(channel, HTTPChannel)
    channel.requestFactory = Watched
    channel.dataReceived(b"PATCH /a?b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n")
    assert seen == [(b"PATCH", b"/a?b", 3, 0)]
    channel.connectionLost(Failure(ConnectionLost()))
    uploading.stop()


def log_in_as_renamed(uploading: Uploading) -> None:
    """Log in as ``root``, which was ``ann`` before."""
    uploading.page.realm.more["owner"] = "ann"
    uploading.page.log_in("root")


def test_an_upload_goes_on_after_its_account_was_renamed(uploading: Uploading) -> None:
    place = uploading.create(6).headers["location"]
    uploading.patch(place, 0, b"abc")
    uploading.page.log_in("root")
    assert uploading.patch(place, 3, b"def").status == 404
    log_in_as_renamed(uploading)
    assert uploading.patch(place, 3, b"def").status == 204


def test_a_renamed_account_that_uploads_the_name_anew_supersedes_the_upload(
    uploading: Uploading,
) -> None:
    place = uploading.create(6).headers["location"]
    uploading.patch(place, 0, b"abc")
    log_in_as_renamed(uploading)
    assert uploading.create(3, b"new").status == 201
    assert uploading.patch(place, 3, b"def").status == 404
