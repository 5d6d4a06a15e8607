"""Twisted's ``FTPClient`` in the reactor of the service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.protocols.basic import FileSender
from twisted.protocols.ftp import CommandFailed, ConnectionLost, FTPClient, FTPFileListProtocol

from tests.support.raw_client import RunningService, started, starting
from tests.support.trees import BIG, ODD_NAMES, content, make_files

FIXTURES = (started, starting)
MODES = pytest.mark.parametrize("passive", [True, False], ids=["passive", "active"])
PATIENCE = 30


class Collector(Protocol):
    """Collects received data."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def dataReceived(self, data: bytes) -> None:
        self.parts.append(data)

    @property
    def data(self) -> bytes:
        """The received data."""
        return b"".join(self.parts)

    @property
    def lines(self) -> list[str]:
        """The received lines."""
        return self.data.decode().splitlines()


@asynccontextmanager
async def entered(
    served: RunningService, passive: bool = True, password: str = "demo"
) -> AsyncIterator[Any]:
    """Log in; disconnect at the end."""
    client: Any = FTPClient("demo", password, passive=passive)
    gone: Deferred[None] = Deferred()
    lost = client.connectionLost

    def tell(reason: Any) -> None:
        lost(reason)
        gone.callback(None)

    client.connectionLost = tell
    endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", served.port)
    await connectProtocol(endpoint, client)
    try:
        yield client
    finally:
        client.transport.loseConnection()
        await gone.addTimeout(PATIENCE, reactor)


async def patiently(result: Deferred[Any]) -> Any:
    """Wait for a reply with a timeout."""
    return await result.addTimeout(PATIENCE, reactor)


async def upload(client: Any, path: str, data: bytes) -> None:
    """Upload a file."""
    connection, stored = client.storeFile(path)
    sender = await patiently(connection)
    await patiently(FileSender().beginFileTransfer(BytesIO(data), sender.transport))
    sender.finish()
    await patiently(stored)


async def download(client: Any, path: str, offset: int = 0) -> bytes:
    """Return a file."""
    collector = Collector()
    await patiently(client.retrieveFile(path, collector, offset))
    return collector.data


@MODES
@pytest_twisted.ensureDeferred
async def test_a_big_file_both_ways(served: RunningService, passive: bool) -> None:
    data = content(BIG)
    async with entered(served, passive) as client:
        await upload(client, "big", data)
        assert (served.root / "big").read_bytes() == data
        assert await download(client, "big") == data


@MODES
@pytest_twisted.ensureDeferred
async def test_files_of_all_sizes_both_ways(served: RunningService, passive: bool) -> None:
    async with entered(served, passive) as client:
        for size in (0, 1, 65_535, 65_536, 65_537, 1_000_000):
            await upload(client, f"file {size}", content(size))
            assert (served.root / f"file {size}").read_bytes() == content(size)
            assert await download(client, f"file {size}") == content(size)


@pytest_twisted.ensureDeferred
async def test_the_rest_of_a_file(served: RunningService) -> None:
    data = content(300_000)
    (served.root / "file").write_bytes(data)
    async with entered(served) as client:
        assert await download(client, "file", 123_456) == data[123_456:]
        assert await download(client, "file") == data


@MODES
@pytest_twisted.ensureDeferred
async def test_list_shows_sizes_dates_and_names(served: RunningService, passive: bool) -> None:
    names = [name for name in ODD_NAMES if name.isascii()]
    make_files(served.root / "dir", {name: size for size, name in enumerate(names)})
    (served.root / "dir" / "below").mkdir()
    async with entered(served, passive) as client:
        listing = FTPFileListProtocol()
        await patiently(client.list("dir", listing))
        found = {entry["filename"]: entry for entry in listing.files}
        shown = {name for name in names if not name.startswith(".")}
        assert shown <= found.keys()
        assert all(found[name]["size"] == names.index(name) for name in shown)
        assert found["below"]["filetype"] == "d"
        assert found["#hash"]["date"].split() == ["Jan", "2", "2020"]


@MODES
@pytest_twisted.ensureDeferred
async def test_nlst_names_what_is_there(served: RunningService, passive: bool) -> None:
    make_files(served.root, {"one": 1, "two words": 2, "dir/three": 3})
    async with entered(served, passive) as client:
        collector = Collector()
        await patiently(client.nlst(".", collector))
        names = [line.removeprefix("./") for line in collector.lines]
        assert sorted(names) == ["dir", "one", "two words"]


@pytest_twisted.ensureDeferred
async def test_directories_and_names_change(served: RunningService) -> None:
    async with entered(served) as client:
        await patiently(client.makeDirectory("new dir"))
        await patiently(client.cwd("new dir"))
        assert await patiently(client.getDirectory()) == "/new dir"
        await upload(client, "file", b"content")
        await patiently(client.rename("file", "-other"))
        assert (served.root / "new dir/-other").read_bytes() == b"content"
        await patiently(client.cdup())
        assert await patiently(client.getDirectory()) == "/"
        await patiently(client.removeFile("new dir/-other"))
        await patiently(client.removeDirectory("new dir"))
        assert list(served.root.iterdir()) == []
        answer = await patiently(client.quit())
        assert answer[0].startswith("221")


@pytest_twisted.ensureDeferred
async def test_pipelined_commands_are_answered_in_order(served: RunningService) -> None:
    make_files(served.root, {"file": 100})
    async with entered(served) as client:
        asked = [client.queueStringCommand(f"SIZE {n}") for n in ("file", "none")]
        moment = client.queueStringCommand("MDTM file")
        listing, collector = FTPFileListProtocol(), Collector()
        listed, got = client.list(".", listing), client.retrieveFile("file", collector)
        assert await patiently(asked[0]) == ["213 100"]
        with pytest.raises(CommandFailed, match="550"):
            await patiently(asked[1])
        assert await patiently(moment) == ["213 20200102030405"]
        await patiently(listed)
        await patiently(got)
        assert [entry["filename"] for entry in listing.files] == ["file"]
        assert collector.data == content(100, "file")


@pytest_twisted.ensureDeferred
async def test_the_session_works_after_refusals(served: RunningService) -> None:
    async with entered(served) as client:
        refused: tuple[Callable[[], Deferred[Any]], ...] = (
            lambda: client.cwd("none"),
            lambda: client.removeFile("none"),
            lambda: client.rename("none", "other"),
            lambda: client.retrieveFile("none", Collector()),
        )
        for attempt in refused:
            with pytest.raises(CommandFailed, match="550"):
                await patiently(attempt())
        await upload(client, "file", b"content")
        assert await download(client, "file") == b"content"


@pytest_twisted.ensureDeferred
async def test_a_wrong_password_is_refused(served: RunningService) -> None:
    async with entered(served, password="wrong") as client:
        with pytest.raises(ConnectionLost, match="530"):
            await patiently(client.pwd())
