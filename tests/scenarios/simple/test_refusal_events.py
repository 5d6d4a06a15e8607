"""The events of refusals in the simple protocol."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import CancelledError

from ftpservice.events import (
    CommandFailed,
    CommandRefused,
    LoginFailed,
    TransferEnded,
    UploadRefused,
)
from ftpservice.storage.errors import NoSpace
from ftpservice.wire.paths import VirtualPath
from tests.simple.test_session import LOGIN, SimpleTalk


def refusals(dialogue: SimpleTalk) -> list[tuple[str, str, str, str]]:
    return [(one.user, one.command, one.code, one.path) for one in dialogue.talk.of(CommandRefused)]


@pytest.fixture
def dialogue() -> SimpleTalk:
    dialogue = SimpleTalk()
    dialogue.say(LOGIN)
    return dialogue


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("DELF missing", ("DELF", "NOTFOUND", "/missing")),
        ("DWLD missing", ("DWLD", "NOTFOUND", "/missing")),
        ("DWLD @x missing", ("DWLD", "SYNTAX", "@x missing")),
        ("STRANGE secret", ("", "SYNTAX", "")),
        ("DELF", ("DELF", "SYNTAX", "")),
        ("USER", ("USER", "SYNTAX", "")),
    ],
)
def test_a_refused_command_has_one_event(
    dialogue: SimpleTalk, line: str, expected: tuple[str, str, str]
) -> None:
    assert dialogue.say(f"{line}\n")[0].startswith("ERR ")
    assert refusals(dialogue) == [("ann", *expected)]


def test_a_failed_upload_has_these_events(
    dialogue: SimpleTalk,
) -> None:
    dialogue.storage.faults["write", "a"] = NoSpace(VirtualPath.parse("/a"))
    assert dialogue.say("UPLD 3+ a\nabc") == ["ERR FULL no space left"]
    [ended] = dialogue.talk.of(TransferEnded)
    assert ended.detail == "no space left"
    assert refusals(dialogue) == [("ann", "UPLD", "FULL", "/a")]
    [refused] = dialogue.talk.of(UploadRefused)
    assert refused.transfer == ended.transfer


def test_a_pipelined_upload_that_fails_has_them_too(dialogue: SimpleTalk) -> None:
    dialogue.storage.faults["write", "a"] = NoSpace(VirtualPath.parse("/a"))
    assert dialogue.say("UPLD 3 a\n") == ["GO"]
    assert dialogue.say("abc") == ["ERR FULL no space left"]
    assert len(dialogue.talk.of(TransferEnded)) == 1
    assert refusals(dialogue) == [("ann", "UPLD", "FULL", "/a")]


def test_a_failed_login_has_its_login_event_only() -> None:
    dialogue = SimpleTalk()
    dialogue.say("USER ann\nPASS wrong\n")
    assert dialogue.said(1.0) == ["ERR AUTH login failed"]
    assert len(dialogue.talk.of(LoginFailed)) == 1
    assert refusals(dialogue) == []


def test_a_command_before_the_login_has_an_event() -> None:
    dialogue = SimpleTalk()
    dialogue.say("DELF a\n")
    assert refusals(dialogue) == [("", "DELF", "AUTH", "/a")]


def test_a_storage_that_raises_cancelled_error(
    dialogue: SimpleTalk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends the command, not the session, and is logged."""

    async def cancelled(path: VirtualPath) -> Any:
        raise CancelledError

    monkeypatch.setattr(dialogue.storage, "remove_file", cancelled)
    assert dialogue.say("DELF a\nDELF b\n") == ["ERR INTERNAL local error"] * 2
    assert len(dialogue.talk.of(CommandFailed)) == 2
