"""The service is killed during an upload over a file, and a client resumes: no file is mixed.

Real clients take what SIZE replies for what has arrived of their upload. The service that they
connect to again is another process.
"""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.client_programs import program, run
from tests.support.restartable_service import RestartableService, hidden, noise, visible
from tests.support.worker_service import serving, spread_sessions, write_accounts

LOCAL = "127.0.0.1"
NEW = noise(2 << 20, 3)
OLD = {"smaller": noise(20_000, 1), "larger": noise(3 << 20, 2)}
SENT = (0, 1, 64 << 10, 1 << 20)
EVERY = pytest.mark.parametrize("sent", SENT)
CLIENTS = pytest.mark.parametrize(
    ("client", "old"), [("curl", "larger"), ("lftp", "smaller"), ("lftp", "larger")]
)


def resume(client: str, port: int, here: Path) -> None:
    """Upload the file with a program that resumes where SIZE says that the upload was cut."""
    (here / "file").write_bytes(NEW)
    place = f"set ftp:ssl-allow no; set net:reconnect-interval-base 1; open -u demo,demo -p {port}"
    ways = {
        "curl": ["-sS", "-C", "-", "-T", "file", f"ftp://demo:demo@{LOCAL}:{port}/file"],
        "lftp": ["--norc", "-c", f"{place} {LOCAL}; put -c file"],
    }
    run([program(client), *ways[client]], here, cwd=here)


@pytest.fixture
def service(tmp_path: Path) -> RestartableService:
    return RestartableService(tmp_path)


@CLIENTS
@EVERY
def test_a_client_resumes_what_a_killed_service_has_left(
    service: RestartableService, tmp_path: Path, client: str, old: str, sent: int
) -> None:
    (service.root / "file").write_bytes(OLD[old])
    with service.open():
        service.begun(service.session(), "STOR file", NEW[:sent])
        os.kill(service.process, signal.SIGKILL)
    assert visible(service.root) == {"file": OLD[old]}
    with service.open():
        resume(client, service.port, tmp_path)
    assert visible(service.root) == {"file": NEW}
    assert not hidden(service.root)


@EVERY
def test_only_the_client_of_a_killed_service_gets_the_size_of_what_arrived(
    service: RestartableService, sent: int
) -> None:
    (service.root / "file").write_bytes(OLD["larger"])
    with service.open():
        service.begun(service.session(), "STOR file", NEW[:sent])
        os.kill(service.process, signal.SIGKILL)
    with service.open():
        away = service.session(source="127.0.0.2")
        size = str(len(OLD["larger"]))
        assert away.ask("SIZE file").text == size
        assert away.code(f"REST {size}") == 350
        for command in ("STOR file", "APPE file"):
            with away.data():
                assert away.code(command) == 554
        here = service.session()
        assert int(here.ask("SIZE file").text) <= sent  # the last of it may not be on the disk
        with here.data():
            assert here.code("RETR file") == 450
        assert here.ask("SIZE file").text == size
        assert here.download("RETR file") == OLD["larger"]
    with service.open():
        assert service.session().ask("SIZE file").text == size


@pytest.mark.parametrize(("client", "sent"), [("curl", 0), ("lftp", 64 << 10)])
def test_a_client_resumes_at_another_worker(tmp_path: Path, client: str, sent: int) -> None:
    write_accounts(tmp_path)
    root = tmp_path / "files"
    root.mkdir()
    (root / "file").write_bytes(OLD["larger"])
    with serving(tmp_path, f"--root=local:{root}") as running, ExitStack() as stack:
        sessions = spread_sessions(running, stack)
        victim = next(iter(sessions))
        uploading, resuming = sessions.values()
        uploading.voidcmd("TYPE I")
        data = stack.enter_context(uploading.transfercmd("STOR file"))
        data.sendall(NEW[:sent])
        os.kill(victim, signal.SIGKILL)
        resuming.voidcmd("TYPE I")
        assert (resuming.size("file") or 0) <= sent
        resume(client, running.port(), tmp_path)
    assert visible(root) == {"file": NEW}
    assert not hidden(root)
