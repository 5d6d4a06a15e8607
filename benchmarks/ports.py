"""Ports of 127.0.0.1 for servers that can't let the system choose one."""

from __future__ import annotations

import contextlib
import itertools
import random
import socket
from collections.abc import Iterator

__all__ = ["PORTS", "free_port", "free_range", "reserved_port"]

PORTS = range(20_000, 32_000)
"""Below the ephemeral ports: the system gives none of these to a connection."""

_shuffled = itertools.cycle(random.sample(PORTS, len(PORTS)))


def free_port() -> int:
    """Return a port that was free at all addresses a moment ago.

    The next calls of this process return others, until all have been returned.
    """
    return next(filter(_is_free, _shuffled))


def free_range(count: int) -> range:
    """Return ports next to each other that were free at all addresses a moment ago."""
    while True:
        first = free_port()
        found = range(first, first + count)
        if all(map(_is_free, found)):
            return found


def _is_free(port: int) -> bool:
    with socket.socket() as own, contextlib.suppress(OSError):
        own.bind(("0.0.0.0", port))
        with socket.socket(socket.AF_INET6) as other:
            other.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            other.bind(("::", port))
        return True
    return False


@contextlib.contextmanager
def reserved_port() -> Iterator[int]:
    """Reserve a port for a server that sets ``SO_REUSEADDR``.

    A port that is merely free may be taken by a server of another process before this one
    starts, or while it is stopped.
    """
    with socket.socket() as end:
        while True:
            with contextlib.suppress(OSError):
                end.bind(("127.0.0.1", free_port()))
                break
        end.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # after it: bind looks at both
        yield int(end.getsockname()[1])
