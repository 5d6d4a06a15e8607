"""Single commands: what they ask of the client and what they answer, for people and programs."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from twisted.internet.defer import Deferred, fail, succeed

from ftpservice_client import (
    AccessDenied,
    Destination,
    Digest,
    Listing,
    MirrorResult,
    MirrorStep,
    NotFound,
    TransferResult,
)
from ftpservice_client.console.oneshot.command_table import run_one_shot
from ftpservice_client.console.oneshot.table import ONE_SHOT_COMMANDS
from ftpservice_client.console.session import session as session_module
from ftpservice_client.console.session.errors import ShellUsageError
from tests.support.shell_session import ENTRIES, Seat, ended, failed

HOST = "ftp://ann:secret@h"


class Shooter:
    """Runs single commands at a seat."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seat = Seat(attended=False)
        self.client = self.seat.client
        self.came: list[str] = []
        monkeypatch.setattr(session_module, "connect", self.connect)

    def connect(self, place: Destination, **_: Any) -> Deferred[Any]:
        self.came.append(place.host)
        assert (place.path, place.password) == ("", "secret")
        return succeed(self.client)

    def start(self, *words: str) -> Deferred[BaseException | None]:
        shot = ONE_SHOT_COMMANDS.find(words[0])
        assert shot is not None
        given = shot.parser().parse_args(words[1:])
        return Deferred.fromCoroutine(run_one_shot(shot, self.seat.session, given))

    def say(self, *words: str) -> str:
        """Return what came out since."""
        before = len(self.seat.out.text)
        assert ended(self.start(*words)) is None
        self.client.quit.assert_called()
        return self.seat.out.text[before:]


@pytest.fixture
def shooter(monkeypatch: pytest.MonkeyPatch) -> Shooter:
    return Shooter(monkeypatch)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    return tmp_path


def test_get_fetches_one_or_many(shooter: Shooter, here: Path) -> None:
    shooter.say("get", f"{HOST}/in/a%20b")
    assert shooter.came == ["h"]
    shooter.client.download.assert_called_with(
        "in/a b", Path("a b"), resume=False, verify=False, progress=ANY
    )
    shooter.say("get", "-c", "--verify", f"{HOST}//x", "sub")
    shooter.client.download.assert_called_with(
        "/x", Path("sub/x"), resume=True, verify=True, progress=ANY
    )
    shooter.client.download.reset_mock()
    said = shooter.say("get", "--json", f"{HOST}/in/*.txt", "sub").splitlines()
    assert said[-1] == (
        '{"files": [{"file": "sub/alpha.txt", "name": "in/alpha.txt", "size": 2048}, '
        '{"file": "sub/beta.txt", "name": "in/beta.txt", "size": 2048}]}'
    )


def test_get_may_go_to_the_output(shooter: Shooter) -> None:
    assert shooter.say("get", f"{HOST}/a", "-") == ""
    shooter.client.download.assert_called_with("a", shooter.seat.out.buffer)
    assert isinstance(failed(shooter.start("get", "--json", f"{HOST}/a", "-")), ShellUsageError)


def test_digests_that_were_compared_are_told(shooter: Shooter) -> None:
    done = TransferResult("a", 1, 1.0, Digest("SHA-256", "0a"))
    shooter.client.download.side_effect = lambda *_, **__: succeed(done)
    said = shooter.say("get", "--json", f"{HOST}/a")
    assert json.loads(said.splitlines()[-1]) == {
        "files": [{"algorithm": "SHA-256", "digest": "0a", "file": "a", "name": "a", "size": 1}]
    }


def test_many_files_never_go_to_one(shooter: Shooter, here: Path) -> None:
    shooter.say("get", f"{HOST}/in/*.txt", "new")
    assert [made.args for made in shooter.client.download.call_args_list] == [
        ("in/alpha.txt", Path("new/alpha.txt")),
        ("in/beta.txt", Path("new/beta.txt")),
    ]
    (here / "file").touch()
    assert isinstance(failed(shooter.start("get", f"{HOST}/in/*.txt", "file")), FileExistsError)


def test_a_wildcard_may_be_a_letter_as_any_other(shooter: Shooter, here: Path) -> None:
    shooter.say("get", f"{HOST}/in/%5Ba%5D%2A", "x")
    assert shooter.client.download.call_args.args == ("in/[a]*", Path("x"))
    shooter.say("rm", f"{HOST}/a%3F")
    shooter.client.delete.assert_called_once_with("a?")
    shooter.client.list.assert_not_called()


