"""Words for coming and going: open, close, user, pass, pasv, quit."""

from __future__ import annotations

from dataclasses import replace

from ftpservice_client import LoginFailed
from ftpservice_client.console.session.arguments import destination
from ftpservice_client.console.session.errors import NotConnected, Usage
from ftpservice_client.console.session.login import HOW, ask_for_password, ask_for_user, log_in
from ftpservice_client.console.session.session import Session
from ftpservice_client.console.shell.command_table import Takes, WordTable
from ftpservice_client.console.shell.options import Given

__all__ = ["words"]

words = WordTable()

LAST_PORT = 65535
PASSIVE = {"": True, "on": True, "off": False}


@words.add("open", "conn", "connect", takes=Takes("[<url> [<port>]]", most=2), changes=True)
async def open_connection(session: Session, given: Given) -> None:
    """Connect to a server; without a URL, ask for it."""
    place = destination(given.text(0) or await session.ask("URL"))
    if given.text(1):
        place = replace(place, port=_port(given.text(1)))
    try:
        await log_in(session, place)
    except LoginFailed:
        if session.attended or place.user:
            raise
        session.screen.remark(f"The server requires a login. {HOW}")


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= LAST_PORT:
        raise Usage(f"{text} is no port.")
    return int(text)


@words.add("close", "disconnect", changes=True)
async def close(session: Session, _given: Given) -> None:
    """Leave the server and stay in the shell."""
    await session.close()


@words.add("user", takes=Takes("[<name> [<password>]]", most=2), changes=True)
async def user(session: Session, given: Given) -> None:
    """Log in as somebody else; the password is better asked for, or comes with PASS."""
    if session.wanted is None:
        raise NotConnected
    name = given.text(0) or await ask_for_user(session)
    session.wanted = replace(session.wanted, user=name, password=None)
    text = given.text(1)
    if not text and session.attended:
        text = await ask_for_password(session)
    if text:
        await _open(session, name, text)


@words.add("pass", takes=Takes("[<password>]", most=1, whole=True), changes=True)
async def password(session: Session, given: Given) -> None:
    """Log in with this password as the USER that was named; better let it be asked for."""
    if session.wanted is None or not session.wanted.user:
        raise Usage("USER comes first.")
    text = given.text(0) or await ask_for_password(session)
    await _open(session, session.wanted.user, text)


async def _open(session: Session, name: str, password: str) -> None:
    assert session.wanted is not None
    await session.open(session.wanted.as_user(name, password))
    session.screen.remark(f"Logged in as {name}.")


@words.add("pasv", "passive", takes=Takes("[on|off]", most=1), changes=True)
async def passive(session: Session, given: Given) -> None:
    """Have data connections made by us (on, as at first) or by the server (off)."""
    wanted = given.text(0).lower()
    if wanted not in PASSIVE:
        raise Usage("That is typed as: pasv [on|off]")
    active = not PASSIVE[wanted]
    if active != session.settings.active:
        session.settings = replace(session.settings, active=active)
        await session.renew()
    session.screen.remark("Active mode." if active else "Passive mode.")


@words.add("quit", "bye", "exit", changes=True)
async def leave(session: Session, _given: Given) -> None:
    """Leave the server and the shell."""
    session.leaving = True
    await session.close()
