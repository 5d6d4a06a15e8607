"""One-shot commands: their calls of the client, their output as lines and as JSON."""

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
from ftpservice_client.console.oneshot.command import run_one_shot
from ftpservice_client.console.oneshot.commands import ONE_SHOT_COMMANDS
from ftpservice_client.console.session import session as session_module
from ftpservice_client.console.session.errors import UsageError
from tests.support.shell_session import ENTRIES, MemoryShell, error_of, result_of

HOST = "ftp://ann:secret@h"


class OneShotRunner:
    """Runs one-shot commands on a memory shell."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shell = MemoryShell(interactive=False)
        self.client = self.shell.client
        self.hosts: list[str] = []
        monkeypatch.setattr(session_module, "connect", self.connect)

    def connect(self, destination: Destination, **_: Any) -> Deferred[Any]:
        self.hosts.append(destination.host)
        assert (destination.path, destination.password) == ("", "secret")
        return succeed(self.client)

    def start(self, *words: str) -> Deferred[BaseException | None]:
        command = ONE_SHOT_COMMANDS.get(words[0])
        assert command is not None
        arguments = command.parser().parse_args(words[1:])
        return Deferred.fromCoroutine(run_one_shot(command, self.shell.session, arguments))

    def run(self, *words: str) -> str:
        """Run a command that succeeds; return its output."""
        before = len(self.shell.out.text)
        assert result_of(self.start(*words)) is None
        self.client.quit.assert_called()
        return self.shell.out.text[before:]


@pytest.fixture
def one_shots(monkeypatch: pytest.MonkeyPatch) -> OneShotRunner:
    return OneShotRunner(monkeypatch)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    return tmp_path


def test_get_downloads_one_file_or_a_pattern(one_shots: OneShotRunner, here: Path) -> None:
    one_shots.run("get", f"{HOST}/in/a%20b")
    assert one_shots.hosts == ["h"]
    one_shots.client.download.assert_called_with(
        "in/a b", Path("a b"), resume=False, verify=False, progress=ANY
    )
    one_shots.run("get", "-c", "--verify", f"{HOST}//x", "sub")
    one_shots.client.download.assert_called_with(
        "/x", Path("sub/x"), resume=True, verify=True, progress=ANY
    )
    one_shots.client.download.reset_mock()
    output = one_shots.run("get", "--json", f"{HOST}/in/*.txt", "sub").splitlines()
    assert output[-1] == (
        '{"files": [{"file": "sub/alpha.txt", "name": "in/alpha.txt", "size": 2048}, '
        '{"file": "sub/beta.txt", "name": "in/beta.txt", "size": 2048}]}'
    )


def test_get_writes_to_standard_output(one_shots: OneShotRunner) -> None:
    assert one_shots.run("get", f"{HOST}/a", "-") == ""
    one_shots.client.download.assert_called_with("a", one_shots.shell.out.buffer)
    assert isinstance(error_of(one_shots.start("get", "--json", f"{HOST}/a", "-")), UsageError)


def test_verified_digests_are_printed(one_shots: OneShotRunner) -> None:
    done = TransferResult("a", 1, 1.0, Digest("SHA-256", "0a"))
    one_shots.client.download.side_effect = lambda *_, **__: succeed(done)
    output = one_shots.run("get", "--json", f"{HOST}/a")
    assert json.loads(output.splitlines()[-1]) == {
        "files": [{"algorithm": "SHA-256", "digest": "0a", "file": "a", "name": "a", "size": 1}]
    }


def test_a_pattern_needs_a_directory_as_target(one_shots: OneShotRunner, here: Path) -> None:
    one_shots.run("get", f"{HOST}/in/*.txt", "new")
    assert [made.args for made in one_shots.client.download.call_args_list] == [
        ("in/alpha.txt", Path("new/alpha.txt")),
        ("in/beta.txt", Path("new/beta.txt")),
    ]
    (here / "file").touch()
    assert isinstance(error_of(one_shots.start("get", f"{HOST}/in/*.txt", "file")), FileExistsError)


def test_percent_encoded_wildcards_are_literal(one_shots: OneShotRunner, here: Path) -> None:
    one_shots.run("get", f"{HOST}/in/%5Ba%5D%2A", "x")
    assert one_shots.client.download.call_args.args == ("in/[a]*", Path("x"))
    one_shots.run("rm", f"{HOST}/a%3F")
    one_shots.client.delete.assert_called_once_with("a?")
    one_shots.client.list.assert_not_called()


def test_put_uploads_to_a_file_or_a_directory(
    one_shots: OneShotRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_shots.run("put", f"{HOST}/in/b", "sub/a")
    options = {
        "append": False,
        "resume": False,
        "verify": False,
        "keep_time": False,
        "progress": ANY,
    }
    one_shots.client.upload.assert_called_with(Path("sub/a"), "in/b", **options)
    one_shots.run("put", f"{HOST}/in/", "sub/a", "c")
    assert [made.args for made in one_shots.client.upload.call_args_list[1:]] == [
        (Path("sub/a"), "in/a"),
        (Path("c"), "in/c"),
    ]
    error = error_of(one_shots.start("put", f"{HOST}/in/", "sub/a", "c", "a"))
    assert isinstance(error, UsageError)
    assert str(error) == "Two files would get the name a."
    one_shots.run("put", "-a", HOST, "c")
    one_shots.client.upload.assert_called_with(Path("c"), "c", **options | {"append": True})
    source = io.TextIOWrapper(io.BytesIO(b"x"))
    monkeypatch.setattr("sys.stdin", source)
    one_shots.run("put", f"{HOST}/in/b", "-")
    one_shots.client.upload.assert_called_with(source.buffer, "in/b", **options)


@pytest.mark.parametrize(
    "words",
    [
        ["put", f"{HOST}/a", "b", "c"],
        ["put", f"{HOST}/in/", "-"],
        ["cat", "--json", f"{HOST}/a"],
    ],
    ids=["many", "nameless", "both"],
)
def test_contradictory_arguments_are_refused(one_shots: OneShotRunner, words: list[str]) -> None:
    assert isinstance(error_of(one_shots.start(*words)), UsageError)


def test_cat_connects_to_several_servers(one_shots: OneShotRunner) -> None:
    one_shots.run("cat", f"{HOST}/a", f"{HOST}/b", "ftp://ann:secret@other/c")
    assert one_shots.hosts == ["h", "other"]
    assert [made.args[0] for made in one_shots.client.download.call_args_list] == ["a", "b", "c"]


def test_ls_prints_the_listing(one_shots: OneShotRunner) -> None:
    assert one_shots.run("ls", "-1", HOST) == "a b\nalpha.txt\nbeta.txt\n"
    one_shots.client.list.assert_called_with("")
    assert one_shots.run("ls", "simple://ann:secret@h/") == (
        "a b/ - directory\nalpha.txt - 5 bytes\nbeta.txt - 1500 bytes\n"
        "Total directory size: 1505 bytes\n"
    )


def test_ls_prints_json(one_shots: OneShotRunner) -> None:
    one_shots.client.list.side_effect = lambda path: succeed(Listing(ENTRIES[:2]))
    assert one_shots.run("ls", "--json", f"{HOST}/in") == (
        '{"entries": [{"modified": "1970-01-01T00:00:00Z", "name": "a b", "size": 0, '
        '"type": "dir"}, {"modified": "1970-01-01T00:00:00Z", "name": "alpha.txt", "size": 5, '
        '"type": "file"}], "total": 5}\n'
    )


def test_hash_prints_digests(one_shots: OneShotRunner) -> None:
    assert one_shots.run("hash", f"{HOST}/a", f"{HOST}/in/al*") == "0a1b  a\n0a1b  in/alpha.txt\n"
    assert one_shots.run("hash", "-a", "md5", "--json", f"{HOST}/a") == (
        '{"files": [{"algorithm": "MD5", "digest": "0a1b", "name": "a"}]}\n'
    )


def test_rm_deletes_files(one_shots: OneShotRunner) -> None:
    assert (
        one_shots.run("rm", f"{HOST}/a", f"{HOST}/in/al*")
        == "Deleted file: a\nDeleted file: in/alpha.txt\n"
    )
    one_shots.client.delete.side_effect = lambda name: fail(NotFound("x"))
    assert isinstance(error_of(one_shots.start("rm", f"{HOST}/a")), NotFound)


def test_mirror_prints_steps_and_failures(one_shots: OneShotRunner) -> None:
    done = MirrorResult(
        (MirrorStep("upload", "a", 3),), ((MirrorStep("delete", "b"), AccessDenied("no")),)
    )
    one_shots.client.mirror.side_effect = lambda *_, **__: succeed(done)
    words = ("mirror", "-u", "-d", "-x", "*.o", "-p", "2", "--json", f"{HOST}/in", "sub")
    assert isinstance(result_of(one_shots.start(*words)), AccessDenied)
    one_shots.client.mirror.assert_called_once_with(
        Path("sub"),
        "in",
        mirror_progress=ANY,
        up=True,
        delete=True,
        dry_run=False,
        include=[],
        exclude=["*.o"],
        parallel=2,
    )
    assert one_shots.shell.out.text.splitlines()[-1] == (
        '{"failed": [{"action": "delete", "error": "no", "name": "b"}], "size": 3, '
        '"steps": [{"action": "upload", "name": "a", "size": 3}]}'
    )


def test_a_dry_run_prints_its_steps(one_shots: OneShotRunner) -> None:
    done = MirrorResult((MirrorStep("upload", "a", 3),))
    one_shots.client.mirror.side_effect = lambda *_, **__: succeed(done)
    assert "upload a\n" in one_shots.run("mirror", "-n", f"{HOST}/in", "sub")


def test_invalid_arguments_are_refused(one_shots: OneShotRunner) -> None:
    for words in (["mirror", "-p", "99", HOST, "x"], ["get"], ["ls", "--no", HOST]):
        with pytest.raises(UsageError, match="--help"):
            one_shots.start(*words)
    assert ONE_SHOT_COMMANDS.get("nothing") is None
    assert ONE_SHOT_COMMANDS.names() == ["cat", "get", "hash", "ls", "mirror", "put", "rm"]
