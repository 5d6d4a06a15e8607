"""All words of the shell in one table, and the one that tells of it."""

from __future__ import annotations

from ftpservice_client.console import (
    actions_connection,
    actions_files,
    actions_listings,
    actions_local,
    actions_reading,
    actions_service,
    actions_transfers,
    actions_trees,
)
from ftpservice_client.console.options import Given
from ftpservice_client.console.session import Session
from ftpservice_client.console.words import Side, Takes, Word, WordTable

__all__ = ["TABLE", "markdown"]

TABLE = WordTable().include(
    actions_connection.words,
    actions_listings.words,
    actions_transfers.words,
    actions_reading.words,
    actions_trees.words,
    actions_files.words,
    actions_local.words,
    actions_service.words,
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
