"""Forward what one socket receives to another with ``splice(2)``: the bytes are not copied.

The kernel moves the pages that a server has sent through a pipe to the data connection. This runs
in a thread, in turns: one ends when the client took nothing for a moment, so a slow client occupies
no thread, when the server sent nothing for longer, so that other transfers get the thread, and
after many bytes. What is in the pipe when the client takes no more is read (`SocketInput.held`),
since the pipe belongs to the thread. The reactor sends that whenever the client takes some: a slow
client costs two turns per MiB, however little it takes at a time.

The turn uses a duplicate of the descriptor of the data connection, which may be closed meanwhile.
"""

from __future__ import annotations

import os
import select
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any, Protocol, runtime_checkable

from ftpservice.linux import UNSUPPORTED_ERRNOS
from ftpservice.stream.errors import TransferAborted
from ftpservice.stream.splice import (
    MAX_BYTES_PER_TURN,
    POLL_MS,
    DupedDescriptor,
    TurnResult,
    thread_pipes,
)
from ftpservice.stream.stall_timeout import StallTimeout
from ftpservice.stream.write_poller import WritePoller

__all__ = ["ForwardSender", "ForwardSource", "SocketInput"]

FILL_SIZE = 512 << 10
"""Bytes that may be in the pipe, and have to be read when the client takes no more."""
SOURCE_POLL_MS = 100
"""Milliseconds without a byte from the server after which a turn ends."""


class SocketInput:
    """Bytes that come from a non-blocking socket; a subclass has the socket (`fileno`).

    Used by one turn at a time. After ``wait_seconds`` without a byte it ends.
    """

    lost = 0
    """Bytes that were to come when it ended before."""

    def __init__(self, held: bytes, left: int, wait_seconds: float) -> None:
        self.held: bytes | memoryview = held
        """Bytes that were received, and are to be sent first."""
        self.left = left
        """Bytes that the socket is still to receive."""
        self.seconds = 0.0
        """How long the turns took, without waiting for the client."""
        self._size = len(held) + left
        self._wait_seconds = wait_seconds
        self._missed_seconds = 0.0

    @property
    def remaining(self) -> int:
        """How many bytes can still be forwarded, as far as known."""
        return len(self.held) + self.left

    @property
    def forwarded(self) -> int:
        """How many bytes were."""
        return self._size - self.lost - self.remaining

    def fileno(self) -> int:
        """Return the descriptor; it is open while more is to come."""
        raise NotImplementedError

    def send_held(self, target: int, most: int) -> int:
        """Send some of what is held; returns how much, and raises `OSError`."""
        held = memoryview(self.held)
        sent = os.write(target, held[: min(most, FILL_SIZE)])
        self.held = held[sent:]
        return sent

    def received(self, count: int) -> None:
        """Count bytes that came."""
        self.left -= count
        self._missed_seconds = 0.0

    def missed(self, seconds: float) -> None:
        """Count time in which nothing came."""
        self._missed_seconds += seconds
        if self._missed_seconds >= self._wait_seconds:
            self.cut()

    def cut(self) -> None:
        """Expect nothing more."""
        self.lost, self.left = self.lost + self.left, 0


@runtime_checkable
class ForwardSource(Protocol):
    """What is forwarded."""

    def with_input(self, function: Callable[[SocketInput], TurnResult]) -> Awaitable[TurnResult]:
        """Call a function in a thread, with what comes."""


class ForwardSender:
    """The sending of some bytes; ``transport`` is plaintext, its buffer empty."""

    def __init__(self, transport: Any, source: ForwardSource, span: tuple[int, int]) -> None:
        self.offset, self._end = span
        """A turn keeps counting after its caller was cancelled."""
        self._poller = WritePoller.of(transport.reactor)
        self._descriptor: int = transport.getHandle().fileno()
        self._target: DupedDescriptor | None = DupedDescriptor(self._descriptor)
        transport.has_duplicate = True
        self._source = source
        self._patience: StallTimeout | None = None
        self._input: SocketInput | None = None
        """That of the last turn."""
        self._is_writable = self._lost = False

    async def run(self, patience: StallTimeout) -> None:
        """Send, until the source ends.

        Raises `TransferAborted`, `TransferStalled`, and what the source raises.
        """
        self._patience = patience
        try:
            state = TurnResult.MORE
            while self.offset < self._end and state is not TurnResult.ENDED:
                if state is TurnResult.WAITING:
                    await self._wait()
                    self._check()
                state = await self._source.with_input(self._turn)
                self._check()
                if state is TurnResult.BROKEN:
                    raise TransferAborted("the connection broke")
        finally:
            self._target = self._input = None

    def _check(self) -> None:
        if self._lost:
            raise TransferAborted("the connection broke")

    def stop(self) -> None:
        """Handle the loss of the connection."""
        self._lost = True
        if self._patience is not None:
            self._patience.wake_waiter()

    async def _wait(self) -> None:
        self._is_writable = False
        self._poller.enter(self._descriptor, self._may_write)
        assert self._patience is not None
        try:
            while not self._is_writable and not self._lost:
                await self._patience.wait_for_progress()
        finally:
            self._poller.leave(self._descriptor)

    def _may_write(self) -> None:
        """Send what is held, and wake the waiter; the reactor calls it when there is room.

        Without a waiter no turn is under way.
        """
        source, target, most = self._input, self._target, self._end - self.offset
        if source is not None and target is not None and source.held and most:
            try:
                self.offset += source.send_held(target.descriptor, most)
            except BlockingIOError:
                return
            except OSError:
                self._lost = True
            else:
                if source.held and self.offset < self._end:
                    return
        self._poller.leave(self._descriptor)
        self._is_writable = True
        if self._patience is not None:
            self._patience.wake_waiter()

    def _turn(self, source: SocketInput) -> TurnResult:
        """Forward for a while, in a thread."""
        target = self._target
        if target is None:
            return TurnResult.BROKEN
        self._input, began = source, perf_counter()
        most = min(self._end - self.offset, MAX_BYTES_PER_TURN)
        turn = _Turn(self, source, target.descriptor, most)
        try:
            return turn.run()
        except OSError:
            return TurnResult.BROKEN
        finally:
            source.seconds += perf_counter() - began - turn.target_seconds

    @property
    def is_over(self) -> bool:
        """Whether nobody waits for more."""
        return self._target is None or self._lost


