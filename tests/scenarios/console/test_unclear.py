"""What the shell says, and returns, of listings that were not understood and of removals."""

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
from ftpservice_client.console.oneshot.command_table import run_one_shot
from ftpservice_client.console.oneshot.table import ONE_SHOT_COMMANDS
from ftpservice_client.console.session.errors import ShellError
from tests.support.shell_session import Seat, ended

UNCLEAR = Listing((Entry("a.txt", Kind.FILE, 5, 0.0),), ("../up",), ("what?",))
REMOVED = MirrorResult(
    (MirrorStep("delete", "x", 5), MirrorStep("keep", "deep")),
    ((MirrorStep("list", "deep"), AccessDenied("no")),),
)
HOST = "ftp://ann:secret@h"


@pytest.fixture
def seat() -> Seat:
    made = Seat().connected()
    made.client.list.side_effect = lambda *_: succeed(UNCLEAR)
    made.client.remove_tree.side_effect = lambda *_: succeed(REMOVED)
    return made


def shot(seat: Seat, *words: str) -> BaseException | None:
    seat.session.url_destination = Destination(Scheme.FTP, "h", 21, "ann", "secret")
    found = ONE_SHOT_COMMANDS.find(words[0])
    assert found is not None
    given = found.parser().parse_args(words[1:])
    return ended(Deferred.fromCoroutine(run_one_shot(found, seat.session, given)))  # type: ignore[no-any-return]


def test_ls_shows_what_it_can_and_fails(seat: Seat) -> None:
    error = seat.wrong("ls")
    assert isinstance(error, ShellError)
    assert "what? (and 1 more)" in str(error)
    assert "a.txt" in seat.out.text


def test_a_pattern_that_may_fit_more_is_told_of(seat: Seat) -> None:
    seat.type("rm *.txt")
    seat.client.delete.assert_called_once_with("a.txt")
    assert "what?" in seat.err.text


def test_rm_removes_trees_and_tells_what_stays(seat: Seat) -> None:
    assert isinstance(seat.wrong("rm -r top"), ShellError)
    seat.client.remove_tree.assert_called_once_with("top")
    seat.client.delete.assert_not_called()
    assert seat.out.text.splitlines()[-3:] == [
        "Deleted top/x",
        "Kept top/deep",
        "failed: list top/deep: no",
    ]


def test_put_keeps_times_and_tells_if_it_cannot(
    seat: Seat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").write_bytes(b"x")
    seat.type("put -p a")
    assert seat.client.upload.call_args.kwargs["keep_time"] is True
    assert "does not keep the time of a" in seat.err.text


@pytest.mark.parametrize(
    ("words", "kind", "told"),
    [
        (("ls", "--json", f"{HOST}/"), UnparsableListing, '"unread": ["what?", "../up"]'),
        (("rm", "-r", "--json", f"{HOST}/top"), AccessDenied, '{"deleted": ["top/x"]}'),
    ],
)
def test_the_commands_fail_with_what_was_not_done(
    seat: Seat, words: tuple[str, ...], kind: type[Exception], told: str
) -> None:
    assert isinstance(shot(seat, *words), kind)
    assert told in seat.out.text
