"""Interrupts transfers: resets the connections of a session while data flows."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.raw_client import RunningService, reset

__all__ = ["interrupt_upload", "interrupting_network"]


@contextmanager
def interrupting_network(served: RunningService) -> Iterator[None]:
    """Reset the first transfer once the service has moved 1 MiB of it."""
    thread = threading.Thread(target=_reset_after, args=(served, 1 << 20))
    thread.start()
    try:
        yield
    finally:
        thread.join()


def _reset_after(served: RunningService, count: int) -> None:
    """Reset both connections of the first transfer that has moved more than ``count`` bytes."""

    def advanced() -> list[Any]:
        sessions = [one for one in served.factory.instances if one.context.running is not None]
        return [one for one in sessions if one.context.running.moved > count]

    served.wait_for(advanced)
    served.in_reactor(lambda: [one.transport.abortConnection() for one in advanced()])


def interrupt_upload(served: RunningService, name: str, data: bytes) -> None:
    """Start an upload and reset it after ``data``."""
    wire = served.session()
    assert wire.code("TYPE I") == 200
    end = wire.accepted()
    assert wire.code(f"STOR {name}") == 150
    end.sendall(data)
    running = served.factory.instances[0].context
    served.wait_for(lambda: running.running is not None and running.running.moved == len(data))
    reset(end)
    assert wire.reply().code == 426
    assert wire.code("QUIT") == 221
    wire.drop()
    served.wait_for(served.settled())
