"""Calls to the operating system, made in a pool, with its errors translated."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

from ftpservice.storage.blocking import Overloaded, Runner, Stopped
from ftpservice.storage.errors import Busy, Unavailable
from ftpservice.storage.local_errors import translate
from ftpservice.wire.paths import VirtualPath

__all__ = ["called"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


async def called(
    runner: Runner,
    path: VirtualPath,
    function: Callable[[*Ts], T],
    *args: *Ts,
    dispose: Callable[[T], object] | None = None,
) -> T:
    """Call ``function`` in the pool; what it raises is about ``path`` (see `Runner.run`)."""
    try:
        return await runner.run(function, *args, dispose=dispose)
    except OSError as error:
        raise translate(error, path) from error
    except Overloaded as error:
        raise Busy(path, "too many calls wait") from error
    except Stopped as error:
        raise Unavailable(path, "stopped") from error
