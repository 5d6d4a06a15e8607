"""Servers with a broken EPSV: the client falls back to PASV and remembers it."""

import socket
from contextlib import ExitStack

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.protocol import Factory

from ftpservice_client import (
    AccessDenied,
    AuthenticationFailed,
    Destination,
    NetworkError,
    ProtocolViolation,
    Scheme,
    ServerRefused,
    Settings,
    Unsupported,
    connect,
    connect_pool,
)
from ftpservice_client.ftp.data import FIRST_EPSV_SECONDS
from tests.support.scripted_server import ScriptedServer, outcome

ANSWERS = {
    "RETR": "150 here\r\n226 done",
    "STOR": "150 go\r\n226 done",
    "LIST": "150 here\r\n226 done",
    "FEAT": "211 none",
}
BROKEN = [
    "229 Entering Extended Passive Mode",
    "229 (|||0|)",
    "229 (|||70000|)",
    "229 (|||x|)",
    "229 ()",
    "425 no",
    "451 local error",
    "500 what?",
    "501 no",
    "502 no",
    "503 no",
    "522 (1)",
    "530 Please login with USER and PASS.",
    "550 Permission denied",
]


def passive(server):
    """Reply to PASV with a wrong host."""

    def say(connection, line):
        high, low = divmod(server.open_port(), 256)
        connection.say(f"227 Entering Passive Mode (10,0,0,9,{high},{low})", line)

    return say


def with_pasv(epsv):
    server = ScriptedServer({**ANSWERS, "EPSV": epsv}, b"data")
    server.replies["PASV"] = passive(server)
    return server


def count(server, verb):
    return sum(line.partition(" ")[0] == verb for line in server.commands)


@pytest.mark.parametrize("epsv", BROKEN)
def test_a_broken_epsv_is_tried_once_a_session(epsv):
    server = with_pasv(epsv)
    client = server.client()
    for _ in range(3):
        assert server.result(client.download("x")).data == b"data"
    server.data = b"-rw-r--r-- 1 a b 4 Jan  3  2020 .x\r\n"
    server.result(client.list())
    assert (count(server, "EPSV"), count(server, "PASV")) == (1, 4)
    client.abort()


def test_a_port_that_refuses_connections():
    server = with_pasv("229 ok (|||7|)")
    client = server.client()
    for _ in range(2):
        assert server.result(client.download("x")).data == b"data"
    assert (count(server, "EPSV"), count(server, "RETR")) == (1, 2)
    client.abort()


class Silence:
    """A connection attempt without an answer."""

    def disconnect(self):
        pass


@pytest.mark.parametrize("call", ["download", "upload"])
def test_a_port_that_does_not_answer(call):
    server = with_pasv("229 ok (|||7|)")
    connecting = server.network.connectTCP
    server.network.connectTCP = lambda host, port, *others, **named: (
        Silence() if port == 7 else connecting(host, port, *others, **named)
    )
    client = server.client()
    if call == "upload":
        server.data = None
    work = client.download("x") if call == "download" else client.upload(b"data", "x")
    assert server.result(work, FIRST_EPSV_SECONDS).size == 4
    assert (count(server, "EPSV"), count(server, "PASV")) == (1, 1)
    client.abort()
    server.network.pass_time(40.0)
    assert server.network.getDelayedCalls() == []


def test_after_one_success_commands_do_not_wait_for_the_connection():
    server = ScriptedServer(ANSWERS, b"data")
    client = server.client()
    server.result(client.download("x"))
    server.replies["RETR"] = "425 cannot"
    server.network.connectTCP = lambda *_, **__: Silence()
    assert "cannot" in str(outcome(client.download("x"), server.network))
    assert count(server, "PASV") == 0
    client.abort()


def test_other_sessions_remember_a_broken_epsv():
    server = with_pasv("550 no")
    place = Destination(Scheme.FTP, "127.0.0.1", 21, "ann", "secret")
    settings = Settings(netrc=None, retries=1)
    pool = server.result(connect_pool(place, 3, reactor=server.network, settings=settings))
    server.result(pool.download("x"))
    work = [pool.download("x") for _ in range(3)]
    for one in work:
        assert server.result(one).data == b"data"
    assert len(server.connections) == 3
    for connection in server.connections:
        connection.transport.abortConnection()
    assert server.result(pool.download("x"), 5.0).data == b"data"
    assert count(server, "EPSV") == 1
    pool.abort()


@pytest.mark.parametrize(
    ("epsv", "pasv", "kind"),
    [
        ("530 Please login", "530 Please login", AccessDenied),
        ("530 Please login", "502 no", AccessDenied),
        ("229 nowhere", "502 no", ProtocolViolation),
        ("500 what?", "227 nowhere", Unsupported),
        ("500 what?", "425 no port is free", ServerRefused),
    ],
)
def test_neither_epsv_nor_pasv_works(epsv, pasv, kind):
    server = ScriptedServer({**ANSWERS, "EPSV": epsv, "PASV": pasv}, b"data")
    client = server.client()
    for work in (client.download("x"), client.upload(b"data", "x")):
        error = outcome(work, server.network, 10.0)
        assert isinstance(error, kind)
        assert not isinstance(error, (AuthenticationFailed, NetworkError))
    server.replies["NOOP"] = "200 ok"
    assert server.result(client.send("NOOP")).code == 200
    client.abort()


