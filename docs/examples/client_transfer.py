"""Upload, list, download and delete a file: ``python client_transfer.py URL``."""

import sys
from pathlib import Path

from twisted.internet.task import react

from ftpservice_client import connect


async def main(reactor, url):
    client = await connect(url, reactor=reactor)
    await client.upload(Path("report.pdf"), "report.pdf")
    listing = await client.list()
    for entry in listing.entries:
        print(entry.name, entry.size)
    print("total", listing.total)
    transfer = await client.download("report.pdf", Path("copy.pdf"))
    print(f"{transfer.size} bytes downloaded")
    await client.delete("report.pdf")
    await client.quit()


if __name__ == "__main__":
    react(lambda reactor: main(reactor, *sys.argv[1:]))
