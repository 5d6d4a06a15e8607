"""Clients behind a network that resets connections during a transfer."""

from __future__ import annotations

import ftplib
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred

from ftpservice.events import Outcome, TransferEnded
from tests.support.client_programs import program, run
from tests.support.ftplib_sessions import LOCAL, Login, download, login, upload
from tests.support.raw_client import RunningService, in_thread, reset, started, starting
from tests.support.relay_network import Network
from tests.support.trees import BIG, content

FIXTURES = (started, starting, login)
CUT = 24 << 20
"""More than the buffers on the way hold, so that something has certainly arrived."""
DATA = content(BIG)
HALF = 4 << 20
IN_CLEAR = "set ftp:ssl-allow no"
"""What keeps lftp from going under TLS."""

Connect = Callable[..., Network]
EITHER = pytest.mark.parametrize("cut_control", [False, True], ids=["data", "cut_control"])


@pytest.fixture(name="network")
def networks(served: RunningService) -> Iterator[Connect]:
    """Put relays before the service: ``network(*cuts, control=False)``, from a thread."""
    made: list[Network] = []

    def connect(*cuts: int, control: bool = False) -> Network:
        made.append(served.in_reactor(lambda: Network(served.port, *cuts, control=control)))
        return made[-1]

    yield connect
    for one in made:
        pytest_twisted.blockon(Deferred.fromCoroutine(one.close()))


@pytest.fixture
def endings(served: RunningService) -> list[TransferEnded]:
    """The ends of transfers."""
    ended: list[TransferEnded] = []

    def note(event: object) -> None:
        if isinstance(event, TransferEnded):
            ended.append(event)

    served.factory.event_sink.events.subscribe(note)
    return ended


def url(port: int) -> str:
    """Return the URL of the file."""
    return f"ftp://demo:demo@{LOCAL}:{port}/file"


def whole(directory: Path) -> bool:
    """Return whether the file is complete and the only one."""
    return os.listdir(directory) == ["file"] and (directory / "file").read_bytes() == DATA


def upload_cut(session: ftplib.FTP) -> None:
    """Upload the file; the upload must fail."""
    with pytest.raises((OSError, EOFError, ftplib.Error)):
        upload(session, "file", DATA)


def download_command(client: str, port: int) -> list[str]:
    """Return the command that downloads the file, or resumes its download."""
    ways = {
        "curl": ["-sS", "-C", "-", "-o", "file", url(port)],
        "wget": ["-nv", "--no-config", "--tries=3", "--waitretry=0", "-c", url(port)],
        "lftp": [
            "--norc",
            "-c",
            f"{IN_CLEAR}; set net:reconnect-interval-base 1; get -c {url(port)}",
        ],
        "ncftpget": ["-V", "-z", "-udemo", "-pdemo", f"-P{port}", LOCAL, ".", "/file"],
    }
    return [program(client), *ways[client]]


def upload_command(client: str, port: int) -> list[str]:
    """Return the command that uploads the file, or resumes it (not sendfile in ncftp)."""
    place = f"open -u demo,demo -p {port} {LOCAL}"
    ways = {
        "curl": ["-sS", "-C", "-", "-T", "file", url(port)],
        "lftp": ["--norc", "-c", f"{IN_CLEAR}; {place}; put -c file"],
        "ncftpput": ["-V", "-s", "-z", "-udemo", "-pdemo", f"-P{port}", LOCAL, "/", "file"],
    }
    return [program(client), *ways[client]]


@EITHER
@pytest.mark.parametrize("client", ["curl", "wget", "lftp", "ncftpget"])
@in_thread
def test_an_interrupted_download_is_resumed(
    served: RunningService, tmp_path: Path, network: Connect, client: str, cut_control: bool
) -> None:
    (served.root / "file").write_bytes(DATA)
    here = tmp_path / "here"
    here.mkdir()
    cut = network(CUT, control=cut_control)
    words = download_command(client, cut.port)
    if run(words, tmp_path, cwd=here, status=None).returncode != 0:
        run(words, tmp_path, cwd=here)
    assert whole(here)
    offsets = [
        int(offset) for offset in cut.arguments_of("REST") if int(offset) > 1
    ]  # ncftp tries 1
    assert [0 < offset <= CUT for offset in offsets] == [True]


@EITHER
@pytest.mark.parametrize("client", ["curl", "ncftpput"])
@in_thread
def test_an_interrupted_upload_is_resumed(
    served: RunningService,
    tmp_path: Path,
    network: Connect,
    endings: list[TransferEnded],
    client: str,
    cut_control: bool,
) -> None:
    (tmp_path / "file").write_bytes(DATA)
    words = upload_command(client, network(CUT, control=cut_control).port)
    assert run(words, tmp_path, status=None).returncode != 0
    assert not (served.root / "file").exists()
    run(words, tmp_path)
    assert whole(served.root)
    assert [event.outcome for event in endings] == [Outcome.ABORTED, Outcome.COMPLETE]
    assert BIG - CUT <= endings[1].size < BIG


