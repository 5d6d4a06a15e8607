"""Words about the shell and the server themselves: help, report, features, quote."""

from __future__ import annotations

from ftpservice.wire.replies import Reply
from ftpservice_client.console.session.errors import Complaint
from ftpservice_client.console.session.session import Session
from ftpservice_client.console.shell.command_table import Takes, WordTable
from ftpservice_client.console.shell.options import Given
from ftpservice_client.console.terminal.escape import visible

__all__ = ["words"]

words = WordTable()

FIRST_FAILURE = 400


@words.add("report")
async def report(session: Session, _given: Given) -> None:
    """Show what the server has been doing, if it lets you know (REPORT)."""
    reply = await session.client.send("REPORT")
    session.screen.show(visible(line) for line in _lines(reply))


@words.add("features", "feat")
async def features(session: Session, _given: Given) -> None:
    """Show what the server offers."""
    found = await session.client.features()
    session.screen.show(visible(f"{word} {more}".rstrip()) for word, more in found.items())


@words.add("quote", takes=Takes("<command>", least=1, most=1, whole=True), changes=True)
async def quote(session: Session, given: Given) -> None:
    """Send a line of FTP as it is, and show the reply."""
    reply = await session.client.send(given.rest)
    session.screen.show(f"{reply.code} {visible(line)}" for line in reply.lines)


def _lines(reply: Reply) -> tuple[str, ...]:
    """Return what a reply says; raises `Complaint` for one that says no."""
    if reply.code >= FIRST_FAILURE:
        raise Complaint(" ".join(reply.lines))
    return reply.lines
