"""Words about the shell and the server themselves: help, report, features, quote."""

from __future__ import annotations

from ftpservice.wire.replies import Reply
from ftpservice_client.console.session.errors import ShellError
from ftpservice_client.console.session.session import ShellSession
from ftpservice_client.console.shell.command_table import ArgumentSpec, CommandTable
from ftpservice_client.console.shell.options import ParsedArguments
from ftpservice_client.console.terminal.escape import escape_unprintable

__all__ = ["commands"]

commands = CommandTable()

MIN_ERROR_CODE = 400


@commands.add("report")
async def report(session: ShellSession, _given: ParsedArguments) -> None:
    """Show what the server has been doing, if it lets you know (REPORT)."""
    reply = await session.client.send("REPORT")
    session.screen.show(escape_unprintable(line) for line in _reply_lines(reply))


@commands.add("features", "feat")
async def features(session: ShellSession, _given: ParsedArguments) -> None:
    """Show what the server offers."""
    found = await session.client.features()
    session.screen.show(
        escape_unprintable(f"{word} {more}".rstrip()) for word, more in found.items()
    )


@commands.add("quote", takes=ArgumentSpec("<command>", least=1, most=1, whole=True), changes=True)
async def quote(session: ShellSession, given: ParsedArguments) -> None:
    """Send a line of FTP as it is, and show the reply."""
    reply = await session.client.send(given.rest)
    session.screen.show(f"{reply.code} {escape_unprintable(line)}" for line in reply.lines)


def _reply_lines(reply: Reply) -> tuple[str, ...]:
    """Return what a reply says; raises `ShellError` for one that says no."""
    if reply.code >= MIN_ERROR_CODE:
        raise ShellError(" ".join(reply.lines))
    return reply.lines
