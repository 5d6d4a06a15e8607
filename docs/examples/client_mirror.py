"""Mirror a directory of the server: ``python client_mirror.py URL DIRECTORY``."""

import sys
from pathlib import Path

from twisted.internet.task import react

from ftpservice_client import connect


async def main(reactor, url, directory):
    client = await connect(url, reactor=reactor)
    done = await client.mirror(
        Path(directory), "", delete=True, exclude=["*.tmp", "cache/*"], parallel=4
    )
    for step in done.steps:
        print(step.action, step.name)
    for step, error in done.failed:
        print("failed:", step.name, error)
    await client.quit()


if __name__ == "__main__":
    react(lambda reactor: main(reactor, *sys.argv[1:]))
