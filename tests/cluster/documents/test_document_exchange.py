"""Nodes that keep their copies in step, with a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from ftpservice.cluster.cluster_url import cluster_database_url
from ftpservice.cluster.documents.cluster_documents import ClusterDocuments
from ftpservice.cluster.documents.document_calls import CALL_SECONDS
from ftpservice.cluster.documents.document_exchange import DocumentExchange
from ftpservice.session.settings import SessionSettings
from ftpservice.state_files.private_json import DocumentUnavailable, PrivateJSON
from ftpservice.web.access.scopes import Scope
from ftpservice.web.access.token_file import TOKEN_FILE, TokenFile, TokenFileError
from tests.support.cluster import Fleet, PeerNode, cluster_connection, cluster_url, until
from tests.support.logged_texts import logged_texts
from tests.support.postgresql import PostgreSQL
from tests.support.service_process import BUSY_SECONDS

READ = frozenset({Scope.READ})


class Place:
    """The data directory of a node."""

    def __init__(
        self,
        url: str,
        node: PeerNode,
        directory: Path,
        check: Callable[[dict[str, Any]], object] = bool,
    ) -> None:
        directory.mkdir()
        self.documents = ClusterDocuments(cluster_database_url(url))
        self.tokens = TokenFile(directory / TOKEN_FILE, lambda: 1000.0, self.documents)
        self.other = PrivateJSON(directory / "other.json", self.documents, check)
        files = [self.tokens.file, self.other]
        self.exchange = DocumentExchange(node.cluster, self.documents, files)

    async def add(self, name: str) -> None:
        await deferToThread(self.tokens.add, name, READ, None)

    def names(self) -> list[str]:
        return sorted(token.name for token in self.tokens.read().values())


async def close(fleet: Fleet, *places: Place) -> None:
    await fleet.close()
    for place in places:
        await place.exchange.close()


@pytest_twisted.ensureDeferred
async def test_a_change_is_at_all_nodes_soon_and_after_the_database_was_away(
    reactor, tmp_path: Path
) -> None:
    with PostgreSQL() as server:
        url = cluster_url(server)
        fleet = Fleet(url, reactor, SessionSettings(), 2)
        first, second = (
            Place(url, node, tmp_path / str(number)) for number, node in enumerate(fleet.nodes)
        )
        try:
            await fleet.joined()
            await first.exchange.ready
            await second.exchange.ready
            await first.add("one")
            await until(lambda: second.names() == ["one"])
            server.stop()
            await until(lambda: not any(node.cluster.is_connected for node in fleet.nodes))
            refused = await deferToThread(lambda: _refusal(second))
            assert "cannot be used" in refused
            assert first.names() == second.names() == ["one"]
            server.start()
            await until(lambda: all(node.cluster.is_connected for node in fleet.nodes))
            await second.add("two")
            await until(lambda: first.names() == ["one", "two"])
        finally:
            await close(fleet, first, second)


def _refusal(place: Place) -> str:
    try:
        place.tokens.add("refused", READ, None)
    except TokenFileError as error:
        return str(error)
    return ""


@pytest_twisted.ensureDeferred
async def test_a_change_does_not_wait_for_a_database_that_hangs(reactor, tmp_path: Path) -> None:
    with PostgreSQL() as server:
        url = cluster_url(server)
        fleet = Fleet(url, reactor, SessionSettings(), 1)
        place = Place(url, fleet.nodes[0], tmp_path / "a")
        try:
            await place.exchange.ready
            await place.add("one")
            server.freeze()
            began = reactor.seconds()
            assert "cannot be used" in await deferToThread(lambda: _refusal(place))
            assert reactor.seconds() - began < CALL_SECONDS + BUSY_SECONDS
            await until(lambda: not fleet.nodes[0].cluster.is_connected)
            assert place.names() == ["one"]
            server.thaw()
            await until(lambda: fleet.nodes[0].cluster.is_connected)
            await place.add("two")
        finally:
            server.thaw()
            await close(fleet, place)


@pytest_twisted.ensureDeferred
async def test_a_message_that_was_lost_is_made_up_for_by_a_heartbeat(
    postgresql: PostgreSQL, reactor, tmp_path: Path
) -> None:
    url = cluster_url(postgresql)
    fleet = Fleet(url, reactor, SessionSettings(), 2)
    first, second = (
        Place(url, node, tmp_path / str(number)) for number, node in enumerate(fleet.nodes)
    )
    try:
        await fleet.joined()
        await second.exchange.ready
        fleet.nodes[1].cluster.receivers.remove(second.exchange.received)
        await first.add("one")
        await until(lambda: second.names() == ["one"])
    finally:
        await close(fleet, first, second)


@pytest_twisted.ensureDeferred
async def test_a_node_reads_nothing_before_it_knows_what_is_in_force(
    postgresql: PostgreSQL, reactor, tmp_path: Path
) -> None:
    url = cluster_url(postgresql)
    rename = "ALTER TABLE {} RENAME TO {}"
    names = "ftpservice_cluster_document", "another"
    connection = cluster_connection(url)
    connection.call(lambda driver: driver.execute(rename.format(*names)))
    with logged_texts() as texts:
        fleet = Fleet(url, reactor, SessionSettings(), 1)
        place = Place(url, fleet.nodes[0], tmp_path / "a")
        try:
            await fleet.joined()
            await place.exchange.ready  # the start of a service goes on
            assert "not been read" in await deferToThread(lambda: _reading(place))
            connection.call(lambda driver: driver.execute(rename.format(*reversed(names))))
            await until(lambda: _reading(place) == "")
        finally:
            connection.close()
            await close(fleet, place)
    assert sum("common files cannot be read" in text for text in texts) == 1


@pytest_twisted.ensureDeferred
async def test_a_failure_that_nobody_expected_does_not_keep_a_service_from_its_start(
    postgresql: PostgreSQL, reactor, tmp_path: Path
) -> None:
    def fail(_content: object) -> None:
        raise RuntimeError("unexpected")

    url = cluster_url(postgresql)
    fleet = Fleet(url, reactor, SessionSettings(), 1)
    place = Place(url, fleet.nodes[0], tmp_path / "a", fail)
    place.other.path.write_text("{}")
    with logged_texts() as texts:
        try:
            await fleet.joined()
            await place.exchange.ready
            with pytest.raises(DocumentUnavailable, match="not been read"):
                place.other.read()
        finally:
            await close(fleet, place)
    assert any("the common files failed" in text for text in texts)


@pytest_twisted.ensureDeferred
async def test_a_node_that_serves_alone_reads_its_copies(reactor, tmp_path: Path) -> None:
    with PostgreSQL() as server:
        url = cluster_url(server)
        server.stop()
        fleet = Fleet(url, reactor, SessionSettings(), 1)
        fleet.nodes[0].cluster.may_serve_alone = True
        place = Place(url, fleet.nodes[0], tmp_path / "a")
        try:
            waiting: Deferred[None] = place.exchange.ready
            await waiting
            assert _reading(place) == ""
        finally:
            await close(fleet, place)


def _reading(place: Place) -> str:
    try:
        place.names()
    except TokenFileError as error:
        return str(error)
    return ""
