"""One transfer over a data connection: the order of its steps, and the ways it can end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import NoReturn

from twisted.internet.defer import CancelledError

from ftpservice.stream.connection import StreamConnection
from ftpservice.stream.errors import TransferAborted, TransferStalled
from ftpservice.wire import codes
from ftpservice.wire.replies import Reply
from ftpservice_client.errors import (
    ClientError,
    NetworkError,
    ProtocolViolation,
    Timeout,
    Unsupported,
)
from ftpservice_client.ftp.control import CommandExchange, ControlConnection
from ftpservice_client.ftp.data import DataConnections
from ftpservice_client.ftp.reply_errors import error_for_reply
from ftpservice_client.link.connection import PendingConnection

__all__ = ["DataTransfers", "TransferCommand"]

TransferFunction = Callable[[StreamConnection, Reply | None], Awaitable[None]]
"""Moves the data; called with the first reply to the command, if it was waited for."""
FINAL_REPLY_SECONDS = 10.0
"""Seconds to wait for the reply that explains why the server ended a data connection."""
SUCCESS_CODES = frozenset({codes.TRANSFER_COMPLETE, codes.FILE_ACTION_OK})
INTERRUPTION_CODES = frozenset({codes.TRANSFER_ABORTED, codes.CANNOT_CONNECT})


@dataclass(slots=True)
class TransferCommand:
    """A transfer command and what is done with its data."""

    command: str
    transfer: TransferFunction
    offset: int = 0
    """Restart offset (REST)."""
    sends_early: bool = False
    """Whether to send data before the server's first reply: for small uploads."""
    may_be_empty: bool = False
    """Whether a server that sends a final reply without a preliminary one may send no data."""


