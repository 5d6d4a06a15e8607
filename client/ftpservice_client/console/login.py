"""Connecting with whatever has to be asked for: name and password."""

from __future__ import annotations

from dataclasses import replace

from ftpservice_client import Destination, LoginFailed
from ftpservice_client.console.session import Session
from ftpservice_client.netrc import with_netrc

__all__ = ["log_in"]


async def log_in(session: Session, place: Destination) -> None:
    """Connect to ``place``; what neither it nor netrc says is asked for, where it is needed.

    Raises `LoginFailed` where nobody can be asked.
    """
    if session.settings.netrc is not None:
        place = await session.aside(with_netrc, place, session.settings.netrc)
    session.wanted = place
    if place.password is not None or not session.attended:
        await session.open(place)
    elif place.user:
        await _with_password(session, place)
    else:
        await _as_anybody(session, place)


async def _as_anybody(session: Session, place: Destination) -> None:
    """Be anonymous, or, if that is turned away, whoever the person says."""
    try:
        await session.open(place)
    except LoginFailed:
        session.wanted = replace(place, user=await session.ask("User"))
        await _with_password(session, session.wanted)


async def _with_password(session: Session, place: Destination) -> None:
    password = await session.ask("Password", secret=True)
    await session.open(place.as_user(place.user, password))
