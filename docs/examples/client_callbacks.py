"""Upload and download with ``inlineCallbacks``: ``python client_callbacks.py URL``."""

import sys

from twisted.internet.defer import inlineCallbacks
from twisted.internet.task import react

from ftpservice_client import connect


@inlineCallbacks
def main(reactor, url):
    client = yield connect(url, reactor=reactor)
    yield client.upload(b"a few words", "note.txt")
    transfer = yield client.download("note.txt")
    print(transfer.data.decode())
    yield client.quit()


if __name__ == "__main__":
    react(main, sys.argv[1:])
