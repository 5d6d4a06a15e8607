"""The connection of the simple protocol: lines and raw bytes, one answer to each command."""

from __future__ import annotations

from typing import Any

from ftpservice.concurrency.timers import Deadline
from ftpservice.stream.errors import Cut as FlowCut
from ftpservice.stream.errors import Stalled
from ftpservice.wire.simple import (
    LONGEST_LINE,
    Answer,
    BadAnswer,
    BadLine,
    Code,
    argument_of,
    parse_answer,
)
from ftpservice_client.errors import (
    BadName,
    Busy,
    ClientError,
    Cut,
    Denied,
    Exists,
    Garbled,
    LoginFailed,
    NoSpace,
    NotFound,
    Refused,
    Timeout,
)
from ftpservice_client.link.connection import ClientConnection

__all__ = ["SimpleLine", "command"]

KINDS: dict[Code, type[Refused]] = {
    Code.AUTH: LoginFailed,
    Code.NOTFOUND: NotFound,
    Code.DENIED: Denied,
    Code.ISDIR: Exists,
    Code.NOTDIR: Exists,
    Code.EXISTS: Exists,
    Code.QUOTA: NoSpace,
    Code.FULL: NoSpace,
    Code.BUSY: Busy,
    Code.TIMEOUT: Busy,
}
LAST_WORDS = (Code.BUSY, Code.TIMEOUT)
"""Codes behind which the server closes."""


def command(*words: str, name: str | None = None) -> bytes:
    """Return a line; raises `BadName` for a name that none can hold."""
    try:
        last = () if name is None else (argument_of(name),)
        line = " ".join((*words, *last)).encode() + b"\n"
    except (BadLine, UnicodeEncodeError) as error:
        raise BadName("a name is not empty, is Unicode, and holds no control characters") from error
    if line.count(b"\n") > 1 or b"\r" in line or b"\0" in line:
        raise BadName("an argument may not hold NUL, CR or LF")
    if len(line) > LONGEST_LINE:
        raise BadName(f"a line has no more than {LONGEST_LINE} bytes")
    return line


class SimpleLine:
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
        if self._lost is None and self.data.has_ended:
            self.close(self._last_words() or Cut("the server closed the connection"))
        return self._lost

    def _last_words(self) -> ClientError | None:
        text = self._received + self.data.take()
        line, end, self._received = text.partition(b"\n")
        try:
            answer = parse_answer(line) if end else None
        except BadAnswer:
            return None
        if answer is None or answer.code not in LAST_WORDS:
            return None
        return Busy(f"the server closed the session: {answer.text}")

    def close(self, error: ClientError) -> None:
        """Break the connection; everything fails with ``error``."""
        if self._lost is None:
            self._lost = error
            self._deadline.clear()
            self.data.abort()

    def _late(self) -> None:
        self.close(Timeout(f"no answer in {self._timeout:g} seconds"))

    async def ask(self, line: bytes, name: str = "") -> Answer:
        """Send a command, and read its answer; raises what an ERR means, about ``name``."""
        await self.send(line)
        return await self.answer(name)

    async def send(self, data: bytes) -> None:
        """Send; raises `Cut`, `Timeout`, and `Garbled` if the server speaks unasked."""
        self._received += self.data.take()
        if self._received and not self.data.has_ended:
            self.close(self._last_words() or Garbled("the server answers what was not asked"))
        if self.lost is not None:
            raise self.lost
        try:
            await self.data.write(data)
        except FlowCut as error:
            raise self.broken(error) from error

    async def answer(self, name: str = "") -> Answer:
        """Read an answer; raises what an ERR means, about ``name``."""
        try:
            answer = parse_answer(await self.line())
        except BadAnswer as error:
            problem = Garbled(f"the server sent what is no answer: {error}")
            self.close(problem)
            raise problem from error
        if answer.code is None:
            return answer
        text = f"{name}: {answer.text}" if name else answer.text
        refused = KINDS.get(answer.code, Refused)(text)
        if answer.code in LAST_WORDS:
            self.close(refused)
        raise refused

    async def line(self) -> bytes:
        """Read a line, without its end."""
        self._deadline.set(self._timeout)
        try:
            while (end := self._received.find(b"\n")) < 0:
                if len(self._received) >= LONGEST_LINE:
                    raise Garbled("the server sent a line that has no end")
                self._received += await self._more()
        except Garbled as error:
            self.close(error)
            raise
        finally:
            self._deadline.clear()
        line, self._received = self._received[:end], self._received[end + 1 :]
        return line

    async def some(self, most: int) -> bytes:
        """Read raw bytes, at least one; raises `Cut`, `Timeout`."""
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
            self.close(Cut("the server closed the connection"))
            raise self._lost or Cut("the connection is lost")
        return data

    def broken(self, error: FlowCut) -> ClientError:
        """Return what a broken connection means, which it is from now on."""
        kind = Timeout if isinstance(error, Stalled) else Cut
        self.close(kind(f"the connection was cut: {error.reason}"))
        assert self._lost is not None
        return self._lost
