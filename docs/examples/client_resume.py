"""Download a large file over an unreliable network: ``python client_resume.py URL NAME``."""

import sys
from pathlib import Path

from twisted.internet.task import react

from ftpservice_client import Settings, connect


def show(moved, total):
    print(f"{moved} of {total if total is not None else '?'} bytes")


async def main(reactor, url, name):
    settings = Settings(retries=10, backoff=2)
    client = await connect(url, reactor=reactor, settings=settings)
    target = Path(name).name
    await client.download(name, Path(target), resume=True, verify=True, progress=show)
    await client.quit()


if __name__ == "__main__":
    react(lambda reactor: main(reactor, *sys.argv[1:]))
