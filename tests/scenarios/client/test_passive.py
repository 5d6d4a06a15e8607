"""Servers whose EPSV does not work: PASV is tried instead, and used from then on."""

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
from tests.support.scripted_server import Liar, outcome

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


def passive(liar):
    """Say where to connect to, and lie about the host."""

    def say(speaker, line):
        high, low = divmod(liar.open_port(), 256)
        speaker.say(f"227 Entering Passive Mode (10,0,0,9,{high},{low})", line)

    return say


def with_pasv(epsv):
    liar = Liar({**ANSWERS, "EPSV": epsv}, b"data")
    liar.says["PASV"] = passive(liar)
    return liar


def count(liar, verb):
    return sum(line.partition(" ")[0] == verb for line in liar.heard)


@pytest.mark.parametrize("epsv", BROKEN)
def test_a_broken_epsv_is_asked_for_once_in_a_session(epsv):
    liar = with_pasv(epsv)
    client = liar.client()
    for _ in range(3):
        assert liar.result(client.download("x")).data == b"data"
    liar.data = b"-rw-r--r-- 1 a b 4 Jan  3  2020 .x\r\n"
    liar.result(client.list())
    assert (count(liar, "EPSV"), count(liar, "PASV")) == (1, 4)
    client.abort()


def test_a_port_that_refuses_connections():
    liar = with_pasv("229 ok (|||7|)")
    client = liar.client()
    for _ in range(2):
        assert liar.result(client.download("x")).data == b"data"
    assert (count(liar, "EPSV"), count(liar, "RETR")) == (1, 2)
    client.abort()


class Silence:
    """An attempt to connect that nobody answers."""

    def disconnect(self):
        pass


@pytest.mark.parametrize("call", ["download", "upload"])
def test_a_port_that_does_not_answer(call):
    liar = with_pasv("229 ok (|||7|)")
    connecting = liar.network.connectTCP
    liar.network.connectTCP = lambda host, port, *others, **named: (
        Silence() if port == 7 else connecting(host, port, *others, **named)
    )
    client = liar.client()
    if call == "upload":
        liar.data = None
    work = client.download("x") if call == "download" else client.upload(b"data", "x")
    assert liar.result(work, FIRST_EPSV_SECONDS).size == 4
    assert (count(liar, "EPSV"), count(liar, "PASV")) == (1, 1)
    client.abort()
    liar.network.pass_time(40.0)
    assert liar.network.getDelayedCalls() == []


def test_a_port_that_answered_once_is_not_waited_for_with_the_command():
    liar = Liar(ANSWERS, b"data")
    client = liar.client()
    liar.result(client.download("x"))
    liar.says["RETR"] = "425 cannot"
    liar.network.connectTCP = lambda *_, **__: Silence()
    assert "cannot" in str(outcome(client.download("x"), liar.network))
    assert count(liar, "PASV") == 0
    client.abort()


def test_other_sessions_with_the_server_need_not_find_out():
    liar = with_pasv("550 no")
    place = Destination(Scheme.FTP, "127.0.0.1", 21, "ann", "secret")
    settings = Settings(netrc=None, retries=1)
    pool = liar.result(connect_pool(place, 3, reactor=liar.network, settings=settings))
    liar.result(pool.download("x"))
    work = [pool.download("x") for _ in range(3)]
    for one in work:
        assert liar.result(one).data == b"data"
    assert len(liar.speakers) == 3
    for speaker in liar.speakers:
        speaker.transport.abortConnection()
    assert liar.result(pool.download("x"), 5.0).data == b"data"
    assert count(liar, "EPSV") == 1
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
def test_neither_of_them_works(epsv, pasv, kind):
    liar = Liar({**ANSWERS, "EPSV": epsv, "PASV": pasv}, b"data")
    client = liar.client()
    for work in (client.download("x"), client.upload(b"data", "x")):
        error = outcome(work, liar.network, 10.0)
        assert isinstance(error, kind)
        assert not isinstance(error, (AuthenticationFailed, NetworkError))
    liar.says["NOOP"] = "200 ok"
    assert liar.result(client.send("NOOP")).code == 200
    client.abort()


def test_a_server_that_goes_away_is_not_asked_for_pasv():
    liar = with_pasv("421 bye")
    client = liar.client()
    assert "bye" in str(outcome(client.download("x"), liar.network, 10.0))
    assert count(liar, "PASV") == 0
    client.abort()


