"""The program of a running service is replaced by the installed one, while sessions go on."""

from __future__ import annotations

import filecmp
import ftplib
import io
import os
import random
import shutil
import signal
import subprocess
import threading
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.account_service import COMMAND
from tests.support.service_process import CHECKOUT, PATIENCE, Program, checkout_environment
from tests.support.worker_service import (
    ACCOUNTS,
    CONTENT,
    LOOPBACK,
    SERVE,
    ask,
    can_log_in,
    children,
    is_alive,
    login,
    process_of,
    wait_for,
)

LARGE, FILES, WORKERS = 64 << 20, 200, 2
PIECE, PIECE_SECONDS = 64 * 1024, 0.25
OPTIONS = (LOOPBACK, ACCOUNTS, "--grace=20")


pytestmark = pytest.mark.usefixtures("accounts")


def upgrade(directory: Path) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    return subprocess.run(
        [*COMMAND, "upgrade", "--socket", "var/control.sock"],
        cwd=directory,
        env=checkout_environment(),
        timeout=4 * PATIENCE,
        capture_output=True,
        text=True,
        check=False,
    )


def test_new_workers_serve_new_sessions_and_idle_ones_get_421(
    running: Program, tmp_path: Path
) -> None:
    before = set(children(running.process.pid))
    with closing(login(running.port())) as idle:
        done = upgrade(tmp_path)
        assert done.returncode == 0, done.stderr + running.output
        assert done.stdout.startswith("upgraded to ")
        with pytest.raises(ftplib.error_temp, match="421 The service was upgraded"):
            idle.voidcmd("NOOP")
    wait_for(lambda: not any(is_alive(number) for number in before))
    after = set(children(running.process.pid))
    assert len(after) == 2
    with closing(login(running.port())) as client:
        assert process_of(client, running) in after
        client.storbinary("STOR there", io.BytesIO(CONTENT))
        wait_for(lambda: len(ask(tmp_path, "who")) == 1)
    assert running.stopped(signal.SIGTERM) == 0
    assert "Traceback" not in running.output


def test_draining_goes_on_over_an_upgrade(running: Program, tmp_path: Path) -> None:
    assert not ask(tmp_path, "drain")["accepts"]
    assert_upgraded(tmp_path, running)
    assert not ask(tmp_path, "drain", ask=True)["accepts"]
    with pytest.raises(ftplib.error_temp, match="421"):
        login(running.port())
    assert ask(tmp_path, "drain", undo=True)["accepts"]
    wait_for(lambda: can_log_in(running.port()))  # the worker hears of it after the command
    assert_upgraded(tmp_path, running)
    assert ask(tmp_path, "drain", ask=True)["accepts"]


class SlowUpload:
    """Uploads a file, slowly until `hurry`, in a thread."""

    def __init__(self, port: int, source: Path) -> None:
        self._client = login(port)
        self._client.voidcmd("TYPE I")
        self._data = self._client.transfercmd(f"STOR {source.name}")
        self._hurries = threading.Event()
        self._source = source
        self.reply = ""
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def hurry(self) -> None:
        """Send the rest as fast as possible, and wait for the reply."""
        self._hurries.set()
        self._thread.join(4 * PATIENCE)

    def _run(self) -> None:
        with self._source.open("rb") as file, closing(self._data):
            while piece := file.read(PIECE):
                self._data.sendall(piece)
                self._hurries.wait(PIECE_SECONDS)
        self.reply = self._client.voidresp()
        self._client.close()


