"""``python -m tests.support.killed_trash FOLDER``: changes with a trash, killed at any system call.

Each change is made by a process that kills itself before or after one of its calls, by another
process for each of them. What is left is printed, one JSON document a line.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from ftpservice.backends.local.paths import file_ops
from ftpservice.backends.local.source import LocalSource
from ftpservice.backends.local.storage import LocalStorage
from ftpservice.concurrency.thread_pool import InlineRunner
from ftpservice.storage.trash import TrashRule, with_trash
from ftpservice.testing.contract.case import create_file
from ftpservice.wire.paths import ROOT, VirtualPath

__all__: list[str] = []

FILE, OTHER = VirtualPath.parse("/in/file"), VirtualPath.parse("/new")
CALLS = ("rename", "replace", "link", "unlink", "mkdir", "rmdir", "fchmod", "fsync", "ftruncate")


def run(call: Coroutine[Any, Any, Any]) -> Any:
    """Return what a call that never waits returns."""
    results: list[Any] = []
    Deferred.fromCoroutine(call).addBoth(results.append)
    if hasattr(results[0], "raiseException"):
        results[0].raiseException()
    return results[0]


def storage_of(folder: Path) -> LocalStorage:
    """Return the storage of an account whose deleted files are kept."""
    source = LocalSource(str(folder), Clock(), InlineRunner(), durable=True)
    kept: Any = with_trash(run(source.storage("ann", ROOT)), TrashRule(86_400))
    return kept  # type: ignore[no-any-return]


async def restored(storage: LocalStorage, replace: bool) -> None:
    """Restore the only file of the trash."""
    [one] = await storage.trashed(ROOT)
    await storage.restore(one, FILE, replace)


def deleted_before(storage: LocalStorage, folder: Path, again: bool) -> None:
    """Delete the file; with ``again``, another one gets its name."""
    run(storage.remove_file(FILE))
    if again:
        (folder / "in/file").write_bytes(b"newer")


CHANGES: dict[str, Callable[[LocalStorage], Coroutine[Any, Any, Any]]] = {
    "delete": lambda storage: storage.remove_file(FILE),
    "rename": lambda storage: storage.rename(OTHER, FILE),
    "upload": lambda storage: create_file(storage, str(FILE), b"new"),
    "in place": lambda storage: create_file(storage, str(FILE), b"new"),
    "restore": lambda storage: restored(storage, False),
    "restore over": lambda storage: restored(storage, True),
}


def prepared(change: str, folder: Path) -> LocalStorage:
    """Make the files of a change."""
    (folder / "in").mkdir(parents=True)
    (folder / "in/file").write_bytes(b"old")
    (folder / "new").write_bytes(b"new")
    storage = storage_of(folder)
    if change.startswith("restore"):
        deleted_before(storage, folder, again=change.endswith("over"))
    elif change == "in place":
        os.link(folder / "in/file", folder / "in/other")
    return storage


def die_at(number: int, before: bool) -> None:
    """Kill this process at the call with that number."""
    count = itertools.count(1)

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        def called(*words: Any, **more: Any) -> Any:
            is_last = next(count) == number
            if is_last and before:
                os.kill(os.getpid(), signal.SIGKILL)
            try:
                return real(*words, **more)
            finally:
                if is_last:
                    os.kill(os.getpid(), signal.SIGKILL)

        return called

    for name in CALLS:
        setattr(os, name, dying(getattr(os, name)))
    file_ops._renameat2 = dying(file_ops._renameat2)


def is_killed(change: str, folder: Path, number: int, before: bool) -> bool:
    """Make a change in another process; return whether that was killed."""
    storage = prepared(change, folder)
    child = os.fork()
    if not child:
        die_at(number, before)
        run(CHANGES[change](storage))
        os._exit(0)
    _pid, status = os.waitpid(child, 0)
    assert status in (0, signal.SIGKILL), status
    return status != 0


def found(folder: Path) -> dict[str, Any]:
    """Return what can be seen, and what can be restored."""
    seen = {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file() and "/.ftpservice." not in str(path)
    }
    storage = storage_of(folder)
    kept = []
    for one in run(storage.trashed(ROOT)):
        to = VirtualPath((f"restored {one.id}",))
        run(storage.restore(one, to, False))
        kept.append((folder / to.name).read_text() if (folder / to.name).exists() else "in place")
    return {"seen": seen, "kept": kept}


def main(top: Path) -> None:
    """Try every call of every change."""
    for change in CHANGES:
        for number in itertools.count(1):
            for before in (True, False):
                folder = top / f"{change} {number} {before}"
                killed = is_killed(change, folder, number, before)
                state = {"change": change, "number": number, "before": before, "killed": killed}
                print(json.dumps(state | found(folder)))
            if not killed:
                break


if __name__ == "__main__":
    main(Path(sys.argv[1]))
