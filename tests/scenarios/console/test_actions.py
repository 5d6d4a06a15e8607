"""What each word asks of the client, and what is shown of the answer."""

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
from ftpservice_client.console.session.errors import NotConnected, ShellError, ShellUsageError
from ftpservice_client.console.terminal.consumer import TerminalConsumer
from ftpservice_client.console.terminal.terminal import Screen
from tests.support.shell_session import Seat, Stream, failed


@pytest.fixture
def seat() -> Seat:
    return Seat().connected()


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
def test_names_are_passed_on(
    seat: Seat, line: str, call: str, arguments: list[tuple[str, ...]]
) -> None:
    seat.type(line)
    assert [made.args for made in getattr(seat.client, call).call_args_list] == arguments


def test_cd_alone_goes_to_where_we_began(seat: Seat) -> None:
    seat.session.home = "/home"
    seat.type("cd")
    seat.client.change_directory.assert_called_once_with("/home")


def test_listings_are_shown_by_path_and_by_pattern(seat: Seat) -> None:
    assert "alpha.txt" in seat.type("ls in")
    seat.client.list.assert_called_with("in")
    assert seat.type("ls -1 in/*.txt") == "alpha.txt\nbeta.txt\n"
    seat.client.list.assert_called_with("in/")
    assert "1 directory" in seat.type("LIST -la")
    assert isinstance(seat.wrong(f"ls {'*' * 600}"), ShellUsageError)


def test_simple_servers_are_listed_in_their_own_way(seat: Seat) -> None:
    seat.session.place = parse_url("simple://h/")
    assert seat.type("LIST") == (
        "a b/ - directory\nalpha.txt - 5 bytes\nbeta.txt - 1500 bytes\n"
        "Total directory size: 1505 bytes\n"
    )
    assert seat.type("ls al*") == "alpha.txt - 5 bytes\nTotal directory size: 5 bytes\n"


def test_where_we_are_is_made_visible(seat: Seat) -> None:
    seat.client.directory = "/a\x1b"
    assert seat.type("pwd") == "/a\\x1b\n"


def test_digests_and_facts_are_shown(seat: Seat) -> None:
    assert seat.type("hash x") == "0a1b  x\n"
    seat.client.hash.assert_called_with("x", "SHA-256")
    seat.type("hash x md5")
    seat.client.hash.assert_called_with("x", "MD5")
    seat.client.stat.side_effect = lambda name: succeed(Entry("x", Kind.FILE, 12, 0.0))
    assert seat.type("stat x").split()[::3] == ["12", "x"]


def test_a_file_is_fetched_to_where_it_should_be(seat: Seat, here: Path) -> None:
    for line, name, to in (
        ("get in/a", "in/a", Path("a")),
        ("get in/a b", "in/a", Path("b")),
        ("get in/a sub.txt", "in/a", Path("sub.txt/a")),
        ("RETR in/a b", "in/a b", Path("a b")),
    ):
        assert seat.type(line) == f"Downloaded file: {name} (2.0 KiB), 1.0 KiB/s\n"
        seat.client.download.assert_called_with(name, to, resume=False, verify=False, progress=ANY)
    seat.type("get -cv a")
    seat.client.download.assert_called_with("a", Path("a"), resume=True, verify=True, progress=ANY)


@pytest.mark.parametrize("name", ["..", "in/..", "/", "."])
def test_a_name_that_is_none_here_is_refused(seat: Seat, name: str) -> None:
    assert isinstance(seat.wrong(f"get {name}"), ShellError)
    seat.client.download.assert_not_called()


def test_a_pattern_is_no_name(seat: Seat, here: Path) -> None:
    seat.client.stat.side_effect = lambda name: fail(NotFound("none"))
    seat.client.download.side_effect = lambda *_, **__: fail(NotFound("none there"))
    assert "mget takes patterns" in str(seat.wrong("get *.txt"))
    for line in ("get alpha.txt", 'get "*.txt"'):
        assert str(seat.wrong(line)) == "none there"


def test_a_directory_that_is_named_as_one_is_made(seat: Seat, here: Path) -> None:
    seat.type("get in/a new/deep/")
    assert seat.client.download.call_args.args == ("in/a", Path("new/deep/a"))
    assert (here / "new" / "deep").is_dir()
    assert isinstance(seat.wrong("get in/a one.txt/"), FileExistsError)


