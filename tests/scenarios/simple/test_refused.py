"""What the simple protocol refuses is told once, in one event."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import CancelledError

from ftpservice.events import CommandFailed, CommandRefused, LoginFailed, TransferEnded
from ftpservice.storage.errors import NoSpace
from ftpservice.wire.paths import VirtualPath
from tests.simple.test_session import LOGIN, SimpleTalk


def told(talk: SimpleTalk) -> list[tuple[str, str, str, str]]:
    return [(one.user, one.command, one.code, one.path) for one in talk.talk.of(CommandRefused)]


@pytest.fixture
def talk() -> SimpleTalk:
    talk = SimpleTalk()
    talk.say(LOGIN)
    return talk


@pytest.mark.parametrize(
    ("line", "told_of"),
    [
        ("DELF missing", ("DELF", "NOTFOUND", "missing")),
        ("DWLD missing", ("DWLD", "NOTFOUND", "missing")),
        ("STRANGE secret", ("", "SYNTAX", "")),
        ("DELF", ("DELF", "SYNTAX", "")),
        ("USER", ("USER", "SYNTAX", "")),
    ],
)
def test_a_refused_command_is_told_once(
    talk: SimpleTalk, line: str, told_of: tuple[str, str, str]
) -> None:
    assert talk.say(f"{line}\n")[0].startswith("ERR ")
    assert told(talk) == [("ann", *told_of)]


def test_an_upload_that_began_has_the_event_of_its_end_only(talk: SimpleTalk) -> None:
    talk.storage.faults["write", "a"] = NoSpace(VirtualPath.parse("/a"))
    assert talk.say("UPLD 3+ a\nabc") == ["ERR FULL no space left"]
    [ended] = talk.talk.of(TransferEnded)
    assert ended.detail == "no space left"
    assert told(talk) == []


def test_an_upload_in_the_stream_that_fails_is_told_once_too(talk: SimpleTalk) -> None:
    talk.storage.faults["write", "a"] = NoSpace(VirtualPath.parse("/a"))
    assert talk.say("UPLD 3 a\n") == ["GO"]
    assert talk.say("abc") == ["ERR FULL no space left"]
    assert len(talk.talk.of(TransferEnded)) == 1
    assert told(talk) == []


def test_a_failed_login_has_the_event_of_logins_only() -> None:
    talk = SimpleTalk()
    talk.say("USER ann\nPASS wrong\n")
    assert talk.said(1.0) == ["ERR AUTH login failed"]
    assert len(talk.talk.of(LoginFailed)) == 1
    assert told(talk) == []


def test_a_command_before_the_login_is_told() -> None:
    talk = SimpleTalk()
    talk.say("DELF a\n")
    assert told(talk) == [("", "DELF", "AUTH", "a")]


def test_a_storage_that_raises_what_a_cancelled_call_does_fails_like_any_other(
    talk: SimpleTalk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends the command, not the session, and the log tells of it."""

    async def cancelled(path: VirtualPath) -> Any:
        raise CancelledError

    monkeypatch.setattr(talk.storage, "remove_file", cancelled)
    assert talk.say("DELF a\nDELF b\n") == ["ERR INTERNAL local error"] * 2
    assert len(talk.talk.of(CommandFailed)) == 2
