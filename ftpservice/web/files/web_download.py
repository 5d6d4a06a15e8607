"""One file on its way to a browser: the events, limits and progress of a download of FTP."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError

from ftpservice.events import Outcome
from ftpservice.session.error_replies import log_detail
from ftpservice.storage.interfaces import IReading
from ftpservice.stream.errors import TransferAborted
from ftpservice.stream.pump import pump_to_connection
from ftpservice.stream.rate_limited import RateLimitedStream
from ftpservice.web.access.account_session import AccountSession

__all__ = ["WebDownload", "send_file_range"]

CANCELLED_TEXT = "the client has closed the connection, or the login has ended"


class WebDownload:
    """A download of ``size`` bytes of ``path``, from its `TransferStarted` to `TransferEnded`."""

    upload = is_committing = False

    def __init__(self, account: AccountSession, path: str, size: int) -> None:
        self.what = f"GET {path}"
        self.moved = 0
        """Bytes so far."""
        self._account = account
        self._path = path
        context = account.context
        self._user = context.account.name
        self._started = context.services.clock.seconds()
        self._number = account.begin_transfer(self, path, size)

    def ended(self, problem: BaseException | None = None) -> None:
        """Publish the end."""
        context = self._account.context
        outcome, detail = Outcome.COMPLETE, ""
        if problem is not None:
            is_abort = isinstance(problem, TransferAborted | CancelledError | GeneratorExit)
            outcome = Outcome.ABORTED if is_abort else Outcome.REFUSED
            detail = log_detail(problem) or CANCELLED_TEXT
        self._account.remove_transfer(self._number)
        seconds = context.services.clock.seconds() - self._started
        facts = (self._path, False, outcome, self.moved, seconds, detail, "", self._number)
        context.events.end_transfer(self._user, *facts)


class CountedStream:
    """Writes to ``stream``, and counts the bytes for ``download``."""

    def __init__(self, stream: Any, download: WebDownload) -> None:
        self._stream = stream
        self._download = download

    @property
    def chunk(self) -> int:
        """Bytes per write."""
        chunk: int = self._stream.chunk
        return chunk

    async def write(self, data: bytes) -> None:
        """Send, and wait while the buffer is full."""
        self._download.moved += len(data)
        await self._stream.write(data)


async def send_file_range(
    account: AccountSession, path: str, reading: IReading, part: tuple[int, int], stream: Any
) -> None:
    """Send the bytes of a file from the first to the end of ``part``; closes the reading.

    ``stream`` is written to as to a `ResponseStream`. Raises `TransferAborted`, also when the file
    became shorter, and `StorageError`.
    """
    first, end = part
    download = WebDownload(account, path, end - first)
    limits = account.context.rate_limiters(upload=False)
    target: Any = CountedStream(stream, download)
    if limits is not None:
        target = RateLimitedStream(target, limits)
    try:
        moved = await pump_to_connection(reading.read, target, first, end)
        if moved < end - first:
            raise TransferAborted("the file became shorter while it was sent")
    except BaseException as problem:
        download.ended(problem)
        raise
    finally:
        reading.close()
    download.ended()
