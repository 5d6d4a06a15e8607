"""A run of tests that is killed leaves no processes, mounts and directories behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.postgresql import postgresql_directory
from tests.support.run_watcher import end_with_run
from tests.support.service_process import checkout_environment
from tests.support.unprivileged import needs_root
from tests.support.worker_service import is_alive, wait_for

PATIENCE = 60.0
PROLOGUE = """
import json, os, signal, subprocess, sys, time
from contextlib import ExitStack
from pathlib import Path
from tests.support import fuse_mount, postgresql, run_watcher, s3_servers
os.environ.update(s3_servers.SETTINGS)
stack, here = ExitStack(), Path(sys.argv[1])
"""
EPILOGUE = """
print(json.dumps(found), flush=True)
time.sleep(600)
"""
FAMILY = """
words = [sys.executable, "-c", "import subprocess; subprocess.run(['sleep', '600'])"]
parent = run_watcher.end_with_run(subprocess.Popen(words, start_new_session=True))
children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
while not children.read_text():
    time.sleep(0.01)
stopped = run_watcher.end_with_run(subprocess.Popen(["sleep", "600"], start_new_session=True))
stopped.send_signal(signal.SIGSTOP)
found = {"processes": [parent.pid, int(children.read_text()), stopped.pid]}
"""
DATABASE = """
server = stack.enter_context(postgresql.PostgreSQL())
connection = server.connect()
found = {"processes": [server.pid, *postgresql.children(server.pid)], "path": str(server.directory)}
"""
BUCKET = """
stack.enter_context(s3_servers.seaweed_server(str(here)))
(found_pid,) = postgresql.children(os.getpid())[1:]
found = {"processes": [found_pid], "path": str(next(here.glob("ftpservice-weed-*")))}
"""
MOUNT = """
mountpoint, number = stack.enter_context(fuse_mount.loopback_process(here))
found = {"processes": [number], "mounts": [str(mountpoint), str(here / "source")]}
"""
ORPHAN = """
found = {"processes": [os.getpid(), run_watcher.watch_run().pid]}
"""


@contextmanager
def run_of(code: str, directory: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Run ``code`` as the tests do; yields the process and what it has ``found``."""
    words = [sys.executable, "-c", PROLOGUE + code + EPILOGUE, str(directory)]
    with subprocess.Popen(
        words, env=checkout_environment(), stdout=subprocess.PIPE, text=True
    ) as run:
        end_with_run(run)
        try:
            assert run.stdout is not None
            yield run, json.loads(run.stdout.readline())
        finally:
            run.kill()


def mounts() -> str:
    return Path("/proc/self/mounts").read_text()


def wait_until_gone(found: dict[str, Any]) -> None:
    path, places = found.get("path"), found.get("mounts", ())

    def is_gone() -> bool:
        return not (
            any(map(is_alive, found["processes"]))
            or (path is not None and os.path.exists(path))
            or any(place in mounts() for place in places)
        )

    wait_for(is_gone, str(found), PATIENCE)


def test_processes_and_what_they_have_started_end_also_stopped_ones(tmp_path: Path) -> None:
    with run_of(FAMILY, tmp_path) as (run, found):
        assert all(map(is_alive, found["processes"]))
        run.kill()
        wait_until_gone(found)


def test_a_run_that_is_ended_by_a_signal_leaves_nothing_either(tmp_path: Path) -> None:
    with run_of(FAMILY, tmp_path) as (run, found):
        run.send_signal(signal.SIGTERM)
        wait_until_gone(found)


def test_a_database_ends_and_its_directory_is_removed(tmp_path: Path) -> None:
    if postgresql_directory() is None:
        pytest.skip("postgresql is not installed")
    with run_of(DATABASE, tmp_path) as (run, found):
        assert len(found["processes"]) > 1
        assert Path(found["path"], "data").is_dir()
        run.kill()
        wait_until_gone(found)


def test_the_server_of_a_bucket_ends(tmp_path: Path) -> None:
    with run_of(BUCKET, tmp_path) as (run, found):
        assert all(map(is_alive, found["processes"]))
        run.kill()
        wait_until_gone(found)


@needs_root
@pytest.mark.parametrize("hangs", [False, True])
def test_mounts_are_undone(tmp_path: Path, hangs: bool) -> None:
    """Also those of a server that does not end when it is told to."""
    with run_of(MOUNT, tmp_path) as (run, found):
        assert all(place in mounts() for place in found["mounts"])
        if hangs:
            os.kill(found["processes"][0], signal.SIGSTOP)
        run.kill()
        wait_until_gone(found)


def test_a_worker_whose_main_process_is_killed_ends(tmp_path: Path) -> None:
    """Without that it may wait for its threads for ever."""
    worker = [sys.executable, "-c", PROLOGUE + ORPHAN + EPILOGUE, str(tmp_path)]
    start = "import subprocess, sys; subprocess.run(sys.argv[1:])"
    with subprocess.Popen(
        [sys.executable, "-c", start, *worker],
        env=checkout_environment() | {"PYTEST_XDIST_WORKER": "gw0"},
        stdout=subprocess.PIPE,
        text=True,
    ) as main:
        end_with_run(main)
        assert main.stdout is not None
        found = json.loads(main.stdout.readline())
        assert all(map(is_alive, found["processes"]))
        main.kill()
        wait_until_gone(found)
