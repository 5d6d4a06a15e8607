"""Every command that is refused makes one event, in which no secret stands."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import CancelledError

from ftpservice.commands.transfer_job import TransferJob
from ftpservice.data.channel import CannotOpenDataConnection
from ftpservice.data.passive_ports import NoPortFree
from ftpservice.events import CommandFailed, CommandRefused, LoginFailed
from ftpservice.session.error_replies import undisclosed_detail
from ftpservice.session.settings import SessionSettings
from ftpservice.session.tls_policy import DataTLS, TLSPolicy
from ftpservice.storage.errors import Denied, PathNotFound, Unavailable
from ftpservice.storage.rights import PRESETS
from ftpservice.wire.paths import VirtualPath
from tests.support.ftp_dialogue import FTPDialogue


def refusals(talk: FTPDialogue) -> list[tuple[str, str, int, str]]:
    return [(one.user, one.command, one.code, one.path) for one in talk.of(CommandRefused)]


@pytest.mark.parametrize(
    ("line", "code", "command", "path"),
    [
        ("DELE missing", 550, "DELE", "/missing"),
        ("RMD /missing", 550, "RMD", "/missing"),
        ("CWD ../missing", 550, "CWD", "/missing"),
        ("SIZE missing", 550, "SIZE", "/missing"),
        ("MDTM missing", 550, "MDTM", "/missing"),
        ("STAT missing", 550, "STAT", "/missing"),
        ("OPTS HASH none", 504, "OPTS", ""),
        ("RETR a\0b", 553, "RETR", "a\0b"),
        ("RNTO x", 503, "RNTO", "/x"),
        ("SITE CHMOD 777 missing", 550, "SITE", "CHMOD 777 missing"),
        ("SITE PSWD secret other", 504, "SITE", ""),
        ("REPORT", 550, "REPORT", ""),
        ("LIST", 425, "LIST", ""),
        ("ODD secret", 500, "ODD", ""),
        ("STRANGE secret", 500, "", ""),
        ("USER", 501, "USER", ""),
        ("PASS secret", 503, "PASS", ""),
    ],
)
def test_a_refused_command_makes_one_event_without_the_password(
    line: str, code: int, command: str, path: str
) -> None:
    talk = FTPDialogue().login()
    assert talk.codes(line) == [code]
    assert refusals(talk) == [("ann", command, code, path)]


def test_commands_refused_before_the_login_make_events() -> None:
    talk = FTPDialogue()
    talk.replies()
    assert talk.codes("RETR a") == [530]
    assert refusals(talk) == [("", "RETR", 530, "/a")]


def test_a_failed_login_has_the_event_of_logins_only() -> None:
    talk = FTPDialogue()
    talk.replies()
    talk.codes("USER ann", "PASS wrong")
    talk.reactor.advance(1)
    assert (len(talk.of(LoginFailed)), refusals(talk)) == (1, [])


def test_successful_commands_make_no_event() -> None:
    talk = FTPDialogue().login()
    talk.codes("PWD", "MKD a", "CWD a", "CDUP", "RMD a", "NOOP")
    assert refusals(talk) == []


def test_missing_rights_and_plaintext_data_make_events() -> None:
    talk = FTPDialogue(rights=PRESETS["read"]).login()
    assert talk.codes("DELE a", "MKD b") == [550, 550]
    assert refusals(talk) == [("ann", "DELE", 550, "/a"), ("ann", "MKD", 550, "/b")]
    assert talk.of(CommandRefused)[0].detail == "the account lacks the right delete"
    private = FTPDialogue(SessionSettings(tls=TLSPolicy(data=DataTLS.REQUIRED))).login()
    assert private.codes("RETR a") == [521]
    assert refusals(private) == [("ann", "RETR", 521, "/a")]


def test_a_line_that_is_too_long_makes_an_event() -> None:
    talk = FTPDialogue()
    talk.replies()
    assert talk.codes("NOOP", "A" * 5000) == [200, 500]
    assert refusals(talk) == [("", "", 500, "")]


def test_exhausted_passive_ports_make_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    talk = FTPDialogue().login()

    def none_left(*_arguments: object) -> Any:
        raise NoPortFree("no port is free")

    monkeypatch.setattr(talk.factory._ports, "listen", none_left)
    assert talk.codes("PASV") == [425]
    [event] = talk.of(CommandRefused)
    assert (event.command, event.code, event.detail) == ("PASV", 425, "no port is free")


def test_details_of_the_storage_are_in_the_event_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    talk = FTPDialogue().login()

    async def broken(path: VirtualPath) -> None:
        raise Unavailable(path, "Input/output error")

    monkeypatch.setattr(talk.storage, "remove_file", broken)
    assert talk.say("DELE a") == ["451 The storage failed."]
    [event] = talk.of(CommandRefused)
    assert (event.text, event.detail) == ("The storage failed.", "Input/output error")


def test_the_text_of_the_reply_is_not_repeated_as_detail() -> None:
    assert (
        undisclosed_detail(
            PathNotFound(VirtualPath(), "no such file or directory"), "No such file or directory."
        )
        == ""
    )
    assert (
        undisclosed_detail(PathNotFound(VirtualPath(), "ENOENT"), "No such file or directory.")
        == "ENOENT"
    )
    assert (
        undisclosed_detail(Denied(VirtualPath(), "read-only"), "Permission denied.") == "read-only"
    )
    assert undisclosed_detail(None, "No.") == ""


def test_a_defect_is_described_without_its_representation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    talk = FTPDialogue().login()

    async def broken(path: VirtualPath) -> None:
        raise RuntimeError(f"no {path}")

    monkeypatch.setattr(talk.storage, "remove_file", broken)
    assert talk.codes("DELE a") == [451]
    assert [event.detail for event in talk.of(CommandFailed)] == ["RuntimeError: no /a"]
    assert refusals(talk) == []


def test_errors_of_storages_read_as_text() -> None:
    assert str(Denied(VirtualPath.parse("/a b"))) == "/a b: permission denied"
    assert str(Denied(VirtualPath.parse("/a"), "EACCES")) == "/a: permission denied (EACCES)"
    assert str(Unavailable(VirtualPath(), "gone")) == "/: the storage failed (gone)"


class Nowhere:
    """A channel whose client does not come."""

    connected = False

    async def connection(self) -> Any:
        raise CannotOpenDataConnection("nobody came")

    def close(self) -> None:
        """Be over."""


class NoListing(TransferJob):
    """A listing that is not sent."""

    async def _end(self) -> None:
        """Nothing was opened."""


def test_a_listing_without_a_data_connection_makes_an_event() -> None:
    talk = FTPDialogue().login()
    context = talk.protocol.context
    listing = NoListing(context, Nowhere(), "LIST /a", "Sending the listing.")  # type: ignore[arg-type]
    with pytest.raises(StopIteration) as ended:
        listing.run().send(None)
    assert ended.value.value.code == 425
    [event] = talk.of(CommandRefused)
    assert (event.user, event.command, event.path) == ("ann", "LIST", "/a")
    assert (event.code, event.detail) == (425, "nobody came")


def test_a_storage_that_raises_what_a_cancelled_call_does_fails_like_any_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The client has its reply and the session goes on: it waited for ever."""
    talk = FTPDialogue().login()

    async def cancelled(path: VirtualPath) -> None:
        raise CancelledError

    monkeypatch.setattr(talk.storage, "remove_file", cancelled)
    assert talk.codes("DELE a", "NOOP") == [451, 200]
    assert [event.command for event in talk.of(CommandFailed)] == ["DELE"]
