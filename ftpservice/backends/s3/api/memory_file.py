"""Files in memory, and bodies of answers that are received into them.

Without TLS the kernel moves the bytes there (``splice``), and ``sendfile`` sends them from there:
they never pass through Python, whose lock is free meanwhile.
"""

from __future__ import annotations

import os
import select
import socket
import ssl
from http.client import HTTPResponse
from io import DEFAULT_BUFFER_SIZE

from ftpservice.linux import memory_file
from ftpservice.stream.splice import TurnResult, splice_turn

__all__ = ["ObjectFile", "receive_body"]

BUFFER_SIZE = 256 << 10


class ObjectFile:
    """A file of ``size`` bytes in memory, without a name; closed after its last use."""

    descriptor = -1

    def __init__(self, size: int) -> None:
        self.size = size
        self.descriptor = memory_file(size)

    def __del__(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)

    def write(self, data: bytes | memoryview, offset: int = 0) -> None:
        """Write bytes; raises `OSError`."""
        rest = memoryview(data)
        while rest:
            written = os.pwrite(self.descriptor, rest, offset)
            rest, offset = rest[written:], offset + written

    def read(self, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes."""
        return os.pread(self.descriptor, max(0, min(size, self.size - offset)), offset)


def receive_body(response: HTTPResponse, connection: socket.socket, file: ObjectFile) -> None:
    """Fill a file with a body of its size; raises `OSError`, also if the body ends before."""
    position = 0
    if not isinstance(connection, ssl.SSLSocket):
        early = response.read1(DEFAULT_BUFFER_SIZE)  # all that was read with the headers
        file.write(early)
        _splice(connection, file, len(early))
        response.close()
        return
    buffer = memoryview(bytearray(min(BUFFER_SIZE, file.size)))
    while position < file.size:
        count = response.readinto(buffer[: file.size - position])
        if not count:
            raise ConnectionError("the answer is not complete")
        file.write(buffer[:count], position)
        position += count


def _splice(connection: socket.socket, file: ObjectFile, position: int) -> None:
    while position < file.size:
        moved, state = splice_turn(
            connection.fileno(), file.descriptor, most=file.size - position, offset=position
        )
        position += moved
        if state is TurnResult.WAITING:
            _wait_for_input(connection)
        elif state is not TurnResult.MORE:
            raise ConnectionError("the answer is not complete")


def _wait_for_input(connection: socket.socket) -> None:
    """Wait as long as the connection does; raises `TimeoutError`."""
    seconds = connection.gettimeout()
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    if not poll.poll(None if seconds is None else seconds * 1000):
        raise TimeoutError("timed out")
