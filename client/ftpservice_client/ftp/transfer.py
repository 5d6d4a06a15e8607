"""One transfer over a data connection: the order of things, and every way in which it can end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from twisted.internet.defer import CancelledError

from ftpservice.stream.connection import DataConnection
from ftpservice.stream.errors import Cut as FlowCut
from ftpservice.stream.errors import Stalled
from ftpservice.wire import codes
from ftpservice.wire.replies import Reply
from ftpservice_client.errors import ClientError, Cut, Garbled, Timeout, Unsupported
from ftpservice_client.ftp.control import Control
from ftpservice_client.ftp.data import DataCalls
from ftpservice_client.ftp.exchange import Exchange
from ftpservice_client.ftp.reply_errors import refusal
from ftpservice_client.link.connection import ClientConnection, Meeting

__all__ = ["Moving", "Order"]

Move = Callable[[DataConnection, Reply | None], Awaitable[None]]
"""Is told what the server said when it began, if that was waited for."""
VERDICT = 10.0
"""Seconds, at most, in which a server has to say why it ended a data connection."""
WHOLE = frozenset({codes.TRANSFER_COMPLETE, codes.FILE_ACTION_OK})
CUT_CODES = frozenset({codes.TRANSFER_CUT, codes.CANNOT_CONNECT})


@dataclass(frozen=True, slots=True)
class Order:
    """A transfer command and what is done with its data."""

    command: str
    move: Move
    offset: int = 0
    """Where in the file it begins (REST)."""
    at_once: bool = False
    """Whether to move data before the server has said that it begins: to send what is little."""
    may_be_empty: bool = False
    """Whether a server that says it is done, and did not say that it begins, may have no data."""


class Moving:
    """Carries out transfer commands of one control connection, one at a time.

    Whatever ends a transfer early, its data connection is broken and the command's reply is
    waited for (`Control.forsake`), so that the next command finds everything in order.
    """

    def __init__(self, control: Control, calls: DataCalls) -> None:
        self._control = control
        self._calls = calls

    async def move(self, order: Order, announced: list[Exchange] | None = None) -> Reply:
        """Carry out an order; returns the last reply, raises `Refused`, `Cut`, `Timeout`."""
        if announced is None:
            await self._control.settle()
            announced = self._calls.announce()
        try:
            meeting = await self._calls.meeting(announced)
        except BaseException:
            self._control.forsake(*announced)
            raise
        try:
            await self._restart_at(order.offset)
            exchange = self._calls.begin(order.command)
        except BaseException:
            meeting.dismiss()
            raise
        opened = None if order.at_once else await self._open(order, exchange, meeting)
        try:
            return await self._carry(order, exchange, meeting, opened)
        except BaseException:
            _abort(exchange, meeting)
            raise

    async def _restart_at(self, offset: int) -> None:
        if not offset:
            return
        try:
            reply = await self._control.ask(f"REST {offset}")
        except CancelledError:
            self._control.close(Cut("cancelled when the next transfer was to begin in the middle"))
            raise
        if reply.code == codes.UNAVAILABLE:
            raise refusal(reply, "REST")
        if reply.code != codes.PENDING:
            raise Unsupported(f"the server begins no transfer in the middle: {reply.lines[-1]}")

    async def _open(self, order: Order, exchange: Exchange, meeting: Meeting) -> Reply:
        """Wait for the server to begin; return what it says."""
        try:
            reply = await self._control.reply_to(exchange, opened=True)
        except BaseException:
            _abort(exchange, meeting)
            raise
        if reply.code >= 400:
            meeting.dismiss()
            raise refusal(reply, order.command)
        return reply

    async def _carry(
        self, order: Order, exchange: Exchange, meeting: Meeting, opened: Reply | None
    ) -> Reply:
        exchange.when_over = lambda: self._look(exchange, meeting)
        try:
            if exchange.is_over:
                self._look(exchange, meeting)
            await self._move(order, exchange, meeting, opened)
            reply = await self._control.reply_to(exchange)
        except Stalled as error:
            self._control.forsake(exchange)
            raise Timeout(f"the transfer was cut: {error.reason}") from error
        except FlowCut as error:
            raise await self._verdict(order, exchange, error) from error
        except BaseException:
            self._control.forsake(exchange)
            raise
        finally:
            exchange.when_over = None
        if reply.code >= 400:
            raise _refused(order, exchange, reply)
        self._see_the_order_kept(reply)
        return reply

    def _see_the_order_kept(self, reply: Reply) -> None:
        """Break with a server that answers out of turn what waits behind a transfer."""
        if self._calls.ahead.asked is not None and reply.code not in WHOLE:
            problem = Garbled(f"the server said {reply.code} when a transfer ended")
            self._control.close(problem)
            raise problem
        self._calls.ahead.ended()

    async def _connected(
        self, order: Order, exchange: Exchange, meeting: Meeting
    ) -> ClientConnection:
        """Return the connection; without one a server may have said why not, or be about to."""
        try:
            return await meeting.connection()
        except Cut:
            if order.at_once:
                await self._open(order, exchange, meeting)
            if exchange.last is not None and exchange.last.code >= 400:
                raise _refused(order, exchange, exchange.last) from None
            raise

    async def _move(
        self, order: Order, exchange: Exchange, meeting: Meeting, opened: Reply | None
    ) -> None:
        if order.may_be_empty and opened is not None and opened is exchange.last:
            await self._move_what_comes(order, meeting, opened)
            return
        data = await self._connected(order, exchange, meeting)
        await order.move(data, opened)
        data.dismiss()

    async def _move_what_comes(self, order: Order, meeting: Meeting, last: Reply) -> None:
        """Receive from a server that has said no more than that it is done: often nothing comes."""
        giving_up = meeting.give_up_in(VERDICT)
        try:
            data = await meeting.connection()
            await order.move(data, last)
            data.dismiss()
        except (Cut, FlowCut):
            if meeting.has_moved:
                raise
            meeting.abort()
        finally:
            if giving_up.active():
                giving_up.cancel()

    def _look(self, exchange: Exchange, meeting: Meeting) -> None:
        """Break off a transfer that the server has ended, or that nobody will tell the end of."""
        if exchange.last is None or exchange.last.code >= 400:
            meeting.abort()

    async def _verdict(self, order: Order, exchange: Exchange, error: FlowCut) -> ClientError:
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
            return _refused(order, exchange, reply)
        if control.lost is not None:
            return control.lost
        return Cut(f"the transfer was cut: {error.reason}")


def _abort(exchange: Exchange, meeting: Meeting) -> None:
    """Break the data connection, once the server has had a look at it.

    Some wait for ever for a connection that was broken before; so when it is not wanted any more
    it stands until they have answered.
    """
    if exchange.is_over or exchange.opened is not None:
        meeting.abort()
    else:
        exchange.when_heard = meeting.abort


def _refused(order: Order, exchange: Exchange, reply: Reply) -> ClientError:
    if exchange.opened is None:
        return refusal(reply, order.command)
    if reply.code in CUT_CODES:
        return Cut(f"the transfer was cut: {reply.lines[-1]}")
    return refusal(reply, exchange.command)
