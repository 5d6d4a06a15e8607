"""Connecting with whatever has to be asked for: name and password."""

from __future__ import annotations

from dataclasses import replace

from ftpservice_client import Destination, LoginFailed
from ftpservice_client.console.session import Session

__all__ = ["log_in"]


async def log_in(session: Session, place: Destination) -> None:
    """Connect to ``place``; what it does not say is asked for, once that is known to be needed.

    Raises `LoginFailed` where nobody can be asked.
    """
    try:
        await session.open(place)
    except LoginFailed:
        session.wanted = place
        if place.password is not None or not session.attended:
            raise
        await _ask(session, place)


async def _ask(session: Session, place: Destination) -> None:
    user = place.user or await session.ask("User")
    session.wanted = replace(place, user=user)
    password = await session.ask("Password", secret=True)
    await session.open(place.as_user(user, password))