class _Turn:
    """One turn of a sender, of up to ``most`` bytes."""

    def __init__(self, sender: ForwardSender, source: SocketInput, target: int, most: int) -> None:
        self.target_seconds = 0.0
        """How long it waited for the client."""
        self._sender = sender
        self._source = source
        self._target = target
        self._most = most
        self._filled = 0
        """Bytes in the pipe."""

    def run(self) -> TurnResult:
        """Forward; raises `OSError` of the client's socket."""
        source, state = self._source, TurnResult.MORE
        while source.held and self._most and state is TurnResult.MORE:
            state = self._write()
        if state is TurnResult.MORE and self._most and source.left:
            state = self._splice()
        if state is TurnResult.MORE and not source.remaining:
            return TurnResult.ENDED
        return state

    def _write(self) -> TurnResult:
        """Send what an earlier turn received."""
        try:
            sent = self._source.send_held(self._target, self._most)
        except BlockingIOError:
            return TurnResult.MORE if self._has_room() else TurnResult.WAITING
        self._most -= sent
        self._sender.offset += sent
        return TurnResult.MORE

    def _splice(self) -> TurnResult:
        source = self._source
        reading, writing = (end.descriptor for end in thread_pipes.take())
        state = TurnResult.MORE
        try:
            while state is TurnResult.MORE and (self._filled or self._wants_more):
                self._fill(writing)
                if self._filled:
                    state = self._empty(reading)
                elif source.left and not self._comes():
                    break
        finally:
            if self._filled:
                source.held = _content(reading, self._filled)
        return state

    @property
    def _wants_more(self) -> bool:
        return bool(self._most and self._source.left) and not self._sender.is_over

    def _fill(self, writing: int) -> None:
        """Move what the server has sent into the pipe."""
        source = self._source
        room = min(FILL_SIZE - self._filled, self._most, source.left)
        if not room:
            return
        try:
            count = os.splice(source.fileno(), writing, room, flags=os.SPLICE_F_NONBLOCK)
        except BlockingIOError:
            return
        except OSError:
            count = 0
        if count:
            source.received(count)
            self._filled += count
            self._most -= count
        else:
            source.cut()

    def _empty(self, reading: int) -> TurnResult:
        """Move what is in the pipe to the client."""
        try:
            sent = os.splice(reading, self._target, self._filled, flags=os.SPLICE_F_NONBLOCK)
        except BlockingIOError:
            return TurnResult.MORE if self._has_room() else TurnResult.WAITING
        except OSError as error:
            if error.errno not in UNSUPPORTED_ERRNOS:
                raise
            return TurnResult.ENDED  # the next turn writes what is in the pipe
        self._filled -= sent
        self._sender.offset += sent
        return TurnResult.MORE

    def _comes(self) -> bool:
        """Wait for the server; return whether something came. Raises `OSError` of the client's."""
        poll = select.poll()
        poll.register(self._source.fileno(), select.POLLIN)
        poll.register(self._target, 0)
        found = dict(poll.poll(SOURCE_POLL_MS))
        if self._target in found:
            raise ConnectionError("the client's connection broke")
        if not found:
            self._source.missed(SOURCE_POLL_MS / 1000)
        return bool(found)

    def _has_room(self) -> bool:
        """Wait for the client for a moment; return whether it takes more."""
        began = perf_counter()
        poll = select.poll()
        poll.register(self._target, select.POLLOUT)
        found = poll.poll(POLL_MS)
        self.target_seconds += perf_counter() - began
        return bool(found)


def _content(reading: int, count: int) -> bytes:
    """Read what is in the pipe of the thread."""
    pieces = []
    try:
        while count:
            pieces.append(os.read(reading, count))
            count -= len(pieces[-1])
        return b"".join(pieces)
    except BaseException:
        thread_pipes.give_up()  # another transfer must not send it
        raise
