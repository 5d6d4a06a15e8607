"""What events say of sessions and transfers, over FTP and the simple protocol."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred

from ftpservice.accounts.checkers import SHIPPED_HASH
from ftpservice.events import (
    CommandRefused,
    LoggedIn,
    LoginFailed,
    Outcome,
    SessionClosed,
    SessionOpened,
    TransferEnded,
    TransferStarted,
    UploadRefused,
)
from ftpservice.storage.quota.metered_upload import MeteredUpload
from tests.support.raw_client import RunningService, in_thread, reset, starting
from tests.support.simple_client import SimpleWire

__all__ = ["starting"]

SIMPLE = ("--simple", "tcp:0:interface=127.0.0.1")
Start = Callable[..., RunningService]


class Watched:
    """A service whose accounts file can be extended, and the events that it publishes."""

    def __init__(self, server: Start, place: Path, lines: str = "") -> None:
        with (place / "passwd.db").open("a") as file:
            file.write(lines)
        self.served = server(*SIMPLE)
        self.events: list = []
        self.served.factory.event_sink.events.subscribe(self.events.append)

    def of(self, kind: type) -> list:
        return [event for event in self.events if type(event) is kind]

    def simple(self, name: str = "demo") -> SimpleWire:
        wire = SimpleWire(self.served, self.served.connected(("127.0.0.1", self.served.ports[-1])))
        wire.line()
        return wire.login(name)


@pytest.fixture
def watched(server: Start, tmp_path: Path) -> Callable[..., Watched]:
    return lambda lines="": Watched(server, tmp_path, lines)


@in_thread
def test_all_events_of_a_session_have_its_id_and_no_other_session_has_it(watched) -> None:
    seen = watched()
    for _ in range(2):
        wire = seen.served.session()
        assert wire.upload("STOR a", b"one").code == 226
        wire.end.close()
    seen.served.wait_for(lambda: len(seen.of(SessionClosed)) == 2)
    ids = [{event.info.id for event in seen.events if event.session == number} for number in (1, 2)]
    assert [len(one) for one in ids] == [1, 1]
    assert ids[0] != ids[1]
    assert all(event.info.protocol == "ftp" for event in seen.events)


def test_sessions_of_another_run_have_other_ids(watched) -> None:
    runs = [watched().served.factory.services().run_id for _ in range(2)]
    assert runs[0] != runs[1]
    assert all(runs)


@in_thread
@pytest.mark.parametrize("way", ["ftp", "simple"])
def test_transfers_are_numbered_and_the_end_of_a_session_has_the_totals(watched, way: str) -> None:
    seen = watched()
    content = os.urandom(50_000)
    if way == "ftp":
        wire = seen.served.session()
        assert wire.code("TYPE I") == 200
        assert wire.upload("STOR a", content).code == 226
        assert wire.download("RETR a") == content
        assert wire.code("ALLO 9") == 200
        assert wire.upload("STOR b", b"short").code == 426
    else:
        wire = seen.simple()
        assert wire.upload("a", content).startswith("OK")
        assert wire.download("a") == content
        assert wire.ask("UPLD 9 b") == "GO"
        wire.send("short")
    wire.close() if way == "simple" else wire.end.close()
    seen.served.wait_for(lambda: len(seen.of(SessionClosed)) == 1)
    started, ended = seen.of(TransferStarted), seen.of(TransferEnded)
    session = started[0].info.id
    assert [one.transfer_id for one in started] == [f"{session}-{n}" for n in (1, 2, 3)]
    assert [one.transfer_id for one in ended] == [one.transfer_id for one in started]
    assert [one.size for one in started] == [None if way == "ftp" else 50_000, 50_000, 9]
    assert [one.outcome for one in ended] == [Outcome.COMPLETE, Outcome.COMPLETE, Outcome.ABORTED]
    assert ended[0].rate == ended[0].size / ended[0].seconds
    (closed,) = seen.of(SessionClosed)
    totals = (closed.files_up, closed.bytes_up, closed.files_down, closed.bytes_down)
    assert totals == (1, 50_005, 1, 50_000)
    assert closed.seconds > 0


@in_thread
def test_a_name_that_no_file_can_have_has_no_place_on_the_disk(watched) -> None:
    """Subscribers ask for it, whatever the client has sent: the journal, the log, hooks."""
    seen = watched()
    wire = seen.served.session()
    for line in ("STOR a\0b", "DELE a\0b", "RETR \0", "STOR a\rb"):
        assert wire.code(line) in (500, 501, 550, 553)
    seen.served.wait_for(lambda: len(seen.of(CommandRefused) + seen.of(UploadRefused)) == 4)
    refused = [one for one in seen.events if isinstance(one, CommandRefused)]
    assert [one.info.storage_name(one.path) for one in refused[:3]] == [None] * 3


@in_thread
@pytest.mark.parametrize("way", ["ftp", "simple"])
def test_the_end_of_a_session_has_groups_and_an_interrupted_upload_its_file(
    watched, tmp_path: Path, way: str
) -> None:
    """Although the account is logged out by then."""
    seen = watched(f"@staff:*:/:full:\nann:{SHIPPED_HASH}:/:full:group=staff\n")
    if way == "ftp":
        wire = seen.served.session("ann")
        end = wire.accepted()
        assert wire.code("STOR a") == 150
        end.sendall(b"some")
        seen.served.wait_for(lambda: seen.served.factory.instances[0].context.moved)
        reset(wire.end)
    else:
        wire = seen.simple("ann")
        assert wire.ask("UPLD 9 a") == "GO"
        wire.send("some")
        seen.served.wait_for(lambda: seen.served.factory.instances[0].context.moved)
        wire.close()
    seen.served.wait_for(lambda: seen.of(SessionClosed))
    (ended,), (closed,) = seen.of(TransferEnded), seen.of(SessionClosed)  # in this order
    assert closed.bytes_up == ended.size == 4
    assert (ended.info.groups, closed.info.groups) == (("staff",), ("staff",))
    assert ended.info.storage_name("/a") == str(tmp_path / "files/a")
    assert closed.user == "ann"


@in_thread
@pytest.mark.parametrize("way", ["ftp", "simple"])
def test_an_event_finds_the_file_on_the_disk(watched, tmp_path: Path, way: str) -> None:
    for name in ("own", "in"):
        (tmp_path / name).mkdir()
    own, mount = f"local\\:{tmp_path}/own", f"mount=/m/in=local\\:{tmp_path}/in"
    seen = watched(
        f"below:{SHIPPED_HASH}:/people/ann:full:\nowner:{SHIPPED_HASH}:{own}:full:{mount}\n"
    )
    for account, name, place in (
        ("demo", "/a", tmp_path / "files/a"),
        ("below", "/b", tmp_path / "files/people/ann/b"),
        ("owner", "/c", tmp_path / "own/c"),
        ("owner", "/m/in/d", tmp_path / "in/d"),
    ):
        if way == "ftp":
            assert seen.served.session(account).upload(f"STOR {name}", b"x").code == 226
        else:
            assert seen.simple(account).upload(name, b"x").startswith("OK")
        event = seen.of(TransferEnded)[-1]
        assert event.path == name
        assert event.info.storage_name(event.path) == str(place)
        assert place.read_bytes() == b"x"


@in_thread
def test_events_after_a_login_have_the_groups_of_the_account(watched) -> None:
    seen = watched(f"@staff:*:/:full:\nann:{SHIPPED_HASH}::inherit:group=staff\n")
    wire = seen.served.session("ann")
    wire.code("STOR")
    assert wire.codes("USER demo", "PASS wrong") == [331, 530]
    assert [event.info.groups for event in seen.of(SessionOpened)] == [()]
    assert [event.info.groups for event in seen.of(LoggedIn)] == [("staff",)]
    assert [event.info.groups for event in seen.of(CommandRefused)] == []
    assert [event.info.groups for event in seen.of(UploadRefused)] == [("staff",)]
    assert [event.info.groups for event in seen.of(LoginFailed)] == [()]


@in_thread
def test_a_refused_upload_is_one_event_before_it_begins(watched) -> None:
    seen = watched()
    wire = seen.served.session("reader")
    assert wire.codes("EPSV", "STOR a", "DELE a") == [229, 550, 550]
    simple = seen.simple("reader")
    simple.send("UPLD 3+ b\nabc")
    assert simple.line().startswith("ERR DENIED")
    refused = seen.of(UploadRefused)
    facts = [(event.command, event.path, event.code, event.transfer) for event in refused]
    assert facts == [("STOR", "/a", 550, 0), ("UPLD", "/b", "DENIED", 0)]
    assert [event.command for event in seen.of(CommandRefused)] == ["DELE"]
    assert seen.of(TransferEnded) == []


@in_thread
def test_an_upload_that_is_refused_in_its_middle_is_one_event_too(watched) -> None:
    seen = watched(f"small:{SHIPPED_HASH}:/small:full:quota=1K\n")
    wire = seen.served.session("small")
    assert wire.upload("STOR a", b"x" * 5000).code == 552
    (ended,), (refused,) = seen.of(TransferEnded), seen.of(UploadRefused)
    assert ended.outcome is Outcome.REFUSED
    assert (refused.command, refused.path, refused.code) == ("STOR", "/a", 552)
    assert refused.transfer == ended.transfer == 1
    assert refused.text.startswith("Quota exceeded.")


@in_thread
def test_a_client_that_leaves_while_its_refused_upload_is_discarded_was_refused(
    watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many clients close everything as soon as the data connection breaks."""
    seen = watched(f"small:{SHIPPED_HASH}:/small:full:quota=1K\n")
    discard, may_discard, waits = MeteredUpload.abandon, Deferred[None](), list[bool]()

    async def slow_discard(writing: MeteredUpload) -> None:
        if not waits:
            waits.append(True)
            await may_discard
        await discard(writing)

    monkeypatch.setattr(MeteredUpload, "abandon", slow_discard)
    wire = seen.served.session("small")
    end = wire.accepted()
    assert wire.code("STOR a") == 150
    end.sendall(b"x" * 5000)
    seen.served.wait_for(lambda: waits)
    reset(wire.end)
    seen.served.wait_for(lambda: seen.of(TransferEnded))
    (ended,), (refused,) = seen.of(TransferEnded), seen.of(UploadRefused)
    assert (ended.outcome, refused.code) == (Outcome.REFUSED, 552)
    assert ended.detail == "over the quota (bytes left: 1024)"


@in_thread
def test_a_session_tells_how_far_its_transfer_is(watched) -> None:
    seen = watched()
    wire, simple = seen.served.session(), seen.simple()
    data = wire.accepted()
    assert wire.codes("TYPE I", "STOR a") == [200, 150]
    data.sendall(b"12345")
    assert simple.ask("UPLD 9 b") == "GO"
    simple.send("123")
    sessions = seen.served.factory.sessions
    seen.served.wait_for(lambda: [sessions[n].context.moved for n in (1, 2)] == [5, 3])
    data.close()
    assert wire.reply().code == 226
    simple.send("456789")
    assert simple.line() == "OK 9 b"
    assert [sessions[n].context.moved for n in (1, 2)] == [0, 0]
