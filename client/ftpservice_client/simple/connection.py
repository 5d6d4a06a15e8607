"""The connection of the simple protocol: lines and raw bytes, one answer to each command."""

from __future__ import annotations

from typing import Any

from ftpservice.concurrency.timers import Deadline
from ftpservice.stream.errors import TransferAborted as FlowCut
from ftpservice.stream.errors import TransferStalled
from ftpservice.wire.simple import (
    MAX_LINE_SIZE,
    ErrorCode,
    MalformedAnswer,
    MalformedCommand,
    SimpleAnswer,
    argument_of,
    parse_answer,
)
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
    """Return a line; raises `InvalidArgument` for a name that none can hold."""
    try:
        last = () if name is None else (argument_of(name),)
        line = " ".join((*words, *last)).encode() + b"\n"
    except (MalformedCommand, UnicodeEncodeError) as error:
        raise InvalidArgument(
            "a name is not empty, is Unicode, and holds no control characters"
        ) from error
    if line.count(b"\n") > 1 or b"\r" in line or b"\0" in line:
        raise InvalidArgument("an argument may not hold NUL, CR or LF")
    if len(line) > MAX_LINE_SIZE:
        raise InvalidArgument(f"a line has no more than {MAX_LINE_SIZE} bytes")
    return line


class SimpleConnection:
    """Asks, and reads answers; what does not end in order breaks the connection."""

    def __init__(self, data: ClientConnection, clock: Any, timeout: float) -> None:
        self.data = data
        self._timeout = timeout
        self._deadline = Deadline(clock, self._late)
        self._received = b""
        self._lost: ClientError | None = None

    @property
    def lost(self) -> ClientError | None:
        """Why it is of no more use."""
        if self._lost is None and self.data.has_received_eof:
            self.close(self._last_words() or NetworkError("the server closed the connection"))
        return self._lost

    def _last_words(self) -> ClientError | None:
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
        """Break the connection; everything fails with ``error``."""
        if self._lost is None:
            self._lost = error
            self._deadline.clear()
            self.data.abort()

    def _late(self) -> None:
        self.close(Timeout(f"no answer in {self._timeout:g} seconds"))

    async def ask(self, line: bytes, name: str = "") -> SimpleAnswer:
        """Send a command, and read its answer; raises what an ERR means, about ``name``."""
        await self.send(line)
        return await self.answer(name)

    async def send(self, data: bytes) -> None:
        """Send.

        Raises `NetworkError`, `Timeout`, and `ProtocolViolation` if the server speaks unasked.
        """
        self._received += self.data.take()
        if self._received and not self.data.has_received_eof:
            self.close(
                self._last_words() or ProtocolViolation("the server answers what was not asked")
            )
        if self.lost is not None:
            raise self.lost
        try:
            await self.data.write(data)
        except FlowCut as error:
            raise self.broken(error) from error

    async def answer(self, name: str = "") -> SimpleAnswer:
        """Read an answer; raises what an ERR means, about ``name``."""
        try:
            answer = parse_answer(await self.line())
        except MalformedAnswer as error:
            problem = ProtocolViolation(f"the server sent what is no answer: {error}")
            self.close(problem)
            raise problem from error
        if answer.code is None:
            return answer
        text = f"{name}: {answer.text}" if name else answer.text
        refused = ERRORS_BY_CODE.get(answer.code, ServerRefused)(text)
        if answer.code in CLOSING_CODES:
            self.close(refused)
        raise refused

    async def line(self) -> bytes:
        """Read a line, without its end."""
        self._deadline.set(self._timeout)
        try:
            while (end := self._received.find(b"\n")) < 0:
                if len(self._received) >= MAX_LINE_SIZE:
                    raise ProtocolViolation("the server sent a line that has no end")
                self._received += await self._more()
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
            self._received = await self._more()
        data, self._received = self._received[:most], self._received[most:]
        return data

    @property
    def waiting(self) -> int:
        """Bytes that were received and not read yet."""
        return len(self._received)

    def hold(self) -> bool:
        """Receive no more for now; tell whether nothing waits to be read."""
        self._received += self.data.take()
        return not self._received

    async def _more(self) -> bytes:
        try:
            data = await self.data.read()
        except FlowCut as error:
            raise self.broken(error) from error
        if not data:
            self.close(NetworkError("the server closed the connection"))
            raise self._lost or NetworkError("the connection is lost")
        return data

    def broken(self, error: FlowCut) -> ClientError:
        """Return what a broken connection means, which it is from now on."""
        kind = Timeout if isinstance(error, TransferStalled) else NetworkError
        self.close(kind(f"the connection was cut: {error.reason}"))
        assert self._lost is not None
        return self._lost
