"""Ends a process whose main process is killed while it starts.

It has inherited the listening sockets, and nothing reads its channel before all is imported and
built: the ports would stay open for that time.
"""

from __future__ import annotations

import os
import select
import socket
import threading

__all__ = ["StartWatch"]

LOOK_SECONDS = 0.05
"""Time between two looks whether the start is over."""


class StartWatch:
    """Ends this process when the other end of ``channel`` is closed, until `stop` is called."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel.dup()
        self._is_over = threading.Event()
        threading.Thread(target=self._run, name="start watch", daemon=True).start()

    def stop(self) -> None:
        """Watch no more: the channel is read from now on."""
        self._is_over.set()

    def _run(self) -> None:
        poller = select.poll()
        poller.register(self._channel, 0)  # POLLHUP is told in any case, data are not
        with self._channel:
            while not self._is_over.is_set():
                if poller.poll(LOOK_SECONDS * 1000) and not self._is_over.is_set():
                    os._exit(0)
