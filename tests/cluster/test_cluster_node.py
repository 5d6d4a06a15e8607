"""Limits over several nodes, with real clients, sockets and PostgreSQL."""

from __future__ import annotations

import socket
import time
from contextlib import closing

import pytest
import pytest_twisted
from twisted.internet.threads import deferToThread

from ftpservice.session.settings import SessionSettings
from tests.support.cluster import Fleet, cluster_connection, cluster_url, until
from tests.support.postgresql import PostgreSQL
from tests.support.service_process import BUSY_SECONDS

OF_A_USER = SessionSettings(max_sessions_per_user=3)
IN_ALL = SessionSettings(max_sessions=3)


def places(url: str, kind: str) -> int:
    with closing(cluster_connection(url)) as connection:
        row = connection.call(
            lambda driver: driver.execute(
                "SELECT coalesce(sum(places), 0) FROM ftpservice_cluster_places WHERE kind = %s",
                (kind,),
            ).fetchone()
        )
    return int(row[0])


@pytest.mark.parametrize(("kind", "settings"), [("user", OF_A_USER), ("all", IN_ALL)])
@pytest_twisted.ensureDeferred
async def test_three_nodes_have_as_many_sessions_as_the_limit_says(
    url: str, reactor, kind: str, settings: SessionSettings
) -> None:
    fleet = Fleet(url, reactor, settings)
    try:
        for _ in range(3):
            begun = await fleet.race(12)
            assert len(begun) == 3
            for client in begun:
                await deferToThread(client.quit)
            await until(lambda: places(url, kind) == 0)
    finally:
        await fleet.close()


@pytest_twisted.ensureDeferred
async def test_the_database_is_stopped_and_started_while_sessions_begin_and_end(
    restartable: PostgreSQL, reactor
) -> None:
    url = cluster_url(restartable)
    fleet = Fleet(url, reactor, OF_A_USER)
    try:
        await fleet.joined()
        before = await fleet.race(6)
        assert len(before) == 3
        await deferToThread(restartable.stop)
        await until(lambda: all(node.cluster.status.problem for node in fleet.nodes))
        for client in before:  # a session goes on
            assert await deferToThread(client.voidcmd, "NOOP")
            await deferToThread(client.quit)
        alone = await fleet.race(12)
        assert len(alone) == 3  # the share of each node is one
        assert await fleet.race(3) == []
        await deferToThread(restartable.start)
        await until(lambda: all(node.cluster.is_connected for node in fleet.nodes))
        await until(lambda: places(url, "user") == 3)
        assert await fleet.race(6) == []
        await deferToThread(alone.pop().quit)
        await until(lambda: places(url, "user") == 2)
        assert len(await fleet.race(6)) == 1
    finally:
        await fleet.close()


@pytest_twisted.ensureDeferred
async def test_a_database_that_hangs_delays_a_login_for_a_moment_only(
    restartable: PostgreSQL, reactor
) -> None:
    fleet = Fleet(cluster_url(restartable), reactor, OF_A_USER, 1)
    try:
        assert len(await fleet.race(1)) == 1
        await deferToThread(restartable.freeze)
        began = time.monotonic()
        assert len(await fleet.race(4)) == 2
        assert time.monotonic() - began < 2.0 + BUSY_SECONDS
        await deferToThread(restartable.thaw)
        await until(lambda: fleet.nodes[0].cluster.is_connected)
    finally:
        restartable.thaw()
        await fleet.close()


@pytest_twisted.ensureDeferred
async def test_places_that_another_node_keeps_unused_are_had_when_they_are_needed(
    url: str, reactor
) -> None:
    fleet = Fleet(url, reactor, SessionSettings(max_sessions_per_user=30), 2)
    try:
        await fleet.joined()
        assert len(await fleet.race(1, 0)) == 1
        assert places(url, "user") > 1
        had = await fleet.race(29, 1)
        for _ in range(3):  # a busy node gives places back later than others wait for them
            had += await fleet.race(29 - len(had), 1)
        assert len(had) == 29
    finally:
        await fleet.close()


@pytest_twisted.ensureDeferred
async def test_a_session_without_a_login_is_ended_on_another_node_for_a_new_one(
    url: str, reactor
) -> None:
    fleet = Fleet(url, reactor, IN_ALL, 2)
    try:
        await fleet.joined()
        with closing(await deferToThread(Sockets, fleet.nodes[0].port, 3)) as sockets:
            await until(lambda: fleet.nodes[0].cluster.limits.taken("all", "") == 3)
            assert len(await fleet.race(1, 1)) == 1
            assert fleet.nodes[0].cluster.limits.taken("all", "") == 2
            assert sockets.first().startswith(b"220 ")
    finally:
        await fleet.close()


class Sockets:
    """Connections that say nothing."""

    def __init__(self, port: int, count: int) -> None:
        address = ("127.0.0.1", port)
        self._sockets = [socket.create_connection(address, 20.0) for _ in range(count)]

    def first(self) -> bytes:
        """Return what the first one has received (blocks)."""
        return self._sockets[0].recv(1000)

    def close(self) -> None:
        for one in self._sockets:
            one.close()
