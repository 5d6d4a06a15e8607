"""What accounts have on the disk while nodes are stressed, and what the service says of it."""

from __future__ import annotations

import ftplib
import os
import re
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from tests.support.stressed_nodes import ACCOUNTS, Account, StressedNodes

__all__ = ["QuotaWatch", "on_disk", "said"]

HIDDEN = ".ftpservice."
Found = dict[str, tuple[int, int, int]]


def _look(folder: Path) -> Found:
    found: Found = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                facts = entry.stat()
                found[entry.name] = facts.st_ino, facts.st_size, facts.st_mtime_ns
    return found


def on_disk(folder: Path) -> tuple[int, int]:
    """Return the bytes and names in a directory; empty partial uploads do not count."""
    found = _look(folder)
    sizes = [size for name, (_, size, _) in found.items() if size or not name.startswith(HIDDEN)]
    return sum(sizes), len(sizes)


class QuotaWatch:
    """Looks at the files of all accounts all the time; a context manager.

    ``replaced`` returns the bytes of the files of an account for which another one is, or was,
    under way: until it takes their place, both are on the disk. It also returns how often that
    has changed.
    """

    def __init__(
        self, nodes: StressedNodes, replaced: Callable[[Account], tuple[int, int]]
    ) -> None:
        self._nodes = nodes
        self._replaced = replaced
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.exceeded: list[str] = []
        self.most = {account.name: (0, 0) for account in ACCOUNTS}
        """The most bytes of files, and of files and partial uploads."""
        self.looks = 0

    def __enter__(self) -> QuotaWatch:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ends.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ends.wait(0.002):
            for account in ACCOUNTS:
                self._check(account)

    def _check(self, account: Account) -> None:
        """Compare what is there at one moment, if nothing has changed between two looks."""
        folder = self._nodes.files / account.name
        replaced = self._replaced(account)
        first = _look(folder)
        if _look(folder) != first or self._replaced(account) != replaced:
            return
        self.looks += 1
        allowed, _changes = replaced
        files = {name: one[1] for name, one in first.items() if not name.startswith(HIDDEN)}
        sizes = sum(files.values()), sum(one[1] for one in first.values())
        self.most[account.name] = tuple(  # type: ignore[assignment]
            map(max, self.most[account.name], sizes)
        )
        is_exceeded = sizes[0] > account.size or sizes[1] > account.size + allowed
        if is_exceeded or len(files) > account.files:
            last = max(one[2] for one in first.values()) / 1e9
            text = (
                f"{account.name} has {sizes} bytes, {allowed} to be replaced, {len(files)} files;"
                f" the last was written at {last - self._nodes.began:.2f}"
            )
            if not self.exceeded or self.exceeded[-1] != text:
                self.exceeded.append(text)
                self._nodes.told(text)


def said(nodes: StressedNodes, name: str, account: Account) -> tuple[int, int]:
    """Return the bytes and files that a node says are in use."""
    with closing(ftplib.FTP()) as client:
        client.connect("127.0.0.1", nodes.ports[name], 20.0)
        client.login(account.name, "demo")
        reply = client.sendcmd("SITE QUOTA")
        client.quit()
    sizes, files = (re.search(rf"Uploaded {one}: *(\d+)", reply) for one in ("bytes", "files"))
    assert sizes is not None and files is not None, reply
    return int(sizes[1]), int(files[1])
