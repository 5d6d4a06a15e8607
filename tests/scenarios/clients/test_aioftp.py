"""aioftp's client in its own event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from tests.support.client_programs import ipv6
from tests.support.raw_client import RunningService, in_thread, started, starting
from tests.support.trees import (
    BIG,
    ODD_NAMES,
    assert_same,
    content,
    files,
    make_files,
    make_tree,
    small_files,
)

aioftp = pytest.importorskip(
    "aioftp", reason="aioftp is not installed: it comes with the extra 'test'"
)
FIXTURES = (started, starting)


@asynccontextmanager
async def entered(
    served: RunningService, host: str = "127.0.0.1", command: str = "epsv"
) -> AsyncIterator[Any]:
    """Log in; disconnect at the end."""
    client = aioftp.Client(socket_timeout=20, passive_commands=(command,))
    try:
        await client.connect(host, served.port)
        await client.login("demo", "demo")
        yield client
        await client.quit()
    finally:
        client.close()


@pytest.mark.parametrize("command", ["epsv", "pasv"])
@in_thread
def test_a_tree_goes_up_and_comes_back(
    served: RunningService, tmp_path: Path, command: str
) -> None:
    here, back = make_tree(tmp_path / "here"), tmp_path / "back"

    async def job() -> None:
        async with entered(served, command=command) as client:
            await client.upload(here)
            await client.download("here", back, write_into=True)

    asyncio.run(job())
    assert_same(here, served.root / "here")
    assert_same(here, back)


@pytest.mark.parametrize("host", ["127.0.0.1", pytest.param("::1", marks=ipv6)])
@in_thread
def test_a_big_file_both_ways(
    server: Callable[..., RunningService], tmp_path: Path, host: str
) -> None:
    listen = "tcp:0:interface=127.0.0.1" if host == "127.0.0.1" else r"tcp6:0:interface=\:\:1"
    served = server("--listen", listen)
    here, back = make_files(tmp_path / "here", {"big": BIG}), tmp_path / "back"

    async def job() -> None:
        async with entered(served, host) as client:
            await client.upload(here / "big", "big", write_into=True)
            await client.download("big", back / "big", write_into=True)

    asyncio.run(job())
    assert_same(here, served.root)
    assert_same(here, back)


@in_thread
def test_names_kinds_and_sizes(served: RunningService) -> None:
    make_files(served.root / "dir", {name: size for size, name in enumerate(ODD_NAMES)})
    (served.root / "dir" / "below").mkdir()

    async def job() -> None:
        async with entered(served) as client:
            found = {path.name: info for path, info in await client.list("dir")}
            assert {name: int(found[name]["size"]) for name in ODD_NAMES} == {
                name: size for size, name in enumerate(ODD_NAMES)
            }
            assert found["below"]["type"] == "dir"
            assert await client.is_file("dir/#hash") and await client.is_dir("dir/below")
            assert not await client.exists("dir/none")
            assert (await client.stat("dir/#hash"))["size"] == str(ODD_NAMES.index("#hash"))
            old = {path.name for path, _ in await client.list("dir", raw_command="LIST")}
            assert {name for name in ODD_NAMES if not name.startswith(".")} <= old
            deep = {str(path) for path, _ in await client.list("/", recursive=True)}
            assert {"/dir", "/dir/below", "/dir/#hash"} <= deep

    asyncio.run(job())


@in_thread
def test_directories_and_names_change(served: RunningService) -> None:
    async def job() -> None:
        async with entered(served) as client:
            assert await client.get_current_directory() == PurePosixPath("/")
            await client.make_directory("a/b c/[d]")
            await client.change_directory("a/b c")
            assert await client.get_current_directory() == PurePosixPath("/a/b c")
            await client.change_directory()
            async with client.upload_stream("file") as stream:
                await stream.write(b"content")
            await client.rename("file", "b c/[d]/renamed")
            assert (served.root / "a/b c/[d]/renamed").read_bytes() == b"content"
            await client.remove_file("b c/[d]/renamed")
            await client.change_directory("/")
            await client.remove("a")

    asyncio.run(job())
    assert list(served.root.iterdir()) == []


@in_thread
def test_transfers_at_an_offset_and_appending(served: RunningService) -> None:
    data = content(300_000)

    async def job() -> None:
        async with entered(served) as client:
            async with client.upload_stream("file") as stream:
                await stream.write(data[:100_000])
            async with client.append_stream("file") as stream:
                await stream.write(data[100_000:200_000])
            async with client.upload_stream("file", offset=200_000) as stream:
                await stream.write(data[200_000:])
            async with client.download_stream("file", offset=123_456) as stream:
                assert await stream.read() == data[123_456:]

    asyncio.run(job())
    assert (served.root / "file").read_bytes() == data


@in_thread
def test_abort_of_a_download(served: RunningService) -> None:
    make_files(served.root, {"big": BIG})

    async def job() -> None:
        async with entered(served) as client:
            stream = await client.download_stream("big")
            assert await stream.read(1000)
            await client.abort()
            stream.close()
            assert [path.name for path, _ in await client.list()] == ["big"]

    asyncio.run(job())


@in_thread
def test_refused_commands(served: RunningService) -> None:
    async def job() -> None:
        async with entered(served) as client:
            for refused in (
                client.change_directory("none"),
                client.remove_file("none"),
                client.rename("none", "other"),
            ):
                with pytest.raises(aioftp.StatusCodeError, match="550"):
                    await refused
            assert await client.list() == []
        client = aioftp.Client()
        try:
            await client.connect("127.0.0.1", served.port)
            with pytest.raises(aioftp.StatusCodeError, match="530"):
                await client.login("demo", "wrong")
        finally:
            client.close()

    asyncio.run(job())


@in_thread
def test_many_clients_at_once(served: RunningService, tmp_path: Path) -> None:
    here = small_files(tmp_path / "here", 100)
    paths = [str(path) for path in files(here)]

    async def some(numbers: range) -> None:
        async with entered(served) as client:
            for number in numbers:
                await client.upload(here / paths[number])

    async def job() -> None:
        await asyncio.gather(*(some(range(start, 100, 10)) for start in range(10)))

    asyncio.run(job())
    assert_same(here, served.root)
