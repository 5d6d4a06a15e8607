"""The blocking client, in scripts: they are processes of their own, with a real server."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.service_process import CHECKOUT, PATIENCE, Program, checkout_environment


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service with the account ``demo``, in a process."""
    command = [
        *(sys.executable, "-m", "twisted", "ftpservice", "--allow-root"),
        *("--listen=tcp:0:interface=127.0.0.1", "--root=memory:"),
        f"--auth=passwd:{CHECKOUT / 'passwd.db'}",
    ]
    with Program(command, tmp_path_factory.mktemp("service")) as program:
        yield f"ftp://demo:demo@127.0.0.1:{program.port()}/"


def script(text: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a script that uses ``blocking``."""
    head = "import sys, threading\nfrom pathlib import Path\nimport ftpservice_client as ftp\n"
    return subprocess.Popen(
        [
            sys.executable,
            "-Werror",
            "-c",
            f"{head}from ftpservice_client import blocking\n{text}",
            *arguments,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=checkout_environment(),
    )


def output(text: str, *arguments: str) -> str:
    """Return what a script prints; it ends by itself, without an error."""
    with script(text, *arguments) as process:
        out, error = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, error
    return out


def test_calls_return_results(url: str, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "a").write_bytes(b"0123")
    text = """
with blocking.connect(sys.argv[1]) as client:
    client.make_directory("results")
    print(client.change_directory("results"))
    client.upload(b"some bytes", "one")
    client.upload_tree(Path(sys.argv[2]) / "tree", "tree")
    print(sorted(entry.name for entry in client.list().entries), client.stat("one").size)
    print(client.download("tree/a").data, client.directory)
"""
    assert output(text, url, str(tmp_path)).splitlines() == [
        "/results",
        "['one', 'tree'] 10",
        "b'0123' /results",
    ]


def test_errors_are_those_of_the_library(url: str) -> None:
    text = """
with blocking.connect(sys.argv[1]) as client:
    try:
        client.download("none")
    except ftp.NotFound as error:
        print("not found:", error)
    client.quit()
try:
    blocking.connect("ftp://demo:wrong@" + sys.argv[1].partition("@")[2])
except ftp.AuthenticationFailed:
    print("refused")
"""
    found, refused = output(text, url).splitlines()
    assert found.startswith("not found:")
    assert refused == "refused"


def test_a_pending_login_becomes_a_client(url: str) -> None:
    text = """
with blocking.connect_without_login(sys.argv[1]) as pending:
    print(*pending.welcome, pending.is_secured, pending.destination.host)
    try:
        pending.log_in("demo", "wrong")
    except ftp.AuthenticationFailed:
        print("refused")
    client = pending.log_in("demo", "demo")
print(client.directory)
client.quit()
with blocking.connect_without_login(sys.argv[1]) as pending:
    pass
try:
    blocking.connect_without_login("simple" + sys.argv[1][3:])
except ftp.Unsupported as error:
    print(error)
"""
    assert output(text, url).splitlines() == [
        "ftpservice ready False 127.0.0.1",
        "refused",
        "/",
        "the simple protocol cannot connect without a login",
    ]


def test_an_endpoint_is_made_in_the_reactors_thread(url: str) -> None:
    text = """
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.python.threadable import isInIOThread
port = ftp.parse_url(sys.argv[1]).port
def endpoint(reactor):
    print(isInIOThread())
    return TCP4ClientEndpoint(reactor, "127.0.0.1", port)
with blocking.connect_endpoint(endpoint, "ftp://demo:demo@files.example/") as client:
    print(client.directory)
def broken(reactor):
    raise LookupError("no such endpoint")
try:
    blocking.connect_endpoint(broken, "ftp://files.example/")
except LookupError as error:
    print(error)
"""
    assert output(text, url).splitlines() == ["True", "/", "no such endpoint"]


def test_several_threads_use_one_client(url: str) -> None:
    text = """
client = blocking.connect_pool(sys.argv[1], 3)
names = [f"threads-{number}" for number in range(6)]
threads = [threading.Thread(target=client.upload, args=(b"x", name)) for name in names]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(sum(entry.name in names for entry in client.list().entries))
"""
    assert output(text, url) == "6\n"  # and a client that was not closed does not keep the process


def test_a_call_in_the_reactors_own_thread_is_refused(url: str) -> None:
    text = """
from twisted.internet import reactor
from twisted.internet.threads import blockingCallFromThread
with blocking.connect(sys.argv[1]) as client:
    try:
        blockingCallFromThread(reactor, client.stat, "x")
    except RuntimeError as error:
        print(error)
"""
    assert "would wait for itself" in output(text, url)


def test_an_interrupt_ends_a_call() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with script(f"blocking.connect('ftp://127.0.0.1:{port}/')") as process:
            connection, _address = silent.accept()  # it waits for the greeting now
            process.send_signal(signal.SIGINT)
            _out, error = process.communicate(timeout=PATIENCE)
            connection.close()
    assert process.returncode == -signal.SIGINT
    assert error.rstrip().endswith("KeyboardInterrupt")


@pytest.fixture(scope="module")
def slow_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service whose downloads take seconds."""
    command = [
        *(sys.executable, "-m", "twisted", "ftpservice", "--allow-root"),
        *("--listen=tcp:0:interface=127.0.0.1", "--root=memory:", "--rate-down=300K"),
        f"--auth=passwd:{CHECKOUT / 'passwd.db'}",
    ]
    with Program(command, tmp_path_factory.mktemp("slow")) as program:
        yield f"ftp://demo:demo@127.0.0.1:{program.port()}/"


SLOW = """
client = blocking.connect(sys.argv[1])
client.upload(bytes(3_000_000), "big")
target = Path(sys.argv[2])
"""


def test_a_download_at_the_end_of_the_process_leaves_no_file(slow_url: str, tmp_path: Path) -> None:
    text = """
import time
def download():
    try:
        client.download("big", target / "big")
    except Exception:
        time.sleep(60)
threading.Thread(target=download, daemon=True).start()
while not list(target.iterdir()):
    time.sleep(0.01)
print("under way")
"""
    assert output(SLOW + text, slow_url, str(tmp_path)) == "under way\n"
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_ends_a_transfer_and_the_client_can_be_used(
    slow_url: str, tmp_path: Path
) -> None:
    text = """
import os, signal
for work in (
    lambda: client.download("big", target / "big"),
    lambda: client.download_tree("/", target / "tree"),
):
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        work()
    except KeyboardInterrupt:
        print(client.stat("big").size)
"""
    assert output(SLOW + text, slow_url, str(tmp_path)) == "3000000\n3000000\n"
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert left == []


def test_a_timeout_ends_a_transfer_and_the_client_can_be_used(
    slow_url: str, tmp_path: Path
) -> None:
    text = """
try:
    client.download("big", timeout=0.3)
except ftp.Timeout:
    print(client.stat("big").size)
"""
    assert output(SLOW + text, slow_url, str(tmp_path)) == "3000000\n"


def test_errors_show_the_callers_line_and_do_not_grow(url: str) -> None:
    text = """
import traceback
client = blocking.connect(sys.argv[1])
client.quit()
client.quit()
client.abort()
lengths = set()
for _ in range(5):
    try:
        client.list()
    except ftp.NetworkError as error:
        frames = traceback.extract_tb(error.__traceback__)
        print(error, frames[0].lineno)
        lengths.add(len(frames))
print(len(lengths))
"""
    *lines, lengths = output(text, url).splitlines()
    assert lines == 5 * ["the client has quit 14"]
    assert lengths == "1"


def test_a_with_block_that_is_abandoned_does_no_harm(url: str) -> None:
    text = """
import gc
def directories():
    with blocking.connect(sys.argv[1]) as client:
        yield client.directory
        yield "not reached"
one = directories()
print(next(one))
del one
class Cycle: pass
cycle = Cycle()
cycle.own, cycle.work = cycle, directories()
next(cycle.work)
del cycle
blocking.REACTOR_THREAD.call(lambda reactor: gc.collect())
last = directories()  # collected at exit, after the reactor has stopped
next(last)
"""
    with script(text, url) as process:
        out, error = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, error) == (0, "/\n", "")


def test_a_lost_server_is_an_error_of_the_call(tmp_path: Path) -> None:
    command = [
        *(sys.executable, "-m", "twisted", "ftpservice", "--allow-root"),
        *("--listen=tcp:0:interface=127.0.0.1", "--root=memory:"),
        f"--auth=passwd:{CHECKOUT / 'passwd.db'}",
    ]
    text = """
with blocking.connect(sys.argv[1]) as client:
    print("ready", flush=True)
    sys.stdin.readline()
    for work in (lambda: client.upload(b"x", "x"), client.list):
        try:
            work()
        except ftp.NetworkError:
            print("lost")
print(client.lost is not None)
"""
    with Program(command, tmp_path) as program:
        url = f"ftp://demo:demo@127.0.0.1:{program.port()}/"
        with script(text, url) as process:
            assert process.stdout is not None
            process.stdout.readline()
            program.process.kill()
            out, error = process.communicate("\n", timeout=PATIENCE)
    assert (out, error) == ("lost\nlost\nFalse\n", "")
