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
        *(sys.executable, "-m", "twisted", "ftpservice"),
        *("--listen=tcp:0:interface=127.0.0.1", "--root=memory:"),
        f"--auth=passwd:{CHECKOUT / 'passwd.db'}",
    ]
    with Program(command, tmp_path_factory.mktemp("service")) as program:
        yield f"ftp://demo:demo@127.0.0.1:{program.port()}/"


def script(text: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a script that uses ``blocking``."""
    head = "import sys, threading\nfrom pathlib import Path\nimport ftpservice_client as ftp\n"
    return subprocess.Popen(
        [sys.executable, "-c", f"{head}from ftpservice_client import blocking\n{text}", *arguments],
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
