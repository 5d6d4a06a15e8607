"""Interrupted uploads are resumed on a new connection, with all servers; growing files."""

import io
import os
import threading

import pytest
from pytest_twisted import ensureDeferred

from ftpservice_client import connect
from tests.support.peer_servers import NAMES, serving

MIB = 2**20
BIG = os.urandom(MIB) * 5 + b"and a bit"
CASES = [(name, secured) for name in NAMES for secured in (False, True)]


@pytest.fixture(
    scope="module",
    params=CASES,
    ids=[f"{name}-{'tls' if secured else 'clear'}" for name, secured in CASES],
)
def server(request):
    name, secured = request.param
    with serving(name, secured) as running:
        yield running


class Interrupting(io.BytesIO):
    """A source that interrupts the connection once, after a number of bytes."""

    def __init__(self, reactor, client, after):
        super().__init__(BIG)
        self._reactor = reactor
        self._client = client
        self._after = after
        self.is_cut = False

    def read(self, size=-1):
        if not self.is_cut and self.tell() >= self._after:
            self.is_cut = True
            done = threading.Event()
            self._reactor.callFromThread(self._cut, done)
            assert done.wait(10)
        return super().read(size)

    def _cut(self, done):
        self._client._sessions._session._control.transport.abortConnection()
        done.set()


@ensureDeferred
@pytest.mark.parametrize("before", [None, b"short", BIG + b"and longer", BIG[::-1]])
async def test_an_interrupted_upload_is_resumed(reactor, server, before):
    if before is not None:
        (server.root / "new").write_bytes(before)
        (server.root / "new").chmod(0o666)
    settings = server.settings(retries=3, backoff=0.05)
    client = await connect(server.url(), reactor=reactor, settings=settings)
    source = Interrupting(reactor, client, 2 * MIB)
    transfer = await client.upload(source, "new")
    assert source.is_cut
    assert transfer.size == len(BIG)
    assert (server.root / "new").read_bytes() == BIG
    await client.delete("new")
    await client.quit()


@ensureDeferred
async def test_an_interrupted_append_is_resumed(reactor, server):
    (server.root / "log").write_bytes(b"begun")
    (server.root / "log").chmod(0o666)
    settings = server.settings(retries=3, backoff=0.05)
    client = await connect(server.url(), reactor=reactor, settings=settings)
    source = Interrupting(reactor, client, 2 * MIB)
    await client.upload(source, "log", append=True)
    assert source.is_cut
    assert (server.root / "log").read_bytes() == b"begun" + BIG
    await client.delete("log")
    await client.quit()


class Growing(io.BytesIO):
    """A target during whose download the remote file grows once."""

    path = None

    def write(self, data):
        if self.path is not None:
            with self.path.open("ab") as file:
                file.write(b"more")
            self.path = None
        return super().write(data)


@ensureDeferred
async def test_a_growing_file_is_downloaded_with_its_first_size(reactor, server):
    (server.root / "growing").write_bytes(BIG * 4)
    client = await connect(server.url(), reactor=reactor, settings=server.settings())
    target = Growing()
    target.path = server.root / "growing"
    transfer = await client.download("growing", target)
    assert target.path is None
    assert transfer.size == len(BIG) * 4
    assert target.getvalue() == BIG * 4
    assert transfer.note == "" or "grew" in transfer.note
    assert (await client.stat("growing")).size == len(BIG) * 4 + 4
    await client.quit()
