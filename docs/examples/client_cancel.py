"""Cancel a download after a time: ``python client_cancel.py URL NAME SECONDS``."""

import sys

from twisted.internet.defer import CancelledError
from twisted.internet.task import react

from ftpservice_client import connect


async def main(reactor, url, name, seconds):
    client = await connect(url, reactor=reactor)
    download = client.download(name)
    reactor.callLater(float(seconds), download.cancel)
    try:
        transfer = await download
        print(transfer.size, "bytes in time")
    except CancelledError:
        print("cancelled")
    print(await client.change_directory("/"))
    await client.quit()


if __name__ == "__main__":
    react(lambda reactor: main(reactor, *sys.argv[1:]))
