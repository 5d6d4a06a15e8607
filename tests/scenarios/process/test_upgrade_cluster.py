"""A node of a cluster is upgraded: it stays the same node, and no limit is exceeded meanwhile."""

from __future__ import annotations

import filecmp
import ftplib
import io
import itertools
import random
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.scenarios.process.test_upgrade import SlowUpload, assert_nothing_changed, upgrade
from tests.support.cluster import cluster_url
from tests.support.postgresql import PASSWORD, PostgreSQL
from tests.support.service_process import PATIENCE, Program
from tests.support.worker_service import (
    ask,
    children,
    is_alive,
    login,
    measured_environment,
    wait_for,
    write_accounts,
)

SERVE = (
    *(sys.executable, "-c", "from ftpservice.admin.cli import main; main()", "serve"),
    *("--allow-root", "--listen=tcp:0:interface=127.0.0.1", "--auth=passwd:accounts"),
    *("--config=ftpservice.toml", "--grace=20", "--data-timeout=60"),
)
LARGE = 32 << 20
LIMIT, QUOTA, FILE_BYTES = 3, 1_000_000, 20_000
TIMEOUT_SECONDS = 2
"""Less than an upgrade may take: the node has to stay alive all the same."""
PLACES = """
SELECT held.name, node.name, held.places FROM ftpservice_cluster_places held
JOIN ftpservice_cluster_node node ON node.run = held.run
WHERE held.kind = 'user' AND node.until > clock_timestamp()
"""


class TwoNodes:
    """The node one has two workers, the node two has none; both have the same files."""

    def __init__(self, directory: Path, server: PostgreSQL, stack: ExitStack) -> None:
        self.directory = directory
        self.url = cluster_url(server)
        self.database = psycopg.connect(self.url, autocommit=True)
        stack.enter_context(self.database)
        self.files = directory / "files"
        self.files.mkdir()
        self.one = self._start(stack, "one", "--workers=2")
        self.two = self._start(stack, "two")
        self.ports = self.one.port(), self.two.port()
        wait_for(lambda: len(self.nodes()) == 2)

    def place(self, name: str) -> Path:
        return self.directory / name

    def write_settings(self, name: str, **changed: str) -> None:
        values = {
            "cluster": f'"{self.url}"',
            "cluster-node": f'"{name}"',
            "cluster-timeout": f"{TIMEOUT_SECONDS}",
            "max-sessions-per-user": f"{LIMIT}",
            "data-dir": '"var"',
            "root": f'"{self.files}"',
            "journal": '"off"',
        } | {key.replace("_", "-"): value for key, value in changed.items()}
        text = "".join(f"{key} = {value}\n" for key, value in values.items())
        (self.place(name) / "ftpservice.toml").write_text(text)

    def _start(self, stack: ExitStack, name: str, *words: str) -> Program:
        self.place(name).mkdir()
        write_accounts(self.place(name))
        self.write_settings(name)
        command = [*SERVE, *words]
        return stack.enter_context(Program(command, self.place(name), measured_environment()))

    def nodes(self) -> dict[str, Any]:
        """Return the nodes that are alive, by name, as the node two lists them."""
        found = [one for one in ask(self.place("two"), "nodes") if one["is_alive"]]
        names = [one["name"] for one in found]
        assert len(set(names)) == len(names), names
        return dict(zip(names, found, strict=True))

    def who(self) -> dict[str, list[Any]]:
        """Return the sessions of each node that answers the node two."""
        found = ask(self.place("two"), "who", everywhere=True)
        return {one["node"]: one["result"] for one in found["answers"]}

    def places(self) -> dict[tuple[str, str], int]:
        """Return the places of users that each node holds."""
        rows = self.database.execute(PLACES).fetchall()
        return {(str(user), str(node)): int(places) for user, node, places in rows}


@pytest.fixture
def nodes(postgresql: PostgreSQL, tmp_path: Path) -> Iterator[TwoNodes]:
    with ExitStack() as stack:
        yield TwoNodes(tmp_path, postgresql, stack)


class Repeated:
    """Calls a function again and again, in a thread, until the end of the ``with``."""

    def __init__(self, function: Callable[[], object]) -> None:
        self._function = function
        self._ends = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)
        self.count = 0

    def __enter__(self) -> Repeated:
        self._thread.start()
        return self

    def __exit__(self, kind: object, *exception: object) -> None:
        self._ends.set()
        self._thread.join(2 * PATIENCE)
        if kind is None and self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            while not self._ends.wait(0.02):
                self._function()
                self.count += 1
        except BaseException as error:  # noqa: BLE001 - raised in the test
            self._error = error


def is_accepted(port: int, name: str = "demo") -> bool:
    """Return whether a login succeeds; it may be refused by the limit, or by the upgrade."""
    try:
        with closing(login(port, name)):
            return True
    except ftplib.error_temp as refusal:
        assert str(refusal).startswith("421 "), refusal
    except (EOFError, ConnectionError):  # the old worker closed its port just then
        pass
    return False


def assert_upgraded(nodes: TwoNodes) -> None:
    done = upgrade(nodes.place("one"))
    assert done.returncode == 0, done.stderr + nodes.one.output


