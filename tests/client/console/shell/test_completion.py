from __future__ import annotations

from pathlib import Path

import pytest
from twisted.internet.defer import Deferred, fail, succeed

from ftpservice.wire.entry import Entry, Kind
from ftpservice_client import AccessDenied, Listing
from ftpservice_client.console.shell.commands.table import SHELL_COMMANDS
from ftpservice_client.console.shell.completion import Suggestion, suggestions_for
from tests.support.shell_session import Seat, ended


def offered(before: str, seat: Seat) -> list[str]:
    """What the line would be with each suggestion taken."""
    return [
        before[: len(before) - one.replaced_length] + one.text
        for one in ended(
            Deferred.fromCoroutine(suggestions_for(before, seat.session, SHELL_COMMANDS))
        )
    ]


@pytest.fixture
def seat() -> Seat:
    return Seat().connected()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "one dir").mkdir()
    (tmp_path / "one dir" / "deep.txt").touch()
    (tmp_path / "only.txt").touch()
    (tmp_path / ".hidden").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_words_are_offered(seat: Seat) -> None:
    assert offered("mk", seat) == ["mkd", "mkdir"]
    assert offered("MKDI", seat) == ["mkdir"]
    assert "quit" in offered("", seat)
    assert offered("help mp", seat) == ["help mput"]
    assert offered("xyzzy a", seat) == []


def test_remote_names_are_offered_in_the_quotes_they_need(seat: Seat) -> None:
    assert offered("get ", seat) == ['get "a b/', "get alpha.txt", "get beta.txt"]
    assert offered("get al", seat) == ["get alpha.txt"]
    assert offered('get "al', seat) == ['get "alpha.txt"']
    assert offered("get 'a ", seat) == ['get "a b/']
    assert offered('get "a b/al', seat) == ['get "a b/alpha.txt"']
    assert offered("get -c al", seat) == ["get -c alpha.txt"]
    assert offered("get -c", seat) == []


def test_directories_alone_are_offered_where_one_is_wanted(seat: Seat) -> None:
    assert offered("cd ", seat) == ['cd "a b/']
    assert offered("cd a ", seat) == ['cd "a b/']


def test_a_menu_shows_the_last_part(seat: Seat) -> None:
    found = ended(
        Deferred.fromCoroutine(suggestions_for("get in/be", seat.session, SHELL_COMMANDS))
    )
    assert found == [Suggestion("in/beta.txt", 5, "beta.txt")]


def test_local_names_are_offered(seat: Seat, here: Path) -> None:
    assert offered("put ", seat) == ['put "one dir/', "put only.txt"]
    assert offered('put "one dir/', seat) == ['put "one dir/deep.txt"']
    assert offered("put .h", seat) == ["put .hidden"]
    assert offered("lcd o", seat) == ['lcd "one dir/']
    assert offered("get alpha.txt on", seat) == [
        'get alpha.txt "one dir/',
        "get alpha.txt only.txt",
    ]
    assert offered("put none/x", seat) == []


def test_a_mirror_up_begins_here(seat: Seat, here: Path) -> None:
    assert offered("mirror ", seat) == ['mirror "a b/']
    for up in ("-u", "--up", "-nu"):
        assert offered(f"mirror {up} ", seat) == [f'mirror {up} "one dir/']
        assert offered(f"mirror {up} x ", seat) == [f'mirror {up} x "a b/']


def test_options_are_offered_and_their_values_are_no_names(seat: Seat, here: Path) -> None:
    assert offered("mirror --d", seat) == ["mirror --delete", "mirror --dry-run"]
    assert offered("get --", seat) == ["get --continue", "get --verify"]
    assert offered("mirror -x ", seat) == []
    assert offered("mirror -x *.o ", seat) == ['mirror -x *.o "a b/']
    assert offered("mirror --nothing ", seat) == []


def test_a_listing_is_good_for_a_while_and_until_something_changes(seat: Seat) -> None:
    offered("get a", seat)
    offered("get b", seat)
    assert seat.client.list.call_count == 1
    seat.reactor.advance(20)
    offered("get a", seat)
    assert seat.client.list.call_count == 2
    seat.type("mkdir new")
    offered("get a", seat)
    assert seat.client.list.call_count == 3


def test_names_that_cannot_be_typed_are_left_out(seat: Seat) -> None:
    entries = (Entry("a\x1bb", Kind.FILE, 1, 0.0), Entry("ab", Kind.FILE, 1, 0.0))
    seat.client.list.side_effect = lambda path: succeed(Listing(entries))
    assert offered("get a", seat) == ["get ab"]


def test_trouble_offers_nothing(seat: Seat) -> None:
    seat.client.list.side_effect = lambda path: fail(AccessDenied("no"))
    assert offered("get a", seat) == []
    assert offered("get a", Seat()) == []
    assert offered("pwd a", seat) == []
