"""Nodes with one bucket: nodes, PostgreSQL and servers of the bucket are killed under load."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

import boto3
import pytest

from tests.support.buckets import BUCKET
from tests.support.client_programs import program
from tests.support.nat_network import CONTROL, ROUTER, missing
from tests.support.node_fleet import LIMITED, LOGIN, MOST, NodeFleet, wait_for
from tests.support.postgresql import PostgreSQL, postgresql_directory
from tests.support.restartable_service import noise
from tests.support.s3_servers import SETTINGS, make_bucket
from tests.support.seaweed_cluster import SeaweedCluster
from tests.support.service_process import BUSY_SECONDS
from tests.support.uploads_by_a_client import UPLOADS, check_confirmed, confirmed_count

pytestmark = pytest.mark.skipif(bool(missing()) or postgresql_directory() is None, reason=missing())
KILLS, FILES = 6, 250
LARGE = 40 << 20
RATE = 4 << 20
LFTP = f"""
set ftp:ssl-allow no; set net:max-retries 30; set net:timeout 20; set cmd:fail-exit yes
set net:reconnect-interval-base 1; set net:reconnect-interval-max 1
set net:limit-rate {RATE}:{RATE}; set net:limit-max 100000
open -u {",".join(LOGIN)} -p {CONTROL} {ROUTER}
"""
Read = Callable[[str], bytes]


@pytest.fixture(scope="module")
def weed() -> Iterator[SeaweedCluster]:
    with mock.patch.dict(os.environ, SETTINGS), SeaweedCluster() as running:
        make_bucket(running.url, BUCKET)
        yield running


@pytest.fixture(scope="module")
def database() -> Iterator[PostgreSQL]:
    """A server that a test may stop."""
    with PostgreSQL() as server:
        yield server


@pytest.fixture(scope="module")
def fleet(
    weed: SeaweedCluster, database: PostgreSQL, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NodeFleet]:
    """Three nodes; each test leaves all of them running."""
    root = f"s3:{BUCKET}:prefix=ftp:endpoint=http\\://127.0.0.1\\:{weed.port}"
    with NodeFleet(tmp_path_factory.mktemp("nodes"), root, database, [weed.port]) as running:
        yield running


@pytest.fixture
def read(weed: SeaweedCluster) -> Read:
    """Returns the content of a file, read with another library."""
    client = boto3.client("s3", endpoint_url=weed.url, region_name="us-east-1")

    def content(name: str) -> bytes:
        answer = client.get_object(Bucket=BUCKET, Key=f"ftp/{name}")
        return bytes(answer["Body"].read())

    return content


def uploads(fleet: NodeFleet, count: int):
    return fleet.client([sys.executable, "-c", UPLOADS, "0", str(count)])


def test_what_was_confirmed_outlives_its_node(fleet: NodeFleet, read: Read) -> None:
    names = list(fleet.nodes)
    with uploads(fleet, FILES) as client:
        for killed in range(KILLS):
            client.line(f"confirmed {(killed + 1) * FILES // (KILLS + 2)}$")
            name = names[killed % len(names)]
            fleet.kill(name)
            check_confirmed(read, confirmed_count(client.lines))
            fleet.start(name)
        assert client.ended() == 0, client.output
    check_confirmed(read, FILES)


@pytest.mark.parametrize(
    ("leave", "come_back"),
    [(PostgreSQL.stop, PostgreSQL.start), (PostgreSQL.freeze, PostgreSQL.thaw)],
    ids=["stopped", "frozen"],
)
def test_postgresql_is_stopped_and_started_under_load(
    fleet: NodeFleet,
    database: PostgreSQL,
    read: Read,
    leave: Callable[[PostgreSQL], None],
    come_back: Callable[[PostgreSQL], None],
) -> None:
    def alive() -> int:
        return fleet.ask("one", "nodes").count("ready")

    wait_for(lambda: alive() == len(fleet.nodes), "the cluster")
    for node in fleet.nodes.values():
        node.lines.clear()  # of another time
    with uploads(fleet, FILES) as client:
        client.line("confirmed 50$")
        leave(database)
        fleet.check_sessions_at_once()  # each node has a share of one
        client.line(f"confirmed {confirmed_count(client.lines) + 50}$")
        come_back(database)
        for node in fleet.nodes.values():
            node.line("the cluster answers again")
        fleet.check_sessions_at_once()
        assert client.ended() == 0, client.output
    check_confirmed(read, FILES)
    assert alive() == len(fleet.nodes)


def test_a_server_of_the_bucket_is_killed_under_load(
    fleet: NodeFleet, weed: SeaweedCluster, read: Read
) -> None:
    sent = noise(LARGE, 1)
    (fleet.directory / "sent").write_bytes(sent)
    (fleet.directory / "put").write_text(f"{LFTP}put -c sent -o other\n")
    (fleet.directory / "get").write_text(f"{LFTP}get -c large -o back\n")
    client = boto3.client("s3", endpoint_url=weed.url, region_name="us-east-1")
    curl = [program("curl"), "-q", "-sS", "-T", "sent", "--user", ":".join(LOGIN)]
    with fleet.client([*curl, f"ftp://{ROUTER}:{CONTROL}/large"]) as upload:
        assert upload.ended() == 0, upload.output
    killed = weed.fullest()
    lftp = program("lftp")
    with (
        uploads(fleet, FILES) as small,
        fleet.client([lftp, "-f", "put"]) as upload,
        fleet.client([lftp, "-f", "get"]) as download,
    ):
        small.line("confirmed 30$")
        wait_for(lambda: size(fleet.directory / "back") > LARGE // 4, "the download")
        weed.kill_volumes(killed)
        assert small.ended() == 0, small.output
        check_confirmed(read, FILES)
        assert upload.ended() == 0, upload.output
        assert download.ended() == 0, download.output
    assert (fleet.directory / "back").read_bytes() == sent
    assert read("other") == sent
    weed.start_volumes(killed)
    assert not client.list_multipart_uploads(Bucket=BUCKET).get("Uploads")


@pytest.mark.parametrize("number", range(2))
def test_the_places_of_a_killed_node_are_free_after_the_timeout(
    fleet: NodeFleet, number: int
) -> None:
    with ExitStack() as stack:
        for _ in range(MOST):
            stack.enter_context(fleet.waiting_login()).line("in after")
        name = next(
            name for name in fleet.nodes if LIMITED in fleet.ask(name, "who", "--node", name)
        )
        fleet.kill(name)
        with fleet.waiting_login() as another:
            assert float(another.line(r"in after (\S+) s")[1]) < 15 + BUSY_SECONDS
        fleet.start(name)


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