def test_no_place_is_given_away_or_lost_while_a_node_is_upgraded(nodes: TwoNodes) -> None:
    """All places of a user are taken: by two uploads on the node, and a session on the other."""
    sources = [nodes.directory / "first", nodes.directory / "second"]
    for number, source in enumerate(sources):
        source.write_bytes(random.Random(number).randbytes(LARGE))
    uploads = [SlowUpload(nodes.ports[0], source) for source in sources]
    run = nodes.nodes()["one"]["run"]

    def refuse_demo() -> None:
        assert not any(is_accepted(port) for port in nodes.ports)

    def look() -> None:
        listed, places = nodes.nodes(), nodes.places()
        assert listed.keys() == {"one", "two"}
        assert (listed["one"]["health"], listed["one"]["run"]) == ("ready", run)
        assert listed["one"]["sessions"] >= 2
        assert (places["demo", "one"], places["demo", "two"]) == (2, 1)
        of_other = [count for (user, _), count in places.items() if user == "other"]
        assert sum(of_other) <= LIMIT

    with closing(login(nodes.ports[1])) as kept, ExitStack() as stack:
        wait_for(lambda: nodes.nodes()["one"]["sessions"] >= 2)
        wait_for(lambda: nodes.places().get(("demo", "one")) == 2)
        refused = stack.enter_context(Repeated(refuse_demo))
        stack.enter_context(Repeated(look))
        others = [Repeated(lambda port=port: is_accepted(port, "other")) for port in nodes.ports]  # type: ignore[misc]
        for one in others:
            stack.enter_context(one)
        for _ in range(2):
            assert_upgraded(nodes)
            shown = nodes.who()
            paths = {(one["transfer"] or {}).get("path") for one in shown["one"]}
            assert {"/first", "/second"} <= paths
            assert "demo" in {one["user"] for one in shown["two"]}
        before = refused.count
        wait_for(lambda: refused.count > before + 3)
        assert all(one.count for one in others)
        stack.close()
        assert kept.voidcmd("NOOP")
        uploads[0].hurry()
        wait_for(lambda: is_accepted(nodes.ports[1]))
        wait_for(lambda: is_accepted(nodes.ports[0]))
        uploads[1].hurry()
    for source, upload in zip(sources, uploads, strict=True):
        assert upload.reply.startswith("226")
        assert filecmp.cmp(nodes.files / source.name, source, shallow=False)
    wait_for(lambda: len(children(nodes.one.process.pid)) == 2)
    wait_for(lambda: not any(user == "demo" for user, _ in nodes.places()))
    assert nodes.one.stopped() == nodes.two.stopped() == 0
    for program in (nodes.one, nodes.two):
        assert "Traceback" not in program.output
        assert "cannot be used" not in program.output
        assert "counted as gone" not in program.output


class SmallUploads:
    """Stores small files for an account with a quota, and counts those that were confirmed."""

    def __init__(self, port: int, prefix: str) -> None:
        self._port = port
        self._names = (f"f-{prefix}-{number}" for number in itertools.count())
        self.stored: list[str] = []
        self.is_full = False

    def store(self) -> None:
        """Log in, and store files until that is refused."""
        of_the_upgrade = (ftplib.error_temp, EOFError, ConnectionError)
        with suppress(*of_the_upgrade), closing(login(self._port, "small")) as client:
            while True:
                self._store_one(client)

    def _store_one(self, client: ftplib.FTP) -> None:
        name = next(self._names)
        try:
            client.storbinary(f"STOR {name}", io.BytesIO(b"x" * FILE_BYTES))
        except ftplib.error_perm as refusal:
            assert str(refusal).startswith("552 Quota exceeded.")
            self.is_full = True
            raise EOFError from None
        self.stored.append(name)


def test_a_quota_holds_while_a_node_is_upgraded(nodes: TwoNodes) -> None:
    makers = [SmallUploads(port, str(number)) for number, port in enumerate(nodes.ports)]
    with ExitStack() as stack:
        for maker in makers:
            stack.enter_context(Repeated(maker.store))
        for _ in range(2):
            assert_upgraded(nodes)
        wait_for(lambda: all(maker.is_full for maker in makers))

    def total() -> int:
        found = [one.stat().st_size for one in nodes.files.rglob("f-*") if one.is_file()]
        assert sum(found) <= QUOTA
        return sum(found)

    def is_full() -> bool:
        makers[0].store()
        return total() == QUOTA

    wait_for(is_full)
    there = {one.name for one in nodes.files.rglob("f-*")}
    assert there >= {name for maker in makers for name in maker.stored}
    assert nodes.one.stopped() == nodes.two.stopped() == 0
    assert "Traceback" not in nodes.one.output + nodes.two.output


def test_a_program_that_could_not_be_the_same_node_changes_nothing(nodes: TwoNodes) -> None:
    workers = children(nodes.one.process.pid)
    run = nodes.nodes()["one"]["run"]
    other = nodes.url.rpartition("/")[0] + "/postgres"
    for changed, reason in (
        ({"cluster_node": '"three"'}, "--cluster, --cluster-node: an upgrade cannot change them"),
        ({"cluster": f'"{other}"'}, "--cluster, --cluster-node: an upgrade cannot change them"),
        ({"cluster": f'"{nodes.url.replace(PASSWORD, "wrong")}"'}, "password authentication"),
    ):
        nodes.write_settings("one", **changed)
        done = upgrade(nodes.place("one"))
        assert_nothing_changed(done, "nothing has changed: --cluster")
        assert reason in done.stderr
    with closing(login(nodes.ports[0])) as client:
        assert client.voidcmd("NOOP")
    assert children(nodes.one.process.pid) == workers
    assert all(map(is_alive, workers))
    assert nodes.nodes()["one"]["run"] == run
    nodes.write_settings("one")
    assert_upgraded(nodes)
    assert nodes.nodes()["one"]["run"] == run
    assert nodes.one.stopped() == nodes.two.stopped() == 0