def test_no_pasv_after_a_lost_connection():
    server = with_pasv("421 bye")
    client = server.client()
    assert "bye" in str(outcome(client.download("x"), server.network, 10.0))
    assert count(server, "PASV") == 0
    client.abort()


@pytest.mark.parametrize("how", ["cut", "silent"])
def test_an_epsv_that_ends_the_connection_is_tried_once(how):
    server = with_pasv("")
    if how == "cut":
        server.replies["EPSV"] = lambda connection, line: connection.transport.abortConnection()
    client = server.client(retries=1, timeout=5.0)
    assert server.result(client.download("x"), 10.0).data == b"data"
    assert server.result(client.download("x"), 10.0).data == b"data"
    assert (count(server, "EPSV"), count(server, "PASV"), len(server.connections)) == (1, 2, 2)
    client.abort()


def test_without_pasv_epsv_is_tried_again():
    server = ScriptedServer(ANSWERS, b"data")
    server.replies["EPSV"] = lambda connection, line: connection.transport.abortConnection()
    client = server.client(retries=1)
    speaking = server._accept

    def speak(address):
        server.replies.pop("EPSV", None)
        return speaking(address)

    server.network.listen(speak, 21)
    for _ in range(2):
        assert server.result(client.download("x"), 10.0).data == b"data"
    assert (count(server, "EPSV"), count(server, "PASV")) == (3, 1)
    client.abort()


def test_control_characters_in_replies_are_escaped():
    server = ScriptedServer({**ANSWERS, "EPSV": "229 \x1b[2Jnowhere"}, b"data")
    client = server.client()
    text = str(outcome(client.download("x"), server.network))
    assert text == "the reply to EPSV names no data port: \\x1b[2Jnowhere"
    client.abort()


@pytest.mark.parametrize("eprt", ["500 what?", "530 no", "550 no", "451 no"])
def test_a_broken_eprt(eprt):
    server = ScriptedServer({**ANSWERS, "EPRT": eprt, "PORT": "200 ok", "RETR": "550 no"})
    client = server.client(active=True)
    outcome(client.download("x"), server.network)
    outcome(client.download("x"), server.network)
    assert (count(server, "EPRT"), count(server, "PORT"), count(server, "RETR")) == (1, 2, 2)
    client.abort()


class Sockets:
    """A scripted server on real sockets."""

    def __init__(self, reactor, server):
        self._reactor = reactor
        self.ports = []
        server.network.listen = lambda accept: self.listen(lambda: accept(None))
        self.port = self.listen(lambda: server._accept(None))

    def listen(self, make):
        factory = Factory.forProtocol(make)
        self.ports.append(self._reactor.listenTCP(0, factory, interface="127.0.0.1"))
        return self.ports[-1].getHost().port

    async def close(self):
        for port in self.ports:
            await port.stopListening()


@ensureDeferred
@pytest.mark.parametrize("how", ["refuses", "is silent"])
async def test_a_real_port_that_does_not_answer(reactor, tmp_path, how):
    server = with_pasv("")
    sockets = Sockets(reactor, server)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf, ExitStack() as stack:
        name = deaf.getsockname()
        if how == "refuses":
            deaf.close()
        for _ in range(3 if how == "is silent" else 0):  # more than it keeps: it drops the others
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(name)
        server.replies["EPSV"] = f"229 ok (|||{name[1]}|)"
        place = Destination(Scheme.FTP, "127.0.0.1", sockets.port, "ann", "secret")
        settings = Settings(netrc=None, timeout=1.0)
        client = await connect(place, reactor=reactor, settings=settings)
        for _ in range(2):
            assert (await client.download("x")).data == b"data"
        await client.download("x", tmp_path / "x")
        assert (tmp_path / "x").read_bytes() == b"data"
        assert (count(server, "EPSV"), count(server, "RETR")) == (1, 3)
        await client.quit()
    await sockets.close()


@ensureDeferred
async def test_no_pasv_with_ipv6(reactor):
    server = with_pasv("530 no")
    listening = reactor.listenTCP(
        0, Factory.forProtocol(lambda: server._accept(None)), interface="::1"
    )
    place = Destination(Scheme.FTP, "::1", listening.getHost().port, "ann", "secret")
    client = await connect(place, reactor=reactor, settings=Settings(netrc=None))
    try:
        with pytest.raises(AccessDenied, match="IPv6"):
            await client.download("x")
        assert count(server, "PASV") == 0
    finally:
        await client.quit()
        await listening.stopListening()
