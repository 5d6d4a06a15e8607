"""One line carried out: what shell and scripts have in common."""

from __future__ import annotations

from ftpservice_client.console.complaints import NotConnected
from ftpservice_client.console.line import parse
from ftpservice_client.console.login import log_in_as_anybody
from ftpservice_client.console.session import Session
from ftpservice_client.console.words import WordTable

__all__ = ["perform"]


async def perform(text: str, session: Session, table: WordTable) -> None:
    """Do what a line says; raises whatever goes wrong with it.

    What needs a login, where there is a connection without one, is done as anonymous.
    """
    line = parse(text)
    if line is None:
        return
    word = table.find(line.word)
    given = word.given(line)
    try:
        try:
            await session.interrupt.run(word.run(session, given))
        except NotConnected:
            await session.interrupt.run(log_in_as_anybody(session))
            await session.interrupt.run(word.run(session, given))
    finally:
        if word.changes:
            session.forget()