def test_put_sends_to_a_name_or_into_a_directory(
    shooter: Shooter, monkeypatch: pytest.MonkeyPatch
) -> None:
    shooter.say("put", f"{HOST}/in/b", "sub/a")
    care = {"append": False, "resume": False, "verify": False, "keep_time": False, "progress": ANY}
    shooter.client.upload.assert_called_with(Path("sub/a"), "in/b", **care)
    shooter.say("put", f"{HOST}/in/", "sub/a", "c")
    assert [made.args for made in shooter.client.upload.call_args_list[1:]] == [
        (Path("sub/a"), "in/a"),
        (Path("c"), "in/c"),
    ]
    error = failed(shooter.start("put", f"{HOST}/in/", "sub/a", "c", "a"))
    assert isinstance(error, ShellUsageError)
    assert str(error) == "Two of them would become a."
    shooter.say("put", "-a", HOST, "c")
    shooter.client.upload.assert_called_with(Path("c"), "c", **care | {"append": True})
    source = io.TextIOWrapper(io.BytesIO(b"x"))
    monkeypatch.setattr("sys.stdin", source)
    shooter.say("put", f"{HOST}/in/b", "-")
    shooter.client.upload.assert_called_with(source.buffer, "in/b", **care)


@pytest.mark.parametrize(
    "words",
    [
        ["put", f"{HOST}/a", "b", "c"],
        ["put", f"{HOST}/in/", "-"],
        ["cat", "--json", f"{HOST}/a"],
    ],
    ids=["many", "nameless", "both"],
)
def test_what_cannot_be_meant_is_refused(shooter: Shooter, words: list[str]) -> None:
    assert isinstance(failed(shooter.start(*words)), ShellUsageError)


def test_cat_goes_from_server_to_server(shooter: Shooter) -> None:
    shooter.say("cat", f"{HOST}/a", f"{HOST}/b", "ftp://ann:secret@other/c")
    assert shooter.came == ["h", "other"]
    assert [made.args[0] for made in shooter.client.download.call_args_list] == ["a", "b", "c"]


def test_ls_lists(shooter: Shooter) -> None:
    assert shooter.say("ls", "-1", HOST) == "a b\nalpha.txt\nbeta.txt\n"
    shooter.client.list.assert_called_with("")
    assert shooter.say("ls", "simple://ann:secret@h/") == (
        "a b/ - directory\nalpha.txt - 5 bytes\nbeta.txt - 1500 bytes\n"
        "Total directory size: 1505 bytes\n"
    )


def test_ls_tells_programs(shooter: Shooter) -> None:
    shooter.client.list.side_effect = lambda path: succeed(Listing(ENTRIES[:2]))
    assert shooter.say("ls", "--json", f"{HOST}/in") == (
        '{"entries": [{"modified": "1970-01-01T00:00:00Z", "name": "a b", "size": 0, '
        '"type": "dir"}, {"modified": "1970-01-01T00:00:00Z", "name": "alpha.txt", "size": 5, '
        '"type": "file"}], "total": 5}\n'
    )


def test_hash_tells_digests(shooter: Shooter) -> None:
    assert shooter.say("hash", f"{HOST}/a", f"{HOST}/in/al*") == "0a1b  a\n0a1b  in/alpha.txt\n"
    assert shooter.say("hash", "-a", "md5", "--json", f"{HOST}/a") == (
        '{"files": [{"algorithm": "MD5", "digest": "0a1b", "name": "a"}]}\n'
    )


def test_rm_deletes(shooter: Shooter) -> None:
    assert (
        shooter.say("rm", f"{HOST}/a", f"{HOST}/in/al*")
        == "Deleted file: a\nDeleted file: in/alpha.txt\n"
    )
    shooter.client.delete.side_effect = lambda name: fail(NotFound("x"))
    assert isinstance(failed(shooter.start("rm", f"{HOST}/a")), NotFound)


def test_mirror_tells_what_was_done_and_what_was_not(shooter: Shooter) -> None:
    done = MirrorResult(
        (MirrorStep("upload", "a", 3),), ((MirrorStep("delete", "b"), AccessDenied("no")),)
    )
    shooter.client.mirror.side_effect = lambda *_, **__: succeed(done)
    words = ("mirror", "-u", "-d", "-x", "*.o", "-p", "2", "--json", f"{HOST}/in", "sub")
    assert isinstance(ended(shooter.start(*words)), AccessDenied)
    shooter.client.mirror.assert_called_once_with(
        Path("sub"),
        "in",
        tally=ANY,
        up=True,
        delete=True,
        dry_run=False,
        include=[],
        exclude=["*.o"],
        parallel=2,
    )
    assert shooter.seat.out.text.splitlines()[-1] == (
        '{"failed": [{"action": "delete", "error": "no", "name": "b"}], "size": 3, '
        '"steps": [{"action": "upload", "name": "a", "size": 3}]}'
    )


def test_a_dry_run_is_shown_even_to_the_silent(shooter: Shooter) -> None:
    done = MirrorResult((MirrorStep("upload", "a", 3),))
    shooter.client.mirror.side_effect = lambda *_, **__: succeed(done)
    assert "upload a\n" in shooter.say("mirror", "-n", f"{HOST}/in", "sub")


def test_nonsense_on_the_command_line_is_refused(shooter: Shooter) -> None:
    for words in (["mirror", "-p", "99", HOST, "x"], ["get"], ["ls", "--no", HOST]):
        with pytest.raises(ShellUsageError, match="--help tells more"):
            shooter.start(*words)
    assert ONE_SHOT_COMMANDS.find("nothing") is None
    assert ONE_SHOT_COMMANDS.names() == ["get", "put", "cat", "mirror", "ls", "hash", "rm"]
