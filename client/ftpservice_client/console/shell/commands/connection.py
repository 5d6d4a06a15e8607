"""Words for coming and going: open, close, user, pass, pasv, quit."""

from __future__ import annotations

from dataclasses import replace

from ftpservice_client import AuthenticationFailed
from ftpservice_client.console.session.arguments import destination
from ftpservice_client.console.session.errors import NotConnected, ShellUsageError
from ftpservice_client.console.session.login import (
    LOGIN_HINT,
    ask_for_password,
    ask_for_user,
    log_in,
)
from ftpservice_client.console.session.session import ShellSession
from ftpservice_client.console.shell.command_table import ArgumentSpec, CommandTable
from ftpservice_client.console.shell.options import ParsedArguments

__all__ = ["commands"]

commands = CommandTable()

MAX_PORT = 65535
PASSIVE_ARGUMENTS = {"": True, "on": True, "off": False}


@commands.add(
    "open", "conn", "connect", takes=ArgumentSpec("[<url> [<port>]]", most=2), changes=True
)
async def open_connection(session: ShellSession, given: ParsedArguments) -> None:
    """Connect to a server; without a URL, ask for it."""
    place = destination(given.text(0) or await session.ask("URL"))
    if given.text(1):
        place = replace(place, port=_port(given.text(1)))
    try:
        await log_in(session, place)
    except AuthenticationFailed:
        if session.is_interactive or place.user:
            raise
        session.screen.remark(f"The server requires a login. {LOGIN_HINT}")


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= MAX_PORT:
        raise ShellUsageError(f"{text} is no port.")
    return int(text)


@commands.add("close", "disconnect", changes=True)
async def close(session: ShellSession, _given: ParsedArguments) -> None:
    """Leave the server and stay in the shell."""
    await session.close()


@commands.add("user", takes=ArgumentSpec("[<name> [<password>]]", most=2), changes=True)
async def user(session: ShellSession, given: ParsedArguments) -> None:
    """Log in as somebody else; the password is better asked for, or comes with PASS."""
    if session.login_destination is None:
        raise NotConnected
    name = given.text(0) or await ask_for_user(session)
    session.login_destination = replace(session.login_destination, user=name, password=None)
    text = given.text(1)
    if not text and session.is_interactive:
        text = await ask_for_password(session)
    if text:
        await _open(session, name, text)


@commands.add("pass", takes=ArgumentSpec("[<password>]", most=1, whole=True), changes=True)
async def password(session: ShellSession, given: ParsedArguments) -> None:
    """Log in with this password as the USER that was named; better let it be asked for."""
    if session.login_destination is None or not session.login_destination.user:
        raise ShellUsageError("USER comes first.")
    text = given.text(0) or await ask_for_password(session)
    await _open(session, session.login_destination.user, text)


async def _open(session: ShellSession, name: str, password: str) -> None:
    assert session.login_destination is not None
    await session.open(session.login_destination.as_user(name, password))
    session.screen.remark(f"Logged in as {name}.")


@commands.add("pasv", "passive", takes=ArgumentSpec("[on|off]", most=1), changes=True)
async def passive(session: ShellSession, given: ParsedArguments) -> None:
    """Have data connections made by us (on, as at first) or by the server (off)."""
    wanted = given.text(0).lower()
    if wanted not in PASSIVE_ARGUMENTS:
        raise ShellUsageError("That is typed as: pasv [on|off]")
    active = not PASSIVE_ARGUMENTS[wanted]
    if active != session.settings.active:
        session.settings = replace(session.settings, active=active)
        await session.renew()
    session.screen.remark("Active mode." if active else "Passive mode.")


@commands.add("quit", "bye", "exit", changes=True)
async def quit_shell(session: ShellSession, _given: ParsedArguments) -> None:
    """Leave the server and the shell."""
    session.leaving = True
    await session.close()
