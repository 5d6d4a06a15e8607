from __future__ import annotations

from pathlib import Path

import pytest
from twisted.internet.defer import Deferred, fail, succeed

from ftpservice.wire.entry import Entry, Kind
from ftpservice_client import AccessDenied, Listing
from ftpservice_client.console.shell.commands.table import SHELL_COMMANDS
from ftpservice_client.console.shell.completion import Suggestion, suggestions_for
from tests.support.shell_session import MemoryShell, result_of


def offered(before: str, shell: MemoryShell) -> list[str]:
    """Return the line after each suggestion."""
    return [
        before[: len(before) - one.replaced_length] + one.text
        for one in result_of(
            Deferred.fromCoroutine(suggestions_for(before, shell.session, SHELL_COMMANDS))
        )
    ]


@pytest.fixture
def shell() -> MemoryShell:
    return MemoryShell().connected()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "one dir").mkdir()
    (tmp_path / "one dir" / "deep.txt").touch()
    (tmp_path / "only.txt").touch()
    (tmp_path / ".hidden").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_commands_are_suggested(shell: MemoryShell) -> None:
    assert offered("mk", shell) == ["mkd", "mkdir"]
    assert offered("MKDI", shell) == ["mkdir"]
    assert "quit" in offered("", shell)
    assert offered("help mp", shell) == ["help mput"]
    assert offered("xyzzy a", shell) == []


def test_remote_names_are_quoted_as_needed(shell: MemoryShell) -> None:
    assert offered("get ", shell) == ['get "a b/', "get alpha.txt", "get beta.txt"]
    assert offered("get al", shell) == ["get alpha.txt"]
    assert offered('get "al', shell) == ['get "alpha.txt"']
    assert offered("get 'a ", shell) == ['get "a b/']
    assert offered('get "a b/al', shell) == ['get "a b/alpha.txt"']
    assert offered("get -c al", shell) == ["get -c alpha.txt"]
    assert offered("get -c", shell) == []


def test_directory_arguments_suggest_directories_only(shell: MemoryShell) -> None:
    assert offered("cd ", shell) == ['cd "a b/']
    assert offered("cd a ", shell) == ['cd "a b/']


def test_the_menu_shows_the_last_component(shell: MemoryShell) -> None:
    found = result_of(
        Deferred.fromCoroutine(suggestions_for("get in/be", shell.session, SHELL_COMMANDS))
    )
    assert found == [Suggestion("in/beta.txt", 5, "beta.txt")]


def test_local_names_are_suggested(shell: MemoryShell, here: Path) -> None:
    assert offered("put ", shell) == ['put "one dir/', "put only.txt"]
    assert offered('put "one dir/', shell) == ['put "one dir/deep.txt"']
    assert offered("put .h", shell) == ["put .hidden"]
    assert offered("lcd o", shell) == ['lcd "one dir/']
    assert offered("get alpha.txt on", shell) == [
        'get alpha.txt "one dir/',
        "get alpha.txt only.txt",
    ]
    assert offered("put none/x", shell) == []


def test_mirror_up_reverses_the_sources(shell: MemoryShell, here: Path) -> None:
    assert offered("mirror ", shell) == ['mirror "a b/']
    for up in ("-u", "--up", "-nu"):
        assert offered(f"mirror {up} ", shell) == [f'mirror {up} "one dir/']
        assert offered(f"mirror {up} x ", shell) == [f'mirror {up} x "a b/']


def test_options_are_suggested_and_their_values_are_not(shell: MemoryShell, here: Path) -> None:
    assert offered("mirror --d", shell) == ["mirror --delete", "mirror --dry-run"]
    assert offered("get --", shell) == ["get --continue", "get --verify"]
    assert offered("mirror -x ", shell) == []
    assert offered("mirror -x *.o ", shell) == ['mirror -x *.o "a b/']
    assert offered("mirror --nothing ", shell) == []


def test_listings_expire_and_are_invalidated(shell: MemoryShell) -> None:
    offered("get a", shell)
    offered("get b", shell)
    assert shell.client.list.call_count == 1
    shell.reactor.advance(20)
    offered("get a", shell)
    assert shell.client.list.call_count == 2
    shell.run("mkdir new")
    offered("get a", shell)
    assert shell.client.list.call_count == 3


def test_unprintable_names_are_not_suggested(shell: MemoryShell) -> None:
    entries = (Entry("a\x1bb", Kind.FILE, 1, 0.0), Entry("ab", Kind.FILE, 1, 0.0))
    shell.client.list.side_effect = lambda path: succeed(Listing(entries))
    assert offered("get a", shell) == ["get ab"]


def test_errors_give_no_suggestions(shell: MemoryShell) -> None:
    shell.client.list.side_effect = lambda path: fail(AccessDenied("no"))
    assert offered("get a", shell) == []
    assert offered("get a", MemoryShell()) == []
    assert offered("pwd a", shell) == []
