"""Nodes with a shared directory: one is killed, or drained, and clients go on at another."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.client_programs import program
from tests.support.nat_network import CONTROL, ROUTER, missing
from tests.support.node_fleet import LOGIN, NodeFleet, wait_for
from tests.support.postgresql import PostgreSQL
from tests.support.uploads_by_a_client import UPLOADS, check_confirmed, confirmed_count
from tests.support.whole_cluster import IS_WHOLE

ROUNDS = range(20 if IS_WHOLE else 1)
SIZE, RATE = 1_500_000, 750_000
CONFIRMED = 500 if IS_WHOLE else 40
LFTP = f"""
set ftp:ssl-allow no; set net:max-retries 30; set net:timeout 10; set cmd:fail-exit yes
set net:reconnect-interval-base 1; set net:reconnect-interval-max 1
set net:limit-rate 0:{RATE}; set net:limit-max 100000
open -u {",".join(LOGIN)} -p {CONTROL} {ROUTER}
put sent -o file
"""


ENDLESS = f"""
import ftplib, time
client = ftplib.FTP()
client.connect("{ROUTER}", {CONTROL})
client.login{LOGIN}
data = client.transfercmd("STOR endless")
try:
    while True:
        data.sendall(bytes(20_000))
        time.sleep(0.01)
except OSError:
    print("data ended", flush=True)
try:
    while client.sock.recv(1000):
        pass
except OSError:
    pass
print("control ended", flush=True)
"""


@pytest.fixture(scope="module", autouse=True)
def possible() -> None:
    """Skip where there can be no network namespaces."""
    if why := missing():
        pytest.skip(why)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory that the nodes share."""
    return tmp_path_factory.mktemp("files")


@pytest.fixture(scope="module")
def fleet(
    files: Path, tmp_path_factory: pytest.TempPathFactory, postgresql: PostgreSQL
) -> Iterator[NodeFleet]:
    """Three nodes; each test leaves all of them running."""
    directory = tmp_path_factory.mktemp("nodes")
    with NodeFleet(directory, f"local:{files}", postgresql) as running:
        yield running


@pytest.mark.parametrize("number", ROUNDS)
def test_an_upload_is_resumed_at_another_node_after_a_kill(
    fleet: NodeFleet, files: Path, number: int
) -> None:
    old = None if number % 2 else os.urandom(1000)
    new = os.urandom(SIZE)
    (fleet.directory / "sent").write_bytes(new)
    file = files / "file"
    file.unlink(missing_ok=True)
    if old is not None:
        file.write_bytes(old)
    (fleet.directory / "script").write_text(LFTP)
    with fleet.client([program("lftp"), "-f", "script"]) as client:
        wait_for(lambda: fleet.holder(files, SIZE // 4), "the upload")
        node = fleet.holder(files, SIZE // 4)
        assert node is not None
        fleet.kill(node)
        if old is None:
            assert not file.exists()
        else:
            assert file.read_bytes() == old
        assert client.ended() == 0, client.output
    assert file.read_bytes() == new
    fleet.start(node)


def test_what_was_confirmed_outlives_its_node(fleet: NodeFleet, files: Path) -> None:
    names = list(fleet.nodes)

    def read(name: str) -> bytes:
        return (files / name).read_bytes()

    with fleet.client([sys.executable, "-c", UPLOADS, "0", str(CONFIRMED)]) as client:
        for killed in range(2 * len(names) if IS_WHOLE else 1):
            client.line(f"confirmed {(killed + 1) * CONFIRMED // 8}$")
            name = names[killed % len(names)]
            fleet.kill(name)
            check_confirmed(read, confirmed_count(client.lines))
            fleet.start(name)
        assert client.ended() == 0, client.output
    check_confirmed(read, CONFIRMED)


def test_a_node_is_drained_without_an_interrupted_transfer(fleet: NodeFleet, files: Path) -> None:
    (files / "file").unlink(missing_ok=True)
    new = os.urandom(SIZE)
    (fleet.directory / "sent").write_bytes(new)
    (fleet.directory / "script").write_text(LFTP.replace("max-retries 30", "max-retries 1"))
    with fleet.client([program("lftp"), "-f", "script"]) as client:
        wait_for(lambda: fleet.holder(files, SIZE // 4), "the upload")
        node = fleet.holder(files, SIZE // 4)
        assert node is not None
        fleet.ask(node, "drain")
        with fleet.client([sys.executable, "-c", UPLOADS, "0", "5"]) as others:
            assert others.ended() == 0, others.output
        assert client.ended() == 0, client.output
    assert (files / "file").read_bytes() == new
    fleet.ask(node, "drain", "--undo")


def test_an_account_has_its_sessions_once_over_all_nodes(fleet: NodeFleet) -> None:
    for _ in range(10 if IS_WHOLE else 1):
        fleet.check_sessions_at_once()


def test_the_connections_of_a_machine_that_is_off_end(fleet: NodeFleet, files: Path) -> None:
    """It sends nothing, so only haproxy can tell clients, which then go on at another node."""
    with fleet.client([sys.executable, "-c", ENDLESS]) as client:
        wait_for(lambda: fleet.holder(files, SIZE // 4), "the upload")
        node = fleet.holder(files, SIZE // 4)
        assert node is not None
        fleet.cut_off(node)
        try:
            client.line("data ended")
            client.line("control ended")
            with fleet.client([sys.executable, "-c", UPLOADS, "0", "5"]) as others:
                assert others.ended() == 0, others.output
        finally:
            fleet.join_again()
            fleet.kill(node)
    fleet.start(node)
