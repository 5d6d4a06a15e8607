"""Sending without a turn of the reactor."""

from __future__ import annotations

import socket

from twisted.internet.abstract import FileDescriptor
from twisted.internet.testing import StringTransport

from ftpservice.net.immediate_write import write_now


class Wire(FileDescriptor):
    """A descriptor that takes so many bytes at once."""

    def __init__(self, takes: int | Exception) -> None:
        super().__init__(reactor=self)
        self.takes = takes
        self.connected = 1
        self.sent = b""
        self.asked_to_write = 0

    def addWriter(self, _writer: object) -> None:
        self.asked_to_write += 1

    def writeSomeData(self, data: bytes) -> int | Exception:
        if isinstance(self.takes, int):
            self.sent += data[: self.takes]
            return min(self.takes, len(data))
        return self.takes


def test_what_the_kernel_takes_is_sent_at_once() -> None:
    wire = Wire(100)
    write_now(wire, b"220 hello\r\n")
    assert wire.sent == b"220 hello\r\n"
    assert not wire.asked_to_write


def test_what_it_does_not_take_waits_for_the_reactor() -> None:
    wire = Wire(4)
    write_now(wire, b"220 hello\r\n")
    assert wire.sent == b"220 "
    assert b"".join(wire._tempDataBuffer) == b"hello\r\n"


def test_nothing_overtakes_what_already_waits() -> None:
    wire = Wire(100)
    wire.write(b"first ")
    write_now(wire, b"second")
    assert wire.sent == b""
    assert b"".join(wire._tempDataBuffer) == b"first second"


def test_a_broken_connection_is_found_by_the_reactor() -> None:
    wire = Wire(OSError("broken"))
    write_now(wire, b"x")
    assert wire.asked_to_write == 1


def test_other_transports_are_written_to() -> None:
    transport = StringTransport()
    write_now(transport, b"x")
    assert transport.value() == b"x"
    assert not isinstance(transport, socket.socket)
