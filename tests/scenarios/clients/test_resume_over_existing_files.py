"""An interrupted upload over a file: the client ends with the complete new file or the old one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ftpservice.events import Event, TransferStarted
from tests.support.client_programs import program, run
from tests.support.interrupted_transfers import interrupt_upload, interrupting_network
from tests.support.raw_client import RunningService, in_thread, started, starting
from tests.support.trees import content

FIXTURES = (started, starting)
NEW = content(16 << 20)
OLD = b"A" * (3 << 20)
LOCAL = "127.0.0.1"


def words(client: str, port: int) -> list[str]:
    """Return the command that uploads the file, or resumes its upload."""
    place = f"set ftp:ssl-allow no; set net:reconnect-interval-base 1; open -u demo,demo -p {port}"
    ways = {
        "curl": ["-sS", "-C", "-", "-T", "file", f"ftp://demo:demo@{LOCAL}:{port}/file"],
        "lftp": ["--norc", "-c", f"{place} {LOCAL}; put -c file"],
    }
    return [program(client), *ways[client]]


@pytest.fixture
def here(served: RunningService, tmp_path: Path) -> Path:
    (served.root / "file").write_bytes(OLD)
    (tmp_path / "file").write_bytes(NEW)
    return tmp_path


def is_whole(served: RunningService) -> bool:
    """Return whether the new file is there, and nothing else."""
    return os.listdir(served.root) == ["file"] and (served.root / "file").read_bytes() == NEW


@pytest.mark.parametrize("client", ["curl", "lftp"])
@in_thread
def test_a_client_resumes_an_interrupted_upload(
    served: RunningService, here: Path, client: str
) -> None:
    interrupt_upload(served, "file", NEW[: 1 << 20])
    run(words(client, served.port), here, cwd=here)
    assert is_whole(served)


@in_thread
def test_lftp_resumes_by_itself(served: RunningService, here: Path) -> None:
    place = "set ftp:ssl-allow no; set net:reconnect-interval-base 1; set net:limit-rate 0:30M; "
    command = f"{place}open -u demo,demo -p {served.port} {LOCAL}; put file"
    with interrupting_network(served):
        run([program("lftp"), "--norc", "-c", command], here, cwd=here)
    assert is_whole(served)


@pytest.mark.parametrize("old", [12_717, 100_000], ids=["smaller", "larger"])
@in_thread
def test_lftp_begins_anew_if_nothing_has_arrived(
    served: RunningService, here: Path, old: int
) -> None:
    """It asks for the size of the file, and takes that for what has arrived.

    The file fits into one buffer of lftp: of a larger one, lftp 4.9.2 may send a wrong buffer first
    when it begins anew, to any server.
    """
    (served.root / "file").write_bytes(OLD[:old])
    (here / "file").write_bytes(NEW[:60_000])
    cut: list[Event] = []

    def cut_first(event: Event) -> None:
        cut.append(event)
        if len(cut) == 1:
            for session in served.factory.instances:
                session.context.running.abort()
                session.transport.abortConnection()

    events = served.factory.event_sink.events
    served.in_reactor(lambda: events.subscribe(cut_first, TransferStarted))
    place = "set ftp:ssl-allow no; set net:reconnect-interval-base 1"
    command = f"{place}; open -u demo,demo -p {served.port} {LOCAL}; put file"
    run([program("lftp"), "--norc", "-c", command], here, cwd=here)
    assert len(cut) == 2
    assert os.listdir(served.root) == ["file"]
    assert (served.root / "file").read_bytes() == NEW[:60_000]


@pytest.mark.parametrize("client", ["curl", "lftp"])
@in_thread
def test_a_client_does_not_resume_an_upload_of_which_nothing_has_arrived(
    served: RunningService, here: Path, client: str
) -> None:
    interrupt_upload(served, "file", b"")
    run(words(client, served.port), here, cwd=here)
    assert is_whole(served)


@in_thread
def test_nobody_resumes_at_the_end_of_the_file_if_nothing_has_arrived(
    served: RunningService, here: Path
) -> None:
    interrupt_upload(served, "file", b"")
    for size in ("SIZE file", "NOOP", "SIZE file"):
        wire = served.session()
        assert wire.code("TYPE I") == 200
        wire.ask(size)
        for command in (f"REST {len(OLD)}", "REST 7"):
            assert wire.code(command) == 350
            with wire.accepted():
                assert wire.ask("STOR file").text.startswith("Nothing was kept")
        wire.drop()
    other = served.session()
    with other.accepted():
        refused = other.ask("APPE file")
    assert (refused.code, refused.text.startswith("Nothing was kept")) == (554, True)
    assert (served.root / "file").read_bytes() == OLD
    assert other.upload("STOR file", b"new").code == 226
    assert other.ask("SIZE file").text == "3"
    assert (served.root / "file").read_bytes() == b"new"


@in_thread
def test_a_session_that_downloads_gets_the_size_of_the_file(
    served: RunningService, here: Path
) -> None:
    interrupt_upload(served, "file", b"")
    wire = served.session()
    assert wire.code("TYPE I") == 200
    assert wire.ask("SIZE file").text == "0"
    with wire.accepted():
        assert wire.code("RETR file") == 450
    assert wire.ask("SIZE file").text == str(len(OLD))
    assert wire.download("RETR file") == OLD


@pytest.mark.parametrize("client", ["curl", "lftp"])
@in_thread
def test_a_late_resume_does_not_mix_files(served: RunningService, here: Path, client: str) -> None:
    """Another session has asked for the size of the partial upload before."""
    interrupt_upload(served, "file", NEW[: 1 << 20])
    first = served.session()
    assert first.code("TYPE I") == 200
    assert first.ask("SIZE file").text == str(1 << 20)
    done = run(words(client, served.port), here, cwd=here, status=None)
    if done.returncode == 0:
        assert is_whole(served)
    else:
        assert (served.root / "file").read_bytes() == OLD


@in_thread
def test_curl_does_not_resume_from_the_old_file(served: RunningService, here: Path) -> None:
    interrupt_upload(served, "file", NEW[: 1 << 20])
    away = here / "away"
    away.mkdir()
    command = [program("curl"), "-sS", "-o", "file", f"ftp://demo:demo@{LOCAL}:{served.port}/file"]
    run(command, here, cwd=away, status=None)
    run(command, here, cwd=away)
    assert (away / "file").read_bytes() == OLD
