"""Tells a service manager that started the process how it is (sd_notify, as systemd wants it)."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress

__all__ = ["ServiceManager"]


class ServiceManager:
    """Sends datagrams to the socket named in ``NOTIFY_SOCKET``; does nothing where there is none.

    It never waits: a manager that does not listen is not told.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")

    def ready(self, status: str) -> None:
        """Say that clients are served."""
        self._send("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """Say that settings are being read again; `ready` says when that is over."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send("RELOADING=1", f"MONOTONIC_USEC={now}")

    def stopping(self, status: str) -> None:
        """Say that nobody is let in any more."""
        self._send("STOPPING=1", f"STATUS={status}")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        address = self._address.encode()
        if address.startswith(b"@"):
            address = b"\0" + address[1:]
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
            own.setblocking(False)
            own.sendto("\n".join(lines).encode(), address)
