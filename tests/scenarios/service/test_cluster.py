"""Services that are nodes of one cluster: one is killed; commands of administrators."""

from __future__ import annotations

import ftplib
import io
import itertools
import json
import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from ftpservice.admin.cli import ftpservice
from tests.support.cluster_services import GONE_SECONDS, Nodes
from tests.support.postgresql import PASSWORD, PostgreSQL
from tests.support.service_process import BUSY_SECONDS, PATIENCE
from tests.support.worker_service import can_log_in, login, process_of, wait_for

QUOTA = 1_000_000
"""That of the account small."""
FILE_BYTES = 20_000


@pytest.fixture(scope="module")
def nodes(postgresql: PostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    with Nodes(tmp_path_factory.mktemp("nodes"), postgresql) as running:
        yield running


def test_the_places_of_a_node_that_is_killed_are_free_soon(nodes: Nodes) -> None:
    first, second = nodes.start("n1"), nodes.start("n2")
    ports = first.port(), second.port()
    with closing(login(ports[0])), closing(login(ports[0])), closing(login(ports[1])):
        assert not can_log_in(ports[1])
        first.process.kill()
        began = time.monotonic()
        while not can_log_in(ports[1]):
            assert time.monotonic() - began < GONE_SECONDS + 1.0 + BUSY_SECONDS
            time.sleep(0.05)
        with (
            closing(login(ports[1])),
            closing(login(ports[1])),
            pytest.raises(ftplib.error_temp, match="421 Too many sessions of that user"),
        ):
            login(ports[1])
    assert second.stopped() == 0


def test_the_schema_is_created_by_a_command(
    postgresql: PostgreSQL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    database = postgresql.new_database()
    url, runner = postgresql.url(database, None), CliRunner()
    found = runner.invoke(ftpservice, ["db", "upgrade", "--cluster", url])
    assert (found.output, found.exit_code) == (
        f"sql:{url}, cluster: version 0004, before none\n",
        0,
    )
    settings = tmp_path / "ftpservice.toml"
    settings.write_text(f'cluster = "{postgresql.url(database)}"\njournal = "off"\n')
    shown = runner.invoke(ftpservice, ["db", "show", "--config", str(settings)])
    assert (shown.output, shown.exit_code) == (
        f"sql:{url}, cluster: version 0004, needed 0004\n",
        0,
    )
    refused = runner.invoke(ftpservice, ["db", "show", "--cluster", postgresql.url(database)])
    assert refused.exit_code == 2
    assert PASSWORD not in refused.output


def test_commands_reach_all_nodes(nodes: Nodes) -> None:
    third, fourth = nodes.start("n3"), nodes.start("n4")
    ports = third.port(), fourth.port()
    namesake = nodes.start("n9", "--cluster-node=n3")
    with closing(login(ports[0])) as demo, closing(login(ports[1], "other")) as other:
        namesake.line("--cluster-node: another node of the cluster is n3, and alive")
        assert namesake.ended() == 1
        listed = nodes.run("n3", "nodes")
        assert re.search(r"(?m)^n3 +ready +[01] ", listed)
        assert re.search(r"(?m)^n4 +ready +[01] ", listed)
        shown = json.loads(nodes.run("n3", "who", "--json"))
        assert [(one["node"], one["user"]) for one in shown] == [("n3", "demo"), ("n4", "other")]
        assert "demo" not in nodes.run("n3", "who", "--node", "n4")
        with closing(login(ports[1])) as named:
            assert nodes.run("n3", "kick", "n4:2") == "ended: session 2 (n4)\n"
            with pytest.raises(EOFError):
                closed_with(named)
        assert nodes.run("n3", "kick", "--user", "other") == "ended: session 1 (n4)\n"
        with pytest.raises(EOFError):
            closed_with(other)
        assert demo.voidcmd("NOOP")
    assert nodes.run("n3", "drain", "--node", "n4").startswith("no sessions are accepted")
    assert not can_log_in(ports[1])
    assert can_log_in(ports[0])
    nodes.run("n3", "drain", "--undo", "--node", "all")
    assert can_log_in(ports[1])
    assert nodes.run("n4", "reload", "--node", "all") == "told n3, n4\n"
    third.line("settings read again")
    fourth.line("settings read again")
    assert "203.0.113.0/24 is banned" in nodes.run("n3", "ban", "203.0.113.0/24")
    assert "203.0.113.0/24" in nodes.run("n4", "bans")
    nodes.run("n4", "unban", "203.0.113.0/24")
    assert "203.0.113.0/24" not in nodes.run("n3", "bans")
    for user in ("demo", "other"):  # of both nodes, in one journal
        assert re.search(r"Logins +[1-9]", nodes.run("n4", "report", "--user", user))
    refused = CliRunner().invoke(
        ftpservice,
        ["drain", "--node", "n9", "--socket", str(nodes.socket("n3"))],
    )
    assert "there is no node 'n9' in the cluster" in refused.output
    assert third.stopped() == fourth.stopped() == 0
    assert "Traceback" not in third.output + fourth.output


def closed_with(client: ftplib.FTP) -> None:
    """Read what the service sends until it closes."""
    while True:
        client.getmultiline()


def test_workers_refuse_a_network_whose_ban_their_node_has_read(nodes: Nodes) -> None:
    node = nodes.start("n10", "--workers=2")
    port = node.port()
    assert not is_banned(port)
    nodes.change_ban("127.0.0.1/32", "1 hour")
    wait_for(lambda: is_banned(port))
    nodes.change_ban("127.0.0.1/32", "-1 hour")
    wait_for(lambda: not is_banned(port))
    assert node.stopped() == 0
    assert "Traceback" not in node.output


def is_banned(port: int) -> bool:
    """Return whether a connection is refused because the address is banned."""
    client = ftplib.FTP()
    with closing(client):
        try:
            client.connect("127.0.0.1", port, timeout=PATIENCE)
        except (ftplib.Error, OSError, EOFError) as refusal:
            return "Your address is banned" in str(refusal)
        return False


def test_limits_and_quotas_hold_over_the_workers_of_all_nodes(nodes: Nodes, tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    words = (f"--root={files}", "--data-dir=var", "--workers=2")
    programs = [nodes.start(name, *words) for name in ("n5", "n6")]
    ports = [program.port() for program in programs]
    with ThreadPoolExecutor(16) as pool, ExitStack() as stack:
        begun = list(pool.map(lambda number: attempt(ports[number % 2]), range(16)))
        clients = [stack.enter_context(closing(one)) for one in begun if one is not None]
        assert len(clients) == 3
        served = [one for one in clients if one.sock.getpeername()[1] == ports[0]]
        killed = next((process_of(one, programs[0]) for one in served), None)
        if killed is not None:
            os.kill(killed, signal.SIGKILL)
            wait_for(lambda: can_log_in(ports[1]))
    wait_for(lambda: can_log_in(ports[0]))
    with ThreadPoolExecutor(4) as pool:
        stored = sum(pool.map(lambda number: store_many(ports[number % 2], number), range(3)))
    numbers = itertools.count(3)

    def is_full() -> bool:
        """Use the room, too, that was still reserved for other nodes and workers."""
        nonlocal stored
        stored += store_many(ports[0], next(numbers))
        found = [one.stat().st_size for one in files.rglob("f*") if one.is_file()]
        assert (len(found), sum(found)) == (stored, stored * FILE_BYTES)
        assert sum(found) <= QUOTA
        return sum(found) == QUOTA

    wait_for(is_full)
    assert [program.stopped() for program in programs] == [0, 0]
    assert "Traceback" not in "".join(program.output for program in programs)


def test_workers_add_nothing_when_the_main_process_of_their_node_is_killed(
    nodes: Nodes, tmp_path: Path
) -> None:
    files = tmp_path / "files"
    (files / "small").mkdir(parents=True)
    words = (f"--root={files}", "--data-dir=var", "--workers=2", "--grace=60")
    killed, other = (nodes.start(name, *words) for name in ("n7", "n8"))

    def there() -> int:
        return sum(one.stat().st_size for one in files.rglob("*") if one.is_file())

    with closing(login(killed.port(), "small")) as client:
        client.voidcmd("TYPE I")
        client.voidcmd(f"ALLO {QUOTA}")
        with client.transfercmd("STOR large") as data:
            data.sendall(bytes(QUOTA // 2))
            wait_for(there)
            killed.process.kill()
            killed.process.wait()
            wait_for(lambda: not _can_send(data))
        with pytest.raises(ftplib.error_temp, match="quota"):
            client.voidresp()
    assert 0 < there() < QUOTA
    numbers = itertools.count()

    def is_full() -> bool:
        store_many(other.port(), next(numbers))
        assert there() <= QUOTA
        return there() > QUOTA - FILE_BYTES

    wait_for(is_full)
    assert other.stopped() == 0


def _can_send(data: socket.socket) -> bool:
    """Send some bytes; tell whether the connection is still open."""
    try:
        data.sendall(bytes(100))
    except OSError:
        return False
    return True


def attempt(port: int) -> ftplib.FTP | None:
    """Return a session, None if it was refused."""
    try:
        return login(port)
    except ftplib.error_temp:
        return None


def store(client: ftplib.FTP, name: str) -> None:
    """Store a small file; raises `ftplib.Error` if it is refused."""
    try:
        client.storbinary(f"STOR {name}", io.BytesIO(b"x" * FILE_BYTES))
    except OSError:  # the data connection was reset while it sent
        client.voidresp()


def store_many(port: int, number: int) -> int:
    """Store small files until the quota is full; return how many there are."""
    stored = 0
    with closing(login(port, "small")) as client:
        for name in range(100):
            try:
                store(client, f"f{number}-{name}")
            except ftplib.error_temp:  # the database was late, under load
                continue
            except ftplib.error_perm as refused:
                assert str(refused).startswith("552 Quota exceeded.")
                break
            stored += 1
    return stored
