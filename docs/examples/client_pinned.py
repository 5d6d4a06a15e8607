"""Trust one certificate by its fingerprint: ``python client_pinned.py URL FINGERPRINT``."""

import sys

from twisted.internet.task import react

from ftpservice_client import Settings, Trust, connect


async def main(reactor, url, fingerprint):
    settings = Settings(trust=Trust(fingerprint=fingerprint))
    client = await connect(url, reactor=reactor, settings=settings)
    print(len((await client.list()).entries), "entries")
    await client.quit()


if __name__ == "__main__":
    react(lambda reactor: main(reactor, *sys.argv[1:]))
