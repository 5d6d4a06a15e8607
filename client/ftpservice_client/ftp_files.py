"""Files over FTP: RETR, STOR and APPE, with what is asked before and behind them."""

from __future__ import annotations

from ftpservice.flow.connection import DataConnection
from ftpservice_client.arguments import checked
from ftpservice_client.control import Control
from ftpservice_client.data import DataCalls
from ftpservice_client.errors import Cut, Mismatch
from ftpservice_client.exchange import Exchange
from ftpservice_client.filling import fill, pour
from ftpservice_client.looking import size_in
from ftpservice_client.moving import Moving
from ftpservice_client.session import Place, Watch
from ftpservice_client.source import Source
from ftpservice_client.target import Target

__all__ = ["FTPFiles"]


class FTPFiles:
    """Moves files of one session."""

    def __init__(self, control: Control, calls: DataCalls, moving: Moving) -> None:
        self._control = control
        self._calls = calls
        self._moving = moving

    async def retrieve(self, name: str, offset: int, target: Target, watch: Watch) -> int | None:
        """Receive a file from ``offset``; its size is compared where SIZE tells it.

        A file that ends before it has as many bytes is `Cut`, one that does not is a `Mismatch`.
        """
        await self._control.settle()
        announced = self._calls.announce(f"SIZE {checked(name)}")
        size = await self._size_in(announced)
        rest = None if size is None else size - offset
        if rest is not None and rest < 0:
            self._control.forsake(*announced)
            raise Mismatch("there are more bytes here than the file has")
        moved = 0

        async def receive(data: DataConnection) -> None:
            nonlocal moved
            data.bears_truncation = rest is not None
            watch.begin(data, size)
            moved = await fill(target, data, rest)

        await self._moving.move(f"RETR {name}", receive, offset=offset, announced=announced)
        if rest is not None and moved < rest:
            raise Cut(f"the server sent {offset + moved} of {size} bytes")
        return size

    async def _size_in(self, announced: list[Exchange]) -> int | None:
        try:
            reply = await self._control.reply_to(announced[0])
        except BaseException:
            self._control.forsake(*announced)
            raise
        return size_in(reply.code, reply.lines[-1])

    async def store(self, name: str, source: Source, at: Place, watch: Watch) -> None:
        """Send a file; what the server has afterwards is compared by size where it tells."""
        await self._control.settle()
        verb = "APPE" if at.append else "STOR"
        moved = 0

        async def send(data: DataConnection) -> None:
            nonlocal moved
            watch.begin(data, source.size)
            moved = await pour(source, data, at.offset)
            await data.finish()

        offset = 0 if at.append else at.offset
        command = f"{verb} {checked(name)}"
        announced = self._announced(source, at)
        await self._moving.move(command, send, offset=offset, announced=announced)
        reply = await self._control.ask(f"SIZE {name}")
        there = size_in(reply.code, reply.lines[-1])
        if there is None or at.former is None:
            return
        expected = at.former + at.offset + moved
        if there != expected:
            raise Mismatch(f"the server has {there} bytes of {expected}")

    def _announced(self, source: Source, at: Place) -> list[Exchange] | None:
        """Say how much is to come, where it is known: whoever is killed then uploads no half file.

        A server that does not care answers that it does not (RFC 959 §4.1.3, ALLO).
        """
        if source.size is None:
            return None
        return self._calls.announce(f"ALLO {source.size - at.offset}")