def test_an_upload_and_a_mirror_go_on_over_two_upgrades(running: Program, tmp_path: Path) -> None:
    """The workers of before finish what they have; ``who`` shows it all the time."""
    port = running.port()
    source, tree = tmp_path / "large", tmp_path / "tree"
    source.write_bytes(random.Random(2).randbytes(LARGE // 16) * 16)
    tree.mkdir()
    for number in range(FILES):
        (tree / f"{number}").write_bytes(random.Random(number).randbytes(20_000))
    upload = SlowUpload(port, source)
    settings = "set ftp:ssl-allow no; set net:reconnect-interval-base 1;"
    source_and_target = f"mirror -R --parallel=2 {tree} tree"
    mirror = subprocess.Popen(
        ["lftp", "-c", f"{settings} open -u demo,demo ftp://127.0.0.1:{port}/; {source_and_target}"]
    )
    try:
        for _ in range(2):
            assert_upgraded(tmp_path, running)
            assert not upload.reply
            transfers = [one["transfer"] for one in ask(tmp_path, "who") if one["transfer"]]
            assert "/large" in [one["path"] for one in transfers]
        assert len(children(running.process.pid)) > WORKERS
    finally:
        upload.hurry()
        status = mirror.wait(4 * PATIENCE)
    assert upload.reply.startswith("226")
    assert status == 0
    served = tmp_path / "var" / "files"
    assert filecmp.cmp(served / "large", source, shallow=False)
    assert len(list((served / "tree").iterdir())) == FILES
    for one in tree.iterdir():
        assert filecmp.cmp(served / "tree" / one.name, one, shallow=False)
    wait_for(lambda: len(children(running.process.pid)) == WORKERS)
    running.line(rf"uploaded /large: complete, {LARGE} bytes")
    assert running.stopped(signal.SIGTERM) == 0
    assert "Traceback" not in running.output
    assert "were lost" not in running.output


def test_a_version_that_does_not_start_changes_nothing(tmp_path: Path) -> None:
    code = tmp_path / "code"
    shutil.copytree(CHECKOUT / "ftpservice", code / "ftpservice")
    shutil.copytree(CHECKOUT / "twisted", code / "twisted")
    settings = tmp_path / "settings"
    settings.write_text('workers = 2\nlisten = ["tcp:0:interface=127.0.0.1"]\n')
    environment = checkout_environment() | {"PYTHONPATH": str(code)}
    command = [*SERVE[:-1], ACCOUNTS, "--config=settings"]
    with Program(command, tmp_path, environment) as running:
        before = set(children_when_ready(running))
        with closing(login(running.port())) as client:
            descriptors = descriptors_of(running)
            settings.write_text(settings.read_text() + "grace = no\n")
            assert_nothing_changed(upgrade(tmp_path), "settings")
            text = settings.read_text().replace("grace = no\n", "")
            for count, reason in ((1, "an upgrade needs"), (5, "only 4 more may run")):
                settings.write_text(text.replace("workers = 2", f"workers = {count}"))
                assert_nothing_changed(upgrade(tmp_path), f"--workers {count}: {reason}")
            settings.write_text(text)
            version = code / "ftpservice" / "workers" / "process" / "worker_process.py"
            working = version.read_text()
            version.write_text(f"{working}\nthis is no Python\n")
            assert_nothing_changed(upgrade(tmp_path), "a worker ended")
            tap = code / "ftpservice" / "service" / "tap.py"
            version.write_text(working)
            tap.write_text(f"{tap.read_text()}\nthis is no Python\n")
            assert_nothing_changed(upgrade(tmp_path), "SyntaxError")
            wait_for(lambda: descriptors_of(running) == descriptors)
            client.storbinary("STOR there", io.BytesIO(CONTENT))
        assert set(children(running.process.pid)) == before
        assert running.stopped(signal.SIGTERM) == 0


def test_an_upgrade_changes_the_number_of_workers(tmp_path: Path) -> None:
    """Limits hold all the time: a session of before counts."""
    settings = tmp_path / "settings"
    text = 'workers = {}\nlisten = ["tcp:0:interface=127.0.0.1"]\nmax-sessions-per-user = 2\n'
    settings.write_text(text.format(2))

    def assert_changed(running: Program, count: int) -> None:
        settings.write_text(text.format(count))
        assert_upgraded(tmp_path, running)
        wait_for(lambda: len(children(running.process.pid)) == count + 1)
        with closing(login(running.port())), pytest.raises(ftplib.error_temp, match="421"):
            login(running.port())
        wait_for(lambda: len(ask(tmp_path, "who")) == 1)

    command = [*SERVE[:-1], ACCOUNTS, "--config=settings"]
    with Program(command, tmp_path) as running, closing(login(running.port())) as client:
        client.voidcmd("TYPE I")
        data = client.transfercmd("STOR slow")
        data.sendall(CONTENT)
        assert_changed(running, 3)
        assert_changed(running, 2)
        data.close()
        assert client.voidresp().startswith("226")
        wait_for(lambda: len(children(running.process.pid)) == 2)
        assert running.stopped(signal.SIGTERM) == 0
        assert "Traceback" not in running.output


def test_a_killed_start_of_the_new_version_changes_nothing(
    running: Program, tmp_path: Path
) -> None:
    before = set(children(running.process.pid))
    results: list[Any] = []
    asking = threading.Thread(target=lambda: results.append(upgrade(tmp_path)))
    with closing(login(running.port())) as client:
        descriptors = descriptors_of(running)
        asking.start()
        wait_for(lambda: set(children(running.process.pid)) - before)
        (new,) = set(children(running.process.pid)) - before
        os.kill(new, signal.SIGKILL)
        asking.join(4 * PATIENCE)
        assert_nothing_changed(results[0], "")
        wait_for(lambda: descriptors_of(running) == descriptors)
        client.storbinary("STOR there", io.BytesIO(CONTENT))
    assert set(children(running.process.pid)) == before
    assert upgrade(tmp_path).returncode == 0
    assert running.stopped(signal.SIGTERM) == 0


def test_one_process_says_what_to_do_instead(tmp_path: Path) -> None:
    with Program([*SERVE[:-1], *OPTIONS], tmp_path) as running:
        running.port()
        assert_nothing_changed(upgrade(tmp_path), "workers")
        assert running.stopped(signal.SIGTERM) == 0


def descriptors_of(running: Program) -> Counter[str]:
    """Return how many pipes, memories and other descriptors without a file the main process has."""
    found: list[str] = []
    for one in Path(f"/proc/{running.process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found.append(os.readlink(one))
    kinds = ("pipe:", "anon_inode:", "/memfd:")
    return Counter(one.partition("[")[0] for one in found if one.startswith(kinds))


def assert_upgraded(directory: Path, running: Program) -> None:
    """Run the command, which must succeed."""
    done = upgrade(directory)
    assert done.returncode == 0, done.stderr + running.output


def children_when_ready(running: Program) -> list[int]:
    running.port()
    return children(running.process.pid)


def assert_nothing_changed(done: subprocess.CompletedProcess[str], reason: str) -> None:
    assert done.returncode == 1, done.stdout
    assert reason in done.stderr, done.stderr