class DataTransfers:
    """Runs the transfer commands of one control connection, one at a time.

    Whatever ends a transfer early, its data connection is aborted and the reply to its command is
    abandoned (`ControlConnection.abandon`), so that the next command finds everything in order.
    """

    def __init__(self, control: ControlConnection, connections: DataConnections) -> None:
        self._control = control
        self._connections = connections

    async def run(
        self, command: TransferCommand, requested: list[CommandExchange] | None = None
    ) -> Reply:
        """Run a transfer command, after `DataConnections.request_port`; return its final reply.

        Raises `ServerRefused`, `NetworkError`, `Timeout`.
        """
        control = self._control
        # 1. Ask for a port, and start to connect.
        if requested is None:
            await control.drain_abandoned()
            requested = self._connections.request_port()
        try:
            pending = await self._connections.open(requested)
        except BaseException:
            control.abandon(*requested)
            raise
        # 2. REST, then the transfer command.
        try:
            if command.offset:
                await self._restart_at(command.offset)
            exchange = self._connections.send_transfer_command(command.command)
        except BaseException:
            pending.close_gracefully()
            raise
        # 3. Wait for the preliminary reply, except for a small upload.
        opened = None
        if not command.sends_early:
            opened = await self._first_reply(command, exchange, pending)
        # 4. Move the data, and wait for the final reply.
        try:
            reply = await self._transfer(command, exchange, pending, opened)
        except BaseException:
            _abort(exchange, pending)
            raise
        finally:
            exchange.on_final_reply = None
        if reply.code in SUCCESS_CODES or not (
            reply.code >= 400 or self._connections.has_prefetched
        ):
            self._connections.transfer_ended()
            return reply
        pending.abort()
        raise self._final_reply_error(command, exchange, reply)

    def _final_reply_error(
        self, command: TransferCommand, exchange: CommandExchange, reply: Reply
    ) -> ClientError:
        if reply.code >= 400:
            return _refusal_error(command, exchange, reply)
        error = ProtocolViolation(f"the server sent {reply.code} at the end of a transfer")
        self._control.close(error)  # that was the reply to EPSV: out of order
        return error

    async def _restart_at(self, offset: int) -> None:
        try:
            reply = await self._control.ask(f"REST {offset}")
        except CancelledError:
            self._control.close(NetworkError("cancelled after REST, before its transfer command"))
            raise
        if reply.code == codes.SERVICE_UNAVAILABLE:
            raise error_for_reply(reply, "REST")
        if reply.code != codes.FILE_ACTION_PENDING:
            raise Unsupported(f"the server cannot resume transfers: {reply.lines[-1]}")

    async def _first_reply(
        self, command: TransferCommand, exchange: CommandExchange, pending: PendingConnection
    ) -> Reply:
        try:
            reply = await self._control.reply_to(exchange, or_preliminary=True)
        except BaseException:
            _abort(exchange, pending)
            raise
        if reply.code >= 400:
            pending.close_gracefully()
            raise error_for_reply(reply, command.command)
        return reply

    async def _transfer(
        self,
        command: TransferCommand,
        exchange: CommandExchange,
        pending: PendingConnection,
        opened: Reply | None,
    ) -> Reply:
        """Move the data; return the final reply, also a refusal."""
        try:
            if exchange.is_over:
                _abort_unless_complete(exchange, pending)
            else:
                exchange.on_final_reply = partial(_abort_unless_complete, exchange, pending)
            if command.may_be_empty and opened is not None and opened is exchange.final:
                await self._transfer_if_any(command, pending, opened)
            else:
                try:
                    data = await pending.connection()
                except NetworkError as error:
                    await self._raise_refusal(command, exchange, pending, error)
                await command.transfer(data, opened)
                data.close_gracefully()
            return await self._control.reply_to(exchange)
        except TransferStalled as error:
            self._control.abandon(exchange)
            raise Timeout(f"the transfer was aborted: {error.reason}") from error
        except TransferAborted as error:
            raise await self._interruption_error(command, exchange, error) from error
        except BaseException:
            self._control.abandon(exchange)
            raise

    async def _raise_refusal(
        self,
        command: TransferCommand,
        exchange: CommandExchange,
        pending: PendingConnection,
        error: NetworkError,
    ) -> NoReturn:
        """Raise why there is no data connection: the server's reply, if it explains it."""
        if command.sends_early:
            await self._first_reply(command, exchange, pending)
        if exchange.final is not None and exchange.final.code >= 400:
            raise _refusal_error(command, exchange, exchange.final) from None
        raise error

    async def _transfer_if_any(
        self, command: TransferCommand, pending: PendingConnection, final: Reply
    ) -> None:
        """Receive from a server that sent only its final reply: often there is no data."""
        giving_up = pending.abort_if_idle(FINAL_REPLY_SECONDS)
        try:
            data = await pending.connection()
            await command.transfer(data, final)
            data.close_gracefully()
        except (NetworkError, TransferAborted):
            if pending.has_traffic:
                raise
            pending.abort()
        finally:
            if giving_up.active():
                giving_up.cancel()

    async def _interruption_error(
        self, command: TransferCommand, exchange: CommandExchange, error: TransferAborted
    ) -> ClientError:
        """Return why a transfer was aborted: the server's reply, if it sends one in time."""
        control = self._control
        try:
            seconds = min(FINAL_REPLY_SECONDS, control.timeout or FINAL_REPLY_SECONDS)
            answered = await exchange.wait_final(seconds)
        except CancelledError:
            control.abandon(exchange)
            raise
        if not answered:
            control.close(Timeout("the server did not reply after an aborted transfer"))
        reply = exchange.final
        if reply is not None and reply.code >= 400:
            return _refusal_error(command, exchange, reply)
        if control.lost is not None:
            return control.lost
        return NetworkError(f"the transfer was aborted: {error.reason}")


def _abort_unless_complete(exchange: CommandExchange, pending: PendingConnection) -> None:
    if exchange.final is None or exchange.final.code >= 400:
        pending.abort()


def _abort(exchange: CommandExchange, pending: PendingConnection) -> None:
    """Abort the data connection, but not before the server has replied to the command.

    Some servers wait for ever for a connection that was aborted before they accepted it.
    """
    if exchange.is_over or exchange.preliminary is not None:
        pending.abort()
    else:
        exchange.on_first_reply = pending.abort


def _refusal_error(
    command: TransferCommand, exchange: CommandExchange, reply: Reply
) -> ClientError:
    if exchange.preliminary is None:
        return error_for_reply(reply, command.command)
    if reply.code in INTERRUPTION_CODES:
        return NetworkError(f"the transfer was aborted: {reply.lines[-1]}")
    return error_for_reply(reply, exchange.command)
