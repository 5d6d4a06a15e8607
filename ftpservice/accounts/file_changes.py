"""Whether a file has changed since it was read, asked without a thread and without the disk.

The kernel is told of a file (inotify(7)), and has an event for each change before the call that
makes the change returns. It tells of a file of this machine that is written, replaced, renamed or
removed, and of a symbolic link in its place; not of changes by another machine in a network
filesystem, or of the directories above.
"""

from __future__ import annotations

import errno
import os
import select
from collections.abc import Callable
from contextlib import suppress
from weakref import finalize

from twisted.logger import Logger

from ftpservice.linux import inotify_open, inotify_unwatch, inotify_watch

__all__ = ["FileChanges"]

log = Logger("ftpservice.accounts")

EVENT_BYTES = 4096
EXHAUSTED_ERRNOS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.ENOSYS)
"""What says that there is no watch, whatever the file is."""


def _always(_milliseconds: int) -> bool:
    """Return that there may be changes."""
    return True


class FileChanges:
    """The changes of one file. `reading` and `read` are called by one thread at a time.

    If ``pending(0)`` is false and then ``is_known`` is true, in this order, the last look has shown
    what the file has. Another thread may ask for both.
    """

    def __init__(self) -> None:
        self.is_known = False
        self.pending: Callable[[int], object] = _always
        """Returns whether there are changes since `reading`. For one thread at a time."""
        self._pending: Callable[[int], object] = _always
        """The same for `reading`, which may be in another thread."""
        self._close: Callable[[], object] | None = None
        self._descriptor = -1
        self._watches: set[int] = set()
        self._is_reported = False

    def reading(self, path: str) -> None:
        """Prepare for a look at a file (blocks): changes count from now on."""
        if self.is_known and not self._pending(0):
            return
        self.is_known = False
        try:
            self._watch(path)
        except OSError as error:
            self.close()
            if error.errno in EXHAUSTED_ERRNOS and not self._is_reported:
                self._is_reported = True
                log.warn(
                    "{path}: the kernel does not tell of its changes ({reason}), so that every "
                    "login hashes its password; raise fs.inotify.max_user_instances and "
                    "max_user_watches (sysctl)",
                    path=path,
                    reason=error.strerror,
                )

    def read(self) -> None:
        """Note that the last look at the file has ended, and what it showed is in force."""
        self.is_known = bool(self._watches)

    def close(self) -> None:
        """Release the descriptor; every file may have changed from now on."""
        self.is_known, self.pending, self._pending = False, _always, _always
        self._watches.clear()
        close, self._close = self._close, None
        if close is not None:
            close()

    def _watch(self, path: str) -> None:
        if self._close is None:
            self._descriptor = inotify_open()
            self._close = finalize(self, os.close, self._descriptor)
            self.pending, self._pending = (_poll(self._descriptor) for _ in range(2))
        for watch in self._watches:
            with suppress(OSError):  # its file is gone
                inotify_unwatch(self._descriptor, watch)
        self._watches.clear()
        with suppress(BlockingIOError):
            while os.read(self._descriptor, EVENT_BYTES):
                pass
        for follows in (True, False):  # the file itself, and a link in its place
            self._watches.add(inotify_watch(self._descriptor, path, follows))


def _poll(descriptor: int) -> Callable[[int], object]:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return poll.poll
