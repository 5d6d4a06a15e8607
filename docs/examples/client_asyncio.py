"""Upload a file from a program on asyncio: ``python client_asyncio.py URL``."""

import asyncio
import sys
from pathlib import Path

from twisted.internet import asyncioreactor


async def main(url):
    loop = asyncio.get_running_loop()
    asyncioreactor.install(loop)  # before anything imports the reactor
    from twisted.internet import reactor

    from ftpservice_client import connect

    reactor.startRunning(installSignalHandlers=False)
    client = await connect(url, reactor=reactor).asFuture(loop)
    await client.upload(Path("report.pdf"), "report.pdf").asFuture(loop)
    listing = await client.list().asFuture(loop)
    print(*[entry.name for entry in listing.entries])
    await client.quit().asFuture(loop)
    reactor.fireSystemEvent("shutdown")  # ends the threads of the reactor


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
