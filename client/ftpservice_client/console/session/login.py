"""Connect and log in; user name and password come from the URL, netrc or the terminal."""

from __future__ import annotations

from dataclasses import replace

from ftpservice_client import AuthenticationFailed, Destination
from ftpservice_client.console.session.errors import NotConnected
from ftpservice_client.console.session.session import ConsoleSession
from ftpservice_client.sessions.netrc import with_netrc

__all__ = ["LOGIN_HINT", "ask_for_password", "ask_for_user", "log_in", "log_in_anonymously"]

LOGIN_HINT = "Log in with USER and PASS."


async def log_in(session: ConsoleSession, destination: Destination) -> None:
    """Connect to ``destination`` and log in.

    A user or password that neither the URL nor netrc has is asked for if it is needed. The
    interactive shell prints the greeting; without a user it leaves the login to the commands USER
    and PASS. Raises `AuthenticationFailed` if there is no terminal to ask at.
    """
    if session.settings.netrc is not None:
        warnings: list[str] = []
        path = session.settings.netrc
        destination = await session.in_thread(with_netrc, destination, path, warnings.append)
        for line in warnings:
            session.screen.print_warning(line)
    session.login_destination = destination
    if session.is_shell and not destination.scheme.is_simple:
        await session.connect_without_login(destination)
        if destination.password is None and not destination.user:
            session.screen.print_status(LOGIN_HINT)
            return
    if destination.password is not None or not session.is_interactive:
        await session.open(destination)
    elif destination.user:
        await _ask_password_and_open(session, destination)
    else:
        await _log_in_anonymously_or_ask(session, destination)
    if destination.scheme.is_simple:
        session.print_connected(destination, is_secured=destination.scheme.is_secured)


async def log_in_anonymously(session: ConsoleSession) -> None:
    """Log in as anonymous on a connection without a login; raises `NotConnected`."""
    if session.login_destination is None or not session.is_awaiting_login:
        raise NotConnected
    try:
        await session.open(replace(session.login_destination, user="", password=None))
    except AuthenticationFailed as error:
        text = f"{str(error).rstrip('.')} (as anonymous). {LOGIN_HINT}"
        raise AuthenticationFailed(text, error.reply) from error
    session.screen.print_status("Logged in as anonymous.")


async def _log_in_anonymously_or_ask(session: ConsoleSession, destination: Destination) -> None:
    """Log in as anonymous; if the server refuses that, ask for user and password."""
    try:
        await session.open(destination)
    except AuthenticationFailed:
        session.login_destination = replace(destination, user=await ask_for_user(session))
        await _ask_password_and_open(session, session.login_destination)


async def _ask_password_and_open(session: ConsoleSession, destination: Destination) -> None:
    await session.open(destination.as_user(destination.user, await ask_for_password(session)))


async def ask_for_user(session: ConsoleSession) -> str:
    """Return a user name; the answer may also be ``USER name``."""
    answer = await session.ask("User")
    return _without_command("USER", answer)


async def ask_for_password(session: ConsoleSession) -> str:
    """Return a password; the answer may also be ``PASS password``, or ``PASS`` alone."""
    answer = await session.ask("Password", secret=True)
    if answer.strip().upper() == "PASS":
        answer = await session.ask("Password", secret=True)
    return _without_command("PASS", answer)


def _without_command(command: str, answer: str) -> str:
    first, space, rest = answer.partition(" ")
    return rest.strip() if space and first.upper() == command and rest.strip() else answer
