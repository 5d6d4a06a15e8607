"""All words of the shell in one table, and the one that tells of it."""

from __future__ import annotations

from ftpservice_client.console.session.session import ShellSession
from ftpservice_client.console.shell.command_table import (
    ArgumentSpec,
    CommandTable,
    CompletionSource,
    ShellCommand,
)
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
from ftpservice_client.console.shell.options import ParsedArguments

__all__ = ["SHELL_COMMANDS", "commands_markdown"]

SHELL_COMMANDS = CommandTable().include(
    connection.commands,
    listings.commands,
    transfers.commands,
    viewing.commands,
    mirror.commands,
    files.commands,
    local.commands,
    server.commands,
)


@SHELL_COMMANDS.add(
    "help", "?", takes=ArgumentSpec("[<word>]", (CompletionSource.COMMANDS,), most=1)
)
async def show_help(session: ShellSession, given: ParsedArguments) -> None:
    """List the words, or tell how one is typed."""
    if given.arguments:
        session.screen.show(_command_help(SHELL_COMMANDS.find(given.text(0))))
        return
    width = max(len(word.name) for word in SHELL_COMMANDS)
    session.screen.show(f"{word.name:<{width}}  {word.help}" for word in SHELL_COMMANDS)
    session.screen.remark("help WORD tells more. Tab completes, Ctrl-C stops, Ctrl-D leaves.")


def _command_help(word: ShellCommand) -> list[str]:
    width = max((len(option.switches) for option in word.options), default=0)
    options = [f"  {option.switches:<{width}}  {option.help}" for option in word.options]
    aliases = [f"Also: {', '.join(word.aliases)}"] if word.aliases else []
    return [word.syntax, word.help, *options, *aliases]


def commands_markdown() -> str:
    """Return the rows as a Markdown table, for the documentation."""
    return "\n".join(
        [
            "| word | also | what it does |",
            "| --- | --- | --- |",
            *map(_markdown_row, SHELL_COMMANDS),
        ]
    )


def _markdown_row(word: ShellCommand) -> str:
    aliases = ", ".join(f"`{alias}`" for alias in word.aliases)
    options = "".join(f" `{option.switches}`: {option.help}." for option in word.options)
    syntax = word.syntax.replace("|", "\\|")
    return f"| `{syntax}` | {aliases} | {word.help}{options} |"
