"""One transfer over a data connection: the order of things, and every way in which it can end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from twisted.internet.defer import CancelledError

from ftpservice.stream.connection import StreamConnection
from ftpservice.stream.errors import TransferAborted as FlowCut
from ftpservice.stream.errors import TransferStalled
from ftpservice.wire import codes
from ftpservice.wire.replies import Reply
from ftpservice_client.errors import (
    ClientError,
    NetworkError,
    ProtocolViolation,
    Timeout,
    Unsupported,
)
from ftpservice_client.ftp.control import ControlConnection
from ftpservice_client.ftp.data import DataChannels
from ftpservice_client.ftp.exchange import CommandExchange
from ftpservice_client.ftp.reply_errors import error_for_reply
from ftpservice_client.link.connection import ClientConnection, PendingConnection

__all__ = ["DataTransfers", "TransferCommand"]

TransferFunction = Callable[[StreamConnection, Reply | None], Awaitable[None]]
"""Is told what the server said when it began, if that was waited for."""
FINAL_REPLY_SECONDS = 10.0
"""Seconds, at most, in which a server has to say why it ended a data connection."""
SUCCESS_CODES = frozenset({codes.TRANSFER_COMPLETE, codes.FILE_ACTION_OK})
INTERRUPTION_CODES = frozenset({codes.TRANSFER_ABORTED, codes.CANNOT_CONNECT})


@dataclass(frozen=True, slots=True)
class TransferCommand:
    """A transfer command and what is done with its data."""

    command: str
    move: TransferFunction
    offset: int = 0
    """Where in the file it begins (REST)."""
    at_once: bool = False
    """Whether to move data before the server has said that it begins: to send what is little."""
    may_be_empty: bool = False
    """Whether a server that says it is done, and did not say that it begins, may have no data."""


class DataTransfers:
    """Carries out transfer commands of one control connection, one at a time.

    Whatever ends a transfer early, its data connection is broken and the command's reply is
    waited for (`ControlConnection.abandon`), so that the next command finds everything in order.
    """

    def __init__(self, control: ControlConnection, calls: DataChannels) -> None:
        self._control = control
        self._calls = calls

    async def move(
        self, order: TransferCommand, announced: list[CommandExchange] | None = None
    ) -> Reply:
        """Carry out an order.

        Returns the last reply, raises `Refused`, `NetworkError`, `Timeout`.
        """
        if announced is None:
            await self._control.settle()
            announced = self._calls.request_port()
        try:
            meeting = await self._calls.open_channel(announced)
        except BaseException:
            self._control.abandon(*announced)
            raise
        try:
            if order.offset:
                await self._restart_at(order.offset)
            exchange = self._calls.begin(order.command)
        except BaseException:
            meeting.close_gracefully()
            raise
        opened = None if order.at_once else await self._open(order, exchange, meeting)
        try:
            return await self._carry(order, exchange, meeting, opened)
        except BaseException:
            _abort(exchange, meeting)
            raise

    async def _restart_at(self, offset: int) -> None:
        try:
            reply = await self._control.ask(f"REST {offset}")
        except CancelledError:
            self._control.close(
                NetworkError("cancelled when the next transfer was to begin in the middle")
            )
            raise
        if reply.code == codes.SERVICE_UNAVAILABLE:
            raise error_for_reply(reply, "REST")
        if reply.code != codes.FILE_ACTION_PENDING:
            raise Unsupported(f"the server begins no transfer in the middle: {reply.lines[-1]}")

    async def _open(
        self, order: TransferCommand, exchange: CommandExchange, meeting: PendingConnection
    ) -> Reply:
        """Wait for the server to begin; return what it says."""
        try:
            reply = await self._control.reply_to(exchange, opened=True)
        except BaseException:
            _abort(exchange, meeting)
            raise
        if reply.code >= 400:
            meeting.close_gracefully()
            raise error_for_reply(reply, order.command)
        return reply

    async def _carry(
        self,
        order: TransferCommand,
        exchange: CommandExchange,
        meeting: PendingConnection,
        opened: Reply | None,
    ) -> Reply:
        exchange.on_final_reply = lambda: self._look(exchange, meeting)
        try:
            if exchange.is_over:
                self._look(exchange, meeting)
            await self._move(order, exchange, meeting, opened)
            reply = await self._control.reply_to(exchange)
        except TransferStalled as error:
            self._control.abandon(exchange)
            raise Timeout(f"the transfer was cut: {error.reason}") from error
        except FlowCut as error:
            raise await self._interruption_error(order, exchange, error) from error
        except BaseException:
            self._control.abandon(exchange)
            raise
        finally:
            exchange.on_final_reply = None
        if reply.code >= 400:
            raise _refusal_error(order, exchange, reply)
        self._require_reply_order(reply)
        return reply

    def _require_reply_order(self, reply: Reply) -> None:
        """Break with a server that answers out of turn what waits behind a transfer."""
        if self._calls.prefetch.asked is not None and reply.code not in SUCCESS_CODES:
            problem = ProtocolViolation(f"the server said {reply.code} when a transfer ended")
            self._control.close(problem)
            raise problem
        self._calls.prefetch.ended()

    async def _connected(
        self, order: TransferCommand, exchange: CommandExchange, meeting: PendingConnection
    ) -> ClientConnection:
        """Return the connection; without one a server may have said why not, or be about to."""
        try:
            return await meeting.connection()
        except NetworkError:
            if order.at_once:
                await self._open(order, exchange, meeting)
            if exchange.last is not None and exchange.last.code >= 400:
                raise _refusal_error(order, exchange, exchange.last) from None
            raise

    async def _move(
        self,
        order: TransferCommand,
        exchange: CommandExchange,
        meeting: PendingConnection,
        opened: Reply | None,
    ) -> None:
        if order.may_be_empty and opened is not None and opened is exchange.last:
            await self._move_if_any(order, meeting, opened)
            return
        data = await self._connected(order, exchange, meeting)
        await order.move(data, opened)
        data.close_gracefully()

    async def _move_if_any(
        self, order: TransferCommand, meeting: PendingConnection, last: Reply
    ) -> None:
        """Receive from a server that has said no more than that it is done: often nothing comes."""
        giving_up = meeting.abort_if_idle(FINAL_REPLY_SECONDS)
        try:
            data = await meeting.connection()
            await order.move(data, last)
            data.close_gracefully()
        except (NetworkError, FlowCut):
            if meeting.has_traffic:
                raise
            meeting.abort()
        finally:
            if giving_up.active():
                giving_up.cancel()

    def _look(self, exchange: CommandExchange, meeting: PendingConnection) -> None:
        """Break off a transfer that the server has ended, or that nobody will tell the end of."""
        if exchange.last is None or exchange.last.code >= 400:
            meeting.abort()

    async def _interruption_error(
        self, order: TransferCommand, exchange: CommandExchange, error: FlowCut
    ) -> ClientError:
        """Return why a transfer was cut: what the server says, if it does, knows better."""
        control = self._control
        try:
            patience = min(FINAL_REPLY_SECONDS, control.timeout or FINAL_REPLY_SECONDS)
            answered = await exchange.wait(patience)
        except CancelledError:
            control.abandon(exchange)
            raise
        if not answered:
            control.close(Timeout("the server did not say what became of a transfer"))
        reply = exchange.last
        if reply is not None and reply.code >= 400:
            return _refusal_error(order, exchange, reply)
        if control.lost is not None:
            return control.lost
        return NetworkError(f"the transfer was cut: {error.reason}")


def _abort(exchange: CommandExchange, meeting: PendingConnection) -> None:
    """Break the data connection, once the server has had a look at it.

    Some wait for ever for a connection that was broken before; so when it is not wanted any more
    it stands until they have answered.
    """
    if exchange.is_over or exchange.opened is not None:
        meeting.abort()
    else:
        exchange.on_first_reply = meeting.abort


def _refusal_error(order: TransferCommand, exchange: CommandExchange, reply: Reply) -> ClientError:
    if exchange.opened is None:
        return error_for_reply(reply, order.command)
    if reply.code in INTERRUPTION_CODES:
        return NetworkError(f"the transfer was cut: {reply.lines[-1]}")
    return error_for_reply(reply, exchange.command)
