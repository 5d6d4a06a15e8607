"""Documents of several nodes, with a real PostgreSQL."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from ftpservice.accounts.account_store import StoreUnavailable
from ftpservice.accounts.second_factors.factor_changes import with_code_secret
from ftpservice.accounts.second_factors.factor_file import FactorFile, FactorFileError
from ftpservice.cluster.cluster_url import cluster_database_url
from ftpservice.cluster.documents.cluster_documents import UNUSED_SECONDS, ClusterDocuments
from ftpservice.cluster.documents.document_statements import versions
from ftpservice.state_files.private_json import STAMP, DocumentUnavailable, PrivateJSON
from ftpservice.web.access.scopes import Scope
from ftpservice.web.access.token_file import TOKEN_FILE, TokenFile, TokenFileError
from tests.support.cluster import cluster_connection, cluster_url
from tests.support.logged_texts import logged_texts
from tests.support.postgresql import PostgreSQL
from tests.support.service_process import PATIENCE, checkout_environment
from tests.support.worker_service import wait_for

READ = frozenset({Scope.READ})
SECRET = "JBSWY3DPEHPK3PXP"


class Node:
    """The files of a node."""

    def __init__(self, url: str, directory: Path) -> None:
        directory.mkdir(exist_ok=True)
        self.directory = directory
        self.now = 0.0
        self.documents = ClusterDocuments(cluster_database_url(url), lambda: self.now)
        self._connection = cluster_connection(url)
        self.tokens = TokenFile(directory / TOKEN_FILE, lambda: 1000.0, self.documents)
        self.factors = FactorFile(directory / "second-factors.json", self.documents)

    @property
    def names(self) -> list[str]:
        return sorted(token.name for token in self.tokens.read().values())

    def look(self) -> dict[Path, OSError]:
        files = [self.tokens.file, self.factors.file]
        try:
            found = self._connection.call(versions, [file.path.name for file in files])
        except StoreUnavailable as error:
            raise DocumentUnavailable(str(error)) from None
        return self.documents.refresh_changed(files, found)

    def close(self) -> None:
        self.documents.close()
        self._connection.close()

    def stamp(self) -> dict[str, object]:
        found: dict[str, object] = self.tokens.file.content()[STAMP]
        return found


class Nodes:
    """The nodes of one cluster."""

    def __init__(self, url: str, directory: Path) -> None:
        self.url, self.directory = url, directory
        self._stack = ExitStack()

    def node(self, name: str) -> Node:
        made = Node(self.url, self.directory / name)
        self._stack.callback(made.close)
        return made

    def execute(self, statement: str) -> None:
        with closing(cluster_connection(self.url)) as connection:
            connection.call(lambda driver: driver.execute(statement))

    def close(self) -> None:
        self._stack.close()


@pytest.fixture
def nodes(url: str, tmp_path: Path) -> Iterator[Nodes]:
    with closing(Nodes(url, tmp_path)) as found:
        yield found


def test_a_change_at_one_node_is_there_at_the_others_after_a_look(nodes: Nodes) -> None:
    first, second = nodes.node("a"), nodes.node("b")
    first.tokens.add("one", READ, None)
    second.look()
    assert second.names == ["one"]
    second.tokens.remove("one")
    second.factors.change("ann", with_code_secret(SECRET, 1.0))
    assert first.look() == {}
    assert first.names == []
    assert first.factors.find("ann").is_on
    assert first.tokens.path.read_bytes() == second.tokens.path.read_bytes()
    assert first.tokens.path.stat().st_mode & 0o777 == 0o600


def test_a_change_sees_those_of_others_without_a_look(nodes: Nodes) -> None:
    first, second = nodes.node("a"), nodes.node("b")
    first.tokens.add("one", READ, None)
    with pytest.raises(TokenFileError, match="already"):
        second.tokens.add("one", READ, None)
    second.tokens.add("two", READ, None)
    assert second.names == ["one", "two"]


def test_changes_of_nodes_and_threads_at_once_are_all_made(nodes: Nodes) -> None:
    places = [nodes.node("a"), nodes.node("b"), nodes.node("b")]  # the last two on one machine

    def add(number: int) -> None:
        places[number % 3].factors.change(f"user{number}", with_code_secret(SECRET, 1.0))

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(add, range(60)))
    for place in places:
        place.look()
        assert len(place.factors.read()) == 60


def test_what_changes_nothing_makes_no_version(nodes: Nodes) -> None:
    node = nodes.node("a")
    node.tokens.add("one", READ, None)
    before = node.stamp()
    with pytest.raises(TokenFileError, match="no token"):
        node.tokens.remove("none")
    node.tokens.file.refresh()
    node.look()
    assert node.stamp() == before


def test_a_new_node_gets_what_is_there_and_one_with_files_adds_its_own(nodes: Nodes) -> None:
    for name in ("a", "b"):
        alone = FactorFile(nodes.directory / name / "second-factors.json")
        alone.path.parent.mkdir()
        alone.change("both", with_code_secret(SECRET, 1.0))
        alone.change(f"only at {name}", with_code_secret(SECRET, 1.0))
    first, second, third = nodes.node("a"), nodes.node("b"), nodes.node("c")
    first.look()
    common = first.factors.find("both")
    before = second.factors.path.read_bytes()
    with logged_texts() as texts:
        second.look()
    third.look()
    first.look()
    for node in (first, second, third):
        assert set(node.factors.read()) == {"both", "only at a", "only at b"}
        assert node.factors.find("both") == common
    (kept,) = second.directory.glob("second-factors.own-*.json")
    assert kept.read_bytes() == before
    assert kept.stat().st_mode & 0o777 == 0o600
    assert any("counts: both." in text and str(kept) in text for text in texts)


REFUSE = """CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN RAISE 'no space left on device'; END $$"""
REFUSED = """CREATE TRIGGER refused BEFORE UPDATE ON ftpservice_cluster_document
    EXECUTE FUNCTION refuse()"""


def test_a_file_is_kept_once_if_its_entries_cannot_be_added(nodes: Nodes) -> None:
    nodes.node("a").tokens.add("one", READ, None)
    alone = TokenFile(nodes.directory / "b" / TOKEN_FILE, lambda: 1.0)
    alone.path.parent.mkdir()
    alone.add("two", READ, None)
    joining = nodes.node("b")
    for statement in (REFUSE, REFUSED):
        nodes.execute(statement)
    for _ in range(3):
        with pytest.raises(DocumentUnavailable, match="no space left"):
            joining.look()
    assert len(list(joining.directory.glob("*.own-*"))) == 1
    assert joining.names == ["two"]
    nodes.execute("DROP TRIGGER refused ON ftpservice_cluster_document")
    joining.look()
    assert joining.names == ["one", "two"]
    assert len(list(joining.directory.glob("*.own-*"))) == 1


def test_the_same_file_at_each_node_is_no_conflict(nodes: Nodes) -> None:
    for name in ("a", "b"):
        (nodes.directory / name).mkdir()
    TokenFile(nodes.directory / "a" / TOKEN_FILE, lambda: 1.0).add("one", READ, None)
    content = (nodes.directory / "a" / TOKEN_FILE).read_bytes()
    (nodes.directory / "b" / TOKEN_FILE).write_bytes(content)
    first, second = nodes.node("a"), nodes.node("b")
    first.look()
    second.look()
    assert first.stamp() == second.stamp() == {"origin": first.stamp()["origin"], "version": 1}
    assert list(second.directory.glob("*.own-*")) == []


def test_a_copy_that_was_away_does_not_bring_back_what_was_removed(nodes: Nodes) -> None:
    first, second = nodes.node("a"), nodes.node("b")
    first.tokens.add("one", READ, None)
    second.look()
    first.tokens.remove("one")
    back = nodes.node("b")
    assert back.names == ["one"]  # the last that it knew
    back.look()
    assert back.names == []
    assert list(back.directory.glob("*.own-*")) == []


def test_a_database_without_documents_gets_those_of_a_node(nodes: Nodes) -> None:
    first, second = nodes.node("a"), nodes.node("b")
    first.tokens.add("one", READ, None)
    second.look()
    first.tokens.add("two", READ, None)
    nodes.execute("DELETE FROM ftpservice_cluster_document")
    with logged_texts() as texts:
        second.look()  # an older version is put there, and replaced by that of the first
        first.look()
    second.look()
    assert first.names == second.names == ["one", "two"]
    assert any("an older api-tokens.json" in text for text in texts)


def test_a_damaged_copy_is_kept_aside_and_replaced(nodes: Nodes) -> None:
    node = nodes.node("a")
    node.tokens.add("one", READ, None)
    for content in ("[", '{"tokens": [{}]}', '{"tokens": [], "common": 5}'):
        node.tokens.path.write_text(content)
        node.look()
        assert node.names == ["one"]
        kept = [path.read_text() for path in node.directory.glob("*.own-*")]
        assert kept == [content]
        for path in node.directory.glob("*.own-*"):
            path.unlink()


def test_a_damaged_file_does_not_become_that_of_the_cluster(nodes: Nodes) -> None:
    first, second = nodes.node("a"), nodes.node("b")
    second.factors.path.write_text('{"accounts": {"ann": {}}}')
    second.look()
    first.look()
    assert first.factors.read() == {}
    with pytest.raises(FactorFileError, match="not a file of second factors"):
        second.factors.read()
    first.factors.change("ann", with_code_secret(SECRET, 1.0))
    second.look()
    assert second.factors.find("ann").is_on


DAMAGED_BODIES = ("[", "[]", '{"tokens": [{}]}', '{"more": ' + "[" * 100_000)


@pytest.mark.parametrize("body", DAMAGED_BODIES, ids=("text", "list", "entry", "depth"))
def test_a_damaged_document_is_told_and_the_last_copy_is_read(nodes: Nodes, body: str) -> None:
    node = nodes.node("a")
    node.tokens.add("one", READ, None)
    before = node.tokens.path.read_bytes()
    nodes.execute(f"UPDATE ftpservice_cluster_document SET body = '{body}', version = 9")
    nodes.node("b").factors.change("ann", with_code_secret(SECRET, 1.0))
    for _ in range(2):
        errors = node.look()
        assert list(errors) == [node.tokens.path]
        assert "damaged" in str(errors[node.tokens.path])
    with pytest.raises(TokenFileError, match="damaged"):
        node.tokens.add("two", READ, None)
    assert node.names == ["one"]
    assert node.tokens.path.read_bytes() == before
    assert list(node.directory.glob("*.own-*")) == []
    assert node.factors.find("ann").is_on  # the other files go on
    nodes.execute("DELETE FROM ftpservice_cluster_document WHERE name = 'api-tokens.json'")
    assert node.look() == {}
    assert node.names == ["one"]


def test_a_copy_that_was_never_compared_is_not_read_beside_a_damaged_document(nodes: Nodes) -> None:
    nodes.node("a").tokens.add("one", READ, None)
    back = nodes.node("a")
    back.documents.is_first_look_due = True
    nodes.execute("UPDATE ftpservice_cluster_document SET body = '[', version = 9")
    assert list(back.look()) == [back.tokens.path]
    back.documents.is_first_look_due = False
    with pytest.raises(TokenFileError, match="old one"):
        back.tokens.read()


def test_a_copy_that_cannot_be_written_is_not_read_any_more(nodes: Nodes) -> None:
    first, second = nodes.node("a"), nodes.node("b")
    first.tokens.add("one", READ, None)
    second.look()
    first.tokens.remove("one")
    lock = second.tokens.path.with_suffix(".lock")
    lock.unlink(missing_ok=True)
    lock.mkdir()
    assert list(second.look()) == [second.tokens.path]
    with pytest.raises(TokenFileError, match="old one"):
        second.tokens.read()
    lock.rmdir()
    assert second.look() == {}
    assert second.names == []


def test_nothing_is_read_before_the_first_look_at_the_database(nodes: Nodes) -> None:
    first, second = nodes.node("a"), nodes.node("b")
    first.factors.change("ann", with_code_secret(SECRET, 1.0))
    second.documents.is_first_look_due = True
    with pytest.raises(FactorFileError, match="not been read"):
        second.factors.find("ann")
    second.look()
    assert second.factors.find("ann").is_on


def test_without_the_database_copies_are_read_and_nothing_is_changed(
    restartable: PostgreSQL, tmp_path: Path
) -> None:
    with closing(Nodes(cluster_url(restartable), tmp_path)) as nodes:
        first, second = nodes.node("a"), nodes.node("b")
        first.tokens.add("one", READ, None)
        second.look()
        restartable.stop()
        try:
            assert second.names == ["one"]
            before = second.tokens.path.read_bytes()
            with pytest.raises(TokenFileError, match="database of the cluster cannot be used"):
                second.tokens.remove("one")
            with pytest.raises(DocumentUnavailable):
                second.look()
            second.documents.problem = lambda: "it is away"
            with pytest.raises(TokenFileError, match="cannot be used: it is away"):
                second.tokens.remove("one")
            assert second.tokens.path.read_bytes() == before
        finally:
            restartable.start()
        second.documents.problem = str
        second.tokens.remove("one")
        with suppress(DocumentUnavailable):  # the connection from before
            first.look()
        first.look()
        assert first.names == second.names == []


def test_a_connection_that_is_lost_within_a_change_makes_none(nodes: Nodes) -> None:
    first, second = nodes.node("a"), nodes.node("b")
    first.tokens.add("one", READ, None)
    end = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND state = 'idle in transaction'"
    )
    with pytest.raises(DocumentUnavailable), first.tokens.file.changing() as write:
        nodes.execute(end)
        write({"tokens": []})
    assert first.names == ["one"]
    second.look()
    assert second.names == ["one"]
    first.tokens.remove("one")


def test_a_stopped_node_does_not_hold_a_document_for_long(nodes: Nodes) -> None:
    first, second = nodes.node("a"), nodes.node("b")
    holds, may_go_on = threading.Event(), threading.Event()

    def stop_within() -> None:
        with suppress(DocumentUnavailable), first.tokens.file.changing() as write:
            holds.set()
            may_go_on.wait(PATIENCE)
            write({"tokens": []})

    with ThreadPoolExecutor(1) as threads:
        stopped = threads.submit(stop_within)
        assert holds.wait(PATIENCE)
        with suppress(TokenFileError):  # the time limit of a statement is about the same
            second.tokens.add("one", READ, None)
        with suppress(TokenFileError):
            second.tokens.add("one", READ, None)
        may_go_on.set()
        stopped.result(PATIENCE)
    second.look()
    assert second.names == ["one"]


KILLED = """
import os, signal, sys
from pathlib import Path
from ftpservice.cluster.cluster_url import cluster_database_url
from ftpservice.cluster.documents import document_transaction
from ftpservice.accounts.account_store import StoreUnavailable
from ftpservice.cluster.documents.cluster_documents import UNUSED_SECONDS, ClusterDocuments
from ftpservice.cluster.documents.document_statements import versions
from ftpservice.web.access.scopes import Scope
from ftpservice.web.access.token_file import TokenFile