@pytest.mark.parametrize("kind", [NotFound, AlreadyExists, AccessDenied])
def test_a_directory_is_no_file_here_or_there(
    seat: Seat, here: Path, kind: type[ServerRefused]
) -> None:
    seat.client.download.side_effect = lambda *_, **__: fail(kind("550 no"))
    seat.client.stat.side_effect = lambda name: succeed(Entry("d", Kind.DIRECTORY, 0, 0.0))
    assert str(seat.wrong("get d")) == "d is a directory: mirror fetches those"
    seat.client.stat.side_effect = lambda name: succeed(Entry("d", Kind.FILE, 0, 0.0))
    assert str(seat.wrong("get d")) == "550 no"
    seat.client.stat.side_effect = lambda name: fail(NotFound("none"))
    assert str(seat.wrong("get d")) == "550 no"
    for name in ("sub.txt", ".", ".."):
        assert str(seat.wrong(f"put {name}")) == f"{name} is a directory: mirror -u sends those"
    seat.client.upload.assert_not_called()


def test_names_that_are_missing_are_asked_for(here: Path) -> None:
    seat = Seat("in/a", "in/b c", "one.txt", "two.txt").connected()
    for line in ("get", "DWLD"):
        seat.type(line)
    assert [made.args[0] for made in seat.client.download.call_args_list] == ["in/a", "in/b c"]
    for line in ("put", "UPLD"):
        seat.type(line)
    assert [made.args[1] for made in seat.client.upload.call_args_list] == ["one.txt", "two.txt"]
    assert [question for question, _ in seat.person.asked][::2] == ["File there: ", "File here: "]


def test_no_answer_is_an_answer_too() -> None:
    seat = Seat("").connected()
    assert str(seat.wrong("get")) == "Nothing done."
    alone = Seat(attended=False).connected()
    assert "has to be given" in str(alone.wrong("get"))


def test_files_are_fetched_by_pattern(seat: Seat, here: Path) -> None:
    seat.type("mget in/*")
    assert [made.args for made in seat.client.download.call_args_list] == [
        ("in/alpha.txt", Path("alpha.txt")),
        ("in/beta.txt", Path("beta.txt")),
    ]
    assert str(seat.wrong("mget in/*.jpg a?")).startswith("in/*.jpg, a?: no file there")
    assert isinstance(seat.wrong("rm *.jpg"), NotFound)


def test_what_is_meant_twice_is_fetched_once(seat: Seat, here: Path) -> None:
    seat.type("mget in/* in/beta.txt")
    names = [made.args[0] for made in seat.client.download.call_args_list]
    assert names == ["in/alpha.txt", "in/beta.txt"]


@pytest.mark.parametrize("line", ["mget a/x b/x", "mput sub.txt/x y x"])
def test_no_file_replaces_another_of_the_same_command(seat: Seat, here: Path, line: str) -> None:
    (here / "x").write_text("first")
    error = seat.wrong(line)
    assert isinstance(error, ShellUsageError)
    assert str(error) == "Two of them would become x."
    seat.client.download.assert_not_called()
    seat.client.upload.assert_not_called()


def test_a_device_is_written_to(seat: Seat, here: Path) -> None:
    seat.type("get in/a /dev/null")
    (name, target), _ = seat.client.download.call_args
    assert name == "in/a"
    assert target.name == "/dev/null"
    assert target.closed


def test_files_are_sent(seat: Seat, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(here))
    for line, source, name in (
        ("put one.txt", Path("one.txt"), "one.txt"),
        ("put one.txt in/1", Path("one.txt"), "in/1"),
        ("put ~/one.txt in/", here / "one.txt", "in/one.txt"),
        ("UPLD a b.txt", Path("a b.txt"), "a b.txt"),
    ):
        assert seat.type(line) == f"Uploaded file: {name} (1 byte)\n"
        seat.client.upload.assert_called_with(
            source, name, append=False, resume=False, verify=False, keep_time=False, progress=ANY
        )
    seat.type("put -acv one.txt")
    care = {"append": True, "resume": True, "verify": True, "keep_time": False, "progress": ANY}
    seat.client.upload.assert_called_with(Path("one.txt"), "one.txt", **care)


