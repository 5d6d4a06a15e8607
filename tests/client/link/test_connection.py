"""Connecting in passive mode with a socket of our own."""

import os
import socket

import pytest
from pytest_twisted import ensureDeferred

from ftpservice_client import CannotConnect, Settings
from ftpservice_client.link.connection import PassiveConnection


def connecting(reactor, host, port):
    return PassiveConnection(reactor, Settings(timeout=5.0), None).connect(host, port)


@ensureDeferred
@pytest.mark.parametrize(("family", "host"), [("AF_INET", "127.0.0.1"), ("AF_INET6", "::1")])
async def test_a_nearby_server_is_connected_at_once(reactor, family, host):
    with socket.create_server((host, 0), family=getattr(socket, family)) as server:
        pending = connecting(reactor, host, server.getsockname()[1])
        assert pending.stream.transport is not None
        data = await pending.connection()
        assert data.transport.getPeer().port == server.getsockname()[1]
        pending.abort()


@ensureDeferred
async def test_a_refused_connection(reactor):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    pending = connecting(reactor, "127.0.0.1", port)
    with pytest.raises(CannotConnect, match=os.strerror(111)):
        await pending.connection()
    assert pending.fileno() == -1


@ensureDeferred
async def test_host_names_are_not_resolved(reactor):
    with socket.create_server(("127.0.0.1", 0)) as server:
        pending = connecting(reactor, "localhost", server.getsockname()[1])
        with pytest.raises(CannotConnect):
            await pending.connection()


@ensureDeferred
async def test_stopping_closes_the_socket(reactor):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        attempts = [connecting(reactor, *server.getsockname()) for _ in range(4)]
        stuck = [pending for pending in attempts if pending.stream.transport is None]
        assert stuck
        for pending in stuck:
            assert pending.fileno() >= 0
            pending.stop()
            pending.stop()
            assert pending.fileno() == -1
        assert not [pending for pending in stuck if pending in reactor.getWriters()]
        for pending in attempts:
            pending.abort()
