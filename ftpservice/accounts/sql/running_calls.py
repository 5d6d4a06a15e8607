"""The calls of a database that run, each in a thread, so that another thread can end them.

A call that was ended does not go on with another connection.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Lock, get_ident
from typing import Any

from ftpservice.accounts.account_store import StoreUnavailable

__all__ = ["RunningCalls"]


@dataclass
class RunningCall:
    """What a thread does with a database, in one transaction or several."""

    began: float
    connection: Any = None
    """The connection of the driver; None while there is none."""
    is_ended: bool = False

    def end(self) -> None:
        """End it, from another thread."""
        self.is_ended = True
        with suppress(Exception):
            _end_connection(self.connection)


class RunningCalls:
    """The calls of the database ``place``; its methods may be called in any thread."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._calls: dict[int, RunningCall] = {}
        """The call of each thread."""
        self._lock = Lock()
        """Held while the calls change or are ended."""

    @contextmanager
    def running(self) -> Iterator[None]:
        """Make what this thread does one call; what is called within it is part of it."""
        thread = get_ident()
        outer = self._calls.get(thread)
        call = RunningCall(time.monotonic()) if outer is None else outer
        connection_before = call.connection
        with self._lock:
            self._calls[thread] = call
        try:
            yield
        finally:
            with self._lock:
                call.connection = connection_before
                if outer is None:
                    del self._calls[thread]

    def use(self, connection: Any) -> None:
        """Register the driver's connection that the call of this thread uses from now on.

        Raises `StoreUnavailable` if the call was ended.
        """
        with self._lock:
            call = self._calls[get_ident()]
            call.connection = connection
            if call.is_ended:
                raise StoreUnavailable(f"{self._place}: the call was ended, it took too long")

    @contextmanager
    def opening(self) -> Iterator[None]:
        """Close a connection that is registered within, if that fails.

        An engine leaves one open that it has made and cannot set up.
        """
        call = self._calls[get_ident()]
        before = call.connection
        try:
            yield
        except BaseException:
            with self._lock:
                made, call.connection = call.connection, before
            if made is not None and made is not before:
                with suppress(Exception):
                    made.close()
            raise

    @contextmanager
    def using(self, connection: Any) -> Iterator[None]:
        """Register a connection as `use` does, and forget it before others can get it."""
        try:
            self.use(connection)
            yield
        finally:
            with self._lock:
                self._calls[get_ident()].connection = None

    def interrupt(self, seconds: float) -> None:
        """End the calls that have run for longer than this; does not block."""
        ends = time.monotonic() - seconds
        with self._lock:
            for call in self._calls.values():
                if call.began <= ends:
                    call.end()


def _end_connection(connection: Any) -> None:
    """End what a connection of a driver does at the moment, in another thread."""
    if isinstance(connection, sqlite3.Connection):
        connection.interrupt()
        return
    with socket.socket(fileno=os.dup(connection.fileno())) as shared:
        shared.shutdown(socket.SHUT_RDWR)