def test_files_are_sent_by_pattern(seat: Seat, here: Path) -> None:
    seat.type("mput *.txt other")
    names = [made.args[1] for made in seat.client.upload.call_args_list]
    assert names == ["one.txt", "two.txt", "other"]
    assert str(seat.wrong("mput *.jpg")).startswith("*.jpg: no file here")


@pytest.mark.parametrize("terminal", [True, False])
def test_a_file_that_grew_is_told_of_beside_it(terminal: bool) -> None:
    seat = Seat(terminal=terminal).connected()
    seat.client.download.side_effect = lambda name, to=None, **_: succeed(
        TransferResult(name, 2, 0.0, note="it grew")
    )
    for line in ("cat a", "get a"):
        assert "grew" not in seat.type(line)
    assert seat.err.text.count("a: it grew\n") == 2


def test_cat_gives_bytes_to_pipes_and_text_to_terminals(seat: Seat) -> None:
    seat.type("cat a")
    seat.client.download.assert_called_with("a", seat.out.buffer)
    seat = Seat(terminal=True).connected()

    def download(name: str, to: object) -> Deferred[TransferResult]:
        for data in (b"a\x1b", b"\xe2\x82"):
            to.write(data)  # type: ignore[attr-defined]
        to.unregisterProducer()  # type: ignore[attr-defined]
        return succeed(TransferResult(name, 2, 0.0))

    seat.client.download.side_effect = download
    assert seat.type("cat a") == "a\\x1b\\xe2\\x82\n"


@pytest.mark.parametrize(("content", "shown"), [(b"a\nb", "a\nb\n"), (b"a\n", "a\n"), (b"", "")])
def test_a_line_that_a_file_leaves_open_is_ended(content: bytes, shown: str) -> None:
    seat = Seat(terminal=True).connected()

    def download(name: str, to: TerminalConsumer) -> Deferred[TransferResult]:
        to.registerProducer(object(), True)
        to.write(content)
        to.unregisterProducer()
        return succeed(TransferResult(name, 2, 0.0)) if name == "a" else fail(NetworkError("cut"))

    seat.client.download.side_effect = download
    assert seat.type("cat a") == shown
    assert isinstance(seat.wrong("cat b"), NetworkError)
    assert seat.out.text == shown * 2


def test_a_terminal_takes_what_is_pushed_and_what_has_to_be_pulled() -> None:
    class Producer:
        pulled = 0

        def resumeProducing(self) -> None:
            self.pulled += 1

    for streaming, pulled in ((True, 0), (False, 3)):
        out, producer = Stream(terminal=True), Producer()
        writer = TerminalConsumer(Screen(out, out))
        writer.registerProducer(producer, streaming)
        for data in (b"a", b"b"):
            writer.write(data)
        writer.unregisterProducer()
        assert (out.text, producer.pulled) == ("ab", pulled)


