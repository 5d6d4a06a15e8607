"""The thread pool for blocking calls of the client: files, certificates, digests."""

from __future__ import annotations

import sys
from typing import Any
from weakref import WeakKeyDictionary

from twisted.internet.interfaces import IReactorThreads

from ftpservice.concurrency.thread_pool import BlockingPool, BlockingRunner, InlineRunner
from ftpservice_client.errors import LocalFileError

__all__ = ["thread_pool_of"]

MAX_THREADS = 10
"""Threads of one reactor, for all its clients; each is started when there is work for it."""

_pools: WeakKeyDictionary[Any, BlockingRunner] = WeakKeyDictionary()


def thread_pool_of(reactor: Any) -> BlockingRunner:
    """Return the pool of a reactor; one without threads makes the calls at once.

    After the reactor has stopped, calls fail with `LocalFileError`.
    """
    pool = _pools.get(reactor)
    if pool is not None:
        return pool
    has_threads = IReactorThreads.providedBy(reactor)
    if not has_threads:
        pool = InlineRunner()
    else:
        name = "ftpservice client"
        pool = BlockingPool(reactor, name, MAX_THREADS, sys.maxsize, refusal=_ReactorStopped)
        reactor.addSystemEventTrigger("before", "shutdown", pool.stop)  # which is waited for
    _pools[reactor] = pool
    return pool


class _ReactorStopped(LocalFileError):
    def __init__(self) -> None:
        super().__init__("the reactor has stopped")
