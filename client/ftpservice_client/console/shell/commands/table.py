"""All words of the shell in one table, and the one that tells of it."""

from __future__ import annotations

from ftpservice_client.console.session.session import Session
from ftpservice_client.console.shell.command_table import Side, Takes, Word, WordTable
from ftpservice_client.console.shell.commands import (
    connection,
    files,
    listings,
    local,
    mirror,
    server,
    transfers,
    viewing,
)
from ftpservice_client.console.shell.options import Given

__all__ = ["TABLE", "markdown"]

TABLE = WordTable().include(
    connection.words,
    listings.words,
    transfers.words,
    viewing.words,
    mirror.words,
    files.words,
    local.words,
    server.words,
)


@TABLE.add("help", "?", takes=Takes("[<word>]", (Side.WORDS,), most=1))
async def help_with(session: Session, given: Given) -> None:
    """List the words, or tell how one is typed."""
    if given.arguments:
        session.screen.show(_told(TABLE.find(given.text(0))))
        return
    width = max(len(word.name) for word in TABLE)
    session.screen.show(f"{word.name:<{width}}  {word.help}" for word in TABLE)
    session.screen.remark("help WORD tells more. Tab completes, Ctrl-C stops, Ctrl-D leaves.")


def _told(word: Word) -> list[str]:
    width = max((len(option.switches) for option in word.options), default=0)
    options = [f"  {option.switches:<{width}}  {option.help}" for option in word.options]
    aliases = [f"Also: {', '.join(word.aliases)}"] if word.aliases else []
    return [word.syntax, word.help, *options, *aliases]


def markdown() -> str:
    """Return the rows as a Markdown table, for the documentation."""
    return "\n".join(["| word | also | what it does |", "| --- | --- | --- |", *map(_row, TABLE)])


def _row(word: Word) -> str:
    aliases = ", ".join(f"`{alias}`" for alias in word.aliases)
    options = "".join(f" `{option.switches}`: {option.help}." for option in word.options)
    syntax = word.syntax.replace("|", "\\|")
    return f"| `{syntax}` | {aliases} | {word.help}{options} |"
