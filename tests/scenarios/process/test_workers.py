"""Several worker processes behind one port: what clients see, and what a killed one leaves."""

from __future__ import annotations

import ftplib
import io
import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from tests.support.service_process import PATIENCE, Program, checkout_environment
from tests.support.worker_service import (
    ACCOUNTS,
    CONTENT,
    LOOPBACK,
    SERVE,
    ask,
    children,
    is_alive,
    kill_worker,
    login,
    spread_sessions,
    wait_for,
)


def files(running: Program) -> Path:
    """Return the directory that is served."""
    return running.directory / "var" / "files"


def test_sessions_of_all_workers_have_the_same_files(served: Program) -> None:
    (files(served) / "same").mkdir()
    with ExitStack() as stack:
        sessions = spread_sessions(served, stack)
        for number, client in sessions.items():
            client.cwd("same")
            client.storbinary(f"STOR by-{number}", io.BytesIO(CONTENT))
        for client in sessions.values():
            assert sorted(client.nlst()) == sorted(f"by-{number}" for number in sessions)
            for number in sessions:
                read = io.BytesIO()
                client.retrbinary(f"RETR by-{number}", read.write)
                assert read.getvalue() == CONTENT
        for number in sessions:
            served.line(rf"uploaded /same/by-{number}: complete, 300000 bytes")


@pytest.mark.parametrize("program", ["curl", "lftp"])
def test_other_programs_upload_list_and_download(
    served: Program, tmp_path: Path, program: str
) -> None:
    source, target, name = tmp_path / "source", tmp_path / "target", f"by-{program}"
    source.write_bytes(CONTENT)
    url = f"ftp://127.0.0.1:{served.port()}"
    commands = {
        "curl": [
            ["curl", "-sS", "-u", "demo:demo", "-T", str(source), f"{url}/{name}"],
            ["curl", "-sS", "-u", "demo:demo", "-o", str(target), f"{url}/{name}"],
        ],
        "lftp": [
            [
                "lftp",
                "-c",
                "set ftp:ssl-allow no; set cmd:fail-exit yes; set net:max-retries 1;"
                f"open -u demo,demo {url}; put {source} -o {name}; ls; get {name} -o {target}",
            ]
        ],
    }
    for command in commands[program]:
        subprocess.run(command, check=True, timeout=PATIENCE, capture_output=True)
    assert target.read_bytes() == CONTENT


class Uploads:
    """Clients that upload until the end; ``confirmed`` are the names that got 226."""

    def __init__(self, port: int) -> None:
        self.confirmed: list[str] = []
        self._port = port
        self._ends = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(name,)) for name in "abcd"]

    def __enter__(self) -> Uploads:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join(PATIENCE)

    def wait_for_more(self) -> None:
        before = len(self.confirmed)
        wait_for(lambda: len(self.confirmed) > before + 10)

    def _run(self, name: str) -> None:
        numbers = itertools.count()
        while not self._ends.is_set():
            with suppress(OSError, EOFError, ftplib.Error), closing(login(self._port)) as client:
                while not self._ends.wait(0.02):
                    path = f"{name}-{next(numbers)}"
                    client.storbinary(f"STOR {path}", io.BytesIO(CONTENT))
                    self.confirmed.append(path)


def kill_one(running: Program, uploads: Uploads) -> None:
    """Kill a worker, and see that the session of the other one goes on."""
    with ExitStack() as stack:
        sessions = spread_sessions(running, stack)
        victim, other = sessions
        kill_worker(running, victim)
        with pytest.raises((EOFError, OSError)):
            sessions[victim].voidcmd("NOOP")
        sessions[other].storbinary("STOR still-there", io.BytesIO(CONTENT))
        uploads.wait_for_more()
        assert sessions[other].voidcmd("NOOP").startswith("200")


def test_a_killed_worker_is_replaced_and_the_others_go_on(served: Program) -> None:
    """What was confirmed is there, and the sessions of the other worker notice nothing."""
    with Uploads(served.port()) as uploads:
        for _ in range(2):
            uploads.wait_for_more()
            kill_one(served, uploads)
    served.line(r"has ended \(signal 9\); another one starts")
    for name in uploads.confirmed:
        assert (files(served) / name).read_bytes() == CONTENT, name


