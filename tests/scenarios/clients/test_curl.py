"""curl: uploads and downloads, ranges, resume, active mode, quoted commands, exit codes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.client_programs import ipv6
from tests.support.curl import ACTIVE, METHODS, Curl, curl
from tests.support.raw_client import RunningService, in_thread, reset, started, starting
from tests.support.trees import (
    BIG,
    MTIME,
    ODD_NAMES,
    assert_same,
    content,
    copy_times,
    files,
    make_files,
    make_tree,
    small_files,
)

FIXTURES = (curl, started, starting)
LOGIN_DENIED, NOT_FOUND, QUOTE_FAILED, PART_OF_FILE = 67, 78, 21, 36


@pytest.mark.parametrize("method", METHODS)
@in_thread
def test_a_tree_goes_up_and_comes_back(curl: Curl, tmp_path: Path, method: str) -> None:
    here, back = make_tree(tmp_path / "here"), tmp_path / "back"
    up: list[str | Path] = ["--fail-early", *ACTIVE, "--ftp-method", method, "--ftp-create-dirs"]
    down: list[str | Path] = [
        "--fail-early",
        *ACTIVE,
        "--ftp-method",
        method,
        "--create-dirs",
        "-R",
    ]
    for path in files(here):
        if method != "multicwd":  # the others make one level of directories, or none
            (curl.served.root / path).parent.mkdir(parents=True, exist_ok=True)
        up += ["-T", here / path, curl.url(str(path))]
        down += ["-o", back / path, curl.url(str(path))]
    curl(*up)
    assert_same(here, curl.served.root)
    copy_times(here, curl.served.root)
    curl(*down)
    assert_same(here, back, times=True)


@pytest.mark.parametrize("active", [[], ["--ftp-port", "-"]], ids=["passive", "active"])
@pytest.mark.parametrize("host", ["127.0.0.1", pytest.param("::1", marks=ipv6)])
@in_thread
def test_a_big_file_both_ways(
    server: Callable[..., RunningService], tmp_path: Path, host: str, active: list[str]
) -> None:
    listen = "tcp:0:interface=127.0.0.1" if host == "127.0.0.1" else r"tcp6:0:interface=\:\:1"
    curl = Curl(server("--listen", listen), tmp_path, host)
    here = make_files(tmp_path / "here", {"big": BIG})
    curl(*active, "-T", here / "big", curl.url("big"))
    assert_same(here, curl.served.root)
    curl(*active, "-o", tmp_path / "back", curl.url("big"))
    assert (tmp_path / "back").read_bytes() == (here / "big").read_bytes()


@in_thread
def test_the_old_commands_for_data_connections(curl: Curl, tmp_path: Path) -> None:
    here = make_files(tmp_path / "here", {"file": 200_000})
    for words in (["--disable-epsv"], ["--disable-eprt", "--ftp-port", "127.0.0.1"]):
        curl(*words, "-T", here / "file", curl.url("file"))
        curl(*words, "-o", tmp_path / "back", curl.url("file"))
        assert (tmp_path / "back").read_bytes() == (here / "file").read_bytes()


@in_thread
def test_ranges(curl: Curl, tmp_path: Path) -> None:
    data, back = content(200_000), tmp_path / "back"
    (curl.served.root / "file").write_bytes(data)
    for text, expected in {
        "0-0": data[:1],
        "100-70000": data[100:70_001],
        "65536-": data[65_536:],
        "-5000": data[-5000:],
    }.items():
        curl("-r", text, "-o", back, curl.url("file"))
        assert back.read_bytes() == expected, text


@in_thread
def test_the_session_works_after_a_range(curl: Curl, tmp_path: Path) -> None:
    data = content(BIG)
    (curl.served.root / "file").write_bytes(data)
    one, other = tmp_path / "one", tmp_path / "other"
    said = curl(
        *("-v", "-r", "10-20", "-o", one, curl.url("file")),
        *("--next", "-g", "-sS", "-v", "-r", "30-", "-o", other, curl.url("file")),
    ).stderr
    assert one.read_bytes() == data[10:21]
    assert other.read_bytes() == data[30:]
    assert "REST 10" in said and "REST 30" in said


@in_thread
def test_a_download_is_resumed(curl: Curl, tmp_path: Path) -> None:
    data, back = content(BIG), tmp_path / "back"
    (curl.served.root / "file").write_bytes(data)
    back.write_bytes(data[: BIG // 3])
    curl("-C", "-", "-o", back, curl.url("file"))
    assert back.read_bytes() == data
    curl("-C", "-", "-o", back, curl.url("file"))
    assert back.read_bytes() == data


@in_thread
def test_an_interrupted_upload_is_resumed(curl: Curl, tmp_path: Path) -> None:
    here = make_files(tmp_path / "here", {"file": BIG})
    wire = curl.served.session()
    data = wire.data()
    assert wire.codes("TYPE I", "STOR file") == [200, 150]
    data.sendall((here / "file").read_bytes()[: BIG // 3])
    reset(data)
    assert wire.reply().code == 426
    wire.drop()
    said = curl("-v", "-C", "-", "-T", here / "file", curl.url("file")).stderr
    assert "APPE file" in said or "REST " in said
    assert_same(here, curl.served.root)


@in_thread
def test_an_upload_at_an_offset(curl: Curl, tmp_path: Path) -> None:
    here = make_files(tmp_path / "here", {"file": 200_000})
    (curl.served.root / "file").write_bytes((here / "file").read_bytes()[:70_000])
    curl("-C", "70000", "-T", here / "file", curl.url("file"))
    assert_same(here, curl.served.root)


@in_thread
def test_append(curl: Curl, tmp_path: Path) -> None:
    here = make_files(tmp_path / "here", {"file": 70_000})
    for _ in range(2):
        curl("-a", "-T", here / "file", curl.url("log"))
    assert (curl.served.root / "log").read_bytes() == (here / "file").read_bytes() * 2


@pytest.mark.parametrize(
    ("method", "path"),
    [("multicwd", "new dir/[deep]/\u00fcber/file"), ("singlecwd", "new dir/file")],
)
@in_thread
def test_directories_are_made(curl: Curl, tmp_path: Path, method: str, path: str) -> None:
    here = make_files(tmp_path / "here", {"file": 3})
    words = ["--ftp-method", method, "--ftp-create-dirs"]
    curl(*words, "-T", here / "file", curl.url(path))
    assert (curl.served.root / path).read_bytes() == content(3, "file")
    curl("-T", here / "file", curl.url("none/file"), status=9)


@in_thread
def test_commands_before_and_after_a_transfer(curl: Curl, tmp_path: Path) -> None:
    make_files(curl.served.root, {"old": 10, "gone": 1})
    here = make_files(tmp_path / "here", {"temporary": 99})
    curl(
        *("-T", here / "temporary", "-Q", "DELE gone", "-Q", "MKD made"),
        *("-Q", "-RNFR temporary", "-Q", "-RNTO old"),
        curl.url("temporary"),
    )
    assert {path.name for path in curl.served.root.iterdir()} == {"old", "made"}
    assert (curl.served.root / "old").read_bytes() == content(99, "temporary")
    curl("-Q", "DELE none", curl.url(), status=QUOTE_FAILED)
    curl("-Q", "*DELE none", curl.url())


@in_thread
def test_lists_of_names_and_long_ones(curl: Curl) -> None:
    make_files(curl.served.root / "dir", dict.fromkeys(ODD_NAMES, 1))
    shown = {name for name in ODD_NAMES if not name.startswith(".")}
    for method in METHODS:
        lines = curl("--ftp-method", method, "-l", curl.url("dir/")).stdout.splitlines()
        names = {line.removeprefix("dir/") for line in lines}  # as it was asked, by NLST dir/
        assert shown <= names <= set(ODD_NAMES), method
        lines = curl("--ftp-method", method, curl.url("dir/")).stdout.splitlines()
        assert shown <= {line.split(None, 8)[8] for line in lines}, method
    lines = curl("-X", "MLSD", curl.url("dir/")).stdout.splitlines()
    listed = {name: facts for facts, _, name in (line.partition(" ") for line in lines)}
    assert set(ODD_NAMES) <= listed.keys()
    assert {"type=file", "size=1"} <= set(listed["[brackets]"].lower().split(";"))


@in_thread
def test_an_empty_directory_and_one_that_is_not_there(curl: Curl) -> None:
    (curl.served.root / "empty").mkdir()
    assert curl("-l", curl.url("empty/")).stdout == ""
    assert curl(curl.url("empty/")).stdout == ""
    curl(curl.url("none/"), status=9)


@pytest.mark.parametrize(("mode", "count"), [((), 15), (ACTIVE, 200)], ids=["passive", "active"])
@in_thread
def test_many_files_over_one_connection(
    curl: Curl, tmp_path: Path, mode: tuple[str, ...], count: int
) -> None:
    here, back = small_files(tmp_path / "here", count), tmp_path / "back"
    up: list[str | Path] = ["-v", "--fail-early", *mode]
    down: list[str | Path] = ["-v", "--fail-early", "--create-dirs", *mode]
    for path in files(here):
        up += ["-T", here / path, curl.url(str(path))]
        down += ["-o", back / path, curl.url(str(path))]
    said = curl(*up).stderr + curl(*down).stderr
    assert said.count("> USER demo") == 2
    assert_same(here, curl.served.root)
    assert_same(here, back)


@in_thread
def test_files_from_different_directories_over_one_connection(curl: Curl, tmp_path: Path) -> None:
    make_files(curl.served.root, {"a/one": 10, "a/b/two": 20, "three": 30, "c/four": 40})
    back = tmp_path / "back"
    words: list[str | Path] = ["-v", "--fail-early", "--create-dirs"]
    for path in files(curl.served.root):
        words += ["-o", back / path, curl.url(str(path))]
    assert curl(*words).stderr.count("> USER demo") == 1
    assert_same(curl.served.root, back)


@in_thread
def test_head_shows_size_and_time(curl: Curl) -> None:
    make_files(curl.served.root, {"file": 12_345})
    said = curl("-I", curl.url("file")).stdout
    assert "Content-Length: 12345" in said
    assert "Last-Modified: Thu, 02 Jan 2020 03:04:05 GMT" in said
    assert "Accept-ranges: bytes" in said


@in_thread
def test_only_what_is_newer(curl: Curl, tmp_path: Path) -> None:
    make_files(curl.served.root, {"file": 100})
    back = tmp_path / "back"
    curl("-z", "Fri, 03 Jan 2020 00:00:00 GMT", "-o", back, curl.url("file"))
    assert not back.exists() or back.read_bytes() == b""
    curl("-R", "-z", "Wed, 01 Jan 2020 00:00:00 GMT", "-o", back, curl.url("file"))
    assert back.read_bytes() == content(100, "file")
    assert int(back.stat().st_mtime) == MTIME


@in_thread
def test_text_both_ways(curl: Curl, tmp_path: Path) -> None:
    text = "".join(f"line {number}\n" for number in range(20_000)).encode()
    (tmp_path / "text").write_bytes(text)
    curl("-B", "-T", tmp_path / "text", curl.url("text"))
    assert (curl.served.root / "text").read_bytes() == text
    back = tmp_path / "back"
    curl("-o", back, curl.url("text") + ";type=A")
    assert back.read_bytes().replace(b"\r\n", b"\n") == text


@in_thread
def test_exit_codes_of_refusals(curl: Curl, tmp_path: Path) -> None:
    here = make_files(tmp_path / "here", {"file": 10})
    curl(curl.url(account="demo:wrong"), status=LOGIN_DENIED)
    curl(curl.url(account="nobody:demo"), status=LOGIN_DENIED)
    curl(curl.url("none"), status=NOT_FOUND)
    curl("-T", here / "file", curl.url("file", account="reader:demo"), status=25)
    (curl.served.root / "short").write_bytes(b"short")
    curl("-C", "10", "-o", tmp_path / "back", curl.url("short"), status=PART_OF_FILE)


@in_thread
def test_transfers_after_a_missing_file(curl: Curl, tmp_path: Path) -> None:
    make_files(curl.served.root, {"here": 100})
    back = tmp_path / "back"
    words: list[str | Path] = [
        "-v",
        "-o",
        tmp_path / "none",
        curl.url("none"),
        "-o",
        back,
        curl.url("here"),
    ]
    ended = curl(*words)
    assert ended.stderr.count("> USER demo") == 1
    assert back.read_bytes() == content(100, "here")


@in_thread
def test_parallel_transfers(curl: Curl, tmp_path: Path) -> None:
    make_files(curl.served.root, {f"file {number}": 1 << 20 for number in range(12)})
    back = tmp_path / "back"
    words: list[str | Path] = ["-Z", "--fail-early", "--parallel-max", "6", "--create-dirs"]
    for path in files(curl.served.root):
        words += ["-o", back / path, curl.url(str(path))]
    curl(*words)
    assert_same(curl.served.root, back)
