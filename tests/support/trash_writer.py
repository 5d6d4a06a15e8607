"""``python -m tests.support.trash_writer FOLDER OWNER COUNT``: writes over one file, with a trash.

It begins when it gets a line, and deletes the file now and then. What it has written is printed.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any

from twisted.internet.task import Clock

from ftpservice.backends.local.source import LocalSource
from ftpservice.concurrency.thread_pool import InlineRunner
from ftpservice.storage.errors import StorageError
from ftpservice.storage.trash import TrashRule, with_trash
from ftpservice.testing.contract.case import create_file, path_at
from ftpservice.wire.paths import ROOT
from tests.support.random_changes import run

__all__: list[str] = []


def main(folder: str, word: str, count: int) -> None:
    """Write ``count`` versions."""
    source = LocalSource(folder, Clock(), InlineRunner())
    rule = TrashRule(86_400, versions=1_000_000)
    storage: Any = with_trash(run(source.storage(word, ROOT)), rule)
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(count):
        run(create_file(storage, "/file", f"{word}{number}".encode()))
        print(f"{word}{number}")
        if number % 7 == 3:
            with suppress(StorageError):
                run(storage.remove_file(path_at("/file")))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