def test_less_shows_the_file_with_the_pager(
    seat: Seat, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def download(name: str, to: Path, **_: object) -> Deferred[object]:
        to.write_bytes(b"content")
        seat.kept = to  # type: ignore[attr-defined]
        return original(name, to)

    original = seat.client.download.side_effect
    seat.client.download.side_effect = download
    monkeypatch.setenv("PAGER", "sh -c 'cp \"$0\" shown'")
    seat.type("less in/a b")
    assert (here / "shown").read_bytes() == b"content"
    assert not seat.kept.exists()  # type: ignore[attr-defined]
    monkeypatch.setenv("PAGER", "./none")
    assert "PAGER" in str(seat.wrong("less a"))


def test_a_mirror_tells_what_it_did(seat: Seat, here: Path) -> None:
    steps = (
        MirrorStep("make", "d"),
        MirrorStep("download", "d/a\x1b", 2048),
        MirrorStep("skip", "b", 7),
    )
    seat.client.mirror.side_effect = lambda *_, **__: succeed(MirrorResult(steps))
    said = "make d\ndownload d/a\\x1b\n1 file, 2.0 KiB; 1 the same already\n"
    assert seat.type("mirror -d -i *.txt -x a -x b -p 4 in/x") == said
    seat.client.mirror.assert_called_with(
        Path("x"),
        "in/x",
        tally=ANY,
        up=False,
        delete=True,
        dry_run=False,
        include=("*.txt",),
        exclude=("a", "b"),
        parallel=4,
    )
    assert seat.type("mirror -nu sub.txt") == said
    made = seat.client.mirror.call_args
    assert made.args == (Path("sub.txt"), "sub.txt")
    assert made.kwargs["dry_run"]
    seat.type("mirror in/x y")
    assert seat.client.mirror.call_args.args == (Path("y"), "in/x")
    assert isinstance(seat.wrong("mirror -p 0 x"), ShellUsageError)


def test_a_mirror_tells_what_it_could_not_do(seat: Seat) -> None:
    failure = (MirrorStep("download", "a"), LocalFileError("disk full"))
    seat.client.mirror.side_effect = lambda *_, **__: succeed(MirrorResult((), (failure,)))
    assert str(seat.wrong("mirror x")) == "1 could not be done."
    assert "failed: download a: disk full\n" in seat.out.text


def test_this_side_has_words_of_its_own(
    seat: Seat, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "link").symlink_to("one.txt")
    os.mkfifo(here / "pipe")
    shown = seat.type("lls")
    assert [line.split()[-1] for line in shown.splitlines()[:-1]] == [
        "link@",
        "one.txt",
        "other",
        "pipe",
        "sub.txt/",
        "two.txt",
    ]
    assert seat.type("lcd sub.txt") == f"{here}/sub.txt\n"
    assert seat.type("lpwd") == f"{here}/sub.txt\n"
    monkeypatch.setenv("HOME", str(here))
    assert seat.type("lcd") == f"{here}\n"
    assert "0 files" in seat.type("lls sub.txt")
    assert isinstance(seat.wrong("lcd none"), FileNotFoundError)


def test_the_system_is_one_mark_away(
    seat: Seat, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seat.type("!cp one.txt 'new one.txt'")
    assert (here / "new one.txt").exists()
    assert str(seat.wrong("!exit 3")) == "It ended with status 3."
    monkeypatch.setenv("SHELL", "touch shell")
    seat.type("!")
    assert (here / "shell").exists()


def test_raw_lines_and_reports_are_shown(seat: Seat) -> None:
    reply = Reply(214, ("a\x1b", "b"))
    seat.client.send.side_effect = lambda line: succeed(reply)
    assert seat.type("quote  site  help") == "214 a\\x1b\n214 b\n"
    seat.client.send.assert_called_with("site  help")
    assert seat.type("REPORT") == "a\\x1b\nb\n"
    seat.client.send.side_effect = lambda line: succeed(Reply(550, ("No.", "Never.")))
    assert str(seat.wrong("report")) == "No. Never."
    seat.client.features.side_effect = lambda: succeed({"UTF8": "", "REST": "STREAM"})
    assert seat.type("features") == "UTF8\nREST STREAM\n"


def test_help_lists_the_words_and_tells_of_one(seat: Seat) -> None:
    assert "mirror" in seat.type("help")
    assert seat.type("HELP CONN") == (
        "open [<url> [<port>]]\nConnect to a server; without a URL, ask for it.\n"
        "Also: conn, connect\n"
    )
    assert "  -c, --continue  go on" in seat.type("? get")


@pytest.mark.parametrize("line", ["ls", "get a", "pwd", "quote NOOP", "user ann"])
def test_without_a_server_there_is_a_hint(line: str) -> None:
    assert isinstance(Seat().wrong(line), NotConnected)


def test_words_of_old_scripts_do_no_harm(seat: Seat) -> None:
    for line in ("binary", "BIN", "prompt"):
        assert seat.type(line) == ""
    assert seat.client.mock_calls == []


def test_a_connection_that_was_lost_is_told_of(seat: Seat) -> None:
    seat.client.lost = ServerBusy("the server says good-bye\x1b")
    seat.session.settings = replace(seat.session.settings, retries=2)
    said = "Not connected any more (the server says good-bye\\x1b); connecting again.\n"
    assert seat.type("ls -1").startswith(said)
    assert seat.type("lpwd") == f"{os.getcwd()}\n"
    seat.session.settings = replace(seat.session.settings, retries=0)
    assert said not in seat.type("ls -1")


def test_an_interrupted_command_is_over(seat: Seat) -> None:
    never: Deferred[Listing] = Deferred()
    seat.client.list.side_effect = lambda path: never
    work = seat.start("ls")
    seat.session.interrupt()
    assert type(failed(work)).__name__ == "CancelledError"


def test_streams_of_tests_know_what_they_are() -> None:
    assert Stream(terminal=True).isatty()
