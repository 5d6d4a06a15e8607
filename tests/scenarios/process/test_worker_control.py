"""What administrators see and do with several workers: as if one process served all sessions."""

from __future__ import annotations

import ftplib
import io
import json
import os
import re
import signal
import socket
import subprocess
import urllib.request
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from ftpservice.admin.checks.network_checks import ServicePort, check_service
from tests.support.certificates import Authority
from tests.support.service_process import PATIENCE, Program
from tests.support.worker_service import (
    ACCOUNTS,
    CONTENT,
    LOOPBACK,
    SERVE,
    ask,
    can_log_in,
    kill_worker,
    login,
    spread_sessions,
    wait_for,
)


def test_who_shows_all_sessions_and_the_progress_of_transfers(served: Program) -> None:
    with ExitStack() as stack:
        clients = list(spread_sessions(served, stack).values())
        sent = []
        for number, client in enumerate(clients):
            client.voidcmd("TYPE I")
            data = stack.enter_context(client.transfercmd(f"STOR f{number}"))
            data.sendall(CONTENT)
            sent.append(data)

        def moved() -> dict[str, int]:
            rows = ask(served.directory, "who")
            running = [one for row in rows for one in row["transfers"]]
            return {one["path"]: one["moved"] for one in running}

        wait_for(lambda: moved() == {"/f0": len(CONTENT), "/f1": len(CONTENT)})
        for data, client in zip(sent, clients, strict=True):
            data.close()
            client.voidresp()
        wait_for(lambda: moved() == {})
    wait_for(lambda: ask(served.directory, "who") == [])


def test_sessions_of_a_user_are_kicked_in_all_workers(served: Program) -> None:
    wait_for(lambda: ask(served.directory, "who") == [])
    with ExitStack() as stack:
        clients = list(spread_sessions(served, stack).values())
        other = stack.enter_context(closing(login(served.port(), "other")))
        wait_for(lambda: len(ask(served.directory, "who")) >= 3)
        assert len(ask(served.directory, "kick", user="demo")) >= 2
        for client in clients:
            with pytest.raises(ftplib.error_temp, match="421 An administrator"):
                client.voidresp()
        assert other.voidcmd("NOOP").startswith("200")


@pytest.mark.parametrize("request_words", [{"user": "other"}, {"network": "127.0.0.0/8"}])
def test_sessions_that_have_just_begun_are_kicked_too(
    served: Program, request_words: dict[str, str]
) -> None:
    """The main process need not know them yet. A worker may be told a moment after the answer."""

    def log_in() -> ftplib.FTP:
        while True:
            try:
                return login(served.port(), "other")
            except ftplib.error_temp as error:
                assert "An administrator" in str(error)  # the kick before

    for _ in range(20):
        with closing(log_in()) as client:
            ask(served.directory, "kick", **request_words)
            with pytest.raises(ftplib.error_temp, match="421 An administrator"):
                client.voidresp()


def test_a_ban_ends_sessions_and_refuses_new_ones_in_all_workers(served: Program) -> None:
    wait_for(lambda: ask(served.directory, "who") == [])
    with ExitStack() as stack:
        clients = list(spread_sessions(served, stack).values())
        wait_for(lambda: len(ask(served.directory, "who")) >= 2)
        banned = ask(served.directory, "ban", network="127.0.0.1", duration="1h", reason="enough")
        assert len(banned["ended"]) >= 2
        for client in clients:
            with pytest.raises(ftplib.error_temp, match="421"):
                client.voidresp()
        for _ in range(8):
            with pytest.raises(ftplib.error_temp, match=r"banned.*enough"):
                login(served.port())
        kill_worker(served)
        for _ in range(8):
            with pytest.raises(ftplib.error_temp, match=r"banned.*enough"):
                login(served.port())
        ask(served.directory, "unban", network="127.0.0.1")
        for _ in range(4):
            wait_for(lambda: can_log_in(served.port()))


