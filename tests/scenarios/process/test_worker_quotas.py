"""Quotas hold over several workers, also when one is killed in the middle of an upload."""

from __future__ import annotations

import ftplib
import http.client
import io
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from tests.support.service_process import PATIENCE, Program, checkout_environment
from tests.support.worker_service import FAST_HASH, process_of, serving, wait_for

BYTES, FILES = 1_000_000, 12
ROUNDS = 30
SESSIONS = 8
COMMAND = str(Path(sys.executable).parent / "ftpservice")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """A service with three workers; each test has an account of its own."""
    directory = tmp_path_factory.mktemp("service")
    (directory / "accounts").write_text(
        "".join(
            f"{name}:{FAST_HASH}:/{name}:full:quota={BYTES}\n"
            for name in ("race", "names", "held", "load", "shown")
        )
        + f"files:{FAST_HASH}:/files:full:quota-files={FILES}\n"
    )
    web = ("--http=tcp:0:interface=127.0.0.1", "--metrics=on", "--tls=off")
    with serving(directory, "--workers=3", *web, "--allow-plaintext") as program:
        yield program


@pytest.fixture
def root(running: Program) -> Path:
    return running.directory / "var" / "files"


def login(running: Program, name: str) -> ftplib.FTP:
    with ExitStack() as undo:
        client = undo.enter_context(closing(ftplib.FTP()))
        client.connect("127.0.0.1", running.port(), timeout=PATIENCE)
        client.login(name, "demo")
        client.voidcmd("TYPE I")
        undo.pop_all()
    return client


def sessions_of(running: Program, name: str, stack: ExitStack) -> list[ftplib.FTP]:
    """Return sessions of an account, in at least two workers: all may be new ones."""
    found: list[ftplib.FTP] = []

    def is_spread() -> bool:
        while found:
            found.pop().close()
        found.extend(login(running, name) for _ in range(SESSIONS))
        return len({process_of(client, running) for client in found}) > 1

    stack.callback(lambda: [client.close() for client in found])
    wait_for(is_spread)
    return found


def upload(client: ftplib.FTP, name: str, size: int) -> bool:
    """Upload a file of an announced size; tell whether there was room for it."""
    client.voidcmd(f"ALLO {size}")
    try:
        client.storbinary(f"STOR {name}", io.BytesIO(bytes(size)))
    except ftplib.error_perm as error:
        assert str(error).startswith("552"), error
        return False
    return True


def used(client: ftplib.FTP) -> tuple[int, int]:
    """Return the bytes and files that the service says are in use."""
    reply = client.sendcmd("SITE QUOTA")
    sizes, files = (re.search(rf"Uploaded {one}: *(\d+)", reply) for one in ("bytes", "files"))
    assert sizes is not None and files is not None, reply
    return int(sizes[1]), int(files[1])


def on_disk(folder: Path) -> tuple[int, int]:
    """Return the bytes and files in a directory, with partial uploads that are not empty."""
    sizes = []
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                sizes.append((entry.name.startswith(".ftpservice."), entry.stat().st_size))
    counted = [size for is_partial, size in sizes if size or not is_partial]
    return sum(counted), len(counted)


class Watch:
    """Looks at a directory all the time; ``most`` are the most bytes and files that it had."""

    def __init__(self, folder: Path) -> None:
        self.most = (0, 0)
        self._folder = folder
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ends.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ends.wait(0.001):
            now = on_disk(self._folder)
            self.most = (max(self.most[0], now[0]), max(self.most[1], now[1]))


def race(
    clients: list[ftplib.FTP], sizes: Callable[[], int]
) -> list[tuple[ftplib.FTP, str, int, bool]]:
    """Have every session upload one file at the same time."""
    begin = threading.Barrier(len(clients), timeout=PATIENCE)

    def run(number: int) -> tuple[ftplib.FTP, str, int, bool]:
        size = sizes()
        begin.wait()
        return clients[number], f"f{number}", size, upload(clients[number], f"f{number}", size)

    with ThreadPoolExecutor(len(clients)) as pool:
        return list(pool.map(run, range(len(clients))))


