"""A client that uploads small files one after the other, whatever happens to the service."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.nat_network import CONTROL, ROUTER
from tests.support.node_fleet import LOGIN

__all__ = ["UPLOADS", "check_confirmed", "confirmed_count"]

UPLOADS = f"""
import ftplib, io, sys
client = None
for number in range(int(sys.argv[1]), int(sys.argv[2])):
    while True:
        try:
            if client is None:
                client = ftplib.FTP()
                client.connect("{ROUTER}", {CONTROL}, 20)
                client.login(*{LOGIN!r})
            content = str(number).encode() * 3000
            client.storbinary(f"STOR file{{number}}", io.BytesIO(content))
        except (OSError, EOFError, ftplib.Error):
            client = None
        else:
            print(f"confirmed {{number}}", flush=True)
            break
"""
"""Uploads the files from a number to another, and prints each that has its 226."""


def confirmed_count(lines: list[str]) -> int:
    """Return how many files the output of the client confirms."""
    return sum(line.startswith("confirmed") for line in lines)


def check_confirmed(read: Callable[[str], bytes], count: int) -> None:
    """Check the content of the first files."""
    for number in range(count):
        assert read(f"file{number}") == str(number).encode() * 3000