@EITHER
@pytest.mark.parametrize("client", ["curl", "lftp", "ncftpput"])
@in_thread
def test_another_client_resumes_an_upload(
    served: RunningService,
    tmp_path: Path,
    network: Connect,
    login: Login,
    endings: list[TransferEnded],
    client: str,
    cut_control: bool,
) -> None:
    (tmp_path / "file").write_bytes(DATA)
    upload_cut(login(network(CUT, control=cut_control)))
    run(upload_command(client, served.port), tmp_path)
    assert whole(served.root)
    assert BIG - CUT <= endings[-1].size < BIG


@EITHER
@in_thread
def test_the_old_file_is_visible_until_the_upload_is_complete(
    served: RunningService,
    network: Connect,
    login: Login,
    endings: list[TransferEnded],
    cut_control: bool,
) -> None:
    (served.root / "file").write_bytes(b"old")
    upload_cut(login(network(CUT, control=cut_control)))
    served.wait_for(lambda: [event.outcome for event in endings] == [Outcome.ABORTED])
    session = login(served)
    assert download(session, "file") == b"old"
    upload(session, "file", DATA)
    assert whole(served.root)


@EITHER
@in_thread
def test_an_upload_is_interrupted_several_times(
    served: RunningService, network: Connect, login: Login, cut_control: bool
) -> None:
    unsteady = network(CUT, 12 << 20, 10 << 20, control=cut_control)
    arrived = 0
    while arrived is not None and len(unsteady.cuts_left):
        session = login(unsteady)
        with pytest.raises((OSError, EOFError, ftplib.Error)):
            upload(session, "file", DATA[arrived:], rest=arrived)
        session = login(served)
        session.voidcmd("TYPE I")
        arrived = session.size("file")
    upload(session, "file", DATA[arrived:], rest=arrived)
    assert whole(served.root)


@pytest.mark.parametrize("verb", ["APPE", "STOR"])
@in_thread
def test_an_upload_is_resumed_before_the_interruption_is_noticed(
    served: RunningService, login: Login, verb: str
) -> None:
    """The first session seems alive: the second gets the complete file or a refusal."""
    before, after = login(served), login(served)
    before.voidcmd("TYPE I")
    with before.transfercmd("STOR file") as end:
        end.sendall(DATA[:HALF])
        served.wait_for(lambda: [path.stat().st_size for path in served.root.iterdir()] == [HALF])
        after.voidcmd("TYPE I")
        assert after.size("file") == HALF
        rest = HALF if verb == "STOR" else None
        try:
            after.storbinary(f"{verb} file", io.BytesIO(DATA[HALF:]), rest=rest)
        except ftplib.Error:
            assert not (served.root / "file").exists()
        else:
            assert (served.root / "file").read_bytes() == DATA
        reset(end)
    with pytest.raises(ftplib.error_temp, match=r"^426"):
        before.voidresp()
    if (served.root / "file").exists():
        assert whole(served.root)


@pytest.mark.parametrize("verb", ["APPE", "STOR"])
@in_thread
def test_a_reported_size_stays_valid(served: RunningService, login: Login, verb: str) -> None:
    """More may arrive after SIZE; the client sends from the reported offset."""
    before, after = login(served), login(served)
    before.voidcmd("TYPE I")
    after.voidcmd("TYPE I")
    with before.transfercmd("STOR file") as end:
        end.sendall(DATA[:HALF])
        served.wait_for(lambda: [path.stat().st_size for path in served.root.iterdir()] == [HALF])
        assert after.size("file") == HALF
        end.sendall(DATA[HALF : 2 * HALF])
        served.wait_for(lambda: [path.stat().st_size for path in served.root.iterdir()] > [HALF])
        reset(end)
    with pytest.raises(ftplib.error_temp, match=r"^426"):
        before.voidresp()
    rest = HALF if verb == "STOR" else None
    try:
        after.storbinary(f"{verb} file", io.BytesIO(DATA[HALF:]), rest=rest)
    except ftplib.Error:
        assert not (served.root / "file").exists()
    else:
        assert whole(served.root)


@EITHER
@in_thread
def test_size_is_what_arrived(
    served: RunningService,
    network: Connect,
    login: Login,
    endings: list[TransferEnded],
    cut_control: bool,
) -> None:
    upload_cut(login(network(CUT, control=cut_control)))
    served.wait_for(lambda: endings)
    arrived = [path.stat().st_size for path in served.root.iterdir()]
    assert [event.size for event in endings] == arrived