def remove(done: list[tuple[ftplib.FTP, str, int, bool]]) -> None:
    """Remove what was stored in a race."""
    for client, name, _, was_stored in done:
        if was_stored:
            client.delete(name)


def test_uploads_of_all_workers_race_for_the_last_bytes(running: Program, root: Path) -> None:
    """The files never exceed the quota, and no upload is refused that has room."""
    chance = random.Random(1)
    with ExitStack() as stack:
        clients = sessions_of(running, "race", stack)
        watch = stack.enter_context(Watch(root / "race"))
        for _ in range(ROUNDS):
            done = race(clients, lambda: chance.randrange(50_000, 300_000))
            stored = sum(size for _, _, size, was_stored in done if was_stored)
            refused = [size for _, _, size, was_stored in done if not was_stored]
            assert stored <= BYTES
            assert all(size > BYTES - stored for size in refused), (stored, refused)
            assert used(clients[0]) == (stored, len(done) - len(refused))
            assert on_disk(root / "race")[0] == stored
            remove(done)
        assert used(clients[-1]) == (0, 0)
    assert watch.most[0] <= BYTES


def test_uploads_of_all_workers_race_for_the_last_files(running: Program, root: Path) -> None:
    with ExitStack() as stack:
        clients = sessions_of(running, "files", stack)
        for number in range(FILES - 3):
            assert upload(clients[0], f"there{number}", 10)
        for _ in range(ROUNDS):
            done = race(clients, lambda: 100)
            assert sum(was_stored for *_, was_stored in done) == 3
            assert used(clients[0])[1] == on_disk(root / "files")[1] == FILES
            remove(done)


def test_two_workers_write_to_the_same_name(running: Program, root: Path) -> None:
    chance = random.Random(2)
    with ExitStack() as stack:
        clients = sessions_of(running, "names", stack)
        begin, answers = threading.Barrier(SESSIONS, timeout=PATIENCE), []

        def run(client: ftplib.FTP) -> None:
            for _ in range(20):
                begin.wait()
                try:
                    upload(client, f"name{chance.randrange(2)}", chance.randrange(1000, 100_000))
                except ftplib.error_temp as error:
                    answers.append(str(error))

        with ThreadPoolExecutor(SESSIONS) as pool:
            list(pool.map(run, clients))
        assert set(answers) <= {"450 It is being uploaded by another session."}
        assert used(clients[0]) == on_disk(root / "names")
        assert {one.name for one in (root / "names").iterdir()} == {"name0", "name1"}


def begin_upload(client: ftplib.FTP, name: str, announced: int, size: int) -> socket.socket:
    """Begin an upload, and send ``size`` bytes of it."""
    client.voidcmd(f"ALLO {announced}")
    data = client.transfercmd(f"STOR {name}")
    data.sendall(bytes(size))
    return data


def test_what_a_killed_worker_held_is_free_at_once(running: Program, root: Path) -> None:
    """Its partial upload counts, and what it had held beyond that does not."""
    with ExitStack() as stack:
        clients = sessions_of(running, "held", stack)
        by_worker = {process_of(client, running): client for client in clients}
        (victim, first), (_, second), *_ = by_worker.items()
        assert upload(second, "there", 1000)
        data = stack.enter_context(begin_upload(first, "late", 900_000, 300_000))
        wait_for(lambda: on_disk(root / "held")[0] == 301_000)
        assert not upload(second, "other", 200_000)
        os.kill(victim, signal.SIGKILL)
        with pytest.raises((EOFError, OSError)):
            first.voidresp()
        running.line(rf"worker {victim} has ended \(signal 9\)")
        assert upload(second, "other", 650_000)
        assert not upload(second, "more", 60_000)
        assert used(second) == on_disk(root / "held") == (951_000, 3)
        data.close()
        again = stack.enter_context(closing(login(running, "held")))
        again.sendcmd("REST 300000")
        again.storbinary("STOR late", io.BytesIO(bytes(10_000)))
        assert used(again) == on_disk(root / "held") == (961_000, 3)


