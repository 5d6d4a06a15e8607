"""Commands for the connection and its server: open, close, user, pass, pasv, quit, quote, ..."""

from __future__ import annotations

from dataclasses import replace

from ftpservice_client import AuthenticationFailed
from ftpservice_client.console.session.command_line import parse_destination
from ftpservice_client.console.session.errors import ConsoleError, NotConnected, UsageError
from ftpservice_client.console.session.login import (
    LOGIN_HINT,
    ask_for_password,
    ask_for_user,
    log_in,
)
from ftpservice_client.console.session.session import ConsoleSession
from ftpservice_client.console.shell.arguments import ParsedArguments
from ftpservice_client.console.shell.command import ArgumentSpec, ShellCommandTable
from ftpservice_client.console.terminal.escape import escape_unprintable

__all__ = ["commands"]

commands = ShellCommandTable()

MAX_PORT = 65535
PASSIVE_ARGUMENTS = {"": True, "on": True, "off": False}
MIN_ERROR_CODE = 400


@commands.add(
    "open",
    "conn",
    "connect",
    arguments=ArgumentSpec("[<url> [<port>]]", max_count=2),
    invalidates_listings=True,
)
async def open_connection(session: ConsoleSession, arguments: ParsedArguments) -> None:
    """Connect to a server; without a URL, ask for it."""
    destination = parse_destination(arguments.text(0) or await session.ask("URL"))
    if arguments.text(1):
        destination = replace(destination, port=_parse_port(arguments.text(1)))
    try:
        await log_in(session, destination)
    except AuthenticationFailed:
        if session.is_interactive or destination.user:
            raise
        session.screen.print_status(f"The server requires a login. {LOGIN_HINT}")


def _parse_port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= MAX_PORT:
        raise UsageError(f"Invalid port: {text}")
    return int(text)


@commands.add("close", "disconnect", invalidates_listings=True)
async def close(session: ConsoleSession, _arguments: ParsedArguments) -> None:
    """Disconnect and stay in the shell."""
    await session.close()


@commands.add(
    "user",
    arguments=ArgumentSpec("[<name> [<password>]]", max_count=2),
    invalidates_listings=True,
)
async def user(session: ConsoleSession, arguments: ParsedArguments) -> None:
    """Log in as another user; without a password, ask for it (recommended)."""
    if session.login_destination is None:
        raise NotConnected
    name = arguments.text(0) or await ask_for_user(session)
    session.login_destination = replace(session.login_destination, user=name, password=None)
    text = arguments.text(1)
    if not text and session.is_interactive:
        text = await ask_for_password(session)
    if text:
        await _log_in_as(session, name, text)


@commands.add(
    "pass",
    arguments=ArgumentSpec("[<password>]", max_count=1, is_rest_of_line=True),
    invalidates_listings=True,
)
async def password(session: ConsoleSession, arguments: ParsedArguments) -> None:
    """Log in as the user that USER named; without a password, ask for it (recommended)."""
    if session.login_destination is None or not session.login_destination.user:
        raise UsageError("Name the user with USER before PASS.")
    text = arguments.text(0) or await ask_for_password(session)
    await _log_in_as(session, session.login_destination.user, text)


async def _log_in_as(session: ConsoleSession, name: str, password: str) -> None:
    assert session.login_destination is not None
    await session.open(session.login_destination.as_user(name, password))
    session.screen.print_status(f"Logged in as {name}.")


@commands.add(
    "pasv",
    "passive",
    arguments=ArgumentSpec("[on|off]", max_count=1),
    invalidates_listings=True,
)
async def passive(session: ConsoleSession, arguments: ParsedArguments) -> None:
    """Use passive (on, the default) or active (off) data connections."""
    argument = arguments.text(0).lower()
    if argument not in PASSIVE_ARGUMENTS:
        raise UsageError("Usage: pasv [on|off]")
    active = not PASSIVE_ARGUMENTS[argument]
    if active != session.settings.active:
        session.settings = replace(session.settings, active=active)
        await session.reconnect()
    session.screen.print_status("Active mode." if active else "Passive mode.")


@commands.add("quit", "bye", "exit", invalidates_listings=True)
async def quit_shell(session: ConsoleSession, _arguments: ParsedArguments) -> None:
    """Disconnect and leave the shell."""
    session.is_leaving = True
    await session.close()


@commands.add("report")
async def report(session: ConsoleSession, _arguments: ParsedArguments) -> None:
    """Show the activity report of the server (REPORT), if you may read it."""
    reply = await session.client.send("REPORT")
    if reply.code >= MIN_ERROR_CODE:
        raise ConsoleError(" ".join(reply.lines))
    session.screen.print_lines(escape_unprintable(line) for line in reply.lines)


@commands.add("features", "feat")
async def features(session: ConsoleSession, _arguments: ParsedArguments) -> None:
    """Show the features of the server (FEAT)."""
    found = await session.client.features()
    session.screen.print_lines(
        escape_unprintable(f"{name} {parameters}".rstrip()) for name, parameters in found.items()
    )


@commands.add(
    "quote",
    arguments=ArgumentSpec("<command>", min_count=1, max_count=1, is_rest_of_line=True),
    invalidates_listings=True,
)
async def quote(session: ConsoleSession, arguments: ParsedArguments) -> None:
    """Send an FTP command unchanged and show the reply."""
    reply = await session.client.send(arguments.rest)
    session.screen.print_lines(f"{reply.code} {escape_unprintable(line)}" for line in reply.lines)
