"""The first start of a node while the database of its cluster cannot be used."""

from __future__ import annotations

import ftplib
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.ports import free_port
from ftpservice.cluster.last_share import SHARE_FILE, save_share
from ftpservice.cluster.place_leases import ShareRule
from tests.support.cluster import cluster_url
from tests.support.postgresql import PASSWORD, PostgreSQL
from tests.support.service_process import Program
from tests.support.worker_service import login, measured_environment, wait_for, write_accounts

SERVE = (
    *(sys.executable, "-c", "from ftpservice.admin.cli import main; main()", "serve"),
    *("--allow-root", "--auth=passwd:accounts", "--data-dir=var", "--max-sessions-per-user=1"),
    *("--cluster-node=n1", "--cluster-timeout=4"),
)
NEVER = "a node that has never been in its cluster does not start without the database"


@pytest.fixture
def url_of_away(server: PostgreSQL) -> Iterator[str]:
    """The URL of a cluster whose server is stopped; the test may start it."""
    url = url_of(server)
    server.stop()
    yield url
    server.stop()
    server.start()


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    """A server that a test may stop."""
    with PostgreSQL() as own:
        yield own


def node(directory: Path, url: str, *words: str) -> Program:
    write_accounts(directory)
    command = [*SERVE, f"--cluster={url}", *words]
    return Program(command, directory, measured_environment() | {"PGPASSWORD": PASSWORD})


def url_of(server: PostgreSQL) -> str:
    return cluster_url(server, has_password=False)


def status_of(port: int, path: str) -> int:
    """Return the status of an answer; 0 before there is one."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


@pytest.mark.parametrize("workers", [1, 2])
def test_a_node_waits_for_a_database_that_starts_later(
    server: PostgreSQL, url_of_away: str, tmp_path: Path, workers: int
) -> None:
    """It is alive meanwhile, and not ready; it serves nobody."""
    control, page = free_port(), free_port()
    words = [f"--listen=tcp:{control}:interface=127.0.0.1", f"--workers={workers}"]
    with node(tmp_path, url_of_away, *words, f"--http=tcp:{page}:interface=127.0.0.1") as running:
        found = running.line(r"the database of the cluster cannot be used: (.*); the node waits")
        assert "postgresql://" in found[1]
        wait_for(lambda: status_of(page, "/healthz") == 200)
        assert status_of(page, "/readyz") == 503
        with socket.create_connection(("127.0.0.1", control), 10) as early:
            early.settimeout(1.0)
            with pytest.raises(TimeoutError):
                early.recv(1)
        assert "ftp://" not in running.output
        server.start()
        running.line("this node, n1, is in a cluster of 1 node")
        with closing(login(running.port())), pytest.raises(ftplib.error_temp):
            login(control)
        wait_for(lambda: status_of(page, "/readyz") == 200)
        assert running.stopped() == 0
        assert "1/1" not in running.output
        assert "Traceback" not in running.output


@pytest.mark.parametrize("workers", [1, 2])
def test_a_node_ends_without_a_database_after_some_time(
    server: PostgreSQL, tmp_path: Path, workers: int
) -> None:
    url = url_of(server).rpartition("/")[0] + "/no-such-database"
    words = ("--listen=tcp:0:interface=127.0.0.1", f"--workers={workers}", "--cluster-wait=1")
    with node(tmp_path, url, *words) as running:
        assert running.ended() == 1
        errors = [line for line in running.lines if line.startswith("ftpservice: ")]
        assert len(errors) == 1, running.output
        assert errors[0].startswith(f"ftpservice: --cluster: {url}: ")
        assert '"no-such-database" does not exist' in errors[0]
        assert errors[0].endswith(NEVER)
        assert "ftp://" not in running.output
        assert "Traceback" not in running.output


def test_a_node_ends_without_tables_at_once_if_it_is_not_to_wait(
    server: PostgreSQL, tmp_path: Path
) -> None:
    url = server.url(server.new_database(), None)
    with node(tmp_path, url, "--listen=tcp:0:interface=127.0.0.1", "--cluster-wait=0") as running:
        assert running.ended() == 1
        assert "ftpservice db upgrade --cluster" in running.output
        assert "the node waits" not in running.output


def test_a_node_that_has_been_in_the_cluster_serves_alone(
    server: PostgreSQL, url_of_away: str, tmp_path: Path
) -> None:
    (tmp_path / "var").mkdir()
    save_share(tmp_path / "var" / SHARE_FILE, ShareRule(2, 0))
    with node(tmp_path, url_of_away, "--listen=tcp:0:interface=127.0.0.1") as running:
        running.line("this node hands out its share of each limit: 1/2")
        with closing(login(running.port())), pytest.raises(ftplib.error_temp):
            login(running.port())
        server.start()
        running.line("the cluster answers again")
        assert running.stopped() == 0


def test_a_node_that_waits_can_be_stopped(server: PostgreSQL, tmp_path: Path) -> None:
    url = url_of(server).rpartition("/")[0] + "/no-such-database"
    words = ("--listen=tcp:0:interface=127.0.0.1", "--workers=2")
    with node(tmp_path, url, *words) as running:
        running.line("the node waits for it")
        assert running.stopped() == 0
        assert "Traceback" not in running.output