def store_and_remove(running: Program, ends: threading.Event, seed: int) -> None:
    """Replace and remove files, in sessions that may be killed."""
    chance = random.Random(seed)
    while not ends.is_set():
        with suppress(OSError, EOFError, ftplib.Error), closing(login(running, "load")) as client:
            while not ends.is_set():
                replace_or_remove(client, f"f{chance.randrange(20)}", chance.randrange(100_000))


def replace_or_remove(client: ftplib.FTP, name: str, size: int) -> None:
    if not upload(client, name, size):
        client.delete(name)


def test_workers_are_killed_again_and_again_under_load(running: Program, root: Path) -> None:
    ends = threading.Event()
    with Watch(root / "load") as watch, ThreadPoolExecutor(6) as pool:
        done = [pool.submit(store_and_remove, running, ends, seed) for seed in range(6)]
        try:
            wait_for(lambda: watch.most[0] > BYTES // 2)
            for _ in range(4):
                kill_a_worker(running)
        finally:
            ends.set()
    assert [one.result() for one in done] == 6 * [None]
    # While files are removed, one look may find a file and later the one that has its room. A
    # killed upload over a file leaves both: its partial upload needed room for the difference only.
    sizes = {one.name: one.stat().st_size for one in (root / "load").iterdir()}
    files = [size for name, size in sizes.items() if not name.startswith(".ftpservice.")]
    assert sum(files) <= BYTES, sizes
    with closing(login(running, "load")) as client:
        wait_for(lambda: used(client) == on_disk(root / "load"))


def kill_a_worker(running: Program) -> None:
    with closing(login(running, "load")) as client:
        victim = process_of(client, running)
        os.kill(victim, signal.SIGKILL)
    running.line(rf"worker {victim} has ended")


def command(place: Path, *words: str) -> list[dict[str, object]]:
    """Ask the running service by the command, for JSON."""
    done = subprocess.run(
        [COMMAND, *words, "--json"],
        cwd=place,
        env=checkout_environment(),
        timeout=PATIENCE,
        capture_output=True,
        check=True,
    )
    found: list[dict[str, object]] = json.loads(done.stdout)
    return found


def metrics(running: Program) -> str:
    found = running.line(r"http://\S+?:(\d+)")
    with closing(http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=PATIENCE)) as web:
        web.request("GET", "/metrics")
        return web.getresponse().read().decode()


def stored_bytes(text: str) -> float:
    """Return what all accounts store, from the metrics."""
    found = re.search(r"(?m)^ftpservice_quota_used_bytes (\S+)$", text)
    assert found is not None, text
    return float(found[1])


def test_the_main_process_shows_what_its_workers_store(running: Program, root: Path) -> None:
    with ExitStack() as stack:
        clients = sessions_of(running, "shown", stack)
        before = stored_bytes(metrics(running))
        for number, client in enumerate(clients):
            assert upload(client, f"f{number}", 120_000)
        text = metrics(running)
        assert 'ftpservice_quota_used_ratio{account="shown"} 0.96' in text
        assert stored_bytes(text) == before + 960_000
        [shown] = command(running.directory, "quota", "show", "shown")
        assert (shown["bytes"], shown["files"], shown["quota_bytes"]) == (960_000, 8, BYTES)
        (root / "shown" / "f0").unlink()
        [shown] = command(running.directory, "quota", "recount", "shown")
        assert (shown["bytes"], shown["files"]) == (840_000, 7)
        assert used(clients[0]) == (840_000, 7)
        assert upload(clients[1], "f0", 160_000)
