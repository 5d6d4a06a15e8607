"""Two machines with one JuiceFS: the locks of the one that dies end, and its upload is resumed."""

from __future__ import annotations

import ftplib
import io
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from tests.support.juicefs import juicefs_format, juicefs_mount, juicefs_program
from tests.support.postgresql import PASSWORD, USER, PostgreSQL, postgresql_directory
from tests.support.restartable_service import noise
from tests.support.service_process import Program
from tests.support.worker_service import login, wait_for, write_accounts

pytestmark = [
    pytest.mark.skipif(juicefs_program() is None, reason="juicefs is not installed"),
    pytest.mark.skipif(postgresql_directory() is None, reason="PostgreSQL is not installed"),
]
HEARTBEAT = 2
LONGEST = 60.0
"""A session of JuiceFS expires after five heartbeats, and is looked for within some more."""
COMMAND = (sys.executable, "-c", "from ftpservice.admin.cli import main; main()", "serve")
SENT = noise(3_000_000)
HALF = len(SENT) // 2


@contextmanager
def machine(place: str, folder: Path) -> Iterator[tuple[int, Program]]:
    """Mount the filesystem at ``folder``, and serve it; yields the mount's process, the service."""
    folder.mkdir()
    write_accounts(folder)
    options = ("--enable-xattr", f"--heartbeat={HEARTBEAT}")
    with juicefs_mount(place, folder / "mounted", *options) as mount:
        words = [
            *(*COMMAND, "--allow-root", "--tls=off", "--listen=tcp:0:interface=127.0.0.1"),
            *("--auth=passwd:accounts", f"--root=local:{folder / 'mounted'}:timeout=10s"),
        ]
        with Program(words, folder) as service:
            yield mount, service


@pytest.fixture
def place(tmp_path: Path) -> Iterator[str]:
    """The metadata of a filesystem."""
    with PostgreSQL() as server:
        database = f"{USER}:{PASSWORD}@127.0.0.1:{server.port}/{server.new_database()}"
        metadata = f"postgres://{database}?sslmode=disable"
        juicefs_format(metadata, "file", "--bucket", f"{tmp_path}/blocks/")
        yield metadata


def test_an_upload_of_a_dead_machine_is_resumed_when_its_lock_has_ended(
    place: str, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        mount, first = stack.enter_context(machine(place, tmp_path / "first"))
        _mount, second = stack.enter_context(machine(place, tmp_path / "second"))
        client = stack.enter_context(closing(login(first.port())))
        client.voidcmd("TYPE I")
        data = stack.enter_context(client.transfercmd("STOR file"))
        data.sendall(SENT[:HALF])
        other = stack.enter_context(closing(login(second.port())))
        hidden = tmp_path / "second" / "mounted"
        wait_for(lambda: [one.stat().st_size for one in hidden.glob(".ftpservice.*")] == [HALF])
        began = time.monotonic()
        for process in (mount, first.process.pid):
            os.killpg(process, signal.SIGKILL)
        refused = set()
        while True:
            try:
                other.storbinary("STOR file", io.BytesIO(SENT[HALF:]), rest=HALF)
                break
            except ftplib.error_temp as refusal:
                refused.add(str(refusal)[:3])
                assert time.monotonic() - began < LONGEST
                time.sleep(0.2)
        assert refused == {"450"}
        received = io.BytesIO()
        other.retrbinary("RETR file", received.write)
        assert received.getvalue() == SENT
