"""Random changes of storages, for what has to hold after any sequence of them."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Sequence
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ftpservice.storage.interfaces import IPartials, WriteMode, WriteRequest
from ftpservice.testing.contract.case import path_at

__all__ = ["random_change", "run", "seeds"]

MEASURED_SEEDS = 5


def seeds(count: int) -> list[Any]:
    """Return the seeds of a test; the coverage of the first is measured, which doubles its time."""
    unmeasured = [pytest.param(seed, marks=pytest.mark.no_cover) for seed in range(count)]
    return [*range(MEASURED_SEEDS), *unmeasured[MEASURED_SEEDS:]]


def run(call: Awaitable[Any]) -> Any:
    """Return what a call that never waits returns, or raise what it raises."""

    async def answer() -> Any:
        return await call

    results: list[Any] = []
    Deferred.fromCoroutine(answer()).addBoth(results.append)
    [result] = results
    if isinstance(result, Failure):
        result.raiseException()
    return result


def random_change(storages: Sequence[Any], writings: list[Any], chance: random.Random) -> None:
    """Make one change of any kind, which may fail."""
    storage = chance.choice(storages)
    path = path_at("/" + chance.choice(["a", "b", "d", "d/a", "d/b", "d/d", "in/a", "in"]))
    other = path_at("/" + chance.choice(["a", "b", "d", "d/a", "e", "in/b", "in/d"]))
    kind = chance.randrange(9)
    data = bytes(chance.randrange(12))
    if kind == 0:
        run(storage.remove_file(path))
    elif kind == 1:
        run(storage.make_directory(path))
    elif kind == 2:
        run(storage.remove_directory(path))
    elif kind == 3:
        run(storage.rename(path, other, chance.random() < 0.8))
    elif kind == 4:
        run(IPartials(storage).drop_partials(chance.choice([None, path]), chance.random() < 0.5))
    elif kind == 5 and writings:
        run(chance.choice(writings).write(data))
    elif kind == 6 and writings:
        writing = writings.pop(chance.randrange(len(writings)))
        run(writing.commit() if chance.random() < 0.6 else writing.abandon())
    else:
        mode = chance.choice(list(WriteMode))
        offset = chance.randrange(5) if mode in (WriteMode.REPLACE, WriteMode.CREATE) else 0
        request = WriteRequest(mode, offset, expected=chance.choice([None, 3, 20]))
        writings.append(run(storage.open_writing(path, request)))
