"""Networks that fail: sessions that are reset while data flows."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.raw_client import Served, rst

__all__ = ["being_cut", "cut_upload"]


@contextmanager
def being_cut(served: Served) -> Iterator[None]:
    """Have the first transfer cut when a megabyte of it has come."""
    cutting = threading.Thread(target=_cut_at, args=(served, 1 << 20))
    cutting.start()
    try:
        yield
    finally:
        cutting.join()


def _cut_at(served: Served, count: int) -> None:
    """Reset both connections of the first transfer that has come so far."""

    def far() -> list[Any]:
        sessions = [one for one in served.factory.instances if one._context.running is not None]
        return [one for one in sessions if one._context.running.moved > count]

    served.wait_for(far)
    served.in_reactor(lambda: [one.transport.abortConnection() for one in far()])


def cut_upload(served: Served, name: str, data: bytes) -> None:
    """Begin an upload that the network cuts."""
    wire = served.session()
    assert wire.code("TYPE I") == 200
    end = wire.accepted()
    assert wire.code(f"STOR {name}") == 150
    end.sendall(data)
    running = served.factory.instances[0]._context
    served.wait_for(lambda: running.running is not None and running.running.moved == len(data))
    rst(end)
    assert wire.reply().code == 426
    assert wire.code("QUIT") == 221
    wire.drop()
    served.wait_for(served.settled())