def test_draining_holds_in_all_workers_until_it_is_undone(served: Program) -> None:
    with ExitStack() as stack:
        clients = list(spread_sessions(served, stack).values())
        ask(served.directory, "drain")
        for client in clients:
            with pytest.raises(ftplib.error_temp, match="421"):
                client.voidresp()
        wait_for(lambda: ask(served.directory, "drain", ask=True)["sessions"] == 0)
        for _ in range(4):
            with pytest.raises(ftplib.error_temp, match="about to stop"):
                login(served.port())
        kill_worker(served)
        for _ in range(4):
            with pytest.raises(ftplib.error_temp, match="about to stop"):
                login(served.port())
        assert ask(served.directory, "drain", undo=True)["accepts"]
        wait_for(lambda: can_log_in(served.port()))
        for _ in range(4):
            login(served.port()).close()


class Follower:
    """A client of the control socket that gets values as they come."""

    def __init__(self, directory: Path, command: str, **words: Any) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(PATIENCE)
        self._socket.connect(str(directory / "var" / "control.sock"))
        self._socket.sendall(json.dumps({"command": command, **words}).encode() + b"\n")
        self._lines = self._socket.makefile()
        answer = json.loads(self._lines.readline())
        assert answer["ok"], answer

    def close(self) -> None:
        self._lines.close()
        self._socket.close()

    def next(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._lines.readline())
        return found


def test_a_log_that_is_followed_has_the_events_of_all_workers(served: Program) -> None:
    with ExitStack() as stack:
        clients = spread_sessions(served, stack)
        follower = stack.enter_context(closing(Follower(served.directory, "log")))
        for number, client in clients.items():
            client.mkd(f"made-by-{number}")
        missing = {str(number) for number in clients}
        while missing:
            missing.discard(follower.next()["line"].rpartition("made-by-")[2])


def test_an_account_is_traced_in_all_workers(served: Program) -> None:
    with ExitStack() as stack:
        clients = spread_sessions(served, stack)
        stack.enter_context(closing(login(served.port(), "other"))).pwd()
        follower = stack.enter_context(closing(Follower(served.directory, "trace", target="demo")))
        assert follower.next()["follows"]
        for client in clients.values():
            client.cwd("/")
        seen = set()
        while len(seen) < 2:
            record = follower.next()
            if record.get("command") == "CWD /":
                seen.add(record["session"])
        for client in clients.values():
            client.quit()
            break


def test_one_session_is_traced(served: Program) -> None:
    with closing(login(served.port())) as client, closing(login(served.port())) as other:
        wait_for(lambda: len(ask(served.directory, "who")) == 2)
        number = ask(served.directory, "who")[0]["session"]
        with closing(Follower(served.directory, "trace", target=str(number))) as follower:
            assert not follower.next()["follows"]
            assert "joined" in follower.next()
            for one in (client, other):
                one.pwd()
            assert follower.next()["command"] == "PWD"
            assert follower.next()["reply"] == 257
    with pytest.raises(RuntimeError, match="there is no session 12345"):
        ask(served.directory, "trace", target="12345")


def test_report_has_what_all_workers_did(served: Program) -> None:
    with ExitStack() as stack:
        clients = spread_sessions(served, stack)
        first = next(iter(clients.values()))
        before = uploads_in(first.sendcmd("SITE REPORT"))
        for client in clients.values():
            client.storbinary(f"STOR f-{id(client)}", io.BytesIO(CONTENT))
        wait_for(lambda: uploads_in(first.sendcmd("SITE REPORT")) == before + 2)
        assert uploads_in("\n".join(ask(served.directory, "report"))) == before + 2
        with pytest.raises(ftplib.error_perm, match="501"):
            first.sendcmd("SITE REPORT since-never")


def uploads_in(report: str) -> int:
    """Return the number of uploads in a report."""
    found = re.search(r"Uploads +(\d+) file", report)
    return int(found[1]) if found else 0


def test_settings_are_read_again_in_all_workers(tmp_path: Path, accounts: None) -> None:
    """A file that is wrong changes nothing anywhere, nor for a worker that starts then."""
    config = tmp_path / "ftp.toml"
    config.write_text('welcome = "one"\nupload-digest = "MD5"\n')
    command = [*SERVE, LOOPBACK, ACCOUNTS, "--config=ftp.toml"]
    with Program(command, tmp_path) as running:
        port = running.port()
        assert greetings(port) == {"220 one"}
        config.write_text('welcome = "two"\nupload-digest = "none"\n')
        os.kill(running.process.pid, signal.SIGHUP)
        running.line("applied: welcome")
        running.line("a restart or 'ftpservice upgrade' is needed for: upload-digest")
        wait_for(lambda: greetings(port) == {"220 two"})
        config.write_text('welcome = "three"\numask = "9"\n')
        os.kill(running.process.pid, signal.SIGHUP)
        running.line("settings not read again")
        kill_worker(running)
        assert greetings(port) == {"220 two"}
        config.write_text('welcome = "four"\nupload-digest = "none"\n')
        os.kill(running.process.pid, signal.SIGHUP)
        wait_for(lambda: greetings(port) == {"220 four"})
        assert running.stopped() == 0
        assert "Traceback" not in running.output


