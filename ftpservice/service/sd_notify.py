"""Notifies the service manager that started the process (sd_notify(3) of systemd)."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress

__all__ = ["ServiceManager"]


class ServiceManager:
    """Sends datagrams to the socket in ``NOTIFY_SOCKET``; does nothing if that is not set.

    Never blocks: if the socket does not accept a datagram, it is dropped.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")

    def ready(self, status: str) -> None:
        """Notify that the service accepts clients."""
        self._send("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """Notify that the settings are read again; `ready` must follow."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send("RELOADING=1", f"MONOTONIC_USEC={now}")

    def stopping(self, status: str) -> None:
        """Notify that the service accepts no more clients."""
        self._send("STOPPING=1", f"STATUS={status}")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        address = self._address.encode()
        if address.startswith(b"@"):
            address = b"\0" + address[1:]
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sending:
            sending.setblocking(False)
            sending.sendto("\n".join(lines).encode(), address)
