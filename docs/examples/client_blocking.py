"""Upload a file from a script without Twisted: ``python client_blocking.py URL``."""

import sys
from pathlib import Path

import ftpservice_client.blocking

with ftpservice_client.blocking.connect(sys.argv[1]) as client:
    client.upload(Path("report.pdf"), "report.pdf")
    for entry in client.list().entries:
        print(entry.name, entry.size)
