"""Shell commands: their calls of the client and their output."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from unittest.mock import ANY

import pytest
from twisted.internet.defer import Deferred, fail, succeed

from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.replies import Reply
from ftpservice_client import (
    AccessDenied,
    AlreadyExists,
    Listing,
    LocalFileError,
    MirrorResult,
    MirrorStep,
    NetworkError,
    NotFound,
    ServerBusy,
    ServerRefused,
    TransferResult,
    parse_url,
)
from ftpservice_client.console.session.errors import ConsoleError, NotConnected, UsageError
from ftpservice_client.console.terminal.consumer import TerminalConsumer
from ftpservice_client.console.terminal.screen import Screen
from tests.support.shell_session import MemoryShell, MemoryStream, error_of


@pytest.fixture
def shell() -> MemoryShell:
    return MemoryShell().connected()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("one.txt", "two.txt", "other"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "sub.txt").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "call", "arguments"),
    [
        ("rm a b", "delete", [("a",), ("b",)]),
        ("rm *.txt", "delete", [("alpha.txt",), ("beta.txt",)]),
        ('rm "*.txt"', "delete", [("*.txt",)]),
        ("DELF hello world.txt", "delete", [("hello world.txt",)]),
        ("mkdir my files", "make_directory", [("my files",)]),
        ("RMD x", "remove_directory", [("x",)]),
        ("mv a 'b c'", "rename", [("a", "b c")]),
        ("cd in", "change_directory", [("in",)]),
        ("cdup", "change_directory", [("..",)]),
    ],
)
def test_commands_call_the_client(
    shell: MemoryShell, line: str, call: str, arguments: list[tuple[str, ...]]
) -> None:
    shell.run(line)
    assert [made.args for made in getattr(shell.client, call).call_args_list] == arguments


def test_cd_without_a_name_returns_to_the_first_directory(shell: MemoryShell) -> None:
    shell.session.home = "/home"
    shell.run("cd")
    shell.client.change_directory.assert_called_once_with("/home")


def test_ls_lists_a_path_or_a_pattern(shell: MemoryShell) -> None:
    assert "alpha.txt" in shell.run("ls in")
    shell.client.list.assert_called_with("in")
    assert shell.run("ls -1 in/*.txt") == "alpha.txt\nbeta.txt\n"
    shell.client.list.assert_called_with("in/")
    assert "1 directory" in shell.run("LIST -la")
    assert isinstance(shell.error(f"ls {'*' * 600}"), UsageError)


def test_listings_of_simple_servers(shell: MemoryShell) -> None:
    shell.session.destination = parse_url("simple://h/")
    assert shell.run("LIST") == (
        "a b/ - directory\nalpha.txt - 5 bytes\nbeta.txt - 1500 bytes\n"
        "Total directory size: 1505 bytes\n"
    )
    assert shell.run("ls al*") == "alpha.txt - 5 bytes\nTotal directory size: 5 bytes\n"


def test_pwd_escapes_the_directory(shell: MemoryShell) -> None:
    shell.client.directory = "/a\x1b"
    assert shell.run("pwd") == "/a\\x1b\n"


def test_hash_and_stat(shell: MemoryShell) -> None:
    assert shell.run("hash x") == "0a1b  x\n"
    shell.client.hash.assert_called_with("x", "SHA-256")
    shell.run("hash x md5")
    shell.client.hash.assert_called_with("x", "MD5")
    shell.client.stat.side_effect = lambda name: succeed(Entry("x", Kind.FILE, 12, 0.0))
    assert shell.run("stat x").split()[::3] == ["12", "x"]


def test_targets_of_get(shell: MemoryShell, here: Path) -> None:
    for line, name, to in (
        ("get in/a", "in/a", Path("a")),
        ("get in/a b", "in/a", Path("b")),
        ("get in/a sub.txt", "in/a", Path("sub.txt/a")),
        ("RETR in/a b", "in/a b", Path("a b")),
    ):
        assert shell.run(line) == f"Downloaded file: {name} (2.0 KiB), 1.0 KiB/s\n"
        shell.client.download.assert_called_with(name, to, resume=False, verify=False, progress=ANY)
    shell.run("get -cv a")
    shell.client.download.assert_called_with("a", Path("a"), resume=True, verify=True, progress=ANY)


@pytest.mark.parametrize("name", ["..", "in/..", "/", "."])
def test_names_without_a_file_name_are_refused(shell: MemoryShell, name: str) -> None:
    assert isinstance(shell.error(f"get {name}"), ConsoleError)
    shell.client.download.assert_not_called()


def test_get_of_a_missing_pattern_hints_at_mget(shell: MemoryShell, here: Path) -> None:
    shell.client.stat.side_effect = lambda name: fail(NotFound("none"))
    shell.client.download.side_effect = lambda *_, **__: fail(NotFound("none there"))
    assert "use mget for patterns" in str(shell.error("get *.txt"))
    for line in ("get alpha.txt", 'get "*.txt"'):
        assert str(shell.error(line)) == "none there"


def test_a_target_with_a_slash_is_created(shell: MemoryShell, here: Path) -> None:
    shell.run("get in/a new/deep/")
    assert shell.client.download.call_args.args == ("in/a", Path("new/deep/a"))
    assert (here / "new" / "deep").is_dir()
    assert isinstance(shell.error("get in/a one.txt/"), FileExistsError)


@pytest.mark.parametrize("kind", [NotFound, AlreadyExists, AccessDenied])
def test_get_and_put_of_a_directory_hint_at_mirror(
    shell: MemoryShell, here: Path, kind: type[ServerRefused]
) -> None:
    shell.client.download.side_effect = lambda *_, **__: fail(kind("550 no"))
    shell.client.stat.side_effect = lambda name: succeed(Entry("d", Kind.DIRECTORY, 0, 0.0))
    assert str(shell.error("get d")) == "d is a directory: use mirror to download it"
    shell.client.stat.side_effect = lambda name: succeed(Entry("d", Kind.FILE, 0, 0.0))
    assert str(shell.error("get d")) == "550 no"
    shell.client.stat.side_effect = lambda name: fail(NotFound("none"))
    assert str(shell.error("get d")) == "550 no"
    for name in ("sub.txt", ".", ".."):
        assert (
            str(shell.error(f"put {name}")) == f"{name} is a directory: use mirror -u to upload it"
        )
    shell.client.upload.assert_not_called()


def test_missing_names_are_asked_for(here: Path) -> None:
    shell = MemoryShell("in/a", "in/b c", "one.txt", "two.txt").connected()
    for line in ("get", "DWLD"):
        shell.run(line)
    assert [made.args[0] for made in shell.client.download.call_args_list] == ["in/a", "in/b c"]
    for line in ("put", "UPLD"):
        shell.run(line)
    assert [made.args[1] for made in shell.client.upload.call_args_list] == ["one.txt", "two.txt"]
    assert [question for question, _ in shell.prompter.questions][::2] == [
        "Remote file: ",
        "Local file: ",
    ]


def test_an_empty_answer_cancels() -> None:
    shell = MemoryShell("").connected()
    assert str(shell.error("get")) == "Cancelled: the answer is empty."
    alone = MemoryShell(interactive=False).connected()
    assert "is required" in str(alone.error("get"))


def test_mget_downloads_matching_files(shell: MemoryShell, here: Path) -> None:
    shell.run("mget in/*")
    assert [made.args for made in shell.client.download.call_args_list] == [
        ("in/alpha.txt", Path("alpha.txt")),
        ("in/beta.txt", Path("beta.txt")),
    ]
    assert str(shell.error("mget in/*.jpg a?")).startswith("in/*.jpg, a?: no remote file")
    assert isinstance(shell.error("rm *.jpg"), NotFound)


def test_mget_downloads_each_file_once(shell: MemoryShell, here: Path) -> None:
    shell.run("mget in/* in/beta.txt")
    names = [made.args[0] for made in shell.client.download.call_args_list]
    assert names == ["in/alpha.txt", "in/beta.txt"]


@pytest.mark.parametrize("line", ["mget a/x b/x", "mput sub.txt/x y x"])
def test_equal_target_names_are_refused(shell: MemoryShell, here: Path, line: str) -> None:
    (here / "x").write_text("first")
    error = shell.error(line)
    assert isinstance(error, UsageError)
    assert str(error) == "Two files would get the name x."
    shell.client.download.assert_not_called()
    shell.client.upload.assert_not_called()


def test_get_to_a_device(shell: MemoryShell, here: Path) -> None:
    shell.run("get in/a /dev/null")
    (name, target), _ = shell.client.download.call_args
    assert name == "in/a"
    assert target.name == "/dev/null"
    assert target.closed


def test_put_uploads_files(shell: MemoryShell, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(here))
    for line, source, name in (
        ("put one.txt", Path("one.txt"), "one.txt"),
        ("put one.txt in/1", Path("one.txt"), "in/1"),
        ("put ~/one.txt in/", here / "one.txt", "in/one.txt"),
        ("UPLD a b.txt", Path("a b.txt"), "a b.txt"),
    ):
        assert shell.run(line) == f"Uploaded file: {name} (1 byte)\n"
        shell.client.upload.assert_called_with(
            source, name, append=False, resume=False, verify=False, keep_time=False, progress=ANY
        )
    shell.run("put -acv one.txt")
    options = {"append": True, "resume": True, "verify": True, "keep_time": False, "progress": ANY}
    shell.client.upload.assert_called_with(Path("one.txt"), "one.txt", **options)


def test_mput_uploads_matching_files(shell: MemoryShell, here: Path) -> None:
    shell.run("mput *.txt other")
    names = [made.args[1] for made in shell.client.upload.call_args_list]
    assert names == ["one.txt", "two.txt", "other"]
    assert str(shell.error("mput *.jpg")).startswith("*.jpg: no local file")


@pytest.mark.parametrize("terminal", [True, False])
def test_a_note_goes_to_standard_error(terminal: bool) -> None:
    shell = MemoryShell(terminal=terminal).connected()
    shell.client.download.side_effect = lambda name, to=None, **_: succeed(
        TransferResult(name, 2, 0.0, note="it grew")
    )
    for line in ("cat a", "get a"):
        assert "grew" not in shell.run(line)
    assert shell.err.text.count("a: it grew\n") == 2


def test_cat_writes_bytes_to_pipes_and_text_to_terminals(shell: MemoryShell) -> None:
    shell.run("cat a")
    shell.client.download.assert_called_with("a", shell.out.buffer)
    shell = MemoryShell(terminal=True).connected()

    def download(name: str, to: object) -> Deferred[TransferResult]:
        for data in (b"a\x1b", b"\xe2\x82"):
            to.write(data)  # type: ignore[attr-defined]
        to.unregisterProducer()  # type: ignore[attr-defined]
        return succeed(TransferResult(name, 2, 0.0))

    shell.client.download.side_effect = download
    assert shell.run("cat a") == "a\\x1b\\xe2\\x82\n"


@pytest.mark.parametrize(("content", "shown"), [(b"a\nb", "a\nb\n"), (b"a\n", "a\n"), (b"", "")])
def test_cat_ends_an_open_last_line(content: bytes, shown: str) -> None:
    shell = MemoryShell(terminal=True).connected()

    def download(name: str, to: TerminalConsumer) -> Deferred[TransferResult]:
        to.registerProducer(object(), True)
        to.write(content)
        to.unregisterProducer()
        return succeed(TransferResult(name, 2, 0.0)) if name == "a" else fail(NetworkError("cut"))

    shell.client.download.side_effect = download
    assert shell.run("cat a") == shown
    assert isinstance(shell.error("cat b"), NetworkError)
    assert shell.out.text == shown * 2


def test_the_terminal_consumer_supports_push_and_pull_producers() -> None:
    class Producer:
        pulled = 0

        def resumeProducing(self) -> None:
            self.pulled += 1

    for streaming, pulled in ((True, 0), (False, 3)):
        out, producer = MemoryStream(terminal=True), Producer()
        writer = TerminalConsumer(Screen(out, out))
        writer.registerProducer(producer, streaming)
        for data in (b"a", b"b"):
            writer.write(data)
        writer.unregisterProducer()
        assert (out.text, producer.pulled) == ("ab", pulled)


def test_less_runs_the_pager(
    shell: MemoryShell, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def download(name: str, to: Path, **_: object) -> Deferred[object]:
        to.write_bytes(b"content")
        shell.kept = to  # type: ignore[attr-defined]
        return original(name, to)

    original = shell.client.download.side_effect
    shell.client.download.side_effect = download
    monkeypatch.setenv("PAGER", "sh -c 'cp \"$0\" shown'")
    shell.run("less in/a b")
    assert (here / "shown").read_bytes() == b"content"
    assert not shell.kept.exists()  # type: ignore[attr-defined]
    monkeypatch.setenv("PAGER", "./none")
    assert "PAGER" in str(shell.error("less a"))


def test_mirror_prints_its_steps(shell: MemoryShell, here: Path) -> None:
    steps = (
        MirrorStep("make", "d"),
        MirrorStep("download", "d/a\x1b", 2048),
        MirrorStep("skip", "b", 7),
    )
    shell.client.mirror.side_effect = lambda *_, **__: succeed(MirrorResult(steps))
    output = "make d\ndownload d/a\\x1b\n1 file, 2.0 KiB; 1 unchanged\n"
    assert shell.run("mirror -d -i *.txt -x a -x b -p 4 in/x") == output
    shell.client.mirror.assert_called_with(
        Path("x"),
        "in/x",
        mirror_progress=ANY,
        up=False,
        delete=True,
        dry_run=False,
        include=("*.txt",),
        exclude=("a", "b"),
        parallel=4,
    )
    assert shell.run("mirror -nu sub.txt") == output
    made = shell.client.mirror.call_args
    assert made.args == (Path("sub.txt"), "sub.txt")
    assert made.kwargs["dry_run"]
    shell.run("mirror in/x y")
    assert shell.client.mirror.call_args.args == (Path("y"), "in/x")
    assert isinstance(shell.error("mirror -p 0 x"), UsageError)


def test_mirror_prints_its_failures(shell: MemoryShell) -> None:
    failure = (MirrorStep("download", "a"), LocalFileError("disk full"))
    shell.client.mirror.side_effect = lambda *_, **__: succeed(MirrorResult((), (failure,)))
    assert str(shell.error("mirror x")) == "Failed steps: 1"
    assert "failed: download a: disk full\n" in shell.out.text


def test_local_commands(shell: MemoryShell, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "link").symlink_to("one.txt")
    os.mkfifo(here / "pipe")
    shown = shell.run("lls")
    assert [line.split()[-1] for line in shown.splitlines()[:-1]] == [
        "link@",
        "one.txt",
        "other",
        "pipe",
        "sub.txt/",
        "two.txt",
    ]
    assert shell.run("lcd sub.txt") == f"{here}/sub.txt\n"
    assert shell.run("lpwd") == f"{here}/sub.txt\n"
    monkeypatch.setenv("HOME", str(here))
    assert shell.run("lcd") == f"{here}\n"
    assert "0 files" in shell.run("lls sub.txt")
    assert isinstance(shell.error("lcd none"), FileNotFoundError)


def test_system_commands(shell: MemoryShell, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.run("!cp one.txt 'new one.txt'")
    assert (here / "new one.txt").exists()
    assert str(shell.error("!exit 3")) == "The command exited with status 3."
    monkeypatch.setenv("SHELL", "touch shell")
    shell.run("!")
    assert (here / "shell").exists()


def test_quote_report_and_features(shell: MemoryShell) -> None:
    reply = Reply(214, ("a\x1b", "b"))
    shell.client.send.side_effect = lambda line: succeed(reply)
    assert shell.run("quote  site  help") == "214 a\\x1b\n214 b\n"
    shell.client.send.assert_called_with("site  help")
    assert shell.run("REPORT") == "a\\x1b\nb\n"
    shell.client.send.side_effect = lambda line: succeed(Reply(550, ("No.", "Never.")))
    assert str(shell.error("report")) == "No. Never."
    shell.client.features.side_effect = lambda: succeed({"UTF8": "", "REST": "STREAM"})
    assert shell.run("features") == "UTF8\nREST STREAM\n"


def test_help(shell: MemoryShell) -> None:
    assert "mirror" in shell.run("help")
    assert shell.run("HELP CONN") == (
        "Usage: open [<url> [<port>]]\nConnect to a server; without a URL, ask for it.\n"
        "Aliases: conn, connect\n"
    )
    assert "  -c, --continue  resume" in shell.run("? get")


@pytest.mark.parametrize("line", ["ls", "get a", "pwd", "quote NOOP", "user ann"])
def test_commands_without_a_connection(line: str) -> None:
    assert isinstance(MemoryShell().error(line), NotConnected)


def test_commands_without_effect(shell: MemoryShell) -> None:
    for line in ("binary", "BIN", "prompt"):
        assert shell.run(line) == ""
    assert shell.client.mock_calls == []


def test_a_lost_connection_prints_a_status_line(shell: MemoryShell) -> None:
    shell.client.lost = ServerBusy("the server says good-bye\x1b")
    shell.session.settings = replace(shell.session.settings, retries=2)
    output = "Connection lost (the server says good-bye\\x1b); reconnecting.\n"
    assert shell.run("ls -1").startswith(output)
    assert shell.run("lpwd") == f"{os.getcwd()}\n"
    shell.session.settings = replace(shell.session.settings, retries=0)
    assert output not in shell.run("ls -1")


def test_an_interrupt_cancels_the_command(shell: MemoryShell) -> None:
    never: Deferred[Listing] = Deferred()
    shell.client.list.side_effect = lambda path: never
    work = shell.start("ls")
    shell.session.interrupt()
    assert type(error_of(work)).__name__ == "CancelledError"


def test_memory_stream_isatty() -> None:
    assert MemoryStream(terminal=True).isatty()
