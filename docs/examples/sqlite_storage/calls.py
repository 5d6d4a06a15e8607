"""Calls the database in its thread; the only place that translates errors."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

from ftpservice.storage import (
    BlockingRunner,
    Busy,
    NoSpace,
    PoolOverloaded,
    PoolStopped,
    Unavailable,
    VirtualPath,
)

__all__ = ["Calls"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Calls:
    """Runs functions in the thread; their errors become `StorageError`s."""

    def __init__(self, runner: BlockingRunner) -> None:
        self.runner = runner

    async def __call__(
        self,
        path: VirtualPath,
        function: Callable[[*Ts], T],
        *args: *Ts,
        dispose: Callable[[T], object] | None = None,
    ) -> T:
        """Call ``function``; if the caller was cancelled, pass the result to ``dispose``."""
        try:
            return await self.runner.run(function, *args, dispose=dispose)
        except sqlite3.Error as error:
            full = error.sqlite_errorcode == sqlite3.SQLITE_FULL
            raise (NoSpace if full else Unavailable)(path, str(error)) from error
        except PoolOverloaded as error:
            raise Busy(path) from error
        except PoolStopped as error:
            raise Unavailable(path) from error
