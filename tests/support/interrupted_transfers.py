"""Interrupts transfers: resets the connections of a session while data flows."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from ftpservice.session.settings import SessionSettings
from tests.support.raw_client import RunningService, reset

__all__ = ["interrupt_upload", "interrupting_network"]

SLOW_RATE = 8 << 20
"""Bytes a second of a transfer that is to be interrupted: it must not end while nobody looks."""


@contextmanager
def interrupting_network(served: RunningService) -> Iterator[None]:
    """Reset the first transfer once the service has moved 1 MiB of it; until then it is slow."""
    factory = served.factory
    usual = served.in_reactor(lambda: factory.services().settings)
    slow = replace(usual, rate_up=SLOW_RATE, rate_down=SLOW_RATE)
    served.in_reactor(lambda: factory.apply(slow))
    thread = threading.Thread(target=_reset_after, args=(served, 1 << 20, usual))
    thread.start()
    try:
        yield
    finally:
        thread.join()


def _reset_after(served: RunningService, count: int, usual: SessionSettings) -> None:
    """Reset both connections of the first transfer that has moved more than ``count`` bytes."""

    def has_reset() -> bool:
        advanced = [one for one in served.factory.instances if one.context.moved > count]
        if advanced:
            served.factory.apply(usual)  # before the client connects again
        for one in advanced:
            one.transport.abortConnection()
        return bool(advanced)

    served.wait_for(has_reset)


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
