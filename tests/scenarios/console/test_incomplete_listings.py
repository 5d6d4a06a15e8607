"""Incomplete listings and recursive deletion, in the shell and as one-shot commands."""

from pathlib import Path

import pytest
from twisted.internet.defer import Deferred, succeed

from ftpservice.wire.entry import Entry, Kind
from ftpservice_client import (
    AccessDenied,
    Destination,
    Listing,
    MirrorResult,
    MirrorStep,
    Scheme,
    UnparsableListing,
)
from ftpservice_client.console.oneshot.command import run_one_shot
from ftpservice_client.console.oneshot.commands import ONE_SHOT_COMMANDS
from ftpservice_client.console.session.errors import ConsoleError
from tests.support.shell_session import MemoryShell, result_of

UNCLEAR = Listing((Entry("a.txt", Kind.FILE, 5, 0.0),), ("../up",), ("what?",))
REMOVED = MirrorResult(
    (MirrorStep("delete", "x", 5), MirrorStep("keep", "deep")),
    ((MirrorStep("list", "deep"), AccessDenied("no")),),
)
HOST = "ftp://ann:secret@h"


@pytest.fixture
def shell() -> MemoryShell:
    made = MemoryShell().connected()
    made.client.list.side_effect = lambda *_: succeed(UNCLEAR)
    made.client.remove_tree.side_effect = lambda *_: succeed(REMOVED)
    return made


def run_words(shell: MemoryShell, *words: str) -> BaseException | None:
    shell.session.url_destination = Destination(Scheme.FTP, "h", 21, "ann", "secret")
    command = ONE_SHOT_COMMANDS.get(words[0])
    assert command is not None
    given = command.parser().parse_args(words[1:])
    return result_of(Deferred.fromCoroutine(run_one_shot(command, shell.session, given)))  # type: ignore[no-any-return]


def test_ls_prints_the_readable_lines_and_fails(shell: MemoryShell) -> None:
    error = shell.error("ls")
    assert isinstance(error, ConsoleError)
    assert "what? (and 1 more)" in str(error)
    assert "a.txt" in shell.out.text


def test_a_pattern_over_an_incomplete_listing_prints_a_warning(shell: MemoryShell) -> None:
    shell.run("rm *.txt")
    shell.client.delete.assert_called_once_with("a.txt")
    assert "what?" in shell.err.text


def test_rm_recursive_prints_what_was_kept(shell: MemoryShell) -> None:
    assert isinstance(shell.error("rm -r top"), ConsoleError)
    shell.client.remove_tree.assert_called_once_with("top")
    shell.client.delete.assert_not_called()
    assert shell.out.text.splitlines()[-3:] == [
        "Deleted top/x",
        "Kept top/deep",
        "failed: list top/deep: no",
    ]


def test_put_preserve_reports_an_unset_time(
    shell: MemoryShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").write_bytes(b"x")
    shell.run("put -p a")
    assert shell.client.upload.call_args.kwargs["keep_time"] is True
    assert "did not set the modification time of a" in shell.err.text


@pytest.mark.parametrize(
    ("words", "kind", "message"),
    [
        (("ls", "--json", f"{HOST}/"), UnparsableListing, '"unread": ["what?", "../up"]'),
        (("rm", "-r", "--json", f"{HOST}/top"), AccessDenied, '{"deleted": ["top/x"]}'),
    ],
)
def test_one_shot_commands_return_the_failure_of_a_part(
    shell: MemoryShell, words: tuple[str, ...], kind: type[Exception], message: str
) -> None:
    assert isinstance(run_words(shell, *words), kind)
    assert message in shell.out.text
