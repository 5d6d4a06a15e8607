"""The connection of the simple protocol: lines and raw bytes, one answer to each command."""

from __future__ import annotations

from typing import Any

from ftpservice.concurrency.timers import Deadline
from ftpservice.stream.errors import TransferAborted, TransferStalled
from ftpservice.wire.simple import (
    MAX_LINE_SIZE,
    ErrorCode,
    MalformedAnswer,
    MalformedCommand,
    SimpleAnswer,
    argument_of,
    parse_answer,
)
from ftpservice.wire.units import seconds_text
from ftpservice_client.errors import (
    AccessDenied,
    AlreadyExists,
    AuthenticationFailed,
    ClientError,
    InvalidArgument,
    NetworkError,
    NotFound,
    ProtocolViolation,
    ServerBusy,
    ServerRefused,
    StorageFull,
    Timeout,
)
from ftpservice_client.link.connection import ClientConnection

__all__ = ["SimpleConnection", "command"]

ERRORS_BY_CODE: dict[ErrorCode, type[ServerRefused]] = {
    ErrorCode.AUTH: AuthenticationFailed,
    ErrorCode.NOTFOUND: NotFound,
    ErrorCode.DENIED: AccessDenied,
    ErrorCode.ISDIR: AlreadyExists,
    ErrorCode.NOTDIR: AlreadyExists,
    ErrorCode.EXISTS: AlreadyExists,
    ErrorCode.QUOTA: StorageFull,
    ErrorCode.FULL: StorageFull,
    ErrorCode.BUSY: ServerBusy,
    ErrorCode.TIMEOUT: ServerBusy,
}
CLOSING_CODES = (ErrorCode.BUSY, ErrorCode.TIMEOUT)
"""Error codes after which the server closes the connection."""


def command(*words: str, name: str | None = None) -> bytes:
    """Return the line of a command; raises `InvalidArgument` if it cannot contain the name."""
    try:
        last = () if name is None else (argument_of(name),)
        line = " ".join((*words, *last)).encode() + b"\n"
    except (MalformedCommand, UnicodeEncodeError) as error:
        raise InvalidArgument(
            "a name must be Unicode, without control characters, and not empty"
        ) from error
    if line.count(b"\n") > 1 or b"\r" in line or b"\0" in line:
        raise InvalidArgument("an argument cannot contain NUL, CR or LF")
    if len(line) > MAX_LINE_SIZE:
        raise InvalidArgument(f"the command is longer than {MAX_LINE_SIZE} bytes")
    return line


class SimpleConnection:
    """Sends commands and reads answers; any error within an exchange closes the connection."""

    def __init__(self, data: ClientConnection, clock: Any, timeout: float) -> None:
        self.data = data
        self._timeout = timeout
        self._deadline = Deadline(clock, self._answer_late)
        self._received = b""
        self._lost: ClientError | None = None

    @property
    def lost(self) -> ClientError | None:
        """Why the connection cannot be used any more; None while it can."""
        if self._lost is None and self.data.has_received_eof:
            self.close(self._closing_error() or NetworkError("the server closed the connection"))
        return self._lost

    def _closing_error(self) -> ClientError | None:
        """Return the error of an ERR with which the server has closed the session, if any."""
        text = self._received + self.data.take()
        line, end, self._received = text.partition(b"\n")
        try:
            answer = parse_answer(line) if end else None
        except MalformedAnswer:
            return None
        if answer is None or answer.code not in CLOSING_CODES:
            return None
        return ServerBusy(f"the server closed the session: {answer.text}")

    def close(self, error: ClientError) -> None:
        """Abort the connection; everything fails with ``error``."""
        if self._lost is None:
            self._lost = error
            self._deadline.clear()
            self.data.abort()

    def _answer_late(self) -> None:
        self.close(Timeout(f"no answer in {seconds_text(self._timeout)}"))

    async def ask(self, line: bytes, name: str = "") -> SimpleAnswer:
        """Send a command and return its answer; raises the error of an ERR about ``name``."""
        await self.send(line)
        return await self.read_answer(name)

    async def send(self, data: bytes) -> None:
        """Send bytes; they begin with a command.

        Raises `NetworkError`, `Timeout`, and `ProtocolViolation` if an answer without a command has
        arrived.
        """
        self._received += self.data.take()
        if self._received and not self.data.has_received_eof:
            self.close(
                self._closing_error()
                or ProtocolViolation("the server sent an answer without a command")
            )
        if self.lost is not None:
            raise self.lost
        try:
            await self.data.write(data)
        except TransferAborted as error:
            raise self.aborted(error) from error

    async def read_answer(self, name: str = "") -> SimpleAnswer:
        """Read an answer; raises the error of an ERR about ``name``."""
        try:
            answer = parse_answer(await self.read_line())
        except MalformedAnswer as error:
            problem = ProtocolViolation(f"the server sent an invalid answer: {error}")
            self.close(problem)
            raise problem from error
        if answer.code is None:
            return answer
        text = f"{name}: {answer.text}" if name else answer.text
        refused = ERRORS_BY_CODE.get(answer.code, ServerRefused)(text)
        if answer.code in CLOSING_CODES:
            self.close(refused)
        raise refused

    async def read_line(self) -> bytes:
        """Read a line, without its end."""
        self._deadline.set(self._timeout)
        try:
            while (end := self._received.find(b"\n")) < 0:
                if len(self._received) >= MAX_LINE_SIZE:
                    raise ProtocolViolation("the server sent an endless line")
                self._received += await self._receive()
        except ProtocolViolation as error:
            self.close(error)
            raise
        finally:
            self._deadline.clear()
        line, self._received = self._received[:end], self._received[end + 1 :]
        return line

    async def read_some(self, most: int) -> bytes:
        """Read raw bytes, at least one; raises `NetworkError`, `Timeout`."""
        if not self._received:
            self._received = await self._receive()
        data, self._received = self._received[:most], self._received[most:]
        return data

    @property
    def unread_count(self) -> int:
        """Bytes that were received and not read yet."""
        return len(self._received)

    def pause_reading(self) -> bool:
        """Receive no more until the next read; return whether all received bytes were read."""
        self._received += self.data.take()
        return not self._received

    async def _receive(self) -> bytes:
        try:
            data = await self.data.read()
        except TransferAborted as error:
            raise self.aborted(error) from error
        if not data:
            self.close(NetworkError("the server closed the connection"))
            raise self._lost or NetworkError("the connection is lost")
        return data

    def aborted(self, error: TransferAborted) -> ClientError:
        """Close the connection after ``error``; return the error for the caller."""
        kind = Timeout if isinstance(error, TransferStalled) else NetworkError
        self.close(kind(f"the connection was aborted: {error.reason}"))
        assert self._lost is not None
        return self._lost
