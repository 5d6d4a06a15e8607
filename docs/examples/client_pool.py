"""Download many files over four connections: ``python client_pool.py URL``."""

import sys

from twisted.internet.defer import gatherResults
from twisted.internet.task import react

from ftpservice_client import connect_pool


async def main(reactor, url):
    pool = await connect_pool(url, 4, reactor=reactor)
    names = [entry.name for entry in (await pool.list()).entries]
    transfers = await gatherResults([pool.download(name) for name in names])
    print(sum(transfer.size for transfer in transfers), "bytes")
    await pool.quit()


if __name__ == "__main__":
    react(lambda reactor: main(reactor, *sys.argv[1:]))