def test_a_transfer_outlives_a_killed_main_process_and_no_worker_is_left(
    running: Program, tmp_path: Path
) -> None:
    port = running.port()
    with closing(login(port)) as client:
        workers = children(running.process.pid)
        assert len(workers) == 2
        client.voidcmd("TYPE I")
        data = client.transfercmd("STOR late")
        data.sendall(CONTENT)
        os.kill(running.process.pid, signal.SIGKILL)
        running.process.wait(PATIENCE)
        wait_for(lambda: is_refused(port), "the port is still open")
        data.sendall(CONTENT)
        data.close()
        assert client.voidresp().startswith("226")
    assert (tmp_path / "var" / "files" / "late").read_bytes() == 2 * CONTENT
    wait_for(lambda: not any(map(is_alive, workers)), "a worker is left")
    with socket.create_server(("127.0.0.1", port)):
        pass


def is_refused(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_an_upload_of_a_killed_worker_is_resumed_in_another(served: Program) -> None:
    with ExitStack() as stack:
        sessions = spread_sessions(served, stack)
        victim, other = sessions
        client = sessions[victim]
        client.voidcmd("TYPE I")
        with client.transfercmd("STOR half") as data:
            data.sendall(CONTENT)
            wait_for(lambda: moved(served) == len(CONTENT))
            kill_worker(served, victim)
        again = sessions[other]
        again.voidcmd("TYPE I")
        size = again.size("half")
        assert size
        again.storbinary("STOR half", io.BytesIO((2 * CONTENT)[size:]), rest=size)
    assert (files(served) / "half").read_bytes() == 2 * CONTENT


def moved(running: Program) -> int:
    """Return the bytes so far of all transfers."""
    rows = ask(running.directory, "who")
    return sum(one["moved"] for row in rows for one in row["transfers"])


def test_an_upload_is_refused_while_another_worker_gets_one_to_that_name(served: Program) -> None:
    with ExitStack() as stack:
        first, second = spread_sessions(served, stack).values()
        first.voidcmd("TYPE I")
        with first.transfercmd("STOR one") as data:
            data.sendall(CONTENT)
            with pytest.raises(ftplib.error_temp, match="450"):
                second.storbinary("STOR one", io.BytesIO(CONTENT))
            data.sendall(CONTENT)
        first.voidresp()
        assert second.size("one") == 2 * len(CONTENT)


def test_a_quota_holds_over_all_workers(served: Program) -> None:
    with ExitStack() as stack:
        (files(served) / "small").mkdir()
        first, second = spread_sessions(served, stack, "small").values()
        first.storbinary("STOR a", io.BytesIO(CONTENT))
        second.storbinary("STOR b", io.BytesIO(CONTENT))
        for client in (first, second):
            client.voidcmd("TYPE I")
            with client.transfercmd("STOR c") as data, suppress(OSError):
                data.sendall(2 * CONTENT)
            with pytest.raises(ftplib.Error, match="552"):
                client.voidresp()
        first.delete("b")
        second.storbinary("STOR c", io.BytesIO(2 * CONTENT))
        assert ask(served.directory, "quota", user="small")["bytes"] == 3 * len(CONTENT)


def test_a_stop_waits_for_transfers_in_workers(running: Program, tmp_path: Path) -> None:
    with closing(login(running.port())) as client, closing(login(running.port())) as idle:
        client.voidcmd("TYPE I")
        data = client.transfercmd("STOR late")
        data.sendall(CONTENT)
        running.process.send_signal(signal.SIGTERM)
        with pytest.raises(ftplib.error_temp, match="421"):
            idle.voidresp()
        running.line("waiting up to 20 s for 1 transfer")
        data.sendall(CONTENT)
        data.close()
        assert client.voidresp().startswith("226")
        assert running.ended() == 0
    assert (tmp_path / "var" / "files" / "late").read_bytes() == 2 * CONTENT
    assert "uploaded /late: complete" in running.output
    assert "Traceback" not in running.output


def test_a_second_signal_skips_the_grace_period(running: Program) -> None:
    with closing(login(running.port())) as client:
        client.voidcmd("TYPE I")
        with client.transfercmd("STOR late") as data:
            data.sendall(CONTENT)
            running.process.send_signal(signal.SIGTERM)
            running.line("waiting up to 20 s for 1 transfer")
            begun = time.monotonic()
            assert running.stopped(signal.SIGTERM) == 0
            assert time.monotonic() - begun < 15
    assert "1 transfer aborted, grace period skipped" in running.output


def test_every_kind_of_listener(tmp_path: Path, accounts: None) -> None:
    command = [
        *SERVE,
        ACCOUNTS,
        LOOPBACK,
        "--listen=unix:ftp.sock",
        "--listen=haproxy:tcp:0:interface=127.0.0.1",
        "--implicit=tcp:0:interface=127.0.0.1",
        "--simple=tcp:0:interface=127.0.0.1",
        "--simple-tls=tcp:0:interface=127.0.0.1",
        "--http=tcp:0:interface=127.0.0.1",
    ]
    with Program(command, tmp_path) as running:
        running.line("  try ")
        urls = [word for line in running.lines for word in line.split() if "://127" in word]
        ports = {url.partition(":")[0]: int(url.rstrip("/").rpartition(":")[2]) for url in urls}
        for _ in range(4):
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(PATIENCE)
                client.connect(str(tmp_path / "ftp.sock"))
                assert client.recv(100).startswith(b"220 ")
        with ftplib.FTP_TLS() as secured:
            secured.connect("127.0.0.1", ports["ftp"], timeout=PATIENCE)
            secured.login("demo", "demo")
            secured.prot_p()
            secured.storbinary("STOR secret", io.BytesIO(CONTENT))
        implicit = f"ftps://127.0.0.1:{ports['ftps']}/secret"
        command = ["curl", "-sSk", "-u", "demo:demo", implicit]
        read = subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE)
        assert read.stdout == CONTENT
        with socket.create_connection(("127.0.0.1", ports["simple"]), PATIENCE) as simple:
            simple.sendall(b"USER demo\nPASS demo\nLIST\nQUIT\n")
            assert b"secret" in b"".join(iter(lambda: simple.recv(1000), b""))
        assert running.stopped() == 0
    assert not (tmp_path / "ftp.sock").exists()
    assert "Traceback" not in running.output


