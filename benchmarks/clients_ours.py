"""Transfers files for ``benchmarks.clients``; prints the seconds.

Arguments: URL, ``up`` or ``down``, number of connections, number of files.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import react

from ftpservice_client import Client, Settings, Trust, connect, connect_pool

__all__: list[str] = []


async def main(reactor: Any, url: str, direction: str, connections: str, count: str) -> None:
    """Transfer the files and print the seconds."""
    settings = Settings(netrc=None, trust=Trust(insecure=True))
    names = [f"f{number:05d}" for number in range(int(count))]
    size = int(connections)
    began = time.perf_counter()
    if size == 1:
        client = await connect(url, reactor=reactor, settings=settings)
        for name in names:
            await transfer(client, direction, name)
    else:
        client = await connect_pool(url, size, reactor=reactor, settings=settings)
        await gatherResults([transfer(client, direction, name, size) for name in names])
    await client.quit()
    print(time.perf_counter() - began)


def transfer(client: Client, direction: str, name: str, segments: int = 1) -> Deferred[Any]:
    """Transfer a file."""
    if direction == "up":
        return client.upload(Path(name), name)
    return client.download(name, Path(name), segments=segments)


if __name__ == "__main__":
    react(lambda reactor: Deferred.fromCoroutine(main(reactor, *sys.argv[1:])))
