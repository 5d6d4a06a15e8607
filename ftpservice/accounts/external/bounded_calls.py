"""Calls that may never end, such as of a PAM module: each in a thread that can be abandoned."""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import BoundedSemaphore, Thread
from typing import Generic, TypeVar

from ftpservice.accounts.account_store import StoreUnavailable

__all__ = ["BoundedCalls"]

T = TypeVar("T")


class BoundedCalls(Generic[T]):
    """At most ``most`` calls at a time, with those that hang; each is waited for ``seconds``."""

    def __init__(self, place: str, most: int, seconds: float) -> None:
        self._place = place
        self._slots = BoundedSemaphore(most)
        self._most = most
        self._seconds = seconds

    def call(self, function: Callable[[], T]) -> T:
        """Return what ``function`` returns, or raise what it raises; blocks.

        Raises `StoreUnavailable` if it does not end in time, or if too many others hang.
        """
        if not self._slots.acquire(timeout=self._seconds):
            raise StoreUnavailable(f"{self._place}: {self._most} calls do not end")
        outcomes: SimpleQueue[tuple[T | None, Exception | None]] = SimpleQueue()

        def run() -> None:
            try:
                outcomes.put((function(), None))
            except Exception as error:  # noqa: BLE001 - it is raised in the thread that waits
                outcomes.put((None, error))
            finally:
                self._slots.release()

        try:
            Thread(target=run, name=self._place, daemon=True).start()
        except RuntimeError as refusal:  # the limit of threads, or the interpreter is ending
            self._slots.release()
            raise StoreUnavailable(f"{self._place}: {refusal}") from None
        try:
            result, error = outcomes.get(timeout=self._seconds)
        except Empty:
            raise StoreUnavailable(f"{self._place}: no answer in {self._seconds:g} s") from None
        if error is not None:
            raise error
        return result  # type: ignore[return-value]