def test_workers_accept_from_sockets_of_systemd_which_is_notified_when_all_do(
    tmp_path: Path, accounts: None
) -> None:
    path = str(tmp_path / "notify")
    with (
        socket.create_server(("127.0.0.1", 0)) as activated,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified,
    ):
        notified.bind(path)
        notified.settimeout(PATIENCE)
        start = (
            "import os, sys; os.dup2(int(sys.argv[1]), 3);"
            "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1', LISTEN_FDNAMES='x');"
            "os.execv(sys.argv[2], sys.argv[2:])"
        )
        number = activated.fileno()
        os.set_inheritable(number, True)
        words = [*SERVE, ACCOUNTS, "--listen=systemd:domain=INET:index=0"]
        command = [sys.executable, "-c", start, str(number), *words]
        environment = checkout_environment() | {"NOTIFY_SOCKET": path}
        with Program(command, tmp_path, environment, inherited=(number,)) as running:
            assert b"READY=1" in notified.recv(1000)
            assert len(children(running.process.pid)) == 2
            with closing(login(running.port())) as client:
                client.nlst()
            assert running.stopped() == 0


def test_what_keeps_a_worker_from_starting_is_said_in_one_line(
    tmp_path: Path, accounts: None
) -> None:
    text = "import os, sys\nif 'ftpservice.workers.process' in sys.orig_argv: os._exit(3)\n"
    (tmp_path / "sitecustomize.py").write_text(text)
    environment = checkout_environment()
    environment["PYTHONPATH"] = f"{tmp_path}:{environment['PYTHONPATH']}"
    with Program([*SERVE, LOOPBACK, ACCOUNTS], tmp_path, environment) as running:
        assert running.ended() == 1
    assert "Traceback" not in running.output
    assert "ftpservice: a worker ended before it was ready (status 3)" in running.lines
