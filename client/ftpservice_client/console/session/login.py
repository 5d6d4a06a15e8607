"""Connecting with whatever has to be asked for: name and password."""

from __future__ import annotations

from dataclasses import replace

from ftpservice_client import AuthenticationFailed, Destination
from ftpservice_client.console.session.errors import NotConnected
from ftpservice_client.console.session.session import ShellSession
from ftpservice_client.sessions.netrc import with_netrc

__all__ = ["LOGIN_HINT", "ask_for_password", "ask_for_user", "log_in", "log_in_anonymously"]

LOGIN_HINT = "Log in with USER and PASS."


async def log_in(session: ShellSession, place: Destination) -> None:
    """Connect to ``place``; what neither it nor netrc says is asked for, where it is needed.

    A shell shows what the server says first, and leaves it to the person to log in (USER, PASS)
    where no user is named. Raises `AuthenticationFailed` where nobody can be asked.
    """
    if session.settings.netrc is not None:
        told: list[str] = []
        path = session.settings.netrc
        place = await session.in_thread(with_netrc, place, path, told.append)
        for line in told:
            session.screen.warn(line)
    session.login_destination = place
    if session.shell and not place.scheme.is_simple:
        await session.connect_without_login(place)
        if place.password is None and not place.user:
            session.screen.remark(LOGIN_HINT)
            return
    if place.password is not None or not session.is_interactive:
        await session.open(place)
    elif place.user:
        await _with_password(session, place)
    else:
        await _log_in_anonymously_or_ask(session, place)
    if place.scheme.is_simple:
        session.tell_connected(place, secured=place.scheme.is_secured)


async def log_in_anonymously(session: ShellSession) -> None:
    """Log in as anonymous on a connection on which nobody is; raises `NotConnected`."""
    if session.login_destination is None or not session.is_awaiting_login:
        raise NotConnected
    try:
        await session.open(replace(session.login_destination, user="", password=None))
    except AuthenticationFailed as error:
        text = f"{str(error).rstrip('.')} (as anonymous). {LOGIN_HINT}"
        raise AuthenticationFailed(text, error.reply) from error
    session.screen.remark("Logged in as anonymous.")


async def _log_in_anonymously_or_ask(session: ShellSession, place: Destination) -> None:
    """Be anonymous, or, if that is turned away, whoever the person says."""
    try:
        await session.open(place)
    except AuthenticationFailed:
        session.login_destination = replace(place, user=await ask_for_user(session))
        await _with_password(session, session.login_destination)


async def _with_password(session: ShellSession, place: Destination) -> None:
    await session.open(place.as_user(place.user, await ask_for_password(session)))


async def ask_for_user(session: ShellSession) -> str:
    """Return a name; ``USER name``, which people type out of habit, is the name too."""
    answer = await session.ask("User")
    return _without_command("USER", answer)


async def ask_for_password(session: ShellSession) -> str:
    """Return a password, as it is or behind the word PASS."""
    answer = await session.ask("Password", secret=True)
    if answer.strip().upper() == "PASS":
        answer = await session.ask("Password", secret=True)
    return _without_command("PASS", answer)


def _without_command(word: str, answer: str) -> str:
    first, space, rest = answer.partition(" ")
    return rest.strip() if space and first.upper() == word and rest.strip() else answer
