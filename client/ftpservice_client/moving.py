"""One transfer over a data connection: the order of things, and every way in which it can end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.internet.defer import CancelledError

from ftpservice.flow.connection import DataConnection
from ftpservice.flow.cuts import Cut as FlowCut
from ftpservice.flow.cuts import Stalled
from ftpservice.wire import codes
from ftpservice.wire.replies import Reply
from ftpservice_client.calling import Meeting
from ftpservice_client.control import Control
from ftpservice_client.data import DataCalls
from ftpservice_client.errors import ClientError, Cut, Timeout, Unsupported
from ftpservice_client.exchange import Exchange
from ftpservice_client.refusals import refusal

__all__ = ["Moving"]

Move = Callable[[DataConnection], Awaitable[None]]
VERDICT = 10.0
"""Seconds, at most, in which a server has to say why it ended a data connection."""
CUT_CODES = frozenset({codes.TRANSFER_CUT, codes.CANNOT_CONNECT})


class Moving:
    """Carries out transfer commands of one control connection, one at a time.

    Whatever ends a transfer early, its data connection is broken and the command's reply is
    waited for (`Control.forsake`), so that the next command finds everything in order.
    """

    def __init__(self, control: Control, calls: DataCalls) -> None:
        self._control = control
        self._calls = calls

    async def move(
        self, command: str, move: Move, *, offset: int = 0, announced: list[Exchange] | None = None
    ) -> None:
        """Carry out a command, ``move`` having the data; raises `Refused`, `Cut`, `Timeout`."""
        if announced is None:
            await self._control.settle()
            announced = self._calls.announce()
        try:
            meeting = await self._calls.meeting(announced)
        except BaseException:
            self._control.forsake(*announced)
            raise
        try:
            await self._restart_at(offset)
            (exchange,) = self._control.begin(command)
        except BaseException:
            meeting.dismiss()
            raise
        await self._open(command, exchange, meeting)
        try:
            await self._carry(exchange, meeting, move)
        except BaseException:
            meeting.abort()
            raise

    async def _restart_at(self, offset: int) -> None:
        if not offset:
            return
        try:
            reply = await self._control.ask(f"REST {offset}")
        except CancelledError:
            self._control.close(Cut("cancelled when the next transfer was to begin in the middle"))
            raise
        if reply.code != codes.PENDING:
            raise Unsupported(f"the server begins no transfer in the middle: {reply.lines[-1]}")

    async def _open(self, command: str, exchange: Exchange, meeting: Meeting) -> None:
        """Wait for the server to begin.

        Some wait for ever for a connection that was broken before they had a look at it; so when
        it is not wanted any more it stands until they have answered.
        """
        try:
            reply = await self._control.reply_to(exchange, opened=True)
        except BaseException:
            if exchange.is_over:
                meeting.abort()
            else:
                exchange.when_heard = meeting.abort
            raise
        if reply.code >= 400:
            meeting.dismiss()
            raise refusal(reply, command)

    async def _carry(self, exchange: Exchange, meeting: Meeting, move: Move) -> None:
        exchange.when_over = lambda: self._look(exchange, meeting)
        try:
            if exchange.is_over:
                self._look(exchange, meeting)
            data = await meeting.connection()
            await move(data)
            data.dismiss()
            reply = await self._control.reply_to(exchange)
        except Stalled as error:
            self._control.forsake(exchange)
            raise Timeout(f"the transfer was cut: {error.reason}") from error
        except FlowCut as error:
            raise await self._verdict(exchange, error) from error
        except BaseException:
            self._control.forsake(exchange)
            raise
        finally:
            exchange.when_over = None
        if reply.code >= 400:
            raise self._refused(reply, exchange)

    def _look(self, exchange: Exchange, meeting: Meeting) -> None:
        """Break off a transfer that the server has ended, or that nobody will tell the end of."""
        if exchange.last is None or exchange.last.code >= 400:
            meeting.abort()

    async def _verdict(self, exchange: Exchange, error: FlowCut) -> ClientError:
        """Return why a transfer was cut: what the server says, if it does, knows better."""
        control = self._control
        try:
            patience = min(VERDICT, control.timeout or VERDICT)
            answered = await exchange.wait(patience)
        except CancelledError:
            control.forsake(exchange)
            raise
        if not answered:
            control.close(Timeout("the server did not say what became of a transfer"))
        reply = exchange.last
        if reply is not None and reply.code >= 400:
            return self._refused(reply, exchange)
        if control.lost is not None:
            return control.lost
        return Cut(f"the transfer was cut: {error.reason}")

    @staticmethod
    def _refused(reply: Reply, exchange: Exchange) -> ClientError:
        if reply.code in CUT_CODES:
            return Cut(f"the transfer was cut: {reply.lines[-1]}")
        return refusal(reply, exchange.command)