def greetings(port: int) -> set[str]:
    """Return the greetings of several sessions at the same time, which all workers serve."""
    with ExitStack() as stack:
        clients = [stack.enter_context(closing(ftplib.FTP())) for _ in range(8)]
        return {client.connect("127.0.0.1", port, PATIENCE) for client in clients}


def test_certificates_are_read_again_in_all_workers(tmp_path: Path, accounts: None) -> None:
    authority = Authority(tmp_path)
    first, second = map(authority.certificate, ("one.example", "two.example"))
    used = tmp_path / "used.pem"
    used.write_bytes(first.read_bytes())
    command = [*SERVE, LOOPBACK, ACCOUNTS, f"--certificate={used}"]
    with Program(command, tmp_path) as running:
        port = running.port()
        assert {served_name(port) for _ in range(6)} == {"one.example"}
        used.write_bytes(second.read_bytes())
        os.kill(running.process.pid, signal.SIGHUP)
        running.line("certificates read again")
        wait_for(lambda: {served_name(port) for _ in range(6)} == {"two.example"})
        used.write_bytes(b"none")
        os.kill(running.process.pid, signal.SIGHUP)
        running.line("the previous certificates stay in use")
        kill_worker(running)
        assert {served_name(port) for _ in range(6)} == {"two.example"}
        assert running.stopped() == 0


def served_name(port: int) -> str:
    """Return the name in the certificate that a session gets."""
    words = ["openssl", "s_client", "-starttls", "ftp", "-connect", f"127.0.0.1:{port}"]
    ended = subprocess.run(words, input=b"QUIT\r\n", capture_output=True, timeout=PATIENCE)
    for line in ended.stdout.decode("utf-8", "replace").splitlines():
        if line.startswith("subject="):
            return line.rpartition("=")[2].strip()
    raise AssertionError(ended)


def test_an_account_that_is_locked_loses_its_sessions_in_all_workers(served: Program) -> None:
    with ExitStack() as stack:
        clients = list(spread_sessions(served, stack, "leaver").values())
        accounts, changed = served.directory / "accounts", served.directory / "new"
        changed.write_text(accounts.read_text().replace("leaver:$", "leaver:!$"))
        changed.rename(accounts)
        for client in clients:
            with pytest.raises(ftplib.error_temp, match="421"):
                client.voidresp()


def test_the_doctor_sees_that_a_worker_resumes_its_tls_sessions(served: Program) -> None:
    texts = [found.text for found in check_service(ServicePort("127.0.0.1", served.port()))]
    assert "TLS sessions are reused" in texts


def test_metrics_show_workers_and_their_sessions(served: Program) -> None:
    with ExitStack() as stack:
        place = served.line(r"(http://127\.0\.0\.1:\d+/)")[1]
        clients = spread_sessions(served, stack)

        def metrics() -> dict[str, float]:
            with urllib.request.urlopen(f"{place}metrics", timeout=PATIENCE) as answer:
                lines = answer.read().decode().splitlines()
            pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
            return {name: float(value) for name, _, value in pairs}

        found = metrics()
        assert found["ftpservice_workers"] == 2
        restarts = found["ftpservice_worker_restarts_total"]
        idle = 'ftpservice_sessions{protocol="ftp",state="idle"}'
        wait_for(lambda: metrics()[idle] >= len(clients))
        by_worker = [v for k, v in metrics().items() if k.startswith("ftpservice_worker_sessions{")]
        assert sum(by_worker) == metrics()[idle]
        lag = [name for name in metrics() if name.startswith("ftpservice_worker_reactor_lag_sec")]
        assert len(lag) == 2
        kill_worker(served)
        assert metrics()["ftpservice_worker_restarts_total"] == restarts + 1
