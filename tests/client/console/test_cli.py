"""The program as a process: exit statuses, JSON, pipes, scripts, signals."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.support.pseudo_terminal import COMMAND, environment, service
from tests.support.service_process import PATIENCE

CONTENT = b"hello\x00\xff world\n"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Bench:
    """A working directory, and a running service with its files."""

    home: Path
    files: Path
    port: int
    fingerprint: str = ""

    @property
    def url(self) -> str:
        return f"ftp://demo:demo@127.0.0.1:{self.port}"

    def run(self, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run the program until it exits."""
        ended = subprocess.run(
            [*COMMAND, *words],
            cwd=self.home,
            env=environment(self.home),
            input=stdin,
            capture_output=True,
            timeout=PATIENCE,
        )
        assert b"Traceback" not in ended.stderr, ended.stderr.decode()
        return ended

    def output(self, *words: str, stdin: bytes = b"") -> str:
        """Run a command that succeeds and prints no errors; return its output."""
        ended = self.run(*words, stdin=stdin)
        assert (ended.returncode, ended.stderr) == (0, b"")
        return ended.stdout.decode()

    def error(self, *words: str) -> tuple[int, str]:
        """Run a command that fails; return its status and its one line of error."""
        ended = self.run(*words)
        line = ended.stderr.decode()
        assert line.startswith("ftpservice-client: ")
        assert line.count("\n") == 1
        return ended.returncode, line.removeprefix("ftpservice-client: ").strip()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A running service, its port and its fingerprint."""
    top = tmp_path_factory.mktemp("served")
    with service(top) as (running, port):
        announced = running.line(r"SHA-256 ((?:[0-9A-F]{2}:){31}[0-9A-F]{2})")[1]
        yield Bench(top, top / "files", port, announced)


@pytest.fixture
def bench(served: Bench, tmp_path: Path) -> Bench:
    """A directory of the service for one test."""
    place = served.files / tmp_path.name
    place.mkdir()
    bench = replace(served, home=tmp_path, files=place)
    (place / "a b.txt").write_bytes(CONTENT)
    os.utime(place / "a b.txt", (86400, 86400))
    return bench


def at(bench: Bench, name: str = "") -> str:
    return f"{bench.url}/{bench.files.name}/{name}"


def test_get_and_put_print_json(bench: Bench) -> None:
    name = f"{bench.files.name}/a b.txt"
    assert bench.output("get", "--json", at(bench, "a%20b.txt"), "copy") == (
        f'{{"files": [{{"file": "copy", "name": "{name}", "size": {len(CONTENT)}}}]}}\n'
    )
    assert (bench.home / "copy").read_bytes() == CONTENT
    assert bench.output("put", "--json", "--verify", at(bench, "up"), "copy") == (
        f'{{"files": [{{"algorithm": "SHA-256", "digest": "{DIGEST}", "file": "copy", '
        f'"name": "{bench.files.name}/up", "size": {len(CONTENT)}}}]}}\n'
    )
    assert (bench.files / "up").read_bytes() == CONTENT


def test_ls_prints_json(bench: Bench) -> None:
    assert bench.output("ls", "--json", at(bench)) == (
        '{"entries": [{"modified": "1970-01-02T00:00:00Z", "name": "a b.txt", '
        f'"size": {len(CONTENT)}, "type": "file"}}], "total": {len(CONTENT)}}}\n'
    )


def test_hash_rm_and_errors_print_json(bench: Bench) -> None:
    name = f"{bench.files.name}/a b.txt"
    assert bench.output("hash", "--json", at(bench, "a%20b.txt")) == (
        f'{{"files": [{{"algorithm": "SHA-256", "digest": "{DIGEST}", "name": "{name}"}}]}}\n'
    )
    assert bench.output("rm", "--json", at(bench, "*.txt")) == f'{{"deleted": ["{name}"]}}\n'
    ended = bench.run("get", "--json", at(bench, "a%20b.txt"))
    assert ended.returncode == 6
    assert json.loads(ended.stdout)["error"]["kind"] == "NotFound"


def test_without_json_results_are_lines_and_quiet_omits_status(bench: Bench) -> None:
    lines = bench.output("ls", at(bench)).splitlines()
    assert lines == [f"{len(CONTENT)}  1970-01-02 00:00  a b.txt", f"1 file, {len(CONTENT)} bytes"]
    assert bench.output("ls", "-1", at(bench)) == "a b.txt\n"
    assert bench.output("hash", at(bench, "a%20b.txt")).startswith(DIGEST)
    assert "bytes" in bench.output("get", at(bench, "a%20b.txt"))
    assert bench.output("get", "-q", at(bench, "a%20b.txt")) == ""


def test_standard_input_and_output_can_be_files(bench: Bench) -> None:
    content = os.urandom(300_000)
    bench.output("put", at(bench, "piped"), "-", stdin=content)
    assert (bench.files / "piped").read_bytes() == content
    for words in (("get", at(bench, "piped"), "-"), ("cat", at(bench, "piped"))):
        ended = bench.run(*words)
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, content, b"")


def test_a_one_shot_command_imports_no_shell_modules(bench: Bench) -> None:
    ended = subprocess.run(
        [COMMAND[0], "-X", "importtime", *COMMAND[1:], "get", "-q", at(bench, "a%20b.txt"), "-"],
        cwd=bench.home,
        env=environment(bench.home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE,
    )
    assert (ended.returncode, ended.stdout) == (0, CONTENT)
    loaded = {line.rpartition("|")[2].strip() for line in ended.stderr.decode().splitlines()}
    assert "ftpservice_client.console.oneshot.commands" in loaded
    for name in ("prompt_toolkit", "rich", "ftpservice.net.tls.certificate_file"):
        assert name not in loaded
    assert not [name for name in loaded if name.startswith("ftpservice_client.console.shell")]


def test_mirror_downloads_and_uploads(bench: Bench) -> None:
    (bench.files / "deep" / "er").mkdir(parents=True)
    (bench.files / "deep" / "er" / "x").write_bytes(CONTENT)
    bench.output("mirror", at(bench), "here")
    assert (bench.home / "here" / "deep" / "er" / "x").read_bytes() == CONTENT
    (bench.home / "here" / "new").write_bytes(b"new")
    output = json.loads(
        bench.output("mirror", "--up", "--dry-run", "--json", at(bench), "here").splitlines()[-1]
    )
    assert {"action": "upload", "name": "new", "size": 3} in output["steps"]
    assert not (bench.files / "new").exists()
    bench.output("mirror", "--up", at(bench), "here")
    assert (bench.files / "new").read_bytes() == b"new"


def test_errors_are_one_line_and_an_exit_status(bench: Bench) -> None:
    assert bench.error("get", at(bench, "none"))[0] == 6
    assert bench.error("put", at(bench, "x"), "none") == (10, "none: No such file or directory")
    assert bench.error("ls", f"ftp://demo:wrong@127.0.0.1:{bench.port}/")[0] == 5
    assert bench.error("ls", "http://127.0.0.1/")[0] == 2
    assert bench.error("get")[0] == 2
    assert bench.error("--nothing")[0] == 2
    status, line = bench.error("ls", f"ftpes://demo:demo@127.0.0.1:{bench.port}/")
    assert status == 4
    assert "--fingerprint=" in line
    status, line = bench.error("get", "--json", at(bench, "a"), "-")
    assert status == 2


def test_a_refused_connection_has_an_exit_status(bench: Bench) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"ftp://demo:demo@127.0.0.1:{nobody.getsockname()[1]}/"
        assert bench.error("ls", "--retries=0", url)[0] == 3


def test_fingerprint_option_trusts_one_certificate(bench: Bench) -> None:
    url = f"ftpes://demo:demo@127.0.0.1:{bench.port}/{bench.files.name}"
    for words in ((), (f"--fingerprint={'00' * 32}",)):
        status, line = bench.error("ls", *words, url)
        assert status == 4
        assert f"--fingerprint={bench.fingerprint} " in line
    assert bench.output("ls", "-1", f"--fingerprint={bench.fingerprint}", url) == "a b.txt\n"
    assert bench.output("ls", "-1", "--insecure", url) == "a b.txt\n"


def test_scripts_are_read_from_a_pipe_or_a_file(bench: Bench) -> None:
    script = f"cd {bench.files.name}\n# remark\nmkdir new\nget 'a b.txt'\nls -1\nquit\nls\n"
    said = bench.output("-q", bench.url, stdin=script.encode())
    assert said == "a b.txt\nnew\n"
    assert (bench.home / "a b.txt").read_bytes() == CONTENT
    (bench.home / "night").write_text("-rmdir none\nget none\nmkdir never\n")
    ended = bench.run("-f", "night", at(bench))
    assert ended.returncode == 6
    first, second = ended.stderr.decode().splitlines()
    assert first.startswith("night:1: ")
    assert second.startswith("night:2: ")
    assert not (bench.files / "never").exists()
    assert bench.run("-k", "-f", "night", at(bench)).returncode == 6
    assert (bench.files / "never").is_dir()


def test_a_script_logs_in_with_user_and_pass(bench: Bench) -> None:
    script = f"CONN 127.0.0.1:{bench.port}\nUSER demo\nPASS demo\nPWD\nPASV\nLIST\nQUIT\n"
    said = bench.output(stdin=script.encode())
    assert "\n/\n" in said
    assert bench.files.name in said


def test_a_script_fails_if_it_cannot_connect_or_be_read(bench: Bench) -> None:
    ended = bench.run(f"ftp://demo:wrong@127.0.0.1:{bench.port}", stdin=b"ls\n")
    assert ended.returncode == 5
    assert bench.error("-f", "none") == (10, "none: No such file or directory")


def test_a_closed_output_pipe_exits_with_141(bench: Bench) -> None:
    (bench.files / "big").write_bytes(bytes(10_000_000))
    command = [*COMMAND, "cat", at(bench, "big")]
    process = subprocess.Popen(
        command,
        cwd=bench.home,
        env=environment(bench.home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    said = process.stderr.read()
    assert (process.wait(PATIENCE), said) == (141, b"")
    process.stderr.close()


@pytest.mark.parametrize(
    ("number", "status", "said"),
    [
        (signal.SIGINT, 130, b"ftpservice-client: Interrupted.\n"),
        (signal.SIGTERM, 143, b""),
    ],
    ids=["INT", "TERM"],
)
def test_signals_end_a_one_shot_command(
    bench: Bench, number: int, status: int, said: bytes
) -> None:
    """A thread of the process is blocked in a read of standard input."""
    command = [*COMMAND, "put", "-q", at(bench, "never"), "-"]
    process = subprocess.Popen(
        command,
        cwd=bench.home,
        env=environment(bench.home),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stderr is not None
    assert process.stdout is not None
    process.stdin.write(bytes(200_000))  # more than a pipe holds
    process.stdin.flush()
    process.send_signal(number)
    complaint = process.stderr.read()
    assert (process.wait(PATIENCE), complaint) == (status, said)
    for stream in (process.stdin, process.stderr, process.stdout):
        stream.close()
    assert not (bench.files / "never").exists()


def test_help_and_version(bench: Bench) -> None:
    assert bench.output("--version").startswith("ftpservice-client ")
    assert "get URL" in bench.output("--help")
    assert "--json" in bench.output("ls", "--help")


def test_listings_of_the_simple_protocol(tmp_path: Path) -> None:
    with service(tmp_path, "--simple=tcp:0:interface=127.0.0.1") as (running, _):
        port = int(running.line(r"simple://\S+?:(\d+)")[1])
        bench = Bench(tmp_path, tmp_path / "files", port)
        (tmp_path / "hello world.txt").write_bytes(CONTENT)
        url = f"simple://demo:demo@127.0.0.1:{port}/"
        script = b"UPLD hello world.txt\nLIST\nDELF hello world.txt\nLIST\n"
        assert bench.output("-q", url, stdin=script) == (
            f"hello world.txt - {len(CONTENT)} bytes\n"
            f"Total directory size: {len(CONTENT)} bytes\n"
            "Total directory size: 0 bytes\n"
        )
        ended = bench.run(url, stdin=b"MKD new\n")
        assert ended.returncode == 8
        assert ended.stderr.startswith(b"<stdin>:1: ")
