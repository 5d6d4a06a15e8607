"""One line carried out: what shell and scripts have in common."""

from __future__ import annotations

from ftpservice_client.console.line import parse
from ftpservice_client.console.session import Session
from ftpservice_client.console.words import WordTable

__all__ = ["perform"]


async def perform(text: str, session: Session, table: WordTable) -> None:
    """Do what a line says; raises whatever goes wrong with it."""
    line = parse(text)
    if line is None:
        return
    word = table.find(line.word)
    given = word.given(line)
    try:
        await session.interrupt.run(word.run(session, given))
    finally:
        if word.changes:
            session.forget()