@pytest.mark.parametrize("how", ["cut", "silent"])
def test_a_connection_that_epsv_breaks_is_not_broken_twice(how):
    liar = with_pasv("")
    if how == "cut":
        liar.says["EPSV"] = lambda speaker, line: speaker.transport.abortConnection()
    client = liar.client(retries=1, timeout=5.0)
    assert liar.result(client.download("x"), 10.0).data == b"data"
    assert liar.result(client.download("x"), 10.0).data == b"data"
    assert (count(liar, "EPSV"), count(liar, "PASV"), len(liar.speakers)) == (1, 2, 2)
    client.abort()


def test_without_pasv_epsv_is_tried_again():
    liar = Liar(ANSWERS, b"data")
    liar.says["EPSV"] = lambda speaker, line: speaker.transport.abortConnection()
    client = liar.client(retries=1)
    speaking = liar._speak

    def speak(address):
        liar.says.pop("EPSV", None)
        return speaking(address)

    liar.network.listen(speak, 21)
    for _ in range(2):
        assert liar.result(client.download("x"), 10.0).data == b"data"
    assert (count(liar, "EPSV"), count(liar, "PASV")) == (3, 1)
    client.abort()


def test_what_the_server_says_is_shown_without_control_characters():
    liar = Liar({**ANSWERS, "EPSV": "229 \x1b[2Jnowhere"}, b"data")
    client = liar.client()
    text = str(outcome(client.download("x"), liar.network))
    assert text == "the server names no port for data: \\x1b[2Jnowhere"
    client.abort()


@pytest.mark.parametrize("eprt", ["500 what?", "530 no", "550 no", "451 no"])
def test_a_broken_eprt(eprt):
    liar = Liar({**ANSWERS, "EPRT": eprt, "PORT": "200 ok", "RETR": "550 no"})
    client = liar.client(active=True)
    outcome(client.download("x"), liar.network)
    outcome(client.download("x"), liar.network)
    assert (count(liar, "EPRT"), count(liar, "PORT"), count(liar, "RETR")) == (1, 2, 2)
    client.abort()


class Sockets:
    """A server that speaks over real sockets."""

    def __init__(self, reactor, liar):
        self._reactor = reactor
        self.ports = []
        liar.network.listen = lambda accept: self.listen(lambda: accept(None))
        self.port = self.listen(lambda: liar._speak(None))

    def listen(self, make):
        factory = Factory.forProtocol(make)
        self.ports.append(self._reactor.listenTCP(0, factory, interface="127.0.0.1"))
        return self.ports[-1].getHost().port

    async def close(self):
        for port in self.ports:
            await port.stopListening()


@ensureDeferred
@pytest.mark.parametrize("how", ["refuses", "is silent"])
async def test_a_port_of_the_kernel_that_does_not_answer(reactor, tmp_path, how):
    liar = with_pasv("")
    server = Sockets(reactor, liar)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf, ExitStack() as stack:
        name = deaf.getsockname()
        if how == "refuses":
            deaf.close()
        for _ in range(3 if how == "is silent" else 0):  # more than it keeps: it drops the others
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(name)
        liar.says["EPSV"] = f"229 ok (|||{name[1]}|)"
        place = Destination(Scheme.FTP, "127.0.0.1", server.port, "ann", "secret")
        settings = Settings(netrc=None, timeout=1.0)
        client = await connect(place, reactor=reactor, settings=settings)
        for _ in range(2):
            assert (await client.download("x")).data == b"data"
        await client.download("x", tmp_path / "x")
        assert (tmp_path / "x").read_bytes() == b"data"
        assert (count(liar, "EPSV"), count(liar, "RETR")) == (1, 3)
        await client.quit()
    await server.close()


@ensureDeferred
async def test_over_ipv6_there_is_no_other_way(reactor):
    liar = with_pasv("530 no")
    listening = reactor.listenTCP(
        0, Factory.forProtocol(lambda: liar._speak(None)), interface="::1"
    )
    place = Destination(Scheme.FTP, "::1", listening.getHost().port, "ann", "secret")
    client = await connect(place, reactor=reactor, settings=Settings(netrc=None))
    try:
        with pytest.raises(AccessDenied, match="IPv6"):
            await client.download("x")
        assert count(liar, "PASV") == 0
    finally:
        await client.quit()
        await listening.stopListening()