def kill(connection):
    if sys.argv[3] == "after":
        connection.execute("COMMIT")
    os.kill(os.getpid(), signal.SIGKILL)

documents = ClusterDocuments(cluster_database_url(sys.argv[1]))
file = TokenFile(Path(sys.argv[2]), lambda: 1.0, documents)
file.add("kept", frozenset({Scope.READ}), None)
document_transaction.commit = kill
file.add("killed", frozenset({Scope.READ}), None)
"""


@pytest.mark.parametrize(("when", "names"), [("before", ["kept"]), ("after", ["kept", "killed"])])
def test_a_node_that_is_killed_within_a_change_has_made_it_everywhere_or_nowhere(
    nodes: Nodes, when: str, names: list[str]
) -> None:
    second, path = nodes.node("b"), nodes.directory / "a" / TOKEN_FILE
    path.parent.mkdir()
    command = [sys.executable, "-c", KILLED, nodes.url, str(path), when]
    ended = subprocess.run(
        command, env=checkout_environment(), capture_output=True, timeout=PATIENCE, check=False
    )
    assert ended.returncode == -9, ended.stderr
    assert json.loads(path.read_bytes())["tokens"][0]["name"] == "kept"
    second.look()
    assert second.names == names
    first = nodes.node("a")
    first.look()
    assert first.names == names
    first.tokens.add("more", READ, None)
    second.look()
    assert second.names == sorted([*names, "more"])


def test_the_copy_of_a_program_is_in_step_with_another_one_of_the_same_node(nodes: Nodes) -> None:
    service, command = nodes.node("a"), nodes.node("a")
    service.tokens.add("one", READ, None)
    service.look()
    command.tokens.remove("one")
    assert service.names == []
    assert service.look() == {}
    plain = PrivateJSON(service.tokens.path)
    assert plain.content()["tokens"] == []


def test_the_connection_is_closed_when_it_is_not_used_for_long(nodes: Nodes) -> None:
    node = nodes.node("a")
    node.look()

    def count() -> int:
        select = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        with closing(cluster_connection(nodes.url)) as connection:
            return int(connection.call(lambda driver: driver.execute(select).fetchone()[0]))

    before = count()
    node.tokens.add("one", READ, None)
    node.now += UNUSED_SECONDS - 1.0
    node.look()
    assert count() == before + 1
    node.now += 1.0
    node.look()
    wait_for(lambda: count() == before)
    node.tokens.add("two", READ, None)
